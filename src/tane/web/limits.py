"""What one client may ask of the server before anybody knows who it is: sizes, times, connections."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import resource
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from tane.config import Config, ConfigError, LimitSettings
from tane.shares import Full, Shares
from tane.web.context import Context
from tane.wire import grammar

MOST_DESCRIPTORS = 65_536
MOST_TOKENS = 10_000
GRACE_SECONDS = 5.0
"""Who has been silent for less is not let go while others have been for longer: else those who only just came would
make room for one another before they can ask."""
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


Waited = tuple[bool, float]
"""Whether somebody has a claim, and since when (the loop's time) the server waits for him."""


class Guest(Protocol):
    """A connection, as the door knows it."""

    origin: str
    transport: asyncio.Transport

    @property
    def waited_for(self) -> Waited | None:
        """Since when nothing has come from it, or has been taken by it, that the server waits for. It has a claim in
        the middle of an answer, or of a body when its token is valid. None while a request of it is being answered."""
        ...

    @property
    def known(self) -> bool:
        """Whether its request has shown a valid token."""
        ...

    def look(self, now: float) -> None:
        """Called every second: end what has taken too long."""
        ...


class Door:
    """Counts the connections of each address. When the house is full, who has most of them gives one up; when the share
    of an address is, it gives up one of its own: one by which nothing is asked, else one that has let the server wait
    in the middle of an upload or of an answer; those that just came, or just did something, come last. Many may come
    from one address, and silence is no claim.

    Also counts the bytes of bodies that nobody known has begun."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[str, dict[Guest, None]] = {}
        """In the order in which they came."""
        self._count = 0
        self._kept: dict[Guest, int] = {}
        """Bytes of bodies, in the order in which they began."""
        self._kept_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, guest: Guest, address: str) -> bool:
        """Whether there is room; a connection that is let in must :meth:`leave`."""
        origin = self._origin(address)
        own = self._open.get(origin, {})
        if origin != PROXIES and len(own) >= self._limits.connections_per_address and not self._end_one(own):
            return False
        if self._count >= self._limits.connections and not self._make_room(own):
            return False
        guest.origin = origin
        self._open.setdefault(origin, own)[guest] = None
        self._count += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        return True

    def leave(self, guest: Guest) -> None:
        """Repeatable."""
        self.forget(guest)
        own = self._open.get(guest.origin, {})
        if guest in own:
            del own[guest]
            self._count -= 1
            if not own:
                del self._open[guest.origin]

    def keep(self, guest: Guest, size: int) -> None:
        """Count so many more bytes of a body that nobody known has begun. When they are too many the oldest bodies end:
        one that a client really wants to bring is there by then."""
        self._kept[guest] = self._kept.get(guest, 0) + size
        self._kept_bytes += size
        while self._kept_bytes > self._limits.anonymous_bodies:
            oldest = next(iter(self._kept))
            self.forget(oldest)
            if not oldest.known:
                oldest.transport.abort()

    def forget(self, guest: Guest) -> None:
        """Count no more what the guest has brought. Repeatable."""
        if self._kept:
            self._kept_bytes -= self._kept.pop(guest, 0)

    def _origin(self, address: str) -> str:
        return PROXIES if within(address, self._limits.proxies) else origin(address)

    def _make_room(self, own: Mapping[Guest, None]) -> bool:
        most = max(self._open.values(), key=len)
        return self._end_one(most if len(most) > len(own) + 1 else own)

    def _end_one(self, some: Iterable[Guest]) -> bool:
        """End a connection that does nothing now; False when there is none."""
        found, least, now = None, (True, True, math.inf), asyncio.get_running_loop().time()
        for guest in some:
            waited = guest.waited_for
            if waited is None:
                continue
            claim, since = waited
            rank = (now - since < GRACE_SECONDS, claim, since)
            if rank < least:
                found, least = guest, rank
            if rank < (False, True):
                break
        if found is None:
            return False
        found.transport.abort()
        self.leave(found)
        return True

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for guests in list(self._open.values()):
            for guest in list(guests):
                guest.look(now)
        self._timer = loop.call_later(LOOK_SECONDS, self._look) if self._count else None


PROXIES = "proxies"


LONGEST_SHOWN = 1024
LARGE = 8
"""So many requests one with a long body, or with a long answer, counts for."""


class Requests:
    """The requests that are under way. They count for the project that their token is for, else for its user; those of
    strangers for where they come from. One owner has at most a quarter of all.

    Long ones have places of their own: however many there are, whoever asks for something short gets in.
    """

    def __init__(self, limits: LimitSettings) -> None:
        share = max(1, min(limits.requests_per_project, limits.connections // 4))
        self._shares = Shares(limits.connections * LARGE, share)
        self._large = Shares(max(1, limits.connections // LARGE), max(1, share // LARGE))
        self._owners: dict[str, str] = {}

    def enter(self, owner: str, *, large: bool = False) -> Place:
        """Hold a place until the answer is taken. :raises Full: there are too many."""
        place = Place(self._shares, self._large, owner)
        if large:
            try:
                place.grow()
            except Full:
                place.leave()
                raise
        return place

    def owner(self, token: str) -> str | None:
        """Whom the requests of a token count for, where it was found valid before."""
        return self._owners.get(token)

    def learn(self, token: str, ctx: Context) -> None:
        """Whom the requests of a valid token count for from now on."""
        if token not in self._owners:
            self.remember(token, ctx.project_id or ctx.user_id)

    def remember(self, shown: str, owner: str) -> None:
        """Whom the requests count for that show this: a token, a session's cookie ("" shows nothing). One that is
        longer than either has to be is not kept: its sender could lay as much in memory as headers take."""
        if not shown or len(shown) > LONGEST_SHOWN:
            return
        if len(self._owners) >= MOST_TOKENS:
            self._owners.clear()
        self._owners[shown] = owner


class Place:
    """What one request holds."""

    def __init__(self, shares: Shares, large: Shares, owner: str) -> None:
        self._shares, self._large, self._owner = shares, large, (owner,)
        self._places = 1
        shares.take(self._owner)

    def grow(self) -> None:
        """Count for ``LARGE``: it keeps much in memory. Repeatable. :raises Full: there are too many such."""
        if self._places != 1:
            return
        self._large.take(self._owner)
        try:
            self._shares.take(self._owner, LARGE - 1)
        except Full:
            self._large.give_back(self._owner)
            raise
        self._places = LARGE

    def count_for(self, owner: str) -> None:
        """From now on it counts for somebody else: who asks is known. :raises Full: he has too many."""
        new = (owner,)
        if new == self._owner or not self._places:
            return
        self._shares.take(new, self._places)
        try:
            if self._places != 1:
                self._large.take(new)
        except Full:
            self._shares.give_back(new, self._places)
            raise
        old, self._owner = self._owner, new
        self._shares.give_back(old, self._places)
        if self._places != 1:
            self._large.give_back(old)

    def leave(self) -> None:
        """Repeatable."""
        if self._places:
            self._shares.give_back(self._owner, self._places)
            if self._places != 1:
                self._large.give_back(self._owner)
            self._places = 0
