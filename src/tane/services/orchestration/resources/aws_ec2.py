"""``AWS::EC2``: what templates of Amazon's format ask for most, made of the same things as OpenStack's own types."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import cinder_volume, handing_over, heirs, neutron_floating_ip, nova_server
from tane.services.orchestration.resources.base import SHOW, Kind
from tane.services.orchestration.resources.comparing import Difference
from tane.services.orchestration.resources.declaring import flag, listing, mapping, names, number, one_of, shown, text
from tane.services.orchestration.resources.neutron import of_type
from tane.services.orchestration.resources.neutron_security_group import SecurityGroup as OwnGroup
from tane.services.orchestration.template.constraints import AllowedPattern, Custom
from tane.services.orchestration.template.properties import Attribute, Property
from tane.web.errors import BadRequest, NotFound, NotImplementedHere
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan

ANY = ("", "-1", "None", "all")
PORT = re.compile(r"(?:-1|[0-9]{0,5})\Z")
TAG = {"Key": text("Its name.", required=True), "Value": text("What it says.", required=True)}


def tagged(tags: Any) -> dict[str, str]:
    """Tags as metadata."""
    return {str(one["Key"]): str(one["Value"]) for one in tags or []}


class Twin(Kind):
    """A type that is another of ours under other names; ``own`` says what its properties mean there."""

    compares = False

    def own(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        """Only whether it is there: its properties have other names than those of what it is made of."""
        return Kind.differences(self, hand)

    def snapshot(self, hand: Hand) -> Mapping[str, Any]:
        return {"not_saved": f"what an {self.name} holds is not kept"}

    def as_own(self, hand: Hand) -> Hand:
        return dataclasses.replace(hand, properties=self.own(hand, hand.properties))


class Instance(Twin, nova_server.Server):
    name = "AWS::EC2::Instance"
    description = "A resource that creates a server, as Amazon's EC2 names it."
    properties = {
        "ImageId": names("glance.image", "Glance image ID or name.", required=True),
        "InstanceType": names("nova.flavor", "Nova instance type (flavor).", required=True, update="in_place"),
        "KeyName": names("nova.keypair", "Optional Nova keypair name."),
        "AvailabilityZone": text("Availability zone to launch the instance in."),
        "SecurityGroups": listing("Security group names to assign."),
        "SecurityGroupIds": listing("Security group IDs to assign."),
        "NetworkInterfaces": listing("Network interfaces to associate with instance."),
        "SubnetId": text("Subnet ID to launch instance in."),
        "Tags": listing("Tags to attach to instance.", TAG, update="in_place"),
        "NovaSchedulerHints": listing("Scheduler hints to pass to Nova (Heat extension).", TAG),
        "UserData": text("User data to pass to instance."),
        "Volumes": listing(
            "Volumes to attach to instance.",
            {
                "Device": text("The device where the volume is exposed on the instance.", required=True),
                "VolumeId": names("cinder.volume", "The ID of the volume to be attached.", required=True),
            },
            default=[],
        ),
        "BlockDeviceMappings": listing(
            "Block device mappings to attach to instance.",
            {
                "DeviceName": text("A device name where the volume will be attached.", required=True),
                "Ebs": mapping(
                    "The ebs volume to attach to the instance.",
                    {
                        "DeleteOnTermination": flag("Whether it is deleted with the instance.", default=True),
                        "Iops": Property(type="number", description="I/O operations per second."),
                        "SnapshotId": names("cinder.snapshot", "The ID of the snapshot to create a volume from."),
                        "VolumeSize": text("The size of the volume, in GB."),
                        "VolumeType": text("The volume type."),
                    },
                ),
                "NoDevice": mapping("The can be used to unmap a defined device."),
                "VirtualName": text("The name of the virtual device."),
            },
        ),
    }
    attributes = shown(["AvailabilityZone", "PrivateDnsName", "PublicDnsName", "PrivateIp", "PublicIp"])

    def own(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        groups = [*(properties.get("SecurityGroups") or []), *(properties.get("SecurityGroupIds") or [])]
        made = {
            "image": properties.get("ImageId"),
            "flavor": properties.get("InstanceType"),
            "key_name": properties.get("KeyName"),
            "availability_zone": properties.get("AvailabilityZone"),
            "user_data": properties.get("UserData"),
            "scheduler_hints": tagged(properties.get("NovaSchedulerHints")),
            "metadata": tagged(properties.get("Tags")),
            "networks": self._wanted_networks(hand, properties),
            "block_device_mapping_v2": [
                {"volume_id": one["VolumeId"], "device_name": one["Device"], "boot_index": -1}
                for one in properties.get("Volumes") or []
            ],
        }
        # Ports have their own groups.
        return made if properties.get("NetworkInterfaces") else {**made, "security_groups": groups}

    def _interfaces(self, properties: Mapping[str, Any]) -> list[str]:
        listed = properties.get("NetworkInterfaces") or []
        return [str(one.get("NetworkInterfaceId") if isinstance(one, Mapping) else one) for one in listed]

    def _wanted_networks(self, hand: Hand, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
        if interfaces := self._interfaces(properties):
            return [{"port": one} for one in interfaces]
        subnet = properties.get("SubnetId")
        if not isinstance(subnet, str) or not subnet:
            return []
        return [{"subnet": subnet}]

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        return of_type(plan, "OS::Neutron::RouterInterface", "AWS::EC2::SubnetRouteTableAssociation")

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if properties.get("BlockDeviceMappings"):
            raise NotImplementedHere("BlockDeviceMappings of AWS::EC2::Instance are not done yet; use Volumes.")

    def create(self, hand: Hand) -> str | None:
        own = self.as_own(hand)
        made = super().create(own)
        hand.row = own.row  # The ports that were made for it.
        return made

    def held(self, properties: Mapping[str, Any]) -> handing_over.Held:
        volumes = [str(one["VolumeId"]) for one in properties.get("Volumes") or []]
        return handing_over.Held(self._interfaces(properties), frozenset(), volumes)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        named = {"Tags": "metadata", "InstanceType": "flavor"}
        own = self.as_own(hand)
        super().change(own, {named[name]: own.properties[named[name]] for name in changed if name in named})
        hand.row = own.row

    def attribute(self, hand: Hand, name: str) -> Any:
        found = self.show(hand)
        if name == "show":
            return found
        if name == "AvailabilityZone":
            return found.get("OS-EXT-AZ:availability_zone")
        known = [one for addresses in found["addresses"].values() for one in addresses]
        public = name in ("PublicIp", "PublicDnsName")
        # A floating address is what leads there from outside; without one it is the same as inside.
        chosen = [one["addr"] for one in known if (one.get("OS-EXT-IPS:type") == "floating") == public]
        return next(iter(chosen or [one["addr"] for one in known]), "0.0.0.0")


class Volume(Twin, cinder_volume.Volume):
    name = "AWS::EC2::Volume"
    description = "A volume, as Amazon's EC2 names it."
    properties = {
        "AvailabilityZone": text(
            "The availability zone in which the volume will be created.", required=True, update="no"
        ),
        "Size": number("The size of the volume in GB.", low=1, update="no"),
        "SnapshotId": text(
            "If specified, the backup used as the source to create the volume.",
            Custom(kind="cinder.backup"),
            update="no",
        ),
        "Tags": listing("The list of tags to associate with the volume.", TAG, update="no"),
    }
    attributes = {"show": SHOW}

    def own(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "availability_zone": properties.get("AvailabilityZone"),
            "size": properties.get("Size"),
            "backup_id": properties.get("SnapshotId"),
            "metadata": tagged(properties.get("Tags")),
            "name": hand.physical_name(),
        }

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        super().validate(hand, self.own(hand, properties))

    def create(self, hand: Hand) -> str | None:
        return super().create(self.as_own(hand))


class VolumeAttachment(Twin, cinder_volume.VolumeAttachment):
    name = "AWS::EC2::VolumeAttachment"
    description = "A volume attached to a server, as Amazon's EC2 names it."
    properties = {
        "InstanceId": names(
            "nova.server", "The ID of the instance to which the volume attaches.", required=True, update="no"
        ),
        "VolumeId": names("cinder.volume", "The ID of the volume to be attached.", required=True, update="no"),
        "Device": text(
            "The device where the volume is exposed on the instance.",
            AllowedPattern(pattern="/dev/vd[b-z]"),
            required=True,
            update="no",
        ),
    }
    attributes = {"show": SHOW}

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        return cinder_volume.VolumeAttachment.differences(self, hand)

    def own(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "instance_uuid": properties.get("InstanceId"),
            "volume_id": properties.get("VolumeId"),
            "mountpoint": properties.get("Device"),
        }

    def create(self, hand: Hand) -> str | None:
        own = self.as_own(hand)
        made = super().create(own)
        hand.row = own.row  # What was kept of it.
        return made


class SecurityGroup(Twin, OwnGroup):
    name = "AWS::EC2::SecurityGroup"
    description = "A security group, as Amazon's EC2 names it."
    rule = {
        "CidrIp": text("Addresses it is about."),
        "FromPort": text("The first port."),
        "ToPort": text("The last port."),
        "IpProtocol": text("The protocol, or -1 for all."),
        "SourceSecurityGroupId": text("The group whose members it is about."),
        "SourceSecurityGroupName": text("The same by name."),
        "SourceSecurityGroupOwnerId": text("Not used."),
    }
    properties = {
        "GroupDescription": text("Description of the security group.", required=True),
        "VpcId": text("Physical ID of the VPC. Not implemented."),
        "SecurityGroupIngress": listing("List of security group ingress rules.", rule, update="in_place"),
        "SecurityGroupEgress": listing("List of security group egress rules.", rule, update="in_place"),
    }
    attributes = {"show": SHOW}

    def own(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": hand.physical_name(),
            "description": properties.get("GroupDescription"),
            "rules": [
                self._rule(hand, one, direction)
                for direction, key in (("ingress", "SecurityGroupIngress"), ("egress", "SecurityGroupEgress"))
                for one in properties.get(key) or []
            ],
        }

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        for key in ("SecurityGroupIngress", "SecurityGroupEgress"):
            for place, one in enumerate(properties.get(key) or []):
                for end in ("FromPort", "ToPort"):
                    if not PORT.match(str(one.get(end) or "")):
                        raise BadRequest(f"{key}[{place}].{end} is a number.", type="StackValidationFailed")

    def _rule(self, hand: Hand, one: Mapping[str, Any], direction: str) -> dict[str, Any]:
        protocol = str(one.get("IpProtocol") or "").lower()
        made: dict[str, Any] = {"direction": direction, "ethertype": "IPv4"}
        if protocol not in ANY:
            made["protocol"] = protocol
            for key, bound in (("port_range_min", one.get("FromPort")), ("port_range_max", one.get("ToPort"))):
                # ICMP has types in the place of ports, -1 for all.
                if bound not in (None, "", "-1"):
                    made[key] = int(bound)
        group = one.get("SourceSecurityGroupId") or one.get("SourceSecurityGroupName")
        if group:
            return {**made, "remote_mode": "remote_group_id", "remote_group_id": group}
        return {**made, "remote_mode": "remote_ip_prefix", "remote_ip_prefix": one.get("CidrIp")}

    def create(self, hand: Hand) -> str | None:
        return super().create(self.as_own(hand))

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        own = self.as_own(hand)
        super().change(own, {"rules": own.properties["rules"]})


def port_of(hand: Hand, server_id: str) -> str:
    """The first port of a server. :raises BadRequest: it has none."""
    ports = hand.call("network", "GET", "/v2.0/ports", query={"device_id": server_id})["ports"]
    if not ports:
        raise BadRequest(f"The instance {server_id} has no port that an address could lead to.")
    return str(ports[0]["id"])


def lead(hand: Hand, address_id: str, port_id: str | None) -> None:
    """Have a floating address lead to a port, or nowhere."""
    hand.call("network", "PUT", f"/v2.0/floatingips/{part(address_id)}", {"floatingip": {"port_id": port_id}})


class Address(Kind):
    """``Ref`` gives the address, ``AllocationId`` the id of the floating IP."""

    adopts = True
    brings = essential = ("allocation",)
    name = "AWS::EC2::EIP"
    description = "A floating IP, as Amazon's EC2 names it."
    properties = {
        "Domain": one_of('Set to "vpc" to have IP address allocation associated to your VPC.', "vpc"),
        "InstanceId": names("nova.server", "Instance ID to associate with EIP.", update="in_place"),
    }
    attributes = {
        "AllocationId": Attribute(type="string", description="ID that AWS assigns to represent the allocation."),
        "show": SHOW,
    }

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        return of_type(plan, *neutron_floating_ip.WAYS)

    def create(self, hand: Hand) -> str | None:
        networks = hand.call("network", "GET", "/v2.0/networks", query={"router:external": "True"})["networks"]
        if len(networks) != 1:
            raise BadRequest(f"An EIP is of the one external network; there are {len(networks)}.")
        body = {"floating_network_id": networks[0]["id"]}
        made = hand.call("network", "POST", "/v2.0/floatingips", {"floatingip": body})["floatingip"]
        hand.keep(allocation=made["id"])
        if hand.properties.get("InstanceId"):
            lead(hand, made["id"], port_of(hand, hand.lookup("nova.server", hand.properties["InstanceId"])))
        return str(made["floating_ip_address"])

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        if "InstanceId" in changed:
            server = changed["InstanceId"]
            port = port_of(hand, hand.lookup("nova.server", server)) if server else None
            lead(hand, hand.row.data["allocation"], port)

    def delete(self, hand: Hand) -> None:
        if "allocation" not in hand.row.data:
            return
        try:
            hand.call("network", "DELETE", f"/v2.0/floatingips/{part(hand.row.data['allocation'])}")
        except NotFound:
            return

    def show(self, hand: Hand) -> Mapping[str, Any]:
        path = f"/v2.0/floatingips/{part(hand.row.data['allocation'])}"
        found: dict[str, Any] = hand.call("network", "GET", path)["floatingip"]
        return found

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.show(hand) if name == "show" else hand.row.data.get("allocation")


class AddressAssociation(Kind):
    name = "AWS::EC2::EIPAssociation"
    description = "A floating IP that leads to a server, as Amazon's EC2 names it."
    properties = {
        "InstanceId": names(
            "nova.server", "Instance ID to associate with EIP specified by EIP property.", update="in_place"
        ),
        "EIP": text("EIP address to associate with instance.", Custom(kind="ip_addr"), update="in_place"),
        "AllocationId": text("Allocation ID for VPC EIP address.", update="in_place"),
        "NetworkInterfaceId": text("Network interface ID to associate with EIP.", update="in_place"),
    }
    attributes = {"show": SHOW}

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        return of_type(plan, *neutron_floating_ip.WAYS)

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not (properties.get("EIP") or properties.get("AllocationId")):
            raise BadRequest("Either 'EIP' or 'AllocationId' must be provided.", type="StackValidationFailed")
        if not (properties.get("InstanceId") or properties.get("NetworkInterfaceId")):
            raise BadRequest(
                "Either 'InstanceId' or 'NetworkInterfaceId' must be provided.", type="StackValidationFailed"
            )

    def create(self, hand: Hand) -> str | None:
        self._tie(hand)
        return hand.short_name()

    def _tie(self, hand: Hand) -> None:
        given = hand.properties
        address_id = given.get("AllocationId") or self._allocation(hand, str(given["EIP"]))
        port = given.get("NetworkInterfaceId") or port_of(hand, hand.lookup("nova.server", given["InstanceId"]))
        lead(hand, str(address_id), str(port))
        hand.keep(allocation=str(address_id))

    def _allocation(self, hand: Hand, address: str) -> str:
        query = {"floating_ip_address": address}
        found = hand.call("network", "GET", "/v2.0/floatingips", query=query)["floatingips"]
        if not found:
            raise BadRequest(f"There is no floating IP {address}.")
        return str(found[0]["id"])

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        if "EIP" in changed or "AllocationId" in changed:
            self.delete(hand)
        self._tie(hand)

    def delete(self, hand: Hand) -> None:
        own = hand.row.data.get("allocation")
        if own is None or any(one.data.get("allocation") == own for one in heirs.of(hand)):
            return
        try:
            lead(hand, hand.row.data["allocation"], None)
        except NotFound:
            return
