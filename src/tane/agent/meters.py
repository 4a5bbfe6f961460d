"""Measures a host and its guests once an interval and tells the cloud. While that is away, what was measured is kept,
packed and bounded, and told when it is back.

Counters travel as counters, with the age of the batch: neither a lost interval nor a wrong clock changes what was used.
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import structlog

from tane.wire.calls import AgentFailed
from tane.wire.documents import DiskCounters, GuestDiagnostics, NicCounters
from tane.wire.duties import CloudDuty, ComputeDuty, VolumeDuty
from tane.wire.errors import HostError, Refused
from tane.wire.meters import Metered, Meters

log = structlog.get_logger()

KEPT_SECONDS = 24 * 3600.0
KEPT_BYTES = 16 << 20
"""Packed: of more the oldest goes."""
AT_ONCE = 8
MOST_THINGS = 1000
"""Of a batch: some 200 KB."""
GUEST_SECONDS, HOST_SECONDS = 5.0, 30.0
ANSWER_SECONDS = 30.0
TRIES = 3
"""Of a batch that makes the cloud fail."""
KB = 1024


@dataclass(frozen=True)
class Batch:
    """``taken``: when, by the monotonic clock."""

    sequence: int
    taken: float
    packed: bytes


class Shown(NamedTuple):
    """What one thing shows, by the names of the meters."""

    kind: Literal["host", "guest", "disk", "nic"]
    id: str
    part: str | None
    values: dict[str, float]


def batch_of(found: Sequence[Shown], run: str, sequence: int) -> Meters:
    shapes: dict[tuple[str, ...], int] = {}
    things = []
    for one in found:
        shape = shapes.setdefault(tuple(one.values), len(shapes))
        things.append(Metered(one.kind, one.id, one.part, shape, tuple(one.values.values())))
    return Meters(run=run, sequence=sequence, age=0.0, shapes=tuple(shapes), things=tuple(things))


def _is_sound(one: Shown, run: str) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(batch_of([one], run, 0)), type=Meters)
    except msgspec.ValidationError:
        return False
    return True


class Sampler:
    """Of one host. ``clock`` is monotonic."""

    def __init__(
        self,
        host_id: str,
        compute: ComputeDuty | None,
        volume: VolumeDuty | None,
        cloud: CloudDuty,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host_id = host_id
        self._compute, self._volume, self._cloud = compute, volume, cloud
        self._seconds, self._clock = seconds, clock
        self._run = str(uuid.uuid4())
        self._sequence = 0
        self.kept: deque[Batch] = deque()
        self._bytes = 0
        self.dropped = 0
        self._failed = (-1, 0)

    async def serve(self) -> None:
        """Until cancelled; never, where nothing is to be measured."""
        if self._seconds <= 0:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.once()
            except Exception:
                log.error("round failed", loop="meters", error=traceback.format_exc())

    async def once(self) -> None:
        """Measure, and tell all that is not told yet."""
        self._keep(await self._measure())
        await self.tell()

    async def tell(self) -> None:
        """The oldest first. What the cloud does not take now is kept for the next time."""
        while self.kept:
            batch = self.kept[0]
            meters = msgspec.json.decode(zlib.decompress(batch.packed), type=Meters)
            meters.age = max(self._clock() - batch.taken, 0.0)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._cloud.measured(meters)
            except (HostError, AgentFailed, OSError, TimeoutError) as error:
                if not self._is_refused(batch, error):
                    log.info("the cloud takes no meters now", kept=len(self.kept), reason=str(error))
                    return
                self.dropped += 1
                log.warning("the cloud refuses what was measured", sequence=batch.sequence, reason=str(error))
            if self.kept and self.kept[0] is batch:
                self._drop()

    def _is_refused(self, batch: Batch, error: Exception) -> bool:
        """Whether the cloud will never take a batch: later ones do not wait for it then. What failed there without a
        reason is tried a few times more."""
        if isinstance(error, HostError):
            return not error.transient and not isinstance(error, Refused)
        if not isinstance(error, AgentFailed):
            return False
        sequence, tries = self._failed
        self._failed = batch.sequence, 1 if sequence != batch.sequence else tries + 1
        return self._failed[1] >= TRIES

    def _keep(self, found: list[Shown]) -> None:
        """In batches that a cloud takes: each is read there at once."""
        for begin in range(0, len(found), MOST_THINGS):
            self._keep_batch(found[begin : begin + MOST_THINGS])

    def _keep_batch(self, found: list[Shown]) -> None:
        encoded = msgspec.json.encode(batch_of(found, self._run, self._sequence))
        try:
            msgspec.json.decode(encoded, type=Meters)
        except msgspec.ValidationError as error:
            # One thing that shows nonsense does not take all others with it.
            log.warning("something shows what no meter does", reason=str(error))
            sound = [one for one in found if _is_sound(one, self._run)]
            encoded = msgspec.json.encode(batch_of(sound, self._run, self._sequence))
        packed = zlib.compress(encoded, 1)
        self.kept.append(Batch(self._sequence, self._clock(), packed))
        self._sequence += 1
        self._bytes += len(packed)
        while len(self.kept) > 1 and (self._bytes > KEPT_BYTES or self._clock() - self.kept[0].taken > KEPT_SECONDS):
            self.dropped += 1
            self._drop()

    def _drop(self) -> None:
        self._bytes -= len(self.kept.popleft().packed)

    async def _measure(self) -> list[Shown]:
        found = [await self._host()]
        if self._compute is not None:
            states = await self._compute.states()
            running = [guest_id for guest_id, state in states.items() if state == "running"]
            found[0].values["compute.node.guests"] = float(len(states))
            places = asyncio.Semaphore(AT_ONCE)
            for things in await asyncio.gather(*(self._guest(guest_id, places) for guest_id in running)):
                found += things
        return found

    async def _guest(self, guest_id: str, places: asyncio.Semaphore) -> list[Shown]:
        """None of a guest that does not answer: the next interval tells what it used meanwhile."""
        assert self._compute is not None
        async with places:
            try:
                async with asyncio.timeout(GUEST_SECONDS):
                    return of_guest(guest_id, await self._compute.diagnostics(guest_id))
            except (HostError, TimeoutError) as error:
                log.debug("a guest is not measured", guest=guest_id, reason=str(error))
                return []

    async def _host(self) -> Shown:
        gauges = await asyncio.to_thread(_machine)
        if self._volume is not None:
            try:
                async with asyncio.timeout(HOST_SECONDS):
                    space = await self._volume.capacity()
                gauges["hardware.disk.size.total"] = space.total_gb * (1 << 20)
                gauges["hardware.disk.size.used"] = max(space.total_gb - space.free_gb, 0.0) * (1 << 20)
            except (HostError, TimeoutError, OSError) as error:
                log.debug("the pool is not measured", reason=str(error))
        return Shown("host", self._host_id, None, gauges)


def _machine() -> dict[str, float]:
    one, five, fifteen = os.getloadavg()
    found = {
        "hardware.cpu.load.1min": one,
        "hardware.cpu.load.5min": five,
        "hardware.cpu.load.15min": fifteen,
    }
    with Path("/proc/meminfo").open() as file:
        memory = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in file)}
    total, free = float(memory["MemTotal"]), float(memory["MemAvailable"])
    return {**found, "hardware.memory.total": total, "hardware.memory.used": total - free}


def of_guest(guest_id: str, told: GuestDiagnostics) -> list[Shown]:
    """A guest with its disks and cards, under the names of Ceilometer's meters."""
    values = {"power.state": 1.0}
    if told.resident_mb:
        values["memory.resident"] = float(told.resident_mb)
    if told.used_mb is not None:
        values["memory.usage"] = told.used_mb
    if told.cpu_ns:
        values["cpu"] = float(sum(told.cpu_ns))
    found = [Shown("guest", guest_id, None, values)]
    found += [_disk(guest_id, one) for one in told.disks]
    found += [_nic(guest_id, one) for one in told.nics if one.rx_octets is not None]
    return found


def _disk(guest_id: str, one: DiskCounters) -> Shown:
    counted = {
        "disk.device.read.bytes": float(one.read_bytes),
        "disk.device.write.bytes": float(one.write_bytes),
        "disk.device.read.requests": float(one.read_requests),
        "disk.device.write.requests": float(one.write_requests),
    }
    return Shown("disk", guest_id, one.name, counted)


NIC = {"bytes": "octets", "packets": "packets", "packets.drop": "drop", "packets.error": "errors"}


def _nic(guest_id: str, one: NicCounters) -> Shown:
    """What a guest received came in."""
    counted = {}
    for way, letters in (("incoming", "rx"), ("outgoing", "tx")):
        for name, field in NIC.items():
            value = getattr(one, f"{letters}_{field}")
            if value is not None:
                counted[f"network.{way}.{name}"] = float(value)
    return Shown("nic", guest_id, one.port_id, counted)
