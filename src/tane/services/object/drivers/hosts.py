"""Blobs in three copies on hosts with the duty ``object``: written to all at once, read from any.

A host is believed nothing: each block of 1 MiB is known by a digest of its own, and none that differs is handed on.
All of this is asynchronous; threads go by :meth:`Links.from_thread`.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from tane.hosts import Hosts
from tane.shares import Full, Turns
from tane.wire import blobs as wire
from tane.wire import lines
from tane.wire.calls import AgentFailed
from tane.wire.duties import ObjectDuty
from tane.wire.errors import HostError, NotOnHost
from tane.wire.streams import Connection

log = structlog.get_logger()
T = TypeVar("T")

COPIES, ENOUGH = 3, 2
"""How many there are to be, and how many must be durable before the client is told."""
BLOCK = 1 << 20
DIGEST = 16
"""Bytes of what a block is known by: BLAKE2b, which nobody can aim at as one can at a CRC."""
SESSIONS, OF_ONE = 8, 6
"""Connections to a host, which is asked by so many at a time, and for one owner by so many."""
MOST_WAITING, MOST_OF_ONE = 4096, 1024
"""For a turn at a host."""
PART_SECONDS, FINISH_SECONDS, VERIFY_SECONDS = 10.0, 60.0, 240.0
FIRST_SECONDS = 2.0
"""For so long a host is waited for that is not the last one that may be asked."""
LATE_SECONDS = 1.0
"""For so long those are waited for who are behind, when enough are done: in a whole upload, and as long again as the
others take, but never for more than"""
LATE_AT_ONCE = 5.0
SLOW_SECONDS = 20.0
"""A host that failed, or takes long beside others, is asked last for a while."""
SLUGGISH, SLUGGISH_SECONDS = 4, 0.1
"""So many times as long as the quickest of late, and at least so long."""
ROTTEN, ROTTEN_SECONDS = 10, 3600.0
"""A host that gave other bytes than were written so often in that time is given nothing while others are there."""
Owner = Hashable | None
Unreachable = (HostError, AgentFailed, OSError)


class TooFew(Exception):
    """So few hosts take or give the bytes that there is nothing to promise; the message may be shown."""


def digest(block: bytes | memoryview) -> bytes:
    return hashlib.blake2b(block, digest_size=DIGEST).digest()


@dataclass(frozen=True)
class Copied:
    """A blob, by what it is known: its blocks' digests; the hosts that should have it, and those whose copy is known to
    be wrong somewhere."""

    id: str
    size: int
    crc: int
    checks: bytes
    hosts: tuple[str, ...]
    doubtful: tuple[str, ...] = ()


@dataclass
class _Pool:
    turns: Turns = field(default_factory=lambda: Turns(SESSIONS, MOST_WAITING, MOST_OF_ONE, OF_ONE))
    idle: list[tuple[ObjectDuty, Connection]] = field(default_factory=list)


class Links:
    """What one process of a cloud asks of the hosts it reaches, by connections that are kept. Owners (whoever the
    caller counts by; None is the cloud itself) take turns at a host."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._pools: defaultdict[str, _Pool] = defaultdict(_Pool)
        self._slow: dict[str, float] = {}
        self._pace: dict[str, float] = {}
        self._rot: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=ROTTEN))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def bind(self) -> None:
        """From now on threads are served by the loop that runs here."""
        self._loop = asyncio.get_running_loop()

    def prune(self) -> None:
        """Close connections to hosts that are not there any more, or have begun anew."""
        for host_id, pool in self._pools.items():
            agent = next((each for each in self._hosts.reached() if each.host_id == host_id), None)
            current = None if agent is None else agent.calls.objects
            for duty, session in [*pool.idle]:
                if duty is not current:
                    pool.idle.remove((duty, session))
                    session.writer.transport.abort()

    async def close(self) -> None:
        """Close all connections that nobody uses."""
        for pool in self._pools.values():
            while pool.idle:
                _, session = pool.idle.pop()
                await lines.close(session.writer)

    def from_thread(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for it, in a thread that is not the loop's. :raises TooFew: hosts are not asked yet."""
        if self._loop is None:
            work.close()
            raise TooFew("The hosts of objects are not asked yet.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin it and do not wait, from any thread."""
        if self._loop is None or self._loop.is_closed():
            work.close()
            return

        def begin() -> None:
            task = asyncio.ensure_future(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(begin)

    def reached(self) -> set[str]:
        """Hosts that answer for the duty, as far as this process knows."""
        return {agent.host_id for agent in self._hosts.reached() if agent.objects is not None}

    def is_slow(self, host_id: str) -> bool:
        return time.monotonic() < self._slow.get(host_id, 0.0)

    # ------------------------------------------------------------------------------------------------ one host

    def duty(self, host_id: str) -> ObjectDuty:
        """:raises HostError: nobody answers for it."""
        return self._hosts.objects(host_id)

    async def append(
        self, host_id: str, blob_id: str, offset: int, part: bytes | memoryview, owner: Owner = None
    ) -> None:
        """:raises HostError:"""

        async def asked(session: Connection) -> bytes:
            await wire.append(session, blob_id, offset, part)
            return b""

        await self._by_session(host_id, asked, owner, PART_SECONDS)

    async def read(
        self, host_id: str, blob_id: str, offset: int, length: int, seconds: float = PART_SECONDS, owner: Owner = None
    ) -> bytes:
        """:raises HostError: also when it takes longer, or no turn comes in that time."""

        async def asked(session: Connection) -> bytes:
            began = time.monotonic()
            data = await wire.read(session, blob_id, offset, length)
            if length == BLOCK:
                self._keep_pace(host_id, time.monotonic() - began)
            return data

        return await self._by_session(host_id, asked, owner, seconds)

    def _keep_pace(self, host_id: str, took: float) -> None:
        """Of whole blocks, beside the other hosts that are there."""
        self._pace[host_id] = took
        quickest = min(self._pace.get(other, took) for other in {host_id, *self.reached()})
        if took > max(SLUGGISH * quickest, SLUGGISH_SECONDS):
            self.slow(host_id)

    async def finish(self, host_id: str, blob_id: str, size: int) -> None:
        """:raises HostError:"""
        await self._noted(host_id, FINISH_SECONDS, lambda duty: duty.finish(blob_id, size))

    async def _by_session(
        self, host_id: str, asked: Callable[[Connection], Awaitable[bytes]], owner: Owner, seconds: float
    ) -> bytes:
        pool = self._pools[host_id]

        async def within(duty: ObjectDuty) -> bytes:
            while pool.idle:
                before, session = pool.idle.pop()
                if before is duty and not session.reader.at_eof() and not session.writer.is_closing():
                    return await self._used(pool, duty, session, asked)
                session.writer.transport.abort()
            return await self._used(pool, duty, await duty.session(), asked)

        try:
            async with asyncio.timeout(seconds) as until_its_turn, pool.turns.turn(owner):
                # That others wait, too, is not the host's fault.
                until_its_turn.reschedule(None)
                return await self._noted(host_id, seconds, within)
        except Full as error:
            raise HostError(f"host {host_id}: {error}", transient=True) from None
        except TimeoutError:
            raise HostError(f"host {host_id} was asked for so much that no turn came", transient=True) from None

    async def _used(
        self, pool: _Pool, duty: ObjectDuty, session: Connection, asked: Callable[[Connection], Awaitable[bytes]]
    ) -> bytes:
        try:
            found = await asked(session)
        except BaseException:
            # An answer may be on its way yet: it is nobody else's.
            session.writer.transport.abort()
            raise
        pool.idle.append((duty, session))
        return found

    async def _noted(self, host_id: str, seconds: float, asks: Callable[[ObjectDuty], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await asks(self.duty(host_id))
        except TimeoutError:
            self.slow(host_id)
            raise HostError(f"host {host_id} gave no answer in {seconds:.0f} s", transient=True) from None
        except NotOnHost:
            raise
        except Unreachable:
            self.slow(host_id)
            raise

    def slow(self, host_id: str) -> None:
        """Ask others first for a while."""
        self._slow[host_id] = time.monotonic() + SLOW_SECONDS

    def rotted(self, host_id: str) -> None:
        """Other bytes than were written were found there."""
        self._rot[host_id].append(time.monotonic())
        if self.is_rotten(host_id):
            log.error("a host loses what it is given: disable it, and its copies go elsewhere", host_id=host_id)

    def is_rotten(self, host_id: str) -> bool:
        found = self._rot[host_id]
        return len(found) == ROTTEN and time.monotonic() - found[0] < ROTTEN_SECONDS

    async def remove(self, host_id: str, blob_ids: list[str]) -> None:
        """Best effort: what stays is swept."""
        try:
            async with asyncio.timeout(PART_SECONDS):
                await self.duty(host_id).remove(blob_ids)
        except (TimeoutError, *Unreachable) as error:
            log.info("blobs were not removed on a host", host_id=host_id, reason=str(error))


# ------------------------------------------------------------------------------------------------------- writing


def chosen(blob_id: str, zones: Mapping[str, str], have: Sequence[str] = (), count: int = COPIES) -> list[str]:
    """``count`` hosts for a blob beside those that ``have`` it, in order: by rendezvous hashing, one of each zone (host
    → zone) before a second of any."""

    def weight(host_id: str) -> bytes:
        return hashlib.blake2b(f"{blob_id} {host_id}".encode(), digest_size=8).digest()

    rest = sorted((host_id for host_id in zones if host_id not in have), key=weight)
    used = defaultdict[str, int](int)
    for host_id in have:
        used[zones.get(host_id, "")] += 1
    found = list[str]()
    while rest and len(found) < count:
        best = min(rest, key=lambda host_id: used[zones[host_id]])
        rest.remove(best)
        used[zones[best]] += 1
        found.append(best)
    return found


class CopiedDraft:
    """A blob that is being written to hosts (:class:`tane.services.object.drivers.base.Draft`)."""

    def __init__(self, links: Links, blob_id: str, hosts: Sequence[str], owner: Owner = None) -> None:
        """``hosts``: all that are to have it; those who do not answer get it later. :raises TooFew:"""
        self.id = blob_id
        self._links, self._owner = links, owner
        self._hosts = tuple(hosts)
        reached = links.reached()
        self._left = [host_id for host_id in hosts if host_id in reached]
        self._good: list[str] = []
        self._size = 0
        self._block = hashlib.blake2b(digest_size=DIGEST)
        self._in_block = 0
        self._checks = bytearray()
        self._patience = LATE_SECONDS
        self._check()

    def _check(self) -> None:
        if len(self._left) < ENOUGH:
            raise TooFew(f"Fewer than {ENOUGH} of the hosts for this object's copies can be written to.")

    @property
    def copies(self) -> list[tuple[str, str]]:
        return [(host_id, "good" if host_id in self._good else "missing") for host_id in self._hosts]

    @property
    def checks(self) -> bytes:
        return bytes(self._checks) + (self._block.digest() if self._in_block else b"")

    def note(self, part: memoryview) -> None:
        """Hash a part; in a thread, before it is sent."""
        while part:
            some = part[: BLOCK - self._in_block]
            self._block.update(some)
            self._in_block += len(some)
            if self._in_block == BLOCK:
                self._checks += self._block.digest()
                self._block, self._in_block = hashlib.blake2b(digest_size=DIGEST), 0
            part = part[len(some) :]

    async def send(self, part: memoryview) -> None:
        """Write a part to all hosts; who fails or is far behind is left out from then on. :raises TooFew:"""
        while part:
            some, part = part[:BLOCK], part[BLOCK:]
            offset = self._size
            asked = {host: self._links.append(host, self.id, offset, some, self._owner) for host in self._left}
            self._left = await self._all(asked)
            self._size += len(some)
            self._check()

    async def close(self) -> None:
        """Make it durable. :raises TooFew:"""
        self._left = await self._all({host: self._links.finish(host, self.id, self._size) for host in self._left})
        self._check()
        self._good = list(self._left)

    async def _all(self, asked: dict[str, Coroutine[Any, Any, None]]) -> list[str]:
        """Those who did it: all, or those who had when enough had and the others were waited for: over the whole upload
        for as long as the others took, and a while."""
        tasks = {asyncio.ensure_future(work): host_id for host_id, work in asked.items()}
        waiting, began, enough = set(tasks), time.monotonic(), None
        try:
            while waiting:
                late = None if enough is None else max(enough + self._patience - time.monotonic(), 0)
                done, waiting = await asyncio.wait(waiting, timeout=late, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
                if enough is None and sum(_succeeded(task) for task in tasks) >= ENOUGH:
                    enough = time.monotonic()
                    self._patience = min(self._patience + enough - began, LATE_AT_ONCE)
            if enough is not None:
                self._patience -= time.monotonic() - enough
        finally:
            for task in waiting:
                task.cancel()
                self._links.slow(tasks[task])
            await asyncio.gather(*tasks, return_exceptions=True)
        for task, host_id in tasks.items():
            if not _succeeded(task):
                error = None if task.cancelled() else task.exception()
                if error is not None and not isinstance(error, Unreachable):
                    raise error
                log.warning("a copy of a blob is missing", host_id=host_id, blob=self.id, reason=str(error or "late"))
        return [host_id for task, host_id in tasks.items() if _succeeded(task)]

    def write(self, part: memoryview) -> None:
        self.note(part)
        self._links.from_thread(self.send(part))

    def finish(self) -> None:
        self._links.from_thread(self.close())

    def abandon(self) -> None:
        """What is not removed now is swept."""
        for host_id in self._hosts:
            if host_id in self._links.reached():
                self._links.later(self._links.remove(host_id, [self.id]))


def _succeeded(task: asyncio.Future[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


# ------------------------------------------------------------------------------------------------------- reading

OnRot = Callable[[str, str], Awaitable[None]]
"""(blob id, host id): what that host gave is not what was written."""


class Reading:
    """Reads a blob, a block at a time, of which it keeps the last; goes on at another host when one stops."""

    def __init__(self, links: Links, blob: Copied, on_rot: OnRot, owner: Owner = None) -> None:
        self._links, self._owner = links, owner
        self._last: tuple[int, bytes] = (-1, b"")
        self._blob = blob
        self._on_rot = on_rot
        hosts = [*blob.hosts]
        random.shuffle(hosts)
        self._hosts = [*hosts, *blob.doubtful]

    async def part(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from there: to the end of the block they begin in. :raises OSError: no host gives
        them as they were written."""
        number, first = divmod(offset, BLOCK)
        if self._last[0] != number:
            self._last = (number, await self._block(number))
        block = self._last[1]
        return block[first : first + length] if first or length < len(block) else block

    async def _block(self, number: int) -> bytes:
        blob = self._blob
        known = blob.checks[number * DIGEST : (number + 1) * DIGEST]
        length = min(BLOCK, blob.size - number * BLOCK)
        if length <= 0 or len(known) != DIGEST:
            raise OSError(f"blob {blob.id} has no block {number}")
        reached = self._links.reached()
        doubtful = self._blob.doubtful
        order = sorted(
            self._hosts,
            key=lambda host_id: (host_id not in reached, host_id in doubtful, self._links.is_slow(host_id)),
        )
        for host_id in order:
            seconds = PART_SECONDS if host_id == order[-1] else FIRST_SECONDS
            try:
                data = await self._links.read(host_id, blob.id, number * BLOCK, length, seconds, self._owner)
            except NotOnHost:
                data = b""
            except Unreachable as error:
                log.info("a copy of a blob was not read", host_id=host_id, blob=blob.id, reason=str(error))
                continue
            if len(data) == length and await asyncio.to_thread(digest, data) == known:
                # The next block from there, too.
                self._hosts = [host_id, *(other for other in self._hosts if other != host_id)]
                return data
            log.error("a host gave other bytes than were written", host_id=host_id, blob=blob.id, block=number)
            # Another block of its may be right, and that of nobody else.
            self._hosts = [*(other for other in self._hosts if other != host_id), host_id]
            await self._on_rot(blob.id, host_id)
        raise OSError(f"no host gives block {number} of blob {blob.id} as it was written")
