"""``AWS::EC2``: networks as Amazon draws them. A VPC is a network with a router, a route table another router.

What there is to say in such templates is little: each router knows the way to the subnets at it, and the gateway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import handing_over
from tane.services.orchestration.resources.aws_ec2 import TAG
from tane.services.orchestration.resources.base import SHOW, Kind, kind_name
from tane.services.orchestration.resources.declaring import flag, listing, names, one_of, text
from tane.services.orchestration.resources.neutron import default_group, of_type
from tane.services.orchestration.store import resources
from tane.services.orchestration.template.properties import Attribute
from tane.web.errors import BadRequest, NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan

NETWORKS, SUBNETS, ROUTERS, PORTS = ("/v2.0/networks", "/v2.0/subnets", "/v2.0/routers", "/v2.0/ports")
TAGS = listing("List of tags to attach to it. Not used.", TAG, update="in_place")


class InNetwork(Kind):
    """A type that is one thing of the network service."""

    adopts = True
    path, single = "", ""
    attributes = {"show": SHOW}

    def show(self, hand: Hand) -> Mapping[str, Any]:
        found: dict[str, Any] = hand.call("network", "GET", f"{self.path}/{hand.id}")[self.single]
        return found

    def make(self, hand: Hand, **values: Any) -> str:
        body = {self.single: {"name": hand.physical_name(), **values}}
        return str(hand.call("network", "POST", self.path, body)[self.single]["id"])

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """What is not used changes nothing."""

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is not None:
            remove(hand, f"{self.path}/{hand.id}")


def others(hand: Hand) -> list[Any]:
    """The other resources of the stack of the same type that are there: one that takes its place, among them."""
    mine = (row for row in resources.of_stack(hand.tx, hand.stack.id) if kind_name(row) == kind_name(hand.row))
    return [row for row in mine if row.id != hand.row.id and row.physical_id is not None and row.action != "DELETE"]


def remove(hand: Hand, path: str) -> None:
    """Delete what is there still."""
    try:
        hand.call("network", "DELETE", path)
    except NotFound:
        return


def plug(hand: Hand, router_id: str, subnet_id: str, *, on: bool = True) -> None:
    """Put a subnet at a router, or take it off, where both are there still."""
    action = "add_router_interface" if on else "remove_router_interface"
    try:
        hand.call("network", "PUT", f"{ROUTERS}/{part(router_id)}/{action}", {"subnet_id": subnet_id})
    except NotFound:
        if on:
            raise


def router_of(hand: Hand, network_id: str) -> Mapping[str, Any] | None:
    """The router of a VPC, which may be another stack's: that of the network's name, in its project.

    :raises NotFound: there is no such network. :raises BadRequest: there are more of that name.
    """
    network = hand.call("network", "GET", f"{NETWORKS}/{part(network_id)}")["network"]
    query = {"name": network["name"], "project_id": network["project_id"]}
    found: list[dict[str, Any]] = hand.call("network", "GET", ROUTERS, query=query)["routers"]
    if len(found) > 1:
        raise BadRequest(f"Multiple routers found with name {network['name']}")
    return found[0] if found else None


class VPC(InNetwork):
    name = "AWS::EC2::VPC"
    description = "A network with a router of the same name, as Amazon's EC2 names them together."
    path, single = NETWORKS, "network"
    brings = essential = ("router",)
    properties = {
        "CidrBlock": text("CIDR block to apply to the VPC. Not used: subnets have theirs.", update="in_place"),
        "InstanceTenancy": one_of(
            "Allowed tenancy of instances. Not used.",
            *("default", "dedicated"),
            default="default",
            update="in_place",
            hidden=True,
        ),
        "Tags": TAGS,
    }

    def create(self, hand: Hand) -> str | None:
        made = self.make(hand)
        router = hand.call("network", "POST", ROUTERS, {"router": {"name": hand.physical_name()}})["router"]
        hand.keep(router=router["id"])
        return made

    def delete(self, hand: Hand) -> None:
        if hand.row.data.get("router"):
            remove(hand, f"{ROUTERS}/{part(str(hand.row.data['router']))}")
        super().delete(hand)


class Subnet(InNetwork):
    name = "AWS::EC2::Subnet"
    description = "A subnet at the router of its VPC, as Amazon's EC2 names it."
    path, single = SUBNETS, "subnet"
    properties = {
        "AvailabilityZone": text("Availability zone in which you want the subnet. Not used.", update="in_place"),
        "CidrBlock": text("CIDR block to apply to subnet.", required=True),
        "VpcId": text("The ID of the VPC on which you want to create the subnet.", required=True),
        "Tags": TAGS,
    }
    attributes = {
        "AvailabilityZone": Attribute(type="string", description="Availability Zone of the subnet."),
        "show": SHOW,
    }

    def create(self, hand: Hand) -> str | None:
        network = str(hand.properties["VpcId"])
        made = self.make(hand, network_id=network, cidr=hand.properties["CidrBlock"], ip_version=4)
        router = router_of(hand, network)
        if router is not None:
            plug(hand, router["id"], made)
        return made

    def delete(self, hand: Hand) -> None:
        if hand.row.physical_id is None:
            return
        try:
            router = router_of(hand, str(self.show(hand)["network_id"]))
        except NotFound:
            return
        if router is not None:
            plug(hand, router["id"], str(hand.row.physical_id), on=False)
        super().delete(hand)

    def attribute(self, hand: Hand, name: str) -> Any:
        return self.show(hand) if name == "show" else hand.row.properties.get("AvailabilityZone")


class InternetGateway(Kind):
    name = "AWS::EC2::InternetGateway"
    description = "The way to the one external network; it is nothing before it is attached to a VPC."
    properties = {"Tags": TAGS}

    def create(self, hand: Hand) -> str | None:
        return hand.physical_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """Tags are not used."""


class VPCGatewayAttachment(Kind):
    name = "AWS::EC2::VPCGatewayAttachment"
    description = "Has the route tables of a VPC, or where it has none in the stack its router, lead outside."
    properties = {
        "VpcId": text("VPC ID for this gateway association.", required=True),
        "InternetGatewayId": text("ID of the InternetGateway.", update="in_place"),
        "VpnGatewayId": text("ID of the VPNGateway to attach to the VPC. Not used.", update="in_place", hidden=True),
    }

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        return of_type(plan, RouteTable.name)

    def create(self, hand: Hand) -> str | None:
        vpc, plan = str(hand.properties["VpcId"]), hand.plan
        tables = [] if plan is None else resources.whole(hand.tx, hand.stack.id, of_type(plan, RouteTable.name))
        routers = [str(row.physical_id) for row in tables if row.properties.get("VpcId") == vpc and row.physical_id]
        if not routers:
            own = router_of(hand, vpc)
            if own is None:
                raise BadRequest(f"The VPC {vpc} has no router that could lead outside.")
            routers = [own["id"]]
        gateway = {"external_gateway_info": {"network_id": external(hand)}}
        for router in routers:
            hand.call("network", "PUT", f"{ROUTERS}/{part(router)}", {"router": gateway})
        hand.keep(routers=routers)
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        """Whatever the gateway is called, it leads to the one external network."""

    def delete(self, hand: Hand) -> None:
        """Not those that one which takes its place leads outside by now."""
        kept = {router for row in others(hand) for router in row.data.get("routers", [])}
        for router in hand.row.data.get("routers", []):
            if router in kept:
                continue
            try:
                hand.call("network", "PUT", f"{ROUTERS}/{part(router)}", {"router": {"external_gateway_info": {}}})
            except NotFound:
                continue


def external(hand: Hand) -> str:
    """The one external network. :raises BadRequest: there is none, or more."""
    found = hand.call("network", "GET", NETWORKS, query={"router:external": "True"})["networks"]
    if len(found) != 1:
        raise BadRequest(f"Expected 1 external network, found {len(found)}")
    return str(found[0]["id"])


class RouteTable(InNetwork):
    name = "AWS::EC2::RouteTable"
    description = "A router beside that of a VPC, for the subnets that are associated with it."
    path, single = ROUTERS, "router"
    properties = {"VpcId": text("VPC ID for where the route table is created.", required=True), "Tags": TAGS}

    def create(self, hand: Hand) -> str | None:
        vpc = str(hand.properties["VpcId"])
        rows = resources.of_stack(hand.tx, hand.stack.id)
        ways = [row for row in rows if kind_name(row) == VPCGatewayAttachment.name and row.data.get("routers")]
        way = next((row for row in ways if row.current and row.properties.get("VpcId") == vpc), None)
        if way is not None:
            made = self.make(hand, external_gateway_info={"network_id": external(hand)})
            # With the attachment the gateway goes from this one, too.
            resources.change(hand.tx, way.id, data={**way.data, "routers": [*way.data["routers"], made]})
            return made
        beside = router_of(hand, vpc)
        gateway = None if beside is None else beside.get("external_gateway_info")
        if gateway:
            return self.make(hand, external_gateway_info={"network_id": gateway["network_id"]})
        return self.make(hand)


class SubnetRouteTableAssociation(Kind):
    name = "AWS::EC2::SubnetRouteTableAssociation"
    description = "A subnet that is at the router of a route table instead of at that of its VPC."
    properties = {
        "RouteTableId": text("Route table ID.", required=True, update="in_place"),
        "SubnetId": names("neutron.subnet", "Subnet ID.", required=True),
    }

    def create(self, hand: Hand) -> str | None:
        subnet = hand.lookup("neutron.subnet", hand.properties["SubnetId"])
        self._lead(hand, subnet, str(hand.properties["RouteTableId"]))
        return hand.short_name()

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        if "RouteTableId" in changed:
            self._lead(hand, str(hand.row.data["subnet"]), str(changed["RouteTableId"]))

    def _lead(self, hand: Hand, subnet: str, router: str) -> None:
        """Off whatever router has the subnet's gateway, and to this one."""
        known = [hand.row.data.get("router"), *(row.data.get("router") for row in self._rivals(hand, subnet))]
        for before in dict.fromkeys([self._router(hand, subnet), *known]):
            if before is not None and self._is_at(hand, str(before), subnet):
                plug(hand, str(before), subnet, on=False)
        plug(hand, router, subnet)
        hand.keep(router=router, subnet=subnet)

    def _rivals(self, hand: Hand, subnet: str) -> list[Any]:
        return [row for row in others(hand) if row.data.get("subnet") == subnet]

    def _is_at(self, hand: Hand, router: str, subnet: str) -> bool:
        query = {"device_id": router, "fixed_ips": f"subnet_id={subnet}"}
        return bool(hand.call("network", "GET", PORTS, query=query)["ports"])

    def _router(self, hand: Hand, subnet_id: str) -> str | None:
        shown = hand.call("network", "GET", f"{SUBNETS}/{part(subnet_id)}")["subnet"]
        found = router_of(hand, str(shown["network_id"]))
        return None if found is None else str(found["id"])

    def delete(self, hand: Hand) -> None:
        if "subnet" not in hand.row.data:
            return
        subnet = hand.row.data["subnet"]
        if self._rivals(hand, subnet):
            # Another takes its place, which has the subnet by now.
            return
        plug(hand, hand.row.data["router"], subnet, on=False)
        try:
            own = self._router(hand, subnet)
            if own is not None:
                plug(hand, own, subnet)
        except NotFound:
            return


class NetworkInterface(InNetwork):
    name = "AWS::EC2::NetworkInterface"
    description = "A port, as Amazon's EC2 names it."
    path, single = PORTS, "port"
    properties = {
        "Description": text("Description for this interface.", update="in_place"),
        "GroupSet": listing("List of security group IDs associated with this interface.", update="in_place"),
        "PrivateIpAddress": text("Its address."),
        "SourceDestCheck": flag(
            "Flag indicating if traffic to or from instance is validated. Not used.", update="in_place", hidden=True
        ),
        "SubnetId": names("neutron.subnet", "Subnet ID to associate with this interface.", required=True),
        "Tags": TAGS,
    }
    attributes = {
        "PrivateIpAddress": Attribute(type="string", description="Private IP address of the network interface."),
        "show": SHOW,
    }

    def create(self, hand: Hand) -> str | None:
        given = hand.properties
        subnet = hand.lookup("neutron.subnet", given["SubnetId"])
        shown = hand.call("network", "GET", f"{SUBNETS}/{part(subnet)}")["subnet"]
        address = {"ip_address": given["PrivateIpAddress"]} if given.get("PrivateIpAddress") else {}
        more = {} if given.get("GroupSet") is None else {"security_groups": self._groups(hand, given["GroupSet"])}
        description = {"description": given["Description"]} if given.get("Description") else {}
        places = [{"subnet_id": subnet, **address}]
        return self.make(hand, network_id=shown["network_id"], fixed_ips=places, **more, **description)

    def lets_go(self, hand: Hand) -> bool:
        return handing_over.port_lets_go(hand, named=bool(hand.properties.get("PrivateIpAddress")))

    def takes_back(self, hand: Hand) -> bool:
        return handing_over.port_takes_back(hand)

    def _groups(self, hand: Hand, groups: Sequence[Any]) -> list[str]:
        return [hand.lookup("neutron.security_group", str(one)) for one in groups]

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        body: dict[str, Any] = {}
        if "Description" in changed:
            body["description"] = changed["Description"] or ""
        if "GroupSet" in changed:
            wanted = changed["GroupSet"]
            body["security_groups"] = [default_group(hand)] if wanted is None else self._groups(hand, wanted)
        if body:
            hand.call("network", "PUT", f"{PORTS}/{hand.id}", {"port": body})

    def attribute(self, hand: Hand, name: str) -> Any:
        shown = self.show(hand)
        return shown if name == "show" else next((one["ip_address"] for one in shown["fixed_ips"]), None)
