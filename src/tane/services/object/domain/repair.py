"""Heals copies on hosts: makes what is missing, replaces rot, moves what lies on hosts that leave, looks for more.

All of it follows from rows, so that a process may end at any moment; what a host has beside them is removed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

import structlog

from tane.core import Core
from tane.linux.blob_files import IDS
from tane.services.object.domain import copies
from tane.services.object.domain.blobs import GRACE_SECONDS
from tane.services.object.domain.copies import Fleet
from tane.services.object.drivers.hosts import BLOCK, COPIES, VERIFY_SECONDS, Links, Unreachable, chosen
from tane.services.object.store import copies as store
from tane.services.object.store import database
from tane.services.object.store.copies import Copy
from tane.wire.errors import NotOnHost

log = structlog.get_logger()

TOPIC = "reconcile:object-copies"
AT_ONCE = 2
"""On one host."""
HOST_SECONDS = 60.0
"""For so long a pass waits for all hosts; who takes longer is left alone by the next passes until it is done."""
LEAST_BYTES_A_SECOND = 1 << 20
"""A copy that is made more slowly is given up for now."""
BATCH = 200
"""Copies that are made, moved or verified in a pass."""
SCRUBBED, SCRUBBED_BYTES = 50, 256 << 20
"""Good copies that a pass verifies, until they had so many bytes."""
ROUND_SECONDS = 86_400.0
"""Nothing is verified more often than once in it."""
PAGE = 500
QUIET_SECONDS = 600.0
"""The hosts that take copies must have been the same for so long before what is right is moved among them."""
MOVED, MOVED_BYTES = 20, 64 << 20
"""Copies that a pass begins to move to where they belong, until they have so many bytes."""
PAGES = 10
"""Of copies on one host that leaves, which a pass looks at."""
MEMORY = "object-repair"
SCRUB = "scrubbed"


@dataclass
class Memory:
    """Where the last pass was. It begins anywhere: what follows is looked at in turn, whenever a process starts."""

    gone: list[tuple[str, str]] = field(default_factory=list)
    opened: str = ""
    scrubbed: tuple[str, str] = field(default_factory=lambda: (f"{random.getrandbits(128):032x}", ""))
    round_began: float | None = None
    swept: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    placed: str = ""
    same: tuple[frozenset[str], float] = (frozenset(), 0.0)
    busy: dict[tuple[str, str], asyncio.Future[list[None]]] = field(default_factory=dict)

    def over(self, what: tuple[str, str], _ended: object) -> None:
        del self.busy[what]


def memory(core: Core) -> Memory:
    found: Memory = core.memory.get(MEMORY) or core.memory.setdefault(MEMORY, Memory())
    return found


async def run(core: Core) -> dict[str, int]:
    """One pass; how many of what it did."""
    way = copies.links(core)
    way.bind()
    way.prune()
    if not database.exists(core):
        return {}
    fleet = await core.in_thread(copies.fleet, core)
    # What a host loses again and again belongs elsewhere.
    sound = {host_id: zone for host_id, zone in fleet.zones.items() if not way.is_rotten(host_id)}
    fleet = dataclasses.replace(fleet, zones=sound)
    done = Counter[str]()
    await _remove_gone(core, way)
    await _remove(way, await core.in_thread(_leave, core, fleet, done))
    await _mend(core, way, done)
    await _remove(way, await core.in_thread(_rebalance, core, fleet, done))
    await _scrub(core, way, done)
    swept = await asyncio.gather(*(_sweep(core, way, host_id) for host_id in way.reached()))
    done["files removed from hosts that no object is made of"] += sum(swept)
    return {what: count for what, count in done.items() if count}


# ------------------------------------------------------------------------------------------- hosts that leave


def _leave(core: Core, fleet: Fleet, done: Counter[str]) -> list[tuple[str, str]]:
    """Some copies on hosts that leave, or are gone: give up those of which there are enough elsewhere, and write down
    places for what is missing then. Returns the former."""
    given_up = list[tuple[str, str]]()
    with database.of(core).read() as tx:
        leaving = sorted(store.hosts(tx) - {*fleet.zones})
    for host_id in leaving:
        for _ in range(PAGES):
            after = memory(core).moved.get(host_id, "")
            with database.of(core).read() as tx:
                ids = store.on(tx, host_id, after, BATCH)
                known = store.of_blobs(tx, ids)
            memory(core).moved[host_id] = ids[-1] if len(ids) == BATCH else ""
            given_up += [(blob_id, host_id) for blob_id in ids if _enough(fleet, known.get(blob_id, {}))]
            wanted = [blob_id for blob_id in ids if _more(fleet, blob_id, known.get(blob_id, {}))]
            done["copies to be made elsewhere"] += _place(core, fleet, wanted) if wanted else 0
            if len(ids) < BATCH:
                break
    if given_up:
        with database.of(core).write() as tx:
            known = store.of_blobs(tx, [blob_id for blob_id, _ in given_up])
            given_up = [pair for pair in given_up if _enough(fleet, known.get(pair[0], {}))]
            store.remove(tx, given_up)
        core.db.signals.notify(TOPIC)
    done["copies given up on hosts that leave"] = len(given_up)
    return given_up


def _place(core: Core, fleet: Fleet, ids: list[str]) -> int:
    with database.of(core).write() as tx:
        # What has gone meanwhile has no copies.
        known = store.of_blobs(tx, ids)
        new = [(blob_id, host) for blob_id, have in known.items() for host in _more(fleet, blob_id, have)]
        store.add(tx, new)
    return len(new)


def _more(fleet: Fleet, blob_id: str, have: dict[str, str]) -> list[str]:
    staying = [host for host in have if host in fleet.zones]
    return chosen(blob_id, fleet.zones, staying, COPIES - len(staying))


def _enough(fleet: Fleet, have: dict[str, str]) -> bool:
    return sum(state == "good" and host in fleet.zones for host, state in have.items()) >= COPIES


# ----------------------------------------------------------------------------------------------- hosts that come


def _rebalance(core: Core, fleet: Fleet, done: Counter[str]) -> list[tuple[str, str]]:
    """Move some copies to where they would be written today, once the hosts have been the same for a while: a place is
    written down, repair makes the copy, and when all of them are good the one too many is given up. Returns those."""
    kept, hosts = memory(core), frozenset(fleet.zones)
    if kept.same[0] != hosts:
        kept.same = (hosts, time.monotonic())
    if len(hosts) <= COPIES or time.monotonic() < kept.same[1] + QUIET_SECONDS:
        return []
    with database.of(core).read() as tx:
        page = store.in_order(tx, kept.placed, PAGE)
        known = store.of_blobs(tx, [blob_id for blob_id, _ in page])
    wanted, surplus, size, last = list[tuple[str, str]](), list[str](), 0, ""
    for blob_id, each in page:
        if len(wanted) >= MOVED or size >= MOVED_BYTES:
            break
        last = blob_id
        have = known.get(blob_id, {})
        if any(state != "good" for state in have.values()):
            # It is repair's.
            continue
        if _too_many(fleet, blob_id, have):
            surplus.append(blob_id)
        elif len(have) > COPIES:
            # Hosts that leave have the rest.
            continue
        elif new := [host for host in chosen(blob_id, fleet.zones) if host not in have][:1]:
            wanted.append((blob_id, new[0]))
            size += each
    else:
        last = last if len(page) == PAGE else ""
    kept.placed = last
    if not wanted and not surplus:
        return []
    with database.of(core).write() as tx:
        now = store.of_blobs(tx, [*(blob_id for blob_id, _ in wanted), *surplus])
        wanted = [(one, host) for one, host in wanted if one in now and host not in now[one]]
        store.add(tx, wanted)
        given_up = [(one, host) for one in surplus for host in _too_many(fleet, one, now.get(one, {}))]
        store.remove(tx, given_up)
    if wanted:
        core.db.signals.notify(TOPIC)
    done["copies to be moved to other hosts"] = len(wanted)
    done["copies given up that were one too many"] = len(given_up)
    return given_up


def _too_many(fleet: Fleet, blob_id: str, have: dict[str, str]) -> list[str]:
    """Hosts whose copies are not needed: all are good, and enough of them stay. Where these belong may have changed
    since they were written: what does not goes, of two in a zone first."""
    if any(state != "good" for state in have.values()):
        return []
    belongs, staying = chosen(blob_id, fleet.zones), [host for host in have if host in fleet.zones]
    zones = {fleet.zones[host] for host in belongs if host in have}
    strangers = sorted(
        (host for host in staying if host not in belongs), key=lambda host: fleet.zones[host] not in zones
    )
    return strangers[: max(len(staying) - COPIES, 0)]


# ------------------------------------------------------------------------------------------------- making copies


async def _mend(core: Core, way: Links, done: Counter[str]) -> None:
    kept = memory(core)
    reached = {host_id for host_id in way.reached() if not way.is_rotten(host_id)}

    def wanted() -> list[Copy]:
        with database.of(core).read() as tx:
            return store.open_(tx, reached, kept.opened, BATCH)

    found = await core.in_thread(wanted) if reached else []
    kept.opened = found[-1].blob_id if len(found) == BATCH else ""
    made, failed = done.total(), Counter[str]()

    async def one(copy: Copy) -> None:
        try:
            async with asyncio.timeout(HOST_SECONDS + VERIFY_SECONDS + copy.size / LEAST_BYTES_A_SECOND):
                done[await _mended(core, way, copy)] += 1
        except (TimeoutError, *Unreachable) as error:
            if not failed[copy.host]:
                log.warning("a copy is not there yet", host_id=copy.host, blob=copy.blob_id, reason=str(error))
            failed[copy.host] += 1

    await _on_each_host(kept, "mend", found, AT_ONCE, one)
    if kept.opened and done.total() > made:
        core.db.signals.notify(TOPIC)


async def _on_each_host(
    kept: Memory, what: str, found: list[Copy], at_once: int, work: Callable[[Copy], Awaitable[None]]
) -> None:
    """Do it for each copy, on all hosts at once but those that are still busy with it from an earlier pass."""
    by_host: defaultdict[str, list[Copy]] = defaultdict(list)
    for copy in found:
        by_host[copy.host].append(copy)

    async def some_of(mine: Iterator[Copy]) -> None:
        for copy in mine:
            await work(copy)

    for host_id in by_host.keys() - {host_id for doing, host_id in kept.busy if doing == what}:
        mine = iter(by_host[host_id])
        task = asyncio.gather(*(some_of(mine) for _ in range(at_once)))
        kept.busy[what, host_id] = task
        task.add_done_callback(functools.partial(kept.over, (what, host_id)))
    begun = [task for (doing, host_id), task in kept.busy.items() if doing == what and host_id in by_host]
    if begun:
        ended, _ = await asyncio.wait(begun, timeout=HOST_SECONDS)
        for task in ended:
            task.result()


async def _mended(core: Core, way: Links, copy: Copy) -> str:
    """Have a copy that is as it was written. :raises HostError: :raises OSError: no other host gives it."""
    told = "copies verified" if copy.state == "check" else "copies found that were late"
    if copy.state == "bad" or not await _is_right(way, copy):
        if copy.state == "check":
            await core.in_thread(copies.damaged, core, copy.blob_id, copy.host)
        blob = await core.in_thread(copies.find, core, copy.blob_id)
        if blob is None:
            return "copies of what was deleted meanwhile"
        # Beside what is there: of a wrong copy some blocks may be right that are right nowhere else.
        reading, offset = copies.reading(core, blob), 0
        while offset < blob.size:
            data = await reading.part(offset, BLOCK)
            await way.append(copy.host, copy.blob_id, offset, data)
            offset += len(data)
        await way.finish(copy.host, copy.blob_id, blob.size)
        told = "copies made"

    def write() -> None:
        with database.of(core).write() as tx:
            # A reader may have found otherwise meanwhile.
            store.change(tx, copy.blob_id, copy.host, "good", [copy.state])

    await core.in_thread(write)
    return told


async def _is_right(way: Links, copy: Copy) -> bool:
    """Whether a host says that its file is what was written. :raises HostError:"""
    try:
        async with asyncio.timeout(VERIFY_SECONDS):
            found = await way.duty(copy.host).verify(copy.blob_id)
    except NotOnHost:
        return False
    return (found.size, found.crc) == (copy.size, copy.crc)


# ------------------------------------------------------------------------------------------------------- looking


async def _scrub(core: Core, way: Links, done: Counter[str]) -> None:
    """Verify some good copies."""
    kept, reached = memory(core), way.reached()

    def wanted() -> list[Copy]:
        with database.of(core).read() as tx:
            some = store.good(tx, reached, kept.scrubbed, SCRUBBED)
            if some or (kept.round_began is not None and time.monotonic() < kept.round_began + ROUND_SECONDS):
                return some
            ended = kept.round_began is not None
            kept.round_began = time.monotonic()
            some = store.good(tx, reached, ("", ""), SCRUBBED)
        if ended:
            with database.of(core).write() as tx:
                store.set_mark(tx, SCRUB)
        return some

    found = _so_many_bytes(await core.in_thread(wanted)) if reached else []

    async def one(copy: Copy) -> None:
        try:
            if not await _is_right(way, copy):
                log.error("a copy has rotted", host_id=copy.host, blob=copy.blob_id)
                await core.in_thread(copies.damaged, core, copy.blob_id, copy.host)
                done["copies that have rotted"] += 1
                core.db.signals.notify(TOPIC)
        except (TimeoutError, *Unreachable) as error:
            log.info("a copy was not verified", host_id=copy.host, blob=copy.blob_id, reason=str(error))

    await _on_each_host(kept, "verify", found, 1, one)
    if found:
        kept.scrubbed = (found[-1].blob_id, found[-1].host)


def _so_many_bytes(found: list[Copy]) -> list[Copy]:
    sizes = accumulate((copy.size for copy in found), initial=0)
    return [copy for copy, before in zip(found, sizes, strict=False) if before < SCRUBBED_BYTES]


async def _sweep(core: Core, way: Links, host_id: str) -> int:
    """Remove files of a host that it should not have, a page at a time; also of one that was away for long."""
    kept = memory(core)

    def known(ids: list[str]) -> set[str]:
        with database.of(core).read() as tx:
            return store.known_on(tx, host_id, ids)

    try:
        async with asyncio.timeout(VERIFY_SECONDS):
            duty = way.duty(host_id)
            count = await duty.clear(GRACE_SECONDS)
            told = await duty.older_than(GRACE_SECONDS, kept.swept.get(host_id, ""), PAGE)
            ids = [blob_id for blob_id in told[:PAGE] if IDS.match(blob_id)]
            unknown = sorted({*ids} - await core.in_thread(known, ids)) if ids else []
            if unknown:
                await duty.remove(unknown)
    except (TimeoutError, *Unreachable) as error:
        log.info("a host's files were not swept", host_id=host_id, reason=str(error))
        return 0
    kept.swept[host_id] = max(ids) if len(ids) >= PAGE else ""
    return count + len(unknown)


async def _remove_gone(core: Core, way: Links) -> None:
    kept = memory(core)
    gone, kept.gone = kept.gone, []
    await _remove(way, gone)


async def _remove(way: Links, gone: list[tuple[str, str]]) -> None:
    by_host: dict[str, list[str]] = {}
    for blob_id, host_id in gone:
        by_host.setdefault(host_id, []).append(blob_id)

    async def on(host_id: str) -> None:
        for begin in range(0, len(by_host[host_id]), PAGE):
            await way.remove(host_id, by_host[host_id][begin : begin + PAGE])

    await asyncio.gather(*(on(host_id) for host_id in by_host.keys() & way.reached()))
