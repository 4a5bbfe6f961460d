"""The cloud as a process: the local host's duties, the application on its socket, jobs and reconcilers."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from tane import ids, logs
from tane.agent import host
from tane.agent.meters import Sampler
from tane.agent.rights import Choice
from tane.app import Cloud, make_core
from tane.config import WILDCARDS, Config, ConfigError
from tane.core import Core
from tane.for_hosts import ForHost, as_called
from tane.hosts import HostAgent
from tane.hosts import store as hosts
from tane.hosts.listener import Listener
from tane.jobs import forever
from tane.services.compute import interface as compute
from tane.services.host import interface as joined
from tane.services.image import interface as image
from tane.services.network import interface as network
from tane.web import limits, tls
from tane.web.errors import ApiError
from tane.web.gate import Server
from tane.web.protocol import serving
from tane.wire.documents import GuestState
from tane.wire.duties import GuestListener
from tane.wire.joining import duties_of

log = structlog.get_logger()
HEARTBEAT_SECONDS = 15.0
RANGES_SECONDS = 300.0
KEEP_ALIVE_SECONDS = 75
"""How long a connection stays on which nothing is asked. Clients that poll do so every few seconds: one that is closed
at the moment of the next request fails it."""
BENCHMARKING = 512
"""How many /24 networks 198.18.0.0/15 has."""


def host_settings(folder: Path, config: Config, mode: str) -> host.HostSettings:
    """The settings of the host this process is."""
    name = socket.gethostname()
    own = ids.of(folder)
    return host.HostSettings(
        state_dir=folder / ids.HOST,
        cloud_id=own.cloud_id,
        mode=mode,
        local_ip=config.tunnels_from,
        bridges=config.bridges,
        tunnel_port=config.vxlan_port,
        host_link=config.external_host_link,
        hosts=own.hosts(name, config.simulated_hosts if mode == "simulated" else 1),
        # An API that others than this machine are to reach is there for guests too.
        offered_ports=() if config.on_loopback else (config.port,),
    )


async def run(
    folder: Path, config: Config, choice: Choice, admin_password: str, listeners: list[socket.socket]
) -> None:
    """Serve until SIGTERM or SIGINT."""
    logs.configure(config.log_level, logs.LogFile(folder / "log" / "tane.log", config.log_bytes, config.log_files))
    core = make_core(config)
    http, ws = serving(limits.of(config))
    cloud = Cloud(core)
    released = cloud.runner.take_back()
    cloud.prepare(admin_password)
    settings = host_settings(folder, config, choice.mode)
    # What the agent in this process asks goes the way of all others' questions.
    cloud_side = as_called(ForHost(core, settings.hosts[0][0]))
    if not config.roles:
        # What it had before with other roles: routers have their addresses elsewhere now.
        await host.teardown(settings)
    agents = [_agent(duties, config.roles) for duties in host.build(settings, image.LocalImages(core), cloud_side)]
    taken = await core.in_thread(_ranges, settings)
    for agent in agents:
        core.hosts.add(agent)
        await _register(core, agent, config.roles, taken)
    try:
        network.ensure_external_network(core, external_cidr(config, settings.cloud_id, taken))
    except ApiError as error:
        reason = f"the first external network is refused (external_cidr in tane.toml): {error.message}"
        raise ConfigError(reason) from None
    shown = tls.files(config)
    server = Server(
        uvicorn.Config(
            cloud.app,
            loop="none",
            http=http,
            ws=ws,
            ws_max_size=1 << 20,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ),
        tls.server_context(shown) if shown else None,
    )
    log.info("starting", mode=choice.mode, url=config.url, pid=os.getpid(), unfinished_jobs=released)
    for agent in agents:
        if agent.compute is not None:
            await agent.compute.start_duty(_guest_listener(core, agent.host_id))
    await cloud.start()
    # What a start leaves behind stays for good: looking through it at each collection would only cost pauses.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    own = [agent.host_id for agent in agents]
    door = _door(core, choice.mode)
    core.hosts.opened = time.monotonic()
    tasks = [
        asyncio.create_task(_heartbeat(core)),
        asyncio.create_task(_watch_ranges(core, settings, own)),
        *([asyncio.create_task(door.open_if_known())] if door is not None else []),
        *(asyncio.create_task(_sampler(core, agent).serve()) for agent in agents),
    ]
    for signum in (signal.SIGTERM, signal.SIGINT):
        # The server gives the signal on to whoever handled it before, once it has stopped: that must not end us here.
        signal.signal(signum, lambda *_: None)
    try:
        await server.serve(sockets=listeners)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cloud.stop()
        if door is not None:
            await door.close()
        for agent in agents:
            if agent.compute is not None:
                await agent.compute.stop_duty()
        core.close()
        log.info("stopped")


def _door(core: Core, mode: str) -> Listener | None:
    """Where hosts of other machines come in; None in modes in which no tunnel leads to them."""
    if mode not in ("root", "simulated"):
        return None
    address, port = core.config.for_agents
    shown = core.config.primary_address if address in WILDCARDS else address
    core.hosts.door = door = Listener(
        core, functools.partial(ForHost, core), joined.remove, (address, port), shown, mode == "simulated"
    )
    return door


def _ranges(settings: host.HostSettings) -> list[dict[str, str]]:
    return [{"cidr": found.cidr, "interface": found.interface} for found in host.machine_ranges(settings)]


def _agent(duties: host.Duties, roles: Sequence[str]) -> HostAgent:
    wanted = duties_of(roles)
    return HostAgent(
        duties.host_id,
        duties.name,
        duties.compute if "compute" in wanted else None,
        duties.network if "network" in wanted else None,
        duties.volume if "volume" in wanted else None,
        duties.local_ip,
    )


async def _register(core: Core, agent: HostAgent, roles: Sequence[str], taken: list[dict[str, str]]) -> None:
    """Write the host with what it offers, and the ranges that are ``taken`` on it, into the registry.

    :raises ConfigError: it has no longer a role for which there is something on it, or another host has its name.
    """
    capabilities: dict[str, Any] = {}
    if agent.compute is not None:
        capabilities = _plain(await agent.compute.capabilities())
    if agent.volume is not None:
        capabilities["pool_gb"] = int((await agent.volume.capacity()).total_gb)
    capabilities["ranges"] = taken

    def write() -> None:
        with core.db.write() as tx:
            if reason := joined.roles_refused(tx, agent.host_id, roles):
                raise ConfigError(f"roles in tane.toml: {reason}")
            other = hosts.by_name(tx, agent.name)
            if other is not None and other.id != agent.host_id:
                raise ConfigError(f"another host of this database's cloud is named {agent.name}: rename this machine")
            hosts.register(tx, agent.host_id, agent.name, roles, agent.local_ip, capabilities)

    await core.in_thread(write)


def _plain(document: Any) -> dict[str, Any]:
    return {name: getattr(document, name) for name in document.__struct_fields__}


def _sampler(core: Core, agent: HostAgent) -> Sampler:
    """What measures a host of this process; it tells the cloud as all others do."""
    cloud = as_called(ForHost(core, agent.host_id))
    return Sampler(agent.host_id, agent.compute, agent.volume, cloud, core.config.metric.interval)


def _guest_listener(core: Core, host_id: str) -> GuestListener:
    def note(guest_id: str, state: GuestState) -> None:
        try:
            compute.guest_changed(core, host_id, guest_id, state)
        except Exception as error:
            log.error("guest state not recorded", server_id=guest_id, state=state, error=str(error))

    def changed(guest_id: str, state: GuestState) -> None:
        core.own_threads.submit(note, guest_id, state)

    return changed


async def _heartbeat(core: Core) -> None:
    """The hosts that this process reaches are up."""

    def beat() -> None:
        with core.db.write() as tx:
            hosts.seen(tx, [agent.host_id for agent in core.hosts.reached()])

    async def once() -> None:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        await core.in_thread(beat)

    await forever("heartbeat", once)


async def _watch_ranges(core: Core, settings: host.HostSettings, host_ids: Sequence[str]) -> None:
    """The local hosts say when their machine's ranges change."""

    def look() -> None:
        found = _ranges(settings)
        with core.db.write() as tx:
            for host_id in host_ids:
                row = hosts.get(tx, host_id)
                if row is not None and row.capabilities.get("ranges", []) != found:
                    hosts.change(tx, host_id, capabilities={**row.capabilities, "ranges": found})

    async def once() -> None:
        await asyncio.sleep(RANGES_SECONDS)
        await core.in_thread(look)

    await forever("machine ranges", once)


def external_cidr(config: Config, cloud: str, taken: Sequence[Mapping[str, str]] = ()) -> str:
    """The range of the first external network: the one that is set, or one of the benchmarking range (RFC 2544) that
    follows from the cloud's id, so that two clouds on a machine do not meet. Of those it is the first that meets none
    of ``taken``; when each does, the network is refused with the reason."""
    if config.external_cidr != "auto":
        return config.external_cidr
    start = int(cloud, 16) % BENCHMARKING
    for number in (*range(start, BENCHMARKING), *range(start)):
        cidr = f"198.{18 + number // 256}.{number % 256}.0/24"
        if network.meeting(cidr, {"ranges": taken}) is None:
            return cidr
    return f"198.{18 + start // 256}.{start % 256}.0/24"
