"""``OS::Neutron::SubnetPool``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources.declaring import flag, formed, listing, number, shown, text
from tane.services.orchestration.resources.neutron import TAGS, Neutron
from tane.services.orchestration.template.constraints import Length
from tane.web.errors import BadRequest, NotImplementedHere

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

BOUNDS = (
    ("max_prefixlen", "min_prefixlen"),
    ("max_prefixlen", "default_prefixlen"),
    ("default_prefixlen", "min_prefixlen"),
)


class SubnetPool(Neutron):
    name = "OS::Neutron::SubnetPool"
    description = "A resource that implements neutron subnet pool."
    path, single = "/v2.0/subnetpools", "subnetpool"
    apart = ("tags", "address_scope")
    properties = {
        "name": text("Name of the subnet pool.", update="in_place"),
        "prefixes": listing(
            "List of subnet prefixes to assign.",
            formed("net_cidr", "A prefix."),
            Length(min=1),
            required=True,
            update="in_place",
        ),
        "address_scope": text("An address scope ID to assign to the subnet pool.", update="in_place"),
        "default_quota": number(
            "A per-tenant quota on the prefix space that can be allocated.", low=0, update="in_place"
        ),
        "default_prefixlen": number("The size of the prefix where a subnet says none.", low=0, update="in_place"),
        "min_prefixlen": number("Smallest prefix size that can be allocated.", low=0, update="in_place"),
        "max_prefixlen": number("Maximum prefix size that can be allocated.", low=0, update="in_place"),
        "is_default": flag("Whether this is default IPv4/IPv6 subnet pool.", default=False, update="in_place"),
        "tenant_id": text("The ID of the tenant who owns the subnet pool."),
        "shared": flag("Whether the subnet pool will be shared across all tenants.", default=False),
        "tags": TAGS,
    }
    attributes = shown({"show": "map"})

    def nothing(self, hand: Hand, name: str) -> Any:
        """What a pool has of which nothing is said: sizes from 8 or 64 to that of an address, the least by default."""
        low, high = (64, 128) if ":" in str(hand.properties["prefixes"][0]) else (8, 32)
        least = hand.properties.get("min_prefixlen") or low
        sizes = {"min_prefixlen": low, "default_prefixlen": least, "max_prefixlen": high}
        return sizes.get(name, super().nothing(hand, name))

    def validate(self, hand: Hand, properties: Mapping[str, Any]) -> None:
        if properties.get("address_scope"):
            raise NotImplementedHere("address_scope: Tane's network has no address scopes.")
        for high, low in BOUNDS:
            if properties.get(high) and properties.get(low) and properties[low] > properties[high]:
                raise BadRequest(
                    f"Illegal prefix bounds: {high}={properties[high]}, {low}={properties[low]}.",
                    type="StackValidationFailed",
                )
