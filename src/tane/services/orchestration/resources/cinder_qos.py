"""``OS::Cinder::QoSSpecs`` and ``QoSAssociation``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.resources.comparing import Difference, same
from tane.services.orchestration.resources.declaring import listing, mapping, names, shown, text
from tane.web.errors import NotFound

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

PATH = "/v3/qos-specs"


class QoSSpecs(Kind):
    adopts = True
    compares = True
    name = "OS::Cinder::QoSSpecs"
    description = "A resource for creating cinder QoS specs."
    properties = {
        "name": text("Name of the QoS."),
        "specs": mapping("The specs key and value pairs of the QoS.", required=True, update="in_place"),
    }
    attributes = shown({"show": "map"})

    def create(self, hand: Hand) -> str | None:
        body = {**_specs(hand.properties), "name": hand.properties.get("name") or hand.physical_name()}
        return str(hand.call("volume", "POST", PATH, {"qos_specs": body})["qos_specs"]["id"])

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        before, after = _specs(hand.row.properties), _specs(hand.properties)
        if "consumer" in before:
            # Who minds them is always said.
            after = {"consumer": "back-end", **after}
        gone = [key for key in before if key not in after]
        if gone:
            hand.call("volume", "PUT", f"{PATH}/{hand.id}/delete_keys", {"keys": gone})
        if after:
            hand.call("volume", "PUT", f"{PATH}/{hand.id}", {"qos_specs": after})

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = hand.call("volume", "GET", f"{PATH}/{hand.id}")["qos_specs"]
        return found

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        wanted, shown = _specs(hand.properties), self.show(hand)
        now = {**shown["specs"], **({"consumer": shown["consumer"]} if "consumer" in wanted else {})}
        return {} if same(wanted, now) else {"specs": Difference(wanted, now)}

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        try:
            hand.call("volume", "GET", f"{PATH}/{hand.id}/disassociate_all")
            hand.call("volume", "DELETE", f"{PATH}/{hand.id}")
        except NotFound:
            return

    def attribute(self, hand: Hand, name: str) -> Any:
        return dict(self.show(hand))


def _specs(properties: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (properties.get("specs") or {}).items()}


class QoSAssociation(Kind):
    name = "OS::Cinder::QoSAssociation"
    description = "A resource to associate cinder QoS specs with volume types."
    properties = {
        "qos_specs": names("cinder.qos_specs", "ID or Name of the QoS specs.", required=True),
        "volume_types": listing(
            "List of volume type IDs or Names to be attached to QoS specs.",
            names("cinder.vtype", "A volume type."),
            required=True,
            update="in_place",
        ),
    }
    attributes = shown({"show": "map"})

    def create(self, hand: Hand) -> str | None:
        hand.keep(specs=hand.lookup("cinder.qos_specs", hand.properties["qos_specs"]), types=[])
        self._tie(hand)
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        self._tie(hand)

    def _tie(self, hand: Hand) -> None:
        wanted = [hand.lookup("cinder.vtype", one) for one in hand.properties["volume_types"]]
        there: list[str] = hand.row.data["types"]
        for one in there:
            if one not in wanted:
                self._call(hand, "disassociate", one)
        for one in dict.fromkeys(wanted):
            if one not in there:
                self._call(hand, "associate", one)
        hand.keep(types=wanted)

    def _call(self, hand: Hand, what: str, kind: str) -> None:
        hand.call("volume", "GET", f"{PATH}/{hand.row.data['specs']}/{what}", query={"vol_type_id": kind})

    def delete(self, hand: Hand) -> None:
        heir = [one for one in heirs.of(hand) if one.data.get("specs") == hand.row.data.get("specs")]
        stays = [kind for one in heir for kind in one.data.get("types", ())]
        for one in hand.row.data.get("types", ()):
            if one in stays:
                continue
            try:
                self._call(hand, "disassociate", one)
            except NotFound:
                continue

    def attribute(self, hand: Hand, name: str) -> Any:
        return {}
