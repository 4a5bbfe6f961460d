"""``OS::Heat::ResourceChain``: resources of several types with the same properties, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.declaring import flag, listing, mapping, shown, text
from tane.services.orchestration.resources.heat_resource_group import VERSION, check_size, taken
from tane.services.orchestration.resources.nested import OfStack, inner_environment

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source


class ResourceChain(OfStack):
    name = "OS::Heat::ResourceChain"
    description = "Creates one or more resources with the same configuration."
    hidden = False
    properties = {
        "resources": listing(
            "The list of resource types to create.", text("A type."), required=True, update="in_place"
        ),
        "concurrent": flag("If the resources in the chain can be created concurrently.", default=False),
        "resource_properties": mapping("Properties to pass to each resource being created in the chain."),
    }
    attributes = shown({"refs": "list", "attributes": "map"})

    def source(self, hand: Hand) -> Source:
        from tane.services.orchestration.domain import nested

        given, made = hand.properties.get("resource_properties") or {}, dict[str, Any]()
        check_size(given, len(hand.properties.get("resources") or []))
        for number, kind in enumerate(hand.properties.get("resources") or []):
            made[str(number)] = {"type": kind, "properties": dict(given)}
            if number and not hand.properties.get("concurrent"):
                made[str(number)]["depends_on"] = [str(number - 1)]
        files = hand.plan.files if hand.plan else {}
        template = {"heat_template_version": VERSION, "resources": made}
        return nested.source_of(template, files, inner_environment(hand), {})

    def knows(self, attribute: str) -> bool:
        return True

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.attribute_at(hand, name, ())

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        names = [str(number) for number in range(len(hand.row.properties.get("resources") or []))]
        if name == "refs":
            return [self.inner_attribute(hand, one, "refs") for one in names]
        if name == "attributes":
            wanted = str(path[0]) if path else ""
            found = {one: self.inner_attribute(hand, one, wanted) for one in names} if wanted else {}
            return taken(found, path[1:]) if path else found
        if name.startswith("resource."):
            return self.inner_attribute(hand, name.removeprefix("resource."), str(path[0]) if path else "refs")
        return [self.inner_attribute(hand, one, name, path) for one in names]
