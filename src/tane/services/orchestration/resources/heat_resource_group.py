"""``OS::Heat::ResourceGroup``: any number of resources that are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tane.services.orchestration.domain.common import MOST_RESOURCES, TEMPLATE_BYTES, RequestLimitExceeded
from tane.services.orchestration.resources.base import SHOW, Failed
from tane.services.orchestration.resources.nested import inner_environment
from tane.services.orchestration.resources.rolling import Rolling
from tane.services.orchestration.template import UNKNOWN, TemplateError
from tane.services.orchestration.template.constraints import AllowedValues, Length, Range
from tane.services.orchestration.template.properties import Attribute, Property

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source

VERSION = "2021-04-16"
MOST_REMOVED = 10_000


class ResourceGroup(Rolling):
    brings = ("removed",)
    name = "OS::Heat::ResourceGroup"
    description = "Creates one or more identically configured nested resources."
    hidden = False
    properties = {
        "count": Property(
            type="integer",
            default=1,
            constraints=(Range(min=0, max=MOST_RESOURCES),),
            update="in_place",
            description="The number of resources to create.",
        ),
        "index_var": Property(
            type="string",
            default="%index%",
            constraints=(Length(min=3),),
            update="replace",
            description="A variable that this resource will use to replace with the current index of a given resource.",
        ),
        "resource_def": Property(
            type="map",
            required=True,
            update="in_place",
            description="Resource definition for the resources in the group.",
            schema={
                "type": Property(type="string", required=True, description="The type of the resources in the group."),
                "properties": Property(type="map", description="Property values for the resources in the group."),
                "metadata": Property(type="map", description="Supplied metadata for the resources in the group."),
            },
        ),
        "removal_policies": Property(
            type="list",
            default=[],
            update="in_place",
            description="Policies for removal of resources on update.",
            schema=Property(
                type="map",
                schema={"resource_list": Property(type="list", default=[], description="Resources to be removed.")},
            ),
        ),
        "removal_policies_mode": Property(
            type="string",
            default="append",
            constraints=(AllowedValues(allowed=("append", "update")),),
            update="in_place",
            description="How to handle changes to removal_policies on update.",
        ),
    }
    attributes = {
        "refs": Attribute(type="list", description="A list of resource IDs for the resources in the group."),
        "refs_map": Attribute(type="map", description="A map of resource names to IDs for the resources in the group."),
        "attributes": Attribute(type="map", description="A map of resource names to the specified attribute."),
        "removed_rsrc_list": Attribute(type="list", description="A list of removed resource names."),
        "show": SHOW,
    }

    def permit(self, hand: Hand) -> None:
        before, count = hand.row.declared.get("update_policy") or {}, hand.properties.get("count")
        known = hand.row.physical_id is not None and before.get("rolling_update") == self.said(hand)
        self.check_policies(hand, count if isinstance(count, int) else 1, known=known)

    def said(self, hand: Hand, *, creates: bool = False) -> Mapping[str, Any] | None:
        found = self.policies(hand).get("batch_create" if creates else "rolling_update")
        return found if isinstance(found, Mapping) else None

    def spare(self, hand: Hand, others: set[str]) -> tuple[str, Any]:
        taken_too = others | set(self.removed(hand))
        name = next(str(number) for number in range(len(taken_too) + 1) if str(number) not in taken_too)
        return name, member(hand.properties["resource_def"], hand.properties["index_var"], name)

    # ------------------------------------------------------------------------------------------------- the template

    def source(self, hand: Hand) -> Source:
        return self.of_members(hand, self.members(hand))

    def of_members(self, hand: Hand, members: dict[str, Any]) -> Source:
        from tane.services.orchestration.domain import nested

        template = {"heat_template_version": VERSION, "resources": members}
        return nested.source_of(template, hand.plan.files if hand.plan else {}, inner_environment(hand), {})

    def members(self, hand: Hand) -> dict[str, Any]:
        definition, variable, names = hand.properties["resource_def"], hand.properties["index_var"], self.names(hand)
        if UNKNOWN in (definition, variable):
            # Of members that are not known yet nothing can be said.
            return {}
        check_size(definition, len(names))
        return {name: member(definition, variable, name) for name in names}

    def brought(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return member_names(data, "removed")

    def names(self, hand: Hand) -> list[str]:
        """``0``, ``1``, … without those that were removed by name."""
        removed, found, number = set(self.removed(hand)), list[str](), 0
        count = hand.properties["count"] if isinstance(hand.properties["count"], int) else 1
        check_size(None, count)
        while len(found) < count:
            if str(number) not in removed:
                found.append(str(number))
            number += 1
        return found

    def removed(self, hand: Hand) -> list[str]:
        asked = [
            str(name)
            for policy in hand.properties.get("removal_policies") or ()
            for name in (policy or {}).get("resource_list") or ()
        ]
        before = [] if hand.properties.get("removal_policies_mode") == "update" else hand.row.data.get("removed", [])
        found = list(dict.fromkeys([*before, *(self._named(hand, name) for name in asked)]))
        if len(found) > MOST_REMOVED or any(len(name) > 255 for name in found):
            raise RequestLimitExceeded(f"A group remembers at most {MOST_REMOVED} members that were removed.")
        return found

    def _named(self, hand: Hand, name: str) -> str:
        """A member that is told by its id, by its name."""
        if hand.row.physical_id is None or name.isdigit():
            return name
        from tane.services.orchestration.domain import nested
        from tane.services.orchestration.store import resources

        child = nested.child_of(hand)
        row = None if child is None else resources.by_physical_id(hand.tx, child.id, name)
        return name if row is None else str(row.name)

    def create(self, hand: Hand) -> str | None:
        from tane.services.orchestration.domain import nested

        hand.keep(removed=self.removed(hand))
        first = self.first(hand)
        return super().create(hand) if first is None else nested.create(hand, first)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        hand.keep(removed=self.removed(hand))
        self.roll(hand, self.source(hand))

    # -------------------------------------------------------------------------------------------------- attributes

    def knows(self, attribute: str) -> bool:
        return True

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.attribute_at(hand, name, ())

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        names = self.names(hand)
        if name == "refs":
            return [self.inner_attribute(hand, one, "refs") for one in names]
        if name == "refs_map":
            return {one: self.inner_attribute(hand, one, "refs") for one in names}
        if name == "removed_rsrc_list":
            return list(hand.row.data.get("removed", []))
        if name == "show":
            return {}
        if name == "attributes":
            if not path:
                return {}
            return taken({one: self.inner_attribute(hand, one, str(path[0])) for one in names}, path[1:])
        if name.startswith("resource."):
            return self._of_one(hand, name, path)
        return [known(self.inner_attribute(hand, one, name, path)) for one in names]

    def _of_one(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        one, _, rest = name.removeprefix("resource.").partition(".")
        if self.inner_resource(hand, one) is None:
            raise TemplateError(f'Member "{one}" not found in group resource "{hand.row.name}".')
        if rest:
            return self.inner_attribute(hand, one, rest, path)
        if path:
            return taken(self.inner_attribute(hand, one, str(path[0])), path[1:])
        return self.inner_attribute(hand, one, "refs")


def member_names(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Names of members that a user brings. :raises Failed:"""
    found = data.get(key)
    if found is None:
        return {}
    good = isinstance(found, list) and len(found) <= MOST_REMOVED
    if not good or not all(isinstance(name, str) and 0 < len(name) <= 255 for name in found):
        raise Failed(f"resource_data.{key}: that is no list of names.")
    return {key: list(found)}


def check_size(definition: Any, number: int) -> None:
    """Before the members of a group are written down, each with its definition.

    :raises RequestLimitExceeded: they are more than a stack has resources, or longer than a template is.
    """
    if number > MOST_RESOURCES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: Maximum resources per stack exceeded. At most {MOST_RESOURCES} are possible."
        )
    if number * len(msgspec.json.encode(definition, enc_hook=repr)) > TEMPLATE_BYTES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: Template exceeds maximum allowed size ({TEMPLATE_BYTES} bytes)."
        )


def known(value: Any) -> Any:
    return None if value is UNKNOWN else value


def taken(value: Any, rest: Sequence[Any]) -> Any:
    """A value for which its type used a part of the path."""
    from tane.services.orchestration.template import Taken

    return Taken(value, list(rest))


def member(definition: Mapping[str, Any], variable: str, name: str) -> dict[str, Any]:
    """The declaration of one of those that are alike."""
    made = {
        key: with_index(definition[key], variable, name) for key in ("properties", "metadata") if definition.get(key)
    }
    return {"type": definition["type"], **made}


def with_index(value: Any, variable: str, name: str) -> Any:
    if isinstance(value, str):
        return value.replace(variable, name)
    if isinstance(value, Mapping):
        return {with_index(key, variable, name): with_index(item, variable, name) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_index(item, variable, name) for item in value]
    return value
