"""Whether a guest takes a TCP connection, asked from a namespace of its own network: where its DHCP server is, or its
router. What lies behind the host's own networks is asked by nobody: addresses are those of the document."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from tane.agent.network.plan import dhcp_namespace, router_namespace
from tane.linux import netns
from tane.wire.asking import Door
from tane.wire.documents import NetworkState
from tane.wire.grammar import as_reason

FIRST_PORT, LAST_PORT = 61000, 61999
"""Where connections come from. The guard of a DHCP server's namespace lets answers to these in, and no others
(:mod:`tane.agent.network.guard`); the kernel gives none of them to anybody by itself."""
SECONDS = 2.0
AT_ONCE = 64
MOST_ADDRESSES = 4
TRIES = 16


@dataclass(frozen=True)
class Place:
    """An address, and the namespace that it is asked from."""

    namespace: str
    address: str
    tcp_port: int


Open = Callable[[Place], Awaitable[socket.socket]]


def places(state: NetworkState, doors: Iterable[Door]) -> dict[str, list[Place]]:
    """Where each door is asked; what is not on this host, or in a network without a place to ask from, is left out."""
    ports = {port.id: port for port in state.ports}
    spaces = {leg.network_id: router_namespace(one.id) for one in state.routers for leg in one.interfaces}
    spaces |= {one.id: dhcp_namespace(one.id) for one in state.networks if one.dhcp_port is not None}
    found = {}
    for door in doors:
        port = ports.get(door.port_id)
        if port is None or port.comes or port.network_id not in spaces or not port.fixed_ips:
            continue
        space = spaces[port.network_id]
        found[door.port_id] = [
            Place(space, fixed.ip_address, door.tcp_port) for fixed in port.fixed_ips[:MOST_ADDRESSES]
        ]
    return found


async def knock(asked: Mapping[str, list[Place]], open_there: Open) -> dict[str, str]:
    """Why each does not answer, empty where one of its addresses does; those that could not be asked are left out."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(addresses: list[Place]) -> str | None:
        async with turns:
            told = [await _connect(place, open_there) for place in addresses]
        known = [text for text in told if text is not None]
        return min(known, key=len) if known else None

    found = await asyncio.gather(*(one(addresses) for addresses in asked.values()))
    return {port_id: as_reason(text) for port_id, text in zip(asked, found, strict=True) if text is not None}


async def _connect(place: Place, open_there: Open) -> str | None:
    """Empty: it answers. None: the namespace is not there, so that nothing was asked."""
    try:
        opened = await open_there(place)
    except OSError:
        return None
    with contextlib.closing(opened):
        try:
            async with asyncio.timeout(SECONDS):
                await asyncio.get_running_loop().sock_connect(opened, (place.address, place.tcp_port))
        except TimeoutError:
            return f"no answer from {place.address} at TCP port {place.tcp_port}"
        except OSError as error:
            return f"{place.address} at TCP port {place.tcp_port}: {os.strerror(error.errno or errno.EIO)}"
    return ""


def open_socket(place: Place) -> socket.socket:
    """A socket inside the place's namespace. :raises OSError:"""
    with netns.entered(place.namespace):
        opened = socket.socket(
            socket.AF_INET6 if ":" in place.address else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK
        )
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for last in range(TRIES, 0, -1):
                try:
                    opened.bind(("", FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT + 1)))
                    break
                except OSError:
                    if last == 1:
                        raise
        except OSError:
            opened.close()
            raise
    return opened
