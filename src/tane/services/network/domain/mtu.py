"""The MTU of networks (Networking API, "Network MTU"), in bytes."""

from __future__ import annotations

from tane.services.network.domain.common import invalid
from tane.web.errors import Conflict

LEAST = {4: 68, 6: 1280}
"""What each version of IP needs of a link (RFC 791, RFC 8200)."""


def check_mtu(mtu: int, largest: int) -> None:
    """:raises BadRequest: smaller than any link's, or more than the network's type can carry."""
    if mtu > largest:
        raise invalid(f"mtu: Requested MTU is too big, maximum is {largest}")
    if mtu < LEAST[4]:
        raise invalid(f"mtu: {mtu} is not between {LEAST[4]} and {largest}, the most this network's type can carry")


def check_carries(network_id: str, mtu: int, ip_version: int) -> None:
    """:raises Conflict: packets of a subnet's version of IP do not fit."""
    if mtu < LEAST[ip_version]:
        raise Conflict(
            f"MTU of {network_id} is not valid, subnet requires a minimum of {LEAST[ip_version]}",
            type="NetworkMTUSubnetConflict",
        )
