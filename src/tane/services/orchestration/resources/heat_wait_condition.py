"""``OS::Heat::WaitCondition`` and its handle: the stack goes on when it was told so often."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from tane.db import Tx
from tane.services.orchestration.resources.base import SHOW, Failed, Kind, Wait
from tane.services.orchestration.template.constraints import AllowedValues, Range
from tane.services.orchestration.template.properties import Attribute, Property
from tane.web.errors import BadRequest, NotImplementedHere

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

TRANSPORTS = ("CFN_SIGNAL", "TEMP_URL_SIGNAL", "HEAT_SIGNAL", "NO_SIGNAL", "TOKEN_SIGNAL", "ZAQAR_SIGNAL")
BUILT = ("TOKEN_SIGNAL", "HEAT_SIGNAL", "CFN_SIGNAL", "TEMP_URL_SIGNAL", "NO_SIGNAL")


class Handle(Kind):
    name = "OS::Heat::WaitConditionHandle"
    description = "Resource for managing instance signals."
    properties = {
        "signal_transport": Property(
            type="string",
            default="TOKEN_SIGNAL",
            constraints=(AllowedValues(allowed=TRANSPORTS),),
            update="replace",
            description="How the client will signal the wait condition.",
        )
    }
    attributes = {
        "token": Attribute(type="string", description="Tokenless: the endpoint itself is the secret."),
        "endpoint": Attribute(type="string", description="Endpoint/url which can be used for signalling handle."),
        "curl_cli": Attribute(type="string", description="The curl command that signals, but for its --data-binary."),
        "signal": Attribute(type="map", description="JSON object for signalling."),
        "show": SHOW,
    }

    def create(self, hand: Hand) -> str | None:
        hand.signal_url()
        return hand.short_name()

    def validate(self, hand: Hand, properties: Any) -> None:
        if properties.get("signal_transport") not in BUILT:
            raise NotImplementedHere(f"Signals of the kind {properties.get('signal_transport')} are not done yet.")

    def attribute(self, hand: Hand, name: str) -> Any:
        url = hand.signal_url()
        headers = "-H 'Content-Type: application/json' -H 'Accept: application/json'"
        return {
            "endpoint": url,
            "token": "",
            "curl_cli": f"curl -i -X POST {headers} {url}",
            "signal": {"alarm_url": url},
        }.get(name, {})

    def told_before(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The signals that came, so that what waits for them does not wait again."""
        found = {}
        for number, entry in metadata.items():
            if isinstance(entry, Mapping) and entry.get("status") in ("SUCCESS", "FAILURE"):
                kept = {"status": entry["status"], "reason": str(entry.get("reason") or ""), "data": entry.get("data")}
                found[str(number)] = kept
        return found

    def signal(self, hand: Hand, details: Mapping[str, Any]) -> Any:
        status = str(details.get("status") or "SUCCESS")
        if status not in ("SUCCESS", "FAILURE"):
            raise BadRequest(f"Invalid wait condition status {status}: SUCCESS or FAILURE is expected.")
        known = dict(hand.row.metadata)
        number = str(details.get("id") or len(known) + 1)
        if number in known:
            raise BadRequest(f"A signal with id {number} has been received already.")
        reason = str(details.get("reason") or f"Signal {number} received")
        entry = {"status": status, "reason": reason, "data": details.get("data")}
        if len(msgspec.json.encode({**known, number: entry})) > 65_536:
            raise BadRequest("The signals of a handle hold at most 65536 bytes.")
        hand.change(metadata={**known, number: entry})
        return f"status:{status} reason:{reason}"


def unreachable(hand: Hand) -> str:
    """Why no guest can have sent a signal, as part of a sentence; nothing where one can."""
    host = urlsplit(hand.core.config.url).hostname or ""
    loopback = host == "localhost" or host.startswith("127.") or host == "::1"
    return f": guests cannot reach {hand.core.config.url} (see public_url and host)" if loopback else ""


def signals(tx: Tx, handle_id: str) -> Mapping[str, Any]:
    """What a handle was told so far, by the ids of the signals."""
    from tane.services.orchestration.store import resources

    row = resources.get(tx, handle_id)
    return {} if row is None else dict(row.metadata)


class WaitCondition(Kind):
    """``HANDLE`` …: what its properties and its attribute are called; Amazon's twin has other names."""

    HANDLE, TIMEOUT, COUNT, DATA = "handle", "timeout", "count", "data"
    name = "OS::Heat::WaitCondition"
    description = "Resource for handling signals received by WaitConditionHandle."
    properties = {
        "handle": Property(
            type="string", required=True, update="replace", description="A reference to the wait condition handle."
        ),
        "timeout": Property(
            type="number",
            required=True,
            constraints=(Range(min=1, max=43200),),
            update="in_place",
            description="The number of seconds to wait for the correct number of signals to arrive.",
        ),
        "count": Property(
            type="integer",
            default=1,
            constraints=(Range(min=1),),
            update="in_place",
            description="The number of success signals that must be received.",
        ),
    }
    attributes = {
        "data": Attribute(
            type="string", description="JSON string containing data associated with wait condition signals."
        ),
        "show": SHOW,
    }

    def create(self, hand: Hand) -> str | None:
        self._begin(hand)
        return hand.short_name()

    def _begin(self, hand: Hand) -> None:
        until = hand.tx.now + timedelta(seconds=float(hand.properties[self.TIMEOUT]))
        hand.keep(until=until.isoformat(), handle=self._handle(hand).id)
        hand.change(expires_at=until)

    def _handle(self, hand: Hand) -> Any:
        """The handle that its name means, or its address (…/signal/ID/SECRET), by which Amazon's is known."""
        from tane.services.orchestration.store import resources

        given = str(hand.properties[self.HANDLE])
        row = resources.by_physical_id(hand.tx, hand.stack.id, given)
        if row is None and given.count("/") > 2:
            row = resources.get(hand.tx, given.rsplit("/", 2)[1])
            if row is not None and (row.stack_id != hand.stack.id or row.data.get("address") != given):
                row = None
        if row is None:
            raise BadRequest(f"{self.HANDLE}: {given} is no wait condition handle of this stack.")
        return row

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        self._begin(hand)

    def _signals(self, hand: Hand) -> Mapping[str, Any]:
        return signals(hand.tx, str(hand.row.data.get("handle")))

    def ready(self, hand: Hand) -> bool:
        told = self._signals(hand)
        failed = [one["reason"] for one in told.values() if one["status"] == "FAILURE"]
        if failed:
            raise Failed(f"WaitConditionFailure: {';'.join(failed)}")
        wanted = int(hand.row.properties[self.COUNT])
        if len(told) >= wanted or self._asks_for_none(hand):
            return True
        if datetime.fromisoformat(hand.row.data["until"]) <= hand.tx.now:
            raise Failed(f"WaitConditionTimeout: {len(told)} of {wanted} received{unreachable(hand)}")
        return False

    def _asks_for_none(self, hand: Hand) -> bool:
        from tane.services.orchestration.store import resources

        handle = resources.get(hand.tx, str(hand.row.data.get("handle")))
        return handle is not None and handle.properties.get("signal_transport") == "NO_SIGNAL"

    def waits(self, hand: Hand) -> Wait:
        if hand.row.expires_at is None:
            hand.change(expires_at=datetime.fromisoformat(hand.row.data["until"]))
        handle_id, number = str(hand.row.data["handle"]), len(self._signals(hand))
        return Wait(math.inf, f"stack_resource:{handle_id}", unless=lambda tx: len(signals(tx, handle_id)) != number)

    def attribute(self, hand: Hand, name: str) -> Any:
        if name != self.DATA:
            return {}
        return msgspec.json.encode({key: one["data"] for key, one in self._signals(hand).items()}).decode()
