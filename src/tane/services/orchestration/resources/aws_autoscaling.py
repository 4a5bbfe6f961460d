"""``AWS::AutoScaling`` and ``OS::Heat::InstanceGroup``: groups of servers made of a launch configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import heat_scaling
from tane.services.orchestration.resources.aws_ec2 import TAG, Instance, Twin
from tane.services.orchestration.resources.base import SHOW, Kind, kind_name
from tane.services.orchestration.resources.declaring import how_many, listing, names, number, one_of, text
from tane.services.orchestration.resources.heat_resource_group import check_size
from tane.services.orchestration.template import UNKNOWN
from tane.services.orchestration.template.properties import Attribute, Property
from tane.web.errors import BadRequest, NotImplementedHere

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Source

KINDS = {
    "ChangeInCapacity": heat_scaling.CHANGE,
    "ExactCapacity": heat_scaling.EXACT,
    "PercentChangeInCapacity": heat_scaling.PERCENT,
}
POLICY = {"MinInstancesInService": "min_in_service", "MaxBatchSize": "max_batch_size"}
DURATION = re.compile(r"PT(?:([0-9]{1,4})H)?(?:([0-9]{1,5})M)?(?:([0-9]{1,6})S)?\Z")
LONGEST_PAUSE = 3600
OF_SERVERS = ("ImageId", "InstanceType", "KeyName", "UserData", "SecurityGroups", "NovaSchedulerHints")
INSTANCES = {"InstanceList": Attribute(type="string", description="A comma-delimited list of server ip addresses.")}
ZONES = listing("Not Implemented.", required=True)
BALANCERS = listing("List of LoadBalancer resources.")


def seconds(duration: Any) -> int:
    """An ISO 8601 duration of hours, minutes and seconds. :raises BadRequest: it is none, or of more than an hour."""
    match = DURATION.match(duration) if isinstance(duration, str) else None
    if match is None or not any(match.groups()):
        words = "update policy: PauseTime is a duration such as PT5M30S."
        raise BadRequest(words, type="StackValidationFailed")
    hours, minutes, rest = (int(one or 0) for one in match.groups())
    found = 3600 * hours + 60 * minutes + rest
    if found > LONGEST_PAUSE:
        raise BadRequest("Maximum PauseTime is 1 hour.", type="StackValidationFailed")
    return found


class LaunchConfiguration(Kind):
    """What the servers of a group are to be; it is nothing by itself."""

    name = "AWS::AutoScaling::LaunchConfiguration"
    description = "What the servers of an autoscaling group are made of."
    properties = {
        "ImageId": names("glance.image", "Glance image ID or name."),
        "InstanceType": names("nova.flavor", "Nova instance type (flavor)."),
        "InstanceId": names("nova.server", "The ID of an existing instance to take it from."),
        "KeyName": Instance.properties["KeyName"],
        "UserData": Instance.properties["UserData"],
        "SecurityGroups": Instance.properties["SecurityGroups"],
        "BlockDeviceMappings": Instance.properties["BlockDeviceMappings"],
        "NovaSchedulerHints": Instance.properties["NovaSchedulerHints"],
    }
    attributes = {"show": SHOW}

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if properties.get("InstanceId") or properties.get("BlockDeviceMappings"):
            raise NotImplementedHere("InstanceId and BlockDeviceMappings of launch configurations are not done yet.")
        if not (properties.get("ImageId") and properties.get("InstanceType")):
            raise BadRequest(
                "If without InstanceId, ImageId and InstanceType are required.", type="StackValidationFailed"
            )


class OfServers(Twin, heat_scaling.AutoScalingGroup):
    """A group whose members are servers. ``own`` adds ``launch`` and ``subnet`` to what our own group has; ``rolls_by``
    is the key of its ``UpdatePolicy``."""

    name = ""
    rolls_by = "RollingUpdate"

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if properties.get("LoadBalancerNames"):
            raise NotImplementedHere("Load balancers are not done yet.")
        if properties.get("InstanceId"):
            raise NotImplementedHere("Groups of what an instance is like (InstanceId) are not done yet.")
        if len(properties.get("VPCZoneIdentifier") or []) > 1:
            raise NotImplementedHere("Anything other than one VPCZoneIdentifier is not supported.")
        super().validate(hand, self.own(hand, properties))

    def permit(self, hand: Hand) -> None:
        self._refuse_unknown(hand)
        super().permit(self.as_own(hand))

    def create(self, hand: Hand) -> str | None:
        own = self.as_own(hand)
        made = super().create(own)
        hand.row = own.row  # Its members were drawn.
        return made

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        own = self.as_own(hand)
        wanted = own.properties["desired_capacity"] if {"DesiredCapacity", "Size"} & set(changed) else None
        super().change(own, {"desired_capacity": wanted})
        hand.row = own.row

    def source(self, hand: Hand) -> Source:
        # None, or nothing is there yet that says what a server would be.
        from tane.services.orchestration.domain.foreseeing import NotKnownYet

        if not hand.row.data.get("members"):
            return self.without(hand)
        if self.own(hand, hand.properties)["launch"] is UNKNOWN:
            raise NotKnownYet
        return super().source(hand)

    def said(self, hand: Hand, *, creates: bool = False) -> Mapping[str, Any] | None:
        """The ``UpdatePolicy`` in the words of our own groups."""
        found = self.policies(hand).get(self.rolls_by) if not creates else None
        if not isinstance(found, Mapping):
            return None
        words = {own: found[name] for name, own in POLICY.items() if found.get(name) is not None}
        pause = found.get("PauseTime")
        return {**words, "pause_time": seconds("PT0S" if pause is None else pause)}

    def _refuse_unknown(self, hand: Hand) -> None:
        """:raises BadRequest: the policy asks for more than is done: without a word all would change at once."""
        policies = self.policies(hand)
        inner = policies.get(self.rolls_by)
        given = list(inner) if isinstance(inner, Mapping) else []
        known = (*POLICY, "PauseTime")
        if isinstance(inner, Mapping) and inner.get("WaitOnResourceSignals") in (False, "false"):
            given.remove("WaitOnResourceSignals")
        strange = [one for one in policies if one != self.rolls_by] + [one for one in given if one not in known]
        if strange:
            words = f"update policy: {strange[0]} is not supported, only {self.rolls_by} with {', '.join(known)}."
            raise BadRequest(words, type="StackValidationFailed")

    def members(self, hand: Hand) -> dict[str, Any]:
        names, server = hand.row.data.get("members") or [], self._member(hand)
        check_size(server, len(names))
        return dict.fromkeys(names, server)

    def spare(self, hand: Hand, others: set[str]) -> tuple[str, Any]:
        name = next(f"spare{number}" for number in range(len(others) + 1) if f"spare{number}" not in others)
        return name, self._member(hand)

    def _member(self, hand: Hand) -> dict[str, Any]:
        own = hand if "launch" in hand.properties else self.as_own(hand)
        return {"type": Instance.name, "properties": self._server(own)}

    def _server(self, hand: Hand) -> dict[str, Any]:
        from tane.services.orchestration.store import resources

        wanted = str(hand.properties["launch"])
        row = resources.by_physical_id(hand.tx, hand.stack.id, wanted)
        if row is None or kind_name(row) != LaunchConfiguration.name:
            raise BadRequest(f"There is no launch configuration {wanted} in this stack.")
        made = {key: value for key, value in row.properties.items() if key in OF_SERVERS and value}
        if hand.properties.get("subnet"):
            made["SubnetId"] = hand.properties["subnet"]
        if hand.properties.get("tags"):
            made["Tags"] = hand.properties["tags"]
        return made

    def adjust(self, hand: Hand, policy: Mapping[str, Any], cooldown: float) -> str:
        return super().adjust(self.as_own(hand), policy, cooldown)

    def knows(self, attribute: str) -> bool:
        return attribute.startswith("resource.")

    def attribute_at(self, hand: Hand, name: str, path: Sequence[Any]) -> Any:
        if name == "InstanceList":
            members = hand.row.data.get("members") or []
            known = [self.inner_attribute(hand, one, "PublicIp") for one in members]
            return ",".join(one for one in known if isinstance(one, str))
        return super().attribute_at(hand, name, path)


class Group(OfServers):
    name = "AWS::AutoScaling::AutoScalingGroup"
    rolls_by = "AutoScalingRollingUpdate"
    description = "A group of servers whose size follows alarms, as Amazon names it."
    properties = {
        "AvailabilityZones": ZONES,
        "LaunchConfigurationName": text("The reference to a LaunchConfiguration resource.", update="in_place"),
        "InstanceId": names("nova.server", "The ID of an existing instance to use to create the Auto Scaling group."),
        "MaxSize": number("Maximum number of instances in the group.", required=True, update="in_place"),
        "MinSize": how_many("Minimum number of instances in the group.", low=None, required=True),
        "Cooldown": number("Cooldown period, in seconds.", update="in_place"),
        "DesiredCapacity": how_many("Desired initial number of instances.", low=None),
        "LoadBalancerNames": BALANCERS,
        "VPCZoneIdentifier": listing(
            "The internal subnet to which the instance will be attached.", text("UUID of the internal subnet.")
        ),
        "Tags": listing("Tags to attach to this group.", TAG),
    }
    attributes = {**INSTANCES, "show": SHOW}

    def own(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "min_size": properties.get("MinSize"),
            "max_size": properties.get("MaxSize"),
            "desired_capacity": properties.get("DesiredCapacity"),
            "cooldown": properties.get("Cooldown"),
            "launch": properties.get("LaunchConfigurationName"),
            "subnet": next(iter(properties.get("VPCZoneIdentifier") or []), None),
            "tags": properties.get("Tags"),
        }


class InstanceGroup(OfServers):
    name = "OS::Heat::InstanceGroup"
    description = "An instance group that can scale instances."
    properties = {
        "AvailabilityZones": ZONES,
        "LaunchConfigurationName": text(
            "The reference to a LaunchConfiguration resource.", required=True, update="in_place"
        ),
        "Size": how_many("Desired number of instances.", low=None, required=True),
        "LoadBalancerNames": BALANCERS,
        "Tags": listing("Tags to attach to this group.", TAG),
    }
    attributes = {**INSTANCES, "show": SHOW}

    def own(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        size = properties.get("Size")
        return {
            "min_size": size,
            "max_size": size,
            "desired_capacity": size,
            "launch": properties.get("LaunchConfigurationName"),
            "tags": properties.get("Tags"),
        }


GROUPS: Mapping[str, OfServers] = {one.name: one for one in (Group(), InstanceGroup())}


class ScalingPolicy(Kind):
    """``Ref`` gives the address that an alarm calls."""

    name = "AWS::AutoScaling::ScalingPolicy"
    description = "How a group follows an alarm, as Amazon names it."
    properties = {
        "AutoScalingGroupName": text("AutoScaling group name to apply policy to.", required=True),
        "ScalingAdjustment": number("Size of adjustment.", required=True, update="in_place"),
        "AdjustmentType": one_of(
            "Type of adjustment (absolute or percentage).", *KINDS, required=True, update="in_place"
        ),
        "Cooldown": number("Cooldown period, in seconds.", update="in_place"),
        "MinAdjustmentStep": Property(
            type="integer",
            constraints=number("", low=0).constraints,
            update="in_place",
            description="Minimum number of resources that are added or removed.",
        ),
    }
    attributes = {
        "AlarmUrl": Attribute(type="string", description="A signed url to handle the alarm."),
        "show": SHOW,
    }

    def create(self, hand: Hand) -> str | None:
        self._group(hand)
        hand.keep(address=hand.signal_url())
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """It holds from the next signal on."""

    def reference(self, row: Any) -> str | None:
        address = row.data.get("address")
        return None if address is None else str(address)

    def attribute(self, hand: Hand, name: str) -> Any:
        return hand.row.data.get("address") if name == "AlarmUrl" else {}

    def _group(self, hand: Hand) -> Any:
        from tane.services.orchestration.store import resources

        wanted = str(hand.properties["AutoScalingGroupName"])
        row = resources.by_physical_id(hand.tx, hand.stack.id, wanted)
        if row is None or kind_name(row) not in GROUPS:
            raise BadRequest(f'Alarm {hand.row.name} could not find scaling group named "{wanted}"')
        return row

    def signal(self, hand: Hand, details: Mapping[str, Any]) -> Any:
        from tane.services.orchestration.domain.hand import Hand as Other

        if str(details.get("current", details.get("state", "alarm"))).lower() != "alarm":
            return "nothing: no alarm"
        row, given = self._group(hand), hand.properties
        other = Other(hand.core, hand.tx, hand.ctx, hand.stack, row, hand.plan, row.properties)
        policy = {
            "scaling_adjustment": given["ScalingAdjustment"],
            "adjustment_type": KINDS[given["AdjustmentType"]],
            "min_adjustment_step": given.get("MinAdjustmentStep"),
        }
        cooldown = given.get("Cooldown")
        cooldown = row.properties.get("Cooldown") if cooldown is None else cooldown
        return GROUPS[kind_name(row)].adjust(other, policy, float(cooldown or 0))
