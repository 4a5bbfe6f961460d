"""What makes a subnet valid (Networking API, "Subnets")."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tane.services.network.domain.common import invalid
from tane.web.codec import Text255
from tane.web.errors import BadRequest, Conflict
from tane.wire.grammar import Address, Network
from tane.wire.grammar import address as read_address
from tane.wire.grammar import network as read_network

MAX_NAMESERVERS = 5
IPV4_BROADCAST = read_address("255.255.255.255")
MAX_ROUTES = 20
MAX_POOLS = 100
_BAD_POOL = "InvalidAllocationPool"


class AddressRange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An allocation pool as requests give it."""

    start: Text255
    end: Text255


class StaticRoute(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A route as requests give it, of a subnet or a router."""

    destination: Text255
    nexthop: Text255


def parse_cidr(text: str, version: int) -> Network:
    try:
        cidr = read_network(text)
    except ValueError:
        raise BadRequest(
            f"Invalid input for cidr. Reason: '{text}' is not a valid IP subnet.", type="HTTPBadRequest"
        ) from None
    if cidr.version != version:
        raise invalid(f"cidr '{text}' does not match the ip_version '{version}'")
    if cidr.is_multicast or cidr.is_loopback or cidr.prefixlen == 0:
        raise invalid(f"cidr '{text}': multicast, loopback and zero-length prefixes cannot be subnets")
    return cidr


def parse_address(field: str, text: str, version: int | None = None) -> Address:
    try:
        address = read_address(text)
    except ValueError:
        raise BadRequest(
            f"Invalid input for {field}. Reason: '{text}' is not a valid IP address.", type="HTTPBadRequest"
        ) from None
    if version is not None and address.version != version:
        raise invalid(f"{field} '{text}' does not match the ip_version '{version}'")
    return address


def check_gateway(cidr: Network, text: str | None) -> str | None:
    """The canonical gateway. It may lie outside the subnet; inside, it must be an address a host can have."""
    if text is None:
        return None
    gateway = parse_address("gateway_ip", text, cidr.version)
    if gateway.is_multicast or gateway.is_loopback or gateway.is_unspecified or gateway == IPV4_BROADCAST:
        raise invalid("Gateway is not valid on subnet")
    edge = cidr.version == 4 and cidr.num_addresses > 2 and gateway in (cidr.network_address, cidr.broadcast_address)
    if edge or (cidr.version == 6 and cidr.prefixlen < 127 and gateway == cidr.network_address):
        raise invalid("Gateway is not valid on subnet")
    return str(gateway)


def first_host(cidr: Network) -> str:
    return str(cidr.network_address + (1 if cidr.num_addresses > 1 else 0))


def default_pools(cidr: Network, gateway: str | None) -> list[dict[str, str]]:
    """Every address but the network's, the broadcast one and the gateway."""
    first, last = int(cidr.network_address), int(cidr.network_address) + cidr.num_addresses - 1
    if cidr.num_addresses > 2:
        first, last = first + 1, last - (1 if cidr.version == 4 else 0)
    kind = type(cidr.network_address)
    holes = [int(kind(gateway))] if gateway is not None and kind(gateway) in cidr else []
    ranges, start = [], first
    for hole in holes:
        ranges.append((start, hole - 1))
        start = hole + 1
    ranges.append((start, last))
    return [{"start": str(kind(low)), "end": str(kind(high))} for low, high in ranges if low <= high]


def check_pools(cidr: Network, pools: Sequence[AddressRange], gateway: str | None) -> list[dict[str, str]]:
    """Canonical allocation pools. :raises BadRequest, Conflict: outside, reversed, overlapping, with the gateway in."""
    if len(pools) > MAX_POOLS:
        raise BadRequest(f"The number of allocation pools exceeds the limit {MAX_POOLS}.", type=_BAD_POOL)
    ranges = []
    for pool in pools:
        try:
            start, end = (read_address(text) for text in (pool.start, pool.end))
        except ValueError:
            raise BadRequest(f"The allocation pool {pool.start}-{pool.end} is not valid.", type=_BAD_POOL) from None
        shown = f"{pool.start}-{pool.end}"
        if start.version != cidr.version or end.version != cidr.version or int(end) < int(start):
            raise BadRequest(f"The allocation pool {shown} is not valid.", type=_BAD_POOL)
        usable = default_pools(cidr, None)[0]
        if int(start) < int(type(start)(usable["start"])) or int(end) > int(type(end)(usable["end"])):
            raise BadRequest(
                f"The allocation pool {shown} spans beyond the subnet cidr {cidr}.", type="OutOfBoundsAllocationPool"
            )
        if gateway is not None and int(start) <= int(read_address(gateway)) <= int(end):
            raise Conflict(
                f"Gateway ip {gateway} conflicts with allocation pool {shown}.",
                type="GatewayConflictWithAllocationPools",
            )
        ranges.append((int(start), int(end), start, end))
    ranges.sort(key=lambda item: item[0])
    for (_, end_before, a, b), (start_after, _, c, d) in itertools.pairwise(ranges):
        if start_after <= end_before:
            raise Conflict(
                f"Found overlapping allocation pools: {a}-{b} {c}-{d} for subnet {cidr}.",
                type="OverlappingAllocationPools",
            )
    return [{"start": str(start), "end": str(end)} for _, _, start, end in ranges]


def in_pools(pools: Iterable[Mapping[str, str]], text: str) -> bool:
    """Whether an address lies in one of the allocation pools."""
    found = read_address(text)
    ranges = ((read_address(pool["start"]), read_address(pool["end"])) for pool in pools)
    return any(low.version == found.version and int(low) <= int(found) <= int(high) for low, high in ranges)


def check_nameservers(servers: Sequence[str]) -> list[str]:
    if len(servers) > MAX_NAMESERVERS:
        raise BadRequest(
            f"Unable to complete operation. The number of DNS nameservers exceeds the limit {MAX_NAMESERVERS}.",
            type="DNSNameServersExhausted",
        )
    found = [str(parse_address("dns_nameservers", server)) for server in servers]
    if len(set(found)) != len(found):
        raise invalid("Duplicate nameserver in dns_nameservers")
    return found


def check_routes(
    routes: Sequence[StaticRoute], field: str, version: int | None, most: int = MAX_ROUTES
) -> list[dict[str, str]]:
    """Canonical routes of a subnet or router."""
    if len(routes) > most:
        raise BadRequest(
            f"Unable to complete operation. The number of {field} exceeds the limit {most}.",
            type="HostRoutesExhausted" if field == "host_routes" else "RoutesExhausted",
        )
    found = []
    for route in routes:
        try:
            destination = read_network(route.destination)
        except ValueError:
            raise BadRequest(
                f"Invalid input for {field}. Reason: '{route.destination}' is not a valid CIDR.", type="HTTPBadRequest"
            ) from None
        nexthop = parse_address(field, route.nexthop)
        if nexthop.version != destination.version or version not in (None, nexthop.version):
            raise invalid(f"{field}: '{route.destination}' via '{route.nexthop}' mixes IP versions")
        found.append({"destination": str(destination), "nexthop": str(nexthop)})
    if len({(route["destination"], route["nexthop"]) for route in found}) != len(found):
        raise BadRequest(f"Invalid input for {field}. Reason: Duplicate items in the list.", type="HTTPBadRequest")
    return found


def check_modes(cidr: Network, ra: str | None, address: str | None, *, enable_dhcp: bool) -> None:
    """The IPv6 modes of a subnet, as upstream allows them."""
    if cidr.version == 4:
        if ra is not None or address is not None:
            raise invalid("ipv6_ra_mode and ipv6_address_mode are valid only for IPv6 subnets")
        if enable_dhcp and cidr.prefixlen > 30:
            raise invalid("Subnet has a prefix length that is incompatible with DHCP service enabled")
        return
    if (ra is not None or address is not None) and not enable_dhcp:
        raise invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    if ra is not None and address is not None and ra != address:
        raise invalid(
            f"ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. If both attributes "
            "are set, they must be the same value"
        )
    mode = address or ra
    if mode == "dhcpv6-stateful" and cidr.prefixlen < 64:
        raise invalid(f"Invalid CIDR {cidr} for IPv6 mode dhcpv6-stateful: its prefix has 64 bits or more")
    if mode in ("slaac", "dhcpv6-stateless") and cidr.prefixlen != 64:
        raise invalid(
            f"Invalid CIDR {cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the "
            "prefix to be /64"
        )
