"""The agent of a host that has joined a cloud, as a process: the host's duties at the end of a line."""

from __future__ import annotations

import asyncio
import importlib.metadata
import signal
import uuid
from pathlib import Path
from typing import Any, cast

import structlog

from tane import ids, logs
from tane.agent import host
from tane.agent.cloud import CloudLine, DistantImages, Files, Membership
from tane.agent.meters import Sampler
from tane.agent.rights import Choice
from tane.config import Config
from tane.wire.calls import Answering, Distant
from tane.wire.documents import GuestState
from tane.wire.duties import CloudDuty, ComputeDuty, NetworkDuty, ObjectDuty, VolumeDuty
from tane.wire.joining import MOST_RANGES, HostFacts, Range, duties_of

log = structlog.get_logger()

RANGES_SECONDS = 300.0


def host_settings(folder: Path, config: Config, mode: str, membership: Membership) -> host.HostSettings:
    """The settings of the host that this machine, or this state folder of it, is."""
    return host.HostSettings(
        state_dir=folder / ids.HOST,
        cloud_id=ids.of(folder).cloud_id,
        mode=mode,
        hosts=[(membership.host_id, membership.name)],
        local_ip=config.local_ip or None,
        tunnel_port=membership.tunnel_port,
        host_link=config.external_host_link,
        bridges=config.bridges,
        leases=True,
    )


async def run(folder: Path, config: Config, choice: Choice, membership: Membership, connected: Path) -> None:
    """Serve the cloud until SIGTERM or SIGINT; ``connected`` is made when the cloud was reached.

    :raises Refused: the cloud lets this host in no longer.
    """
    logs.configure(config.log_level, logs.LogFile(folder / "log" / "tane.log", config.log_bytes, config.log_files))
    line = CloudLine(Files(folder), membership)
    settings = host_settings(folder, config, choice.mode, membership)
    log.info("starting", mode=choice.mode, host=membership.name, cloud=f"{membership.address}:{membership.port}")
    serving = asyncio.create_task(serve(line, settings, membership, config.metric.interval))
    tasks = [serving, asyncio.create_task(_signalled()), asyncio.create_task(_mark(line, connected))]
    try:
        await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = serving.done()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("stopped")
    if ended:
        serving.result()


async def serve(line: CloudLine, settings: host.HostSettings, membership: Membership, interval: float) -> None:
    """The duties of one host at the end of a line, until cancelled; meters are read every ``interval`` seconds.

    :raises Refused: the cloud lets this host in no longer.
    """
    cloud = cast(CloudDuty, Distant(CloudDuty, "cloud", line))
    [duties] = host.build(settings, DistantImages(cloud), cloud)
    agent = _Agent(settings, duties, membership, cloud)
    if duties.leases is not None:
        await asyncio.to_thread(duties.leases.enforce)
    if "compute" in membership.roles:
        await duties.compute.start_duty(agent.guest_changed)
    tasks = [
        asyncio.create_task(line.serve(agent.answering(), agent.facts)),
        asyncio.create_task(line.keep_certified(cloud)),
        asyncio.create_task(agent.watch_ranges(line)),
        asyncio.create_task(agent.sampler(interval).serve()),
    ]
    if duties.leases is not None:
        tasks.append(asyncio.create_task(duties.leases.serve()))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if "compute" in membership.roles:
            await duties.compute.stop_duty()


async def _mark(line: CloudLine, connected: Path) -> None:
    await line.connected.wait()
    connected.touch(mode=0o600)


async def _signalled() -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await stop.wait()


class _Agent:
    def __init__(
        self, settings: host.HostSettings, duties: host.Duties, membership: Membership, cloud: CloudDuty
    ) -> None:
        self._settings = settings
        self._duties = duties
        self._membership = membership
        self._cloud = cloud
        self._started = str(uuid.uuid4())
        self._told: tuple[Range, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    def sampler(self, seconds: float) -> Sampler:
        """What measures the host: what it joined for."""
        roles, duties = self._membership.roles, self._duties
        return Sampler(
            self._membership.host_id,
            duties.compute if "compute" in roles else None,
            duties.volume if "volume" in roles else None,
            self._cloud,
            seconds,
        )

    def answering(self) -> Answering:
        """What the cloud may ask: the duties of the roles that the host joined with."""
        duties: dict[str, tuple[type, Any]] = {
            "compute": (ComputeDuty, self._duties.compute),
            "network": (NetworkDuty, self._duties.network),
            "volume": (VolumeDuty, self._duties.volume),
            "object": (ObjectDuty, self._duties.objects),
        }
        return Answering({name: duties[name] for name in duties_of(self._membership.roles)})

    async def facts(self) -> HostFacts:
        compute, volume = ("compute" in self._membership.roles, "volume" in self._membership.roles)
        self._told = await asyncio.to_thread(self._ranges)
        if self._duties.leases is not None:
            self._duties.leases.renew_soon()
        return HostFacts(
            name=self._membership.name,
            roles=self._membership.roles,  # type: ignore[arg-type]  # As the cloud let it in with them.
            started=self._started,
            release=importlib.metadata.version("tane"),
            local_ip=self._duties.local_ip,
            capabilities=await self._duties.compute.capabilities() if compute else None,
            pool_gb=int((await self._duties.volume.capacity()).total_gb) if volume else 0,
            ranges=self._told,
        )

    def _ranges(self) -> tuple[Range, ...]:
        found = host.machine_ranges(self._settings)
        # A router of the Internet has a million; the nearest are told.
        return tuple(Range(cidr=taken.cidr, interface=taken.interface) for taken in found[:MOST_RANGES])

    def guest_changed(self, guest_id: str, state: GuestState) -> None:
        """Tell the cloud. What it does not hear now it finds when it compares the guests of a host that is back."""

        async def tell() -> None:
            try:
                await self._cloud.guest_changed(guest_id, state)
            except Exception as error:
                log.info("the cloud was not told of a guest", guest=guest_id, state=state, reason=str(error))

        task = asyncio.get_running_loop().create_task(tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def watch_ranges(self, line: CloudLine) -> None:
        """When the ranges of this machine change, begin another line: facts are told at its beginning."""

        while True:
            await asyncio.sleep(RANGES_SECONDS)
            try:
                if await asyncio.to_thread(self._ranges) != self._told:
                    line.begin_anew()
            except OSError as error:
                log.warning("the machine's ranges are not known", reason=str(error))
