"""Which addresses a port gets. Free ones are found by the database, not by looking at each."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.common import invalid
from tane.services.network.store import addresses as store
from tane.services.network.store.addresses import Given
from tane.services.network.tables import DHCP, GATEWAY, ROUTER_OWNERS
from tane.web.errors import BadRequest, Conflict
from tane.wire import grammar

MAX_POSITION = 2**63 - 1
MOST = 20
"""Addresses of one port: its quota is one port's, however many it holds."""
SELF_ADDRESSING = ("slaac", "dhcpv6-stateless")


class Allocator:
    """Hands out addresses of one network within one transaction; several ports may be served one after another."""

    def __init__(self, tx: Tx, network_id: str, subnets: Sequence[Row[Any]]) -> None:
        self._tx = tx
        self._network_id = network_id
        self._subnets = {row.id: row for row in subnets}
        self._first = {row.id: ipaddress.ip_network(row.cidr).network_address for row in subnets}
        self._given: dict[str, set[str]] = {}
        self._ahead: dict[str, list[int]] = {}

    def prepare(self, count: int) -> None:
        """Look up ``count`` free addresses at once, for bulk requests."""
        for version in (4, 6):
            for row in self._choices(version)[:1]:
                self._ahead[row.id] = _free(self._tx, row, count)

    def automatic(self, mac: str, device_owner: str) -> list[Given]:
        """One IPv4 and one IPv6 address, as far as the network has such subnets, and those the guest makes itself.

        :raises Conflict: (IpAddressGenerationFailure) when every subnet of a version is full.
        """
        given = []
        for version in (4, 6):
            choices = self._choices(version)
            if choices:
                given.append(self._next(choices))
        if device_owner not in ROUTER_OWNERS:
            given += [self._made_of_mac(row, mac) for row in self._subnets.values() if is_self_addressing(row)]
        return given

    def wanted(self, asked: Iterable[Mapping[str, Any]], mac: str, device_owner: str) -> list[Given]:
        """The addresses a request lists as ``fixed_ips``; an empty list asks for none."""
        asked = list(asked)
        refuse_many(len(asked))
        given = []
        for item in asked:
            subnet_id, address = item.get("subnet_id"), item.get("ip_address")
            if address is not None:
                given.append(self._exactly(subnet_id, address, device_owner))
            elif subnet_id is not None:
                row = self._subnet(subnet_id)
                special = is_self_addressing(row) and device_owner not in ROUTER_OWNERS
                given.append(self._made_of_mac(row, mac) if special else self._next([row]))
            else:
                raise invalid("fixed_ips: an entry needs a subnet_id or an ip_address")
        return given

    def _subnet(self, subnet_id: str) -> Row[Any]:
        row = self._subnets.get(subnet_id)
        if row is None:
            raise BadRequest(
                f"Invalid input for operation: Failed to create port on network {self._network_id}, because "
                f"fixed_ips included invalid subnet {subnet_id}.",
                type="InvalidInput",
            )
        return row

    def _choices(self, version: int) -> list[Row[Any]]:
        return [row for row in self._subnets.values() if row.ip_version == version and not is_self_addressing(row)]

    def _next(self, choices: Sequence[Row[Any]]) -> Given:
        for row in choices:
            taken = self._given.setdefault(row.id, set())
            ahead = self._ahead.get(row.id)
            first = self._first[row.id]
            while True:
                if not ahead:
                    # As many as were given: each look goes over all of these.
                    ahead = self._ahead[row.id] = _free(self._tx, row, 1 + len(taken), after=taken)
                if not ahead:
                    break
                position = ahead.pop(0)
                address = str(first + position)
                if address not in taken:
                    taken.add(address)
                    return Given(row.id, address, position)
        raise Conflict(
            f"No more IP addresses available on network {self._network_id}.", type="IpAddressGenerationFailure"
        )

    def _exactly(self, subnet_id: str | None, text: str, device_owner: str) -> Given:
        try:
            address = grammar.address(text)
        except ValueError:
            raise invalid(f"'{text}' is not a valid IP address") from None
        text = str(address)
        if subnet_id is not None:
            row = self._subnet(subnet_id)
            if not usable(row, address):
                raise BadRequest(
                    f"IP address {text} is not a valid IP for the specified subnet.", type="InvalidIpForSubnet"
                )
        else:
            holding = [row for row in self._subnets.values() if usable(row, address)]
            if not holding:
                raise BadRequest(
                    f"IP address {text} is not a valid IP for any of the subnets on the specified network.",
                    type="InvalidIpForNetwork",
                )
            row = holding[0]
        if is_self_addressing(row) and device_owner not in (*ROUTER_OWNERS, DHCP, GATEWAY):
            raise invalid(
                f"IPv6 address {text} can not be directly assigned to a port on subnet {row.id} as the subnet is "
                "configured for automatic addresses"
            )
        return self._claim(row, address)

    def _made_of_mac(self, row: Row[Any], mac: str) -> Given:
        octets = bytearray.fromhex(mac.replace(":", "").replace("-", ""))
        octets[0] ^= 2
        suffix = int.from_bytes(bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:]), "big")
        return self._claim(row, ipaddress.ip_network(row.cidr).network_address + suffix)

    def _claim(self, row: Row[Any], address: grammar.Address) -> Given:
        taken = self._given.setdefault(row.id, set())
        text = str(address)
        if text in taken or store.is_taken(self._tx, row.id, text):
            raise Conflict(f"IP address {text} already allocated in subnet {row.id}", type="IpAddressAlreadyAllocated")
        taken.add(text)
        return Given(row.id, text, position_of(row.cidr, address))


def refuse_many(count: int) -> None:
    """:raises BadRequest: more addresses than a port may have."""
    if count > MOST:
        raise invalid(f"Exceeded maximum amount of fixed ips per port: {MOST}")


def position_of(cidr: str, address: grammar.Address) -> int | None:
    """Distance from the subnet's first address; None when 63 bits do not hold it."""
    position = int(address) - int(ipaddress.ip_network(cidr).network_address)
    return position if position <= MAX_POSITION else None


def usable(row: Row[Any], address: grammar.Address) -> bool:
    """Whether a port of the subnet can have the address: inside, and neither the network's nor the broadcast one."""
    cidr = ipaddress.ip_network(row.cidr)
    if address.version != cidr.version or address not in cidr:
        return False
    if cidr.num_addresses <= 2:
        return True
    if cidr.version == 4:
        return address not in (cidr.network_address, cidr.broadcast_address)
    return address != cidr.network_address


def is_self_addressing(row: Row[Any]) -> bool:
    """Whether guests make their addresses in the subnet themselves, of their MAC."""
    return row.ipv6_address_mode in SELF_ADDRESSING


def _free(tx: Tx, row: Row[Any], count: int, after: Iterable[str] = ()) -> list[int]:
    """Up to ``count`` free positions of the subnet's pools that are not in ``after``."""
    first = int(ipaddress.ip_network(row.cidr).network_address)
    spare = [int(ipaddress.ip_address(text)) - first for text in after]
    found: list[int] = []
    for pool in row.allocation_pools:
        low = int(ipaddress.ip_address(pool["start"])) - first
        high = min(int(ipaddress.ip_address(pool["end"])) - first, MAX_POSITION - 1)
        inside = {position for position in spare if low <= position <= high}
        wanted = count - len(found) + len(inside)
        free = store.free_positions(tx, row.id, low, high, wanted)
        found += [position for position in free if position not in inside][: count - len(found)]
        if len(found) >= count:
            break
    return found


def first_free(tx: Tx, row: Row[Any]) -> bool:
    """Whether the subnet's pools have an address left."""
    return bool(_free(tx, row, 1))


def new_macs(tx: Tx, network_id: str, count: int) -> list[str]:
    """MAC addresses of OpenStack's range that nobody has on the network."""
    macs: set[str] = set()
    while len(macs) < count:
        tried = {_random_mac() for _ in range(count - len(macs))}
        macs |= tried - store.macs_taken(tx, network_id, tried)
    return list(macs)


def _random_mac() -> str:
    return "fa:16:3e:" + secrets.token_bytes(3).hex(":")
