"""What one client may ask of the server before anybody knows who it is: sizes, times, connections."""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from tane.config import Config, ConfigError, LimitSettings
from tane.wire import grammar

MOST_DESCRIPTORS = 65_536
LOOK_SECONDS = 1.0
"""How often the open connections are looked through; a timer for each request would cost more than all of it."""


class Limits(LimitSettings, kw_only=True, frozen=True):
    """The settings as they hold on this machine. ``proxies``: networks whose addresses stand for many clients."""

    proxies: tuple[grammar.Network, ...] = ()


def of(config: Config) -> Limits:
    """The limits that are set; connections leave the other half of the process's file descriptors to other things."""
    values = msgspec.structs.asdict(config.limits)
    values["connections"] = min(config.limits.connections, _raise_descriptors() // 2)
    return Limits(**values, proxies=networks(config.trusted_proxies))


def _raise_descriptors() -> int:
    """Allow this process as many open files as it may have, within reason; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def networks(texts: Sequence[str]) -> tuple[grammar.Network, ...]:
    """:raises ConfigError: one is no network."""
    try:
        return tuple(grammar.network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"trusted_proxies: {error}") from None


def is_address(text: str) -> bool:
    try:
        grammar.address(text)
    except ValueError:
        return False
    return True


def within(address: str, wanted: Sequence[grammar.Network]) -> bool:
    """Whether an address is in one of the networks; text that is no address is in none."""
    if not wanted:
        return False
    try:
        found = grammar.address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped.version == network.version and mapped in network for network in wanted)


def origin(address: str) -> str:
    """Whom an address counts for: who has one of IPv6 has 2⁶⁴ of them."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{grammar.address(address)}/64", strict=False))
    except ValueError:
        return address


class Guest(Protocol):
    """A connection, as the door knows it."""

    origin: str
    transport: asyncio.Transport

    @property
    def idle(self) -> bool:
        """Whether no request of it is being answered."""
        ...

    def look(self, now: float) -> None:
        """Called every second: end what has taken too long."""
        ...


class Door:
    """Counts the connections of each address. When the house is full, who has most of them gives an idle one up; when
    the share of an address is, it gives up its oldest idle one: many may come from it, and silence is no claim."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[str, dict[Guest, None]] = {}
        """In the order in which they came."""
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, guest: Guest, address: str) -> bool:
        """Whether there is room; a connection that is let in must :meth:`leave`."""
        origin = self._origin(address)
        own = self._open.get(origin, {})
        if origin != PROXIES and len(own) >= self._limits.connections_per_address and not self._end_idle(own):
            return False
        if self._count >= self._limits.connections and not self._make_room(len(own)):
            return False
        guest.origin = origin
        self._open.setdefault(origin, own)[guest] = None
        self._count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        return True

    def leave(self, guest: Guest) -> None:
        """Repeatable."""
        own = self._open.get(guest.origin, {})
        if guest in own:
            del own[guest]
            self._count -= 1
            if not own:
                del self._open[guest.origin]

    def _origin(self, address: str) -> str:
        return PROXIES if within(address, self._limits.proxies) else origin(address)

    def _make_room(self, own: int) -> bool:
        most = max(self._open.values(), key=len)
        return len(most) > own + 1 and self._end_idle(most)

    def _end_idle(self, some: Iterable[Guest]) -> bool:
        """End the oldest connection by which nothing is asked now; False when there is none."""
        idle = next((guest for guest in some if guest.idle), None)
        if idle is None:
            return False
        idle.transport.abort()
        self.leave(idle)
        return True

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for guests in list(self._open.values()):
            for guest in list(guests):
                guest.look(now)
        self._timer = loop.call_later(LOOK_SECONDS, self._look) if self._count else None


PROXIES = "proxies"
