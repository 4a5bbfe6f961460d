"""What types of Neutron share: ids for names in nested places, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tane.services.orchestration.resources.base import Served
from tane.services.orchestration.resources.comparing import Difference, same
from tane.services.orchestration.resources.declaring import listing, text

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

TAGS = listing("The tags to be added to the resource.", text("A tag."), update="in_place")


class Neutron(Served):
    """``collection``: under which its tags are set."""

    service = "network"
    renamed: ClassVar[Mapping[str, str]] = {}

    def create(self, hand: Hand) -> str | None:
        made = super().create(hand)
        if hand.properties.get("tags"):
            self._tag(hand, str(made), hand.properties["tags"])
        return made

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        super().change(hand, {name: value for name, value in changed.items() if name != "tags"})
        if "tags" in changed:
            self._tag(hand, str(hand.row.physical_id), changed["tags"] or [])

    def against(self, hand: Hand, shown: Mapping[str, Any]) -> dict[str, Difference]:
        found = super().against(hand, shown)
        wanted = [str(tag) for tag in hand.properties.get("tags") or []]
        if wanted and not same(wanted, shown.get("tags", wanted)):
            found["tags"] = Difference(wanted, shown["tags"])
        return found

    def _tag(self, hand: Hand, made: str, tags: Any) -> None:
        hand.call(self.service, "PUT", f"{self.path}/{made}/tags", {"tags": [str(tag) for tag in tags]})


def default_group(hand: Hand) -> str:
    """The id of the security group that ports of the stack's project have where none is said."""
    query = {"name": "default", "project_id": str(hand.stack.project_id)}
    return str(hand.call("network", "GET", "/v2.0/security-groups", query=query)["security_groups"][0]["id"])


def without_none(value: Any) -> Any:
    """Maps and lists without what has no value."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_none(item) for item in value]
    return value


def of_network(plan: Any, raw: Any) -> list[str]:
    """Names of the subnets of the template that are in the network that a raw property names."""
    found = []
    for name, declared in plan.resources.items():
        properties = declared.properties if isinstance(declared.properties, Mapping) else {}
        same = raw is not None and raw in (properties.get("network"), properties.get("network_id"))
        if plan.kinds[name].name == "OS::Neutron::Subnet" and same:
            found.append(name)
    return found


def of_type(plan: Any, *types: str) -> list[str]:
    return [name for name in plan.resources if plan.kinds[name].name in types]
