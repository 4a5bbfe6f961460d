"""``OS::Heat::AutoScalingGroup`` and ``ScalingPolicy``."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.domain.common import LONGEST_MINUTES, MOST_RESOURCES, ActionInProgress
from tane.services.orchestration.resources.base import SHOW, Kind, kind_name
from tane.services.orchestration.resources.declaring import how_many, mapping, number, one_of, shown, text
from tane.services.orchestration.resources.heat_resource_group import (
    VERSION,
    check_size,
    known,
    member_names,
    taken,
)
from tane.services.orchestration.resources.nested import inner_environment
from tane.services.orchestration.resources.rolling import LONGEST_PAUSE, Rolling
from tane.services.orchestration.template.constraints import Range
from tane.services.orchestration.template.properties import Property
from tane.web.errors import BadRequest

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source

MOST_PERCENT = 1_000_000
MENDING = "mending"
"""What the action of its nested stack is kept by that replaces failed members."""
EXACT, PERCENT, CHANGE = "exact_capacity", "percent_change_in_capacity", "change_in_capacity"


class AutoScalingGroup(Rolling):
    """The names of its members are drawn; who is there longest goes first."""

    brings = ("members",)
    name = "OS::Heat::AutoScalingGroup"
    description = "An autoscaling group that can scale arbitrary resources."
    hidden = False
    properties = {
        "max_size": number("Maximum number of resources in the group.", low=0, required=True, update="in_place"),
        "min_size": how_many("Minimum number of resources in the group.", required=True),
        "cooldown": number("Cooldown period, in seconds.", update="in_place"),
        "desired_capacity": how_many("Desired initial number of resources."),
        "resource": mapping(
            "Resource definition for the resources in the group, in HOT format.", required=True, update="in_place"
        ),
        "rolling_updates": mapping(
            "Policy for rolling updates for this scaling group.",
            {
                "min_in_service": number("The minimum number of resources in service.", low=0, default=0),
                "max_batch_size": number("The maximum number of resources to replace at once.", low=1, default=1),
                "pause_time": Property(
                    type="number",
                    default=0,
                    constraints=(Range(min=0, max=LONGEST_PAUSE),),
                    description="Seconds to wait between batches.",
                ),
            },
            default={"min_in_service": 0, "max_batch_size": 1, "pause_time": 0},
            update="in_place",
        ),
    }
    attributes = {
        **shown(
            {"outputs": "map", "outputs_list": "list", "current_size": "integer", "refs": "list", "refs_map": "map"}
        ),
        "show": SHOW,
    }

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if properties["min_size"] > properties["max_size"]:
            raise BadRequest("min_size can not be greater than max_size", type="StackValidationFailed")
        wanted = properties.get("desired_capacity")
        if wanted is not None and not properties["min_size"] <= wanted <= properties["max_size"]:
            raise BadRequest("desired_capacity must be between min_size and max_size", type="StackValidationFailed")

    def permit(self, hand: Hand) -> None:
        terms, row, given = ("rolling_updates", "max_size"), hand.row, hand.properties
        known = row.physical_id is not None and all(row.properties.get(one) == given.get(one) for one in terms)
        self.check_policies(hand, int(min(MOST_RESOURCES, given["max_size"])), known=known)
        self._check_terms(hand)

    def _check_terms(self, hand: Hand) -> None:
        """:raises BadRequest: what its metadata say of failed members cannot be read."""
        from tane.services.orchestration.domain import health, values
        from tane.services.orchestration.store.resources import REPLACE_FAILED

        if hand.plan is not None:
            metadata = values.metadata(hand, hand.plan, hand.row.name)
            health.terms_of(metadata.get(REPLACE_FAILED) if isinstance(metadata, Mapping) else None)

    def source(self, hand: Hand) -> Source:
        return self.of_members(hand, self.members(hand))

    def said(self, hand: Hand, *, creates: bool = False) -> Mapping[str, Any] | None:
        """Groups of other types have none: their members change all at once."""
        found = hand.properties.get("rolling_updates")
        return found if isinstance(found, Mapping) and not creates else None

    def members(self, hand: Hand) -> dict[str, Any]:
        names = hand.row.data.get("members") or ["0"]
        definition = dict(hand.properties.get("resource") or {})
        check_size(definition, len(names))
        return dict.fromkeys(names, definition)

    def spare(self, hand: Hand, others: set[str]) -> tuple[str, Any]:
        name = next(f"spare{number}" for number in range(len(others) + 1) if f"spare{number}" not in others)
        return name, dict(hand.properties["resource"])

    def of_members(self, hand: Hand, members: dict[str, Any]) -> Source:
        from tane.services.orchestration.domain import nested

        template = {"heat_template_version": VERSION, "resources": members}
        return nested.source_of(template, hand.plan.files if hand.plan else {}, inner_environment(hand), {})

    def brought(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return member_names(data, "members")

    def create(self, hand: Hand) -> str | None:
        wanted = hand.properties.get("desired_capacity")
        size = hand.properties["min_size"] if wanted is None else wanted
        if hand.adopted is not None:
            # It has the members that it had when it was left, however many these are by now.
            known = len(hand.row.data.get("members") or []) or size
            size = max(hand.properties["min_size"], min(known, hand.properties["max_size"]))
        self._resize(hand, size)
        return super().create(hand) if hand.row.data["members"] else self._empty(hand)

    def _empty(self, hand: Hand) -> str | None:
        """A group of none is a stack of nothing."""
        from tane.services.orchestration.domain import nested

        return nested.create(hand, self.without(hand))

    def without(self, hand: Hand) -> Source:
        from tane.services.orchestration.domain import nested

        return nested.source_of({"heat_template_version": VERSION}, {}, inner_environment(hand), {})

    def _resize(self, hand: Hand, size: int) -> None:
        from tane.services.orchestration.domain import ahead

        check_size(None, size)
        members = list(hand.row.data.get("members") or [])
        while len(members) < size:
            # The same ones when the change begins anew: a plan rests on them.
            members.append(ahead.drawn(("member", hand.row.id, len(members)), lambda: secrets.token_hex(6)))
        hand.keep(members=members[len(members) - size :])

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        size = len(hand.row.data.get("members") or [])
        if changed.get("desired_capacity") is not None:
            size = changed["desired_capacity"]
        self._resize(hand, max(hand.properties["min_size"], min(size, hand.properties["max_size"])))
        self.roll(hand, self._whole(hand))

    def _whole(self, hand: Hand) -> Source:
        return self.source(hand) if hand.row.data["members"] else self.without(hand)

    def resize(self, hand: Hand, size: int) -> None:
        """Make the group as large as that, with the newest of its members, and change none of those."""
        from tane.services.orchestration.domain import nested

        self._resize(hand, size)
        whole = self._whole(hand)
        nested.update(hand, self.resized(hand, whole) if size else whole)

    def mend(self, hand: Hand) -> None:
        """Make others in the place of members that are not well, and leave those that are as they are."""
        from tane.services.orchestration.domain import nested

        whole = self._whole(hand)
        nested.update(hand, self.resized(hand, whole) if hand.row.data.get("members") else whole)
        child = nested.child_of(hand)
        hand.keep(**{MENDING: None if child is None else child.traversal})

    def adjust(self, hand: Hand, policy: Mapping[str, Any], cooldown: float) -> str:
        """What a scaling policy asks for. Returns what was done, in words. What comes while the group changes its size
        is, as in Heat, nothing: it was meant for the size before.

        :raises ActionInProgress: failed members are replaced just now, which no alarm knows of.
        """
        from tane.services.orchestration.domain import nested

        until = hand.row.data.get("cooling_until")
        if until is not None and datetime.fromisoformat(until) > hand.tx.now:
            return "nothing: the group is cooling down"
        child = nested.child_of(hand)
        if child is not None and child.status == "IN_PROGRESS" and hand.row.data.get(MENDING) == child.traversal:
            raise ActionInProgress(f"Failed members of {hand.row.name} are being replaced: signal again.")
        rolls = hand.row.working and hand.row.data.get("rolling")
        if child is None or child.status == "IN_PROGRESS" or rolls:
            return "nothing: the group is being changed"
        now = len(hand.row.data.get("members") or [])
        wanted = adjusted(now, policy)
        size = max(hand.properties["min_size"], min(wanted, hand.properties["max_size"]))
        if size == now:
            return f"nothing: the group has {now} members, between {hand.properties['min_size']} and the most"
        hand.keep(cooling_until=(hand.tx.now + timedelta(minutes=min(cooldown / 60, LONGEST_MINUTES))).isoformat())
        self.resize(hand, size)
        return f"{now} members become {size}"

    def knows(self, attribute: str) -> bool:
        return True

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.attribute_at(hand, name, ())

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        members = hand.row.data.get("members") or []
        if name == "current_size":
            return len(members)
        if name == "refs":
            return [self.inner_attribute(hand, one, "refs") for one in members]
        if name == "refs_map":
            return {one: self.inner_attribute(hand, one, "refs") for one in members}
        if name == "show":
            return {}
        if name in ("outputs", "outputs_list"):
            if not path:
                return {} if name == "outputs" else []
            values = {one: known(self.inner_attribute(hand, one, str(path[0]))) for one in members}
            return taken(values if name == "outputs" else list(values.values()), path[1:])
        if name.startswith("resource."):
            number_, _, rest = name.removeprefix("resource.").partition(".")
            one = members[int(number_)] if number_.isdigit() and int(number_) < len(members) else number_
            return self.inner_attribute(hand, one, rest or (str(path[0]) if path else "refs"), path[1:])
        return [known(self.inner_attribute(hand, one, name, path)) for one in members]


def adjusted(now: int, policy: Mapping[str, Any]) -> int:
    """The size that a policy leads to, before the group's bounds."""
    by, kind = max(-MOST_PERCENT, min(MOST_PERCENT, policy["scaling_adjustment"])), policy["adjustment_type"]
    if kind == EXACT:
        return int(by)
    if kind == CHANGE:
        return now + int(by)
    change = now * by / 100
    step = policy.get("min_adjustment_step")
    rounded = int(math.ceil(change) if change > 0 and change < 1 else math.floor(change) if -1 < change < 0 else change)
    if step and abs(rounded) < step:
        rounded = int(step) if rounded >= 0 else -int(step)
    return now + rounded


class ScalingPolicy(Kind):
    name = "OS::Heat::ScalingPolicy"
    description = "A resource to manage scaling of OS::Heat::AutoScalingGroup."
    properties = {
        "auto_scaling_group_id": text("AutoScaling group ID to apply policy to.", required=True),
        "scaling_adjustment": Property(
            type="number", required=True, update="in_place", description="Size of adjustment."
        ),
        "adjustment_type": one_of(
            "Type of adjustment (absolute or percentage).", CHANGE, EXACT, PERCENT, required=True, update="in_place"
        ),
        "min_adjustment_step": number("Minimum number of resources added or removed.", low=0, update="in_place"),
        "cooldown": Property(type="number", update="in_place", description="Cooldown period, in seconds."),
    }
    attributes = shown(["alarm_url", "signal_url"])

    def create(self, hand: Hand) -> str | None:
        self._group(hand)
        hand.signal_url()
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """It holds from the next signal on."""

    def _group(self, hand: Hand) -> Any:
        from tane.services.orchestration.store import resources

        row = resources.by_physical_id(hand.tx, hand.stack.id, str(hand.properties["auto_scaling_group_id"]))
        if row is None or kind_name(row) != AutoScalingGroup.name:
            raise BadRequest(
                f'Alarm {hand.row.name} could not find scaling group named "{hand.properties["auto_scaling_group_id"]}"'
            )
        return row

    def attribute(self, hand: Hand, name: str) -> Any:
        return hand.signal_url() if name != "show" else {}

    def signal(self, hand: Hand, details: Mapping[str, Any]) -> Any:
        if str(details.get("current", details.get("state", "alarm"))).lower() != "alarm":
            return "nothing: no alarm"
        from tane.services.orchestration.domain.hand import Hand as Other

        row = self._group(hand)
        group = AutoScalingGroup()
        other = Other(hand.core, hand.tx, hand.ctx, hand.stack, row, hand.plan, row.properties)
        cooldown = hand.properties.get("cooldown")
        cooldown = row.properties.get("cooldown") if cooldown is None else cooldown
        return group.adjust(other, hand.properties, float(cooldown or 0))
