"""``OS::Neutron::Subnet``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.declaring import (
    flag,
    formed,
    listing,
    names,
    number,
    one_of,
    shown,
    specs,
    text,
)
from tane.services.orchestration.resources.neutron import TAGS, Neutron
from tane.services.orchestration.template.constraints import AllowedValues
from tane.services.orchestration.template.properties import Property
from tane.web.errors import BadRequest

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

MODES = ("dhcpv6-stateful", "dhcpv6-stateless", "slaac")


class Subnet(Neutron):
    name = "OS::Neutron::Subnet"
    description = "A resource for managing Neutron subnets."
    path, single = "/v2.0/subnets", "subnet"
    apart = ("tags",)
    empty = {"allocation_pools": [], "host_routes": []}
    renamed = {"network": "network_id", "subnetpool": "subnetpool_id"}
    links = {"network": "neutron.network", "network_id": "neutron.network", "subnetpool": "neutron.subnetpool"}
    properties = {
        "network": names("neutron.network", "The ID of the attached network."),
        "network_id": names("neutron.network", "Use property network.", hidden=True),
        "subnetpool": names("neutron.subnetpool", "The name or ID of the subnet pool."),
        "prefixlen": number("Prefix length for subnet allocation from subnet pool.", low=0),
        "cidr": formed("net_cidr", "The CIDR."),
        "value_specs": specs(),
        "name": text("The name of the subnet.", update="in_place"),
        "gateway_ip": text(
            'The gateway IP address. Set to any of [ null | ~ | "" ] to create/update a subnet without a gateway.',
            update="in_place",
        ),
        "dns_nameservers": listing("A specified set of DNS name servers to be used.", default=[], update="in_place"),
        "allocation_pools": listing(
            "The start and end addresses for the allocation pools.",
            {
                "start": formed("ip_addr", "Start address.", required=True),
                "end": formed("ip_addr", "End address.", required=True),
            },
            update="in_place",
        ),
        "tenant_id": text("The ID of the tenant who owns the network."),
        "ip_version": Property(
            type="integer",
            default=4,
            constraints=(AllowedValues(allowed=(4, 6)),),
            description="The IP version, which is 4 or 6.",
        ),
        "enable_dhcp": flag("Set to true if DHCP is enabled and false if it is not.", default=True, update="in_place"),
        "host_routes": listing(
            "A list of host route dictionaries for the subnet.",
            {
                "destination": formed("net_cidr", "The destination.", required=True),
                "nexthop": formed("ip_addr", "The next hop.", required=True),
            },
            update="in_place",
        ),
        "ipv6_ra_mode": one_of("IPv6 RA (Router Advertisement) mode.", *MODES),
        "ipv6_address_mode": one_of("IPv6 address mode.", *MODES),
        "tags": TAGS,
    }
    attributes = shown(
        {
            "name": "string",
            "network_id": "string",
            "tenant_id": "string",
            "allocation_pools": "list",
            "gateway_ip": "string",
            "dns_nameservers": "list",
            "host_routes": "list",
            "ip_version": "string",
            "cidr": "string",
            "enable_dhcp": "string",
            "subnetpool_id": "string",
        }
    )

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if not (properties.get("network") or properties.get("network_id")):
            raise BadRequest("Property network not assigned", type="StackValidationFailed")
        if not properties.get("cidr") and not properties.get("subnetpool"):
            raise BadRequest(
                "Either property cidr or subnetpool must be specified for this resource.",
                type="PropertyUnspecifiedError",
            )

    def body(self, hand: Hand, properties: Mapping[str, Any]) -> dict[str, Any]:
        made = super().body(hand, properties)
        if properties.get("gateway_ip") == "":
            made["gateway_ip"] = None
        return made
