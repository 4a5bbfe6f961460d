"""``OS::Nova::HostAggregate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.base import Served
from tane.services.orchestration.resources.declaring import listing, mapping, shown, text

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand


class HostAggregate(Served):
    name = "OS::Nova::HostAggregate"
    description = "A resource for further partition an availability zone with hosts."
    service, path, single = "compute", "/v2.1/os-aggregates", "aggregate"
    apart = ("hosts", "metadata")
    properties = {
        "name": text("Name for the aggregate.", required=True, update="in_place"),
        "availability_zone": text("Name for the availability zone.", update="in_place"),
        "hosts": listing("List of hosts to join aggregate.", text("A host."), update="in_place"),
        "metadata": mapping("Arbitrary key/value metadata of the aggregate.", default={}, update="in_place"),
    }
    attributes = shown({"show": "map"})

    def create(self, hand: Hand) -> str | None:
        made = str(super().create(hand))
        self._describe(hand, made, {})
        self._fill(hand, made, set())
        return made

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        super().change(hand, {key: value for key, value in changed.items() if key not in self.apart})
        if "metadata" in changed:
            self._describe(hand, hand.id, hand.row.properties.get("metadata") or {})
        if "hosts" in changed:
            self._fill(hand, hand.id, set(self.show(hand)["hosts"]))

    def _describe(self, hand: Hand, made: str, before: Mapping[str, Any]) -> None:
        wanted = {str(key): str(value) for key, value in (hand.properties.get("metadata") or {}).items()}
        body = {**{key: None for key in before if key not in wanted}, **wanted}
        if body:
            hand.call("compute", "POST", f"{self.path}/{made}/action", {"set_metadata": {"metadata": body}})

    def _fill(self, hand: Hand, made: str, there: set[str]) -> None:
        wanted = {str(host) for host in hand.properties.get("hosts") or []}
        for action, hosts in (("add_host", wanted - there), ("remove_host", there - wanted)):
            for host in sorted(hosts):
                hand.call("compute", "POST", f"{self.path}/{made}/action", {action: {"host": host}})

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        hand.properties = {}
        there = hand.call("compute", "GET", self.path)["aggregates"]
        found = next((one for one in there if str(one["id"]) == hand.row.physical_id), None)
        if found is not None:
            self._fill(hand, hand.id, set(found["hosts"]))
            super().delete(hand)
