"""``OS::Neutron::FloatingIP`` and ``FloatingIPAssociation``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import heirs
from tane.services.orchestration.resources.base import LET_GO, Kind
from tane.services.orchestration.resources.comparing import Difference
from tane.services.orchestration.resources.declaring import formed, names, shown, specs, text
from tane.services.orchestration.resources.neutron import TAGS, Neutron, of_type
from tane.web.errors import BadRequest, NotFound
from tane.web.inside import part

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan

WAYS = (
    *("OS::Neutron::RouterInterface", "OS::Neutron::RouterGateway", "OS::Neutron::Router"),
    *("AWS::EC2::VPCGatewayAttachment", "AWS::EC2::SubnetRouteTableAssociation"),
)


class FloatingIP(Neutron):
    name = "OS::Neutron::FloatingIP"
    description = "A resource for managing Neutron floating ip."
    path, single = "/v2.0/floatingips", "floatingip"
    named = False
    apart = ("tags",)
    renamed = {"floating_network": "floating_network_id", "floating_subnet": "subnet_id"}
    links = {
        "floating_network": "neutron.network",
        "floating_network_id": "neutron.network",
        "floating_subnet": "neutron.subnet",
        "port_id": "neutron.port",
    }
    properties = {
        "floating_network": names("neutron.network", "Network to allocate floating IP from."),
        "floating_network_id": names("neutron.network", "Use property floating_network.", hidden=True),
        "floating_subnet": names("neutron.subnet", "Subnet to allocate floating IP from."),
        "value_specs": specs(),
        "port_id": names(
            "neutron.port", "ID of an existing port to associate with this floating IP.", update="in_place"
        ),
        "fixed_ip_address": formed(
            "ip_addr", "IP address to use if the port has multiple addresses.", update="in_place"
        ),
        "floating_ip_address": formed("ip_addr", "IP address of the floating IP."),
        "dns_name": formed("rel_dns_name", "DNS name associated with floating ip."),
        "dns_domain": formed("dns_domain", "DNS domain associated with floating ip."),
        "tags": TAGS,
    }
    attributes = shown(
        ["router_id", "tenant_id", "floating_network_id", "fixed_ip_address", "floating_ip_address", "port_id"]
    )

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        """The routers of the template: over one of them the address reaches its port."""
        return of_type(plan, *WAYS)

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not (properties.get("floating_network") or properties.get("floating_network_id")):
            raise BadRequest("Property floating_network not assigned", type="StackValidationFailed")

    def changes(self, hand: Hand, changed: Mapping[str, Any]) -> dict[str, Any]:
        """Where it leads is a port with one of its addresses, which are told together."""
        where = ("port_id", "fixed_ip_address")
        made = super().changes(hand, {name: value for name, value in changed.items() if name not in where})
        if any(name in changed for name in where):
            port, address = hand.properties.get("port_id"), hand.properties.get("fixed_ip_address")
            made["port_id"] = hand.lookup("neutron.port", port) if port else None
            if port and address:
                made["fixed_ip_address"] = address
        return made

    def lets_go(self, hand: Hand) -> bool:
        """The port: of one network no other floating IP leads there."""
        if not hand.properties.get("port_id") or hand.row.physical_id is None or LET_GO in hand.row.data:
            return True
        try:
            shown = self.show(hand)
        except NotFound:
            return True
        hand.call("network", "PUT", f"{self.path}/{hand.id}", {self.single: {"port_id": None}})
        hand.keep(**{LET_GO: {name: shown[name] for name in ("port_id", "fixed_ip_address")}})
        return True

    def takes_back(self, hand: Hand) -> bool:
        if hand.row.data[LET_GO]["port_id"]:
            hand.call("network", "PUT", f"{self.path}/{hand.id}", {self.single: hand.row.data[LET_GO]})
        return True


class FloatingIPAssociation(Kind):
    adopts = True
    brings = essential = ("address",)
    compares = True
    name = "OS::Neutron::FloatingIPAssociation"
    description = "A resource for associating floating ips and ports."
    properties = {
        "floatingip_id": text("ID of the floating IP to associate.", required=True, update="in_place"),
        "port_id": names(
            "neutron.port",
            "ID of an existing port to associate with this floating IP.",
            required=True,
            update="in_place",
        ),
        "fixed_ip_address": formed(
            "ip_addr", "IP address to use if the port has multiple addresses.", update="in_place"
        ),
    }

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        return of_type(plan, *WAYS)

    def create(self, hand: Hand) -> str | None:
        self._tie(hand)
        return hand.short_name()

    def _tie(self, hand: Hand) -> None:
        address = str(hand.properties["floatingip_id"])
        body = {"port_id": hand.lookup("neutron.port", hand.properties["port_id"])}
        if hand.properties.get("fixed_ip_address"):
            body["fixed_ip_address"] = hand.properties["fixed_ip_address"]
        hand.call("network", "PUT", f"/v2.0/floatingips/{part(address)}", {"floatingip": body})
        hand.keep(address=address)

    def differences(self, hand: Hand) -> Mapping[str, Difference] | None:
        shown = hand.call("network", "GET", f"/v2.0/floatingips/{part(str(hand.row.data['address']))}")["floatingip"]
        wanted = hand.lookup("neutron.port", hand.properties["port_id"])
        return {} if shown["port_id"] == wanted else {"port_id": Difference(wanted, shown["port_id"])}

    def is_well(self, hand: Hand) -> bool:
        return self.is_there(hand)

    def change(self, hand: Hand, changed: Mapping[str, Any]) -> None:
        if "floatingip_id" in changed:
            self.delete(hand)
        self._tie(hand)

    def delete(self, hand: Hand) -> None:
        address = hand.row.data.get("address")
        if not address or any(one.data.get("address") == address for one in heirs.of(hand)):
            return
        try:
            hand.call("network", "PUT", f"/v2.0/floatingips/{part(address)}", {"floatingip": {"port_id": None}})
        except NotFound:
            return
