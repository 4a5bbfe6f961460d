"""``OS::Heat::TestResource``: fails, waits and is replaced as it is told; for tests of engines, its own and others'."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.domain.common import LONGEST_MINUTES
from tane.services.orchestration.resources.base import SHOW, Failed, Kind, Replace, Wait
from tane.services.orchestration.template.properties import Attribute, Property

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

SECONDS = Property(type="number", update="in_place")


class TestResource(Kind):
    adopts = True
    brings = ("value",)
    name = "OS::Heat::TestResource"
    description = "A resource which stores the string value that was provided."
    properties = {
        "value": Property(
            type="string", default="test_string", update="in_place", description="The input string to be stored."
        ),
        "fail": Property(
            type="boolean",
            default=False,
            update="in_place",
            description="Value which can be set to fail the resource operation.",
        ),
        "update_replace": Property(
            type="boolean",
            default=False,
            update="in_place",
            description="Value which can be set to trigger update replace.",
        ),
        "update_replace_value": Property(
            type="string", update="in_place", description="Some value that can be stored but can not be updated."
        ),
        "wait_secs": Property(
            type="number", default=0, update="in_place", description="Seconds to wait after an action (-1 is infinite)."
        ),
        "action_wait_secs": Property(
            type="map",
            update="in_place",
            description="Options for simulating waiting.",
            schema={"create": SECONDS, "update": SECONDS, "delete": SECONDS},
        ),
        "attr_wait_secs": Property(
            type="number",
            default=0,
            update="in_place",
            description="Number value for timeout during resolving output value.",
        ),
        "client_name": Property(type="string", default="", update="in_place", description="Client to poll."),
        "entity_name": Property(type="string", default="", update="in_place", description="Client entity to poll."),
        "constraint_prop_secs": Property(type="number", default=0, update="in_place", description="Not used."),
    }
    attributes = {
        "output": Attribute(type="string", description="The string that was stored."),
        "show": SHOW,
    }

    def brought(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": str(data["value"])} if "value" in data else {}

    def create(self, hand: Hand) -> str | None:
        self._begin(hand, "create")
        hand.keep(value=hand.properties["value"])
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        if hand.properties["update_replace"]:
            raise Replace
        if "update_replace_value" in changed:
            raise Replace
        self._begin(hand, "update")
        hand.keep(value=hand.properties["value"])

    def _begin(self, hand: Hand, action: str) -> None:
        asked = (hand.properties.get("action_wait_secs") or {}).get(action)
        seconds = hand.properties["wait_secs"] if asked is None else asked
        until = hand.tx.now + timedelta(minutes=min(seconds / 60, LONGEST_MINUTES)) if seconds > 0 else hand.tx.now
        hand.keep(until=None if seconds < 0 else until.isoformat(), fails=bool(hand.properties["fail"]))

    def ready(self, hand: Hand) -> bool:
        kept = hand.row.data
        until = kept.get("until")
        if until is None or datetime.fromisoformat(until) > hand.tx.now:
            return False
        if kept.get("fails"):
            raise Failed(f"Test Resource failed {hand.row.name}")
        return True

    def waits(self, hand: Hand) -> Wait:
        until = hand.row.data.get("until") or hand.row.data.get("gone")
        if until is None:
            return Wait(float("inf"), f"stack_resource:{hand.row.id}")
        return Wait(max(0.01, (datetime.fromisoformat(until) - hand.tx.now).total_seconds()))

    def delete(self, hand: Hand) -> None:
        seconds = (hand.row.properties.get("action_wait_secs") or {}).get("delete") or 0
        if seconds > 0 and "gone" not in hand.row.data:
            gone = (hand.tx.now + timedelta(minutes=min(seconds / 60, LONGEST_MINUTES))).isoformat()
            hand.change(data={**hand.row.data, "until": gone, "gone": gone})

    def gone(self, hand: Hand) -> bool:
        gone = hand.row.data.get("gone")
        return gone is None or datetime.fromisoformat(gone) <= hand.tx.now

    def attribute(self, hand: Hand, name: str) -> Any:
        return hand.row.data.get("value") if name == "output" else {}
