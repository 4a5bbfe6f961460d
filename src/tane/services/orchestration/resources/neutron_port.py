"""``OS::Neutron::Port``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import handing_over
from tane.services.orchestration.resources.declaring import flag, formed, listing, names, one_of, shown, specs, text
from tane.services.orchestration.resources.neutron import TAGS, Neutron, default_group, of_network, without_none
from tane.web.errors import BadRequest

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand
    from tane.services.orchestration.domain.plans import Plan


class Port(Neutron):
    name = "OS::Neutron::Port"
    description = "A resource for managing Neutron ports."
    path, single = "/v2.0/ports", "port"
    apart = ("tags", "no_fixed_ips", "fixed_ips", "security_groups", "allowed_address_pairs")
    empty = {"allowed_address_pairs": [], "dns_name": ""}
    stays = ("mac_address",)
    renamed = {"network": "network_id"}
    links = {"network": "neutron.network", "network_id": "neutron.network"}
    properties = {
        "network": names("neutron.network", "Network this port belongs to."),
        "network_id": names("neutron.network", "Use property network.", hidden=True),
        "name": text("A symbolic name for this port.", update="in_place"),
        "value_specs": specs(),
        "admin_state_up": flag("The administrative state of this port.", default=True, update="in_place"),
        "fixed_ips": listing(
            "Desired IPs for this port.",
            {
                "subnet": names("neutron.subnet", "Subnet in which to allocate the IP address for this port."),
                "subnet_id": names("neutron.subnet", "Use property subnet."),
                "ip_address": formed("ip_addr", "IP address desired in the subnet for this port."),
            },
            update="in_place",
        ),
        "mac_address": formed("mac_addr", "MAC address to give to this port.", update="in_place"),
        "device_id": text("Device ID of this port.", default="", update="in_place"),
        "device_owner": text("Name of the network owning the port.", default="", update="in_place"),
        "security_groups": listing("Security group IDs to associate with this port.", update="in_place"),
        "allowed_address_pairs": listing(
            "Additional MAC/IP address pairs allowed to pass through the port.",
            {
                "mac_address": formed("mac_addr", "MAC address to allow through this port."),
                "ip_address": formed("ip_or_cidr", "IP address to allow through this port.", required=True),
            },
            update="in_place",
        ),
        "port_security_enabled": flag("Flag to enable/disable port security on the port.", update="in_place"),
        "binding:vnic_type": one_of("The vnic type to be bound on the neutron port.", "normal", default="normal"),
        "dns_name": formed("dns_name", "DNS name associated with the port.", update="in_place"),
        "no_fixed_ips": flag("Flag to disable all fixed ips on the port.", default=False, update="in_place"),
        "tags": TAGS,
    }
    attributes = shown(
        {
            "admin_state_up": "string",
            "device_id": "string",
            "device_owner": "string",
            "fixed_ips": "list",
            "mac_address": "string",
            "name": "string",
            "network_id": "string",
            "security_groups": "list",
            "status": "string",
            "tenant_id": "string",
            "allowed_address_pairs": "list",
            "subnets": "list",
            "port_security_enabled": "boolean",
            "dns_assignment": "map",
            "network": "map",
            "floating_ip_address": "string",
        }
    )

    def needs(self, name: str, properties: Mapping[str, Any], plan: Plan) -> Sequence[str]:
        """The subnets of its network; the interface of a router is no matter of a port."""
        return of_network(plan, properties.get("network", properties.get("network_id")))

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not (properties.get("network") or properties.get("network_id")):
            raise BadRequest("Property network not assigned", type="StackValidationFailed")

    def body(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        made = super().body(hand, {key: value for key, value in properties.items() if value != "" or key == "name"})
        if properties.get("fixed_ips"):
            made["fixed_ips"] = [self._address(hand, one) for one in properties["fixed_ips"]]
        elif properties.get("no_fixed_ips"):
            made["fixed_ips"] = []
        if properties.get("security_groups") is not None:
            made["security_groups"] = [
                hand.lookup("neutron.security_group", one) for one in properties["security_groups"]
            ]
        if properties.get("allowed_address_pairs") is not None:
            made["allowed_address_pairs"] = without_none(properties["allowed_address_pairs"])
        return made

    def changes(self, hand: Hand, changed: Mapping[str, Any]) -> dict[str, Any]:
        made = super().changes(hand, changed)
        made.update({name: "" for name in ("device_id", "device_owner") if changed.get(name) == ""})
        for name in ("security_groups", "allowed_address_pairs"):
            if name in changed and changed[name] is None:
                made[name] = self.nothing(hand, name)
        if "fixed_ips" in changed or "no_fixed_ips" in changed:
            listed, none = hand.properties.get("fixed_ips"), hand.properties.get("no_fixed_ips")
            made["fixed_ips"] = [self._address(hand, one) for one in listed or []]
            if not listed and not none:
                made["fixed_ips"] = self._any_addresses(hand)
        return made

    def nothing(self, hand: Hand, name: str) -> Any:
        """What a new port of its network has."""
        if name == "security_groups":
            return [default_group(hand)]
        if name == "port_security_enabled":
            network = self.show(hand)["network_id"]
            return hand.call("network", "GET", f"/v2.0/networks/{network}")["network"]["port_security_enabled"]
        return super().nothing(hand, name)

    def _any_addresses(self, hand: Hand) -> list[dict[str, Any]]:
        """One of each IP version that its network has, as a new port gets: those that it has already stay."""
        shown = self.show(hand)
        subnets = hand.call("network", "GET", "/v2.0/subnets", query={"network_id": shown["network_id"]})["subnets"]
        found = []
        for version in (4, 6):
            ids = [one["id"] for one in subnets if one["ip_version"] == version]
            held = [one for one in shown["fixed_ips"] if one["subnet_id"] in ids]
            found += held[:1] or [{"subnet_id": one} for one in ids[:1]]
        return found

    def _address(self, hand: Hand, one: Mapping[str, Any]) -> dict[str, Any]:
        subnet = one.get("subnet") or one.get("subnet_id")
        found = {"subnet_id": hand.lookup("neutron.subnet", subnet)} if subnet else {}
        return {**found, **({"ip_address": one["ip_address"]} if one.get("ip_address") else {})}

    def lets_go(self, hand: Hand) -> bool:
        named = any(one.get("ip_address") for one in hand.properties.get("fixed_ips") or [])
        return handing_over.port_lets_go(hand, named=named)

    def takes_back(self, hand: Hand) -> bool:
        return handing_over.port_takes_back(hand)

    def attribute(self, hand: Hand, name: str) -> Any:
        if name == "subnets":
            ids = [one["subnet_id"] for one in self.show(hand)["fixed_ips"]]
            return [hand.call("network", "GET", f"/v2.0/subnets/{one}")["subnet"] for one in ids]
        if name == "network":
            return hand.call("network", "GET", f"/v2.0/networks/{self.show(hand)['network_id']}")["network"]
        if name == "floating_ip_address":
            query = {"port_id": str(hand.row.physical_id)}
            found = hand.call("network", "GET", "/v2.0/floatingips", query=query)["floatingips"]
            return found[0]["floating_ip_address"] if found else None
        return super().attribute(hand, name)
