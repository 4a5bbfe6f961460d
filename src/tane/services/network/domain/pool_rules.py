"""What makes a subnet pool valid, and which of its prefixes are free (Networking API, "Subnet pools")."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tane.services.network.domain.common import invalid
from tane.services.network.domain.subnet_rules import parse_cidr
from tane.web.errors import BadRequest
from tane.wire.grammar import Network
from tane.wire.grammar import network as read_network

MAX_PREFIXES = 100
SMALLEST = {4: 32, 6: 128}
"""The longest prefix of each version of IP."""
LARGEST = {4: 8, 6: 64}
"""What ``min_prefixlen`` is where nothing is said."""
QUOTA_UNIT = {4: 32, 6: 64}
"""What ``default_quota`` counts: IPv4 addresses, IPv6 networks of 64 bits."""
BOUNDS = ("min_prefixlen", "max_prefixlen", "default_prefixlen")


def check_prefixes(prefixes: Sequence[str]) -> tuple[list[str], int]:
    """The prefixes in one form, neighbours joined, and their version of IP.

    :raises BadRequest: none, too many, malformed ones, or both versions.
    """
    if not prefixes:
        raise BadRequest("Empty subnet pool prefix list.", type="EmptySubnetPoolPrefixList")
    if len(prefixes) > MAX_PREFIXES:
        raise invalid(f"prefixes: more than {MAX_PREFIXES} are given")
    found = [parse_cidr(text, 6 if ":" in text else 4) for text in prefixes]
    if len({prefix.version for prefix in found}) > 1:
        raise BadRequest("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", type="PrefixVersionMismatch")
    return [str(prefix) for prefix in _joined(found)], found[0].version


def _joined(networks: Iterable[Network]) -> Iterator[Network]:
    return ipaddress.collapse_addresses(networks)  # type: ignore[type-var]


def check_bounds(version: int, given: Mapping[str, Any]) -> dict[str, int]:
    """The three prefix lengths of a pool, with what is not given filled in. :raises BadRequest: they do not fit."""
    least = _or(given.get("min_prefixlen"), LARGEST[version])
    most = _or(given.get("max_prefixlen"), SMALLEST[version])
    usual = _or(given.get("default_prefixlen"), least)
    _refuse(least > most, "min_prefixlen", least, "max_prefixlen", most)
    _refuse(most > SMALLEST[version], "max_prefixlen", most, "ip_version_max", SMALLEST[version])
    _refuse(usual < least, "default_prefixlen", usual, "min_prefixlen", least)
    _refuse(usual > most, "default_prefixlen", usual, "max_prefixlen", most)
    return dict(zip(BOUNDS, (least, most, usual), strict=True))


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _refuse(wrong: bool, name: str, value: int, other: str, bound: int) -> None:
    if wrong:
        raise BadRequest(
            f"Illegal prefix bounds: {name}={value}, {other}={bound}.", type="IllegalSubnetPoolPrefixBounds"
        )


def covers(prefixes: Sequence[str], others: Sequence[str]) -> bool:
    """Whether each of ``others`` lies in one of ``prefixes``, which are joined."""
    wide = [read_network(text) for text in prefixes]
    return all(any(inside(found, prefix) for prefix in wide) for found in map(read_network, others))


def inside(part: Network, whole: Network) -> bool:
    return part.version == whole.version and part.network_address in whole and part.prefixlen >= whole.prefixlen


def free(prefixes: Iterable[str], taken: Iterable[str]) -> list[Network]:
    """What of the prefixes no subnet has, the smallest pieces first, as upstream hands them out."""
    used = sorted((read_network(text) for text in taken), key=lambda found: int(found.network_address))
    pieces: list[Network] = []
    for prefix in map(read_network, prefixes):
        start, end = int(prefix.network_address), int(prefix.broadcast_address)
        for subnet in used:
            low, high = int(subnet.network_address), int(subnet.broadcast_address)
            if high < start or low > end:
                continue
            pieces += _blocks(prefix, start, low - 1)
            start = high + 1
        pieces += _blocks(prefix, start, end)
    return sorted(pieces, key=lambda piece: (-piece.prefixlen, int(piece.network_address)))


def _blocks(prefix: Network, low: int, high: int) -> Iterable[Network]:
    if low > high:
        return ()
    kind = type(prefix.network_address)
    return ipaddress.summarize_address_range(kind(low), kind(high))


def first_of(piece: Network, length: int) -> Network:
    """The first network of a prefix length in a larger one."""
    return read_network(f"{piece.network_address}/{length}")


def units(version: int, length: int) -> float:
    """What a network of a prefix length counts for ``default_quota``; below one where it is smaller than a unit."""
    return float(2.0 ** (QUOTA_UNIT[version] - length))
