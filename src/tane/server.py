"""The cloud as a process: the local host's duties, the application on its socket, jobs and reconcilers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import uuid
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from tane import logs
from tane.agent import host
from tane.agent.documents import GuestState
from tane.agent.duties import GuestListener, MetadataSource
from tane.agent.rights import Choice
from tane.app import Cloud, make_core
from tane.config import Config
from tane.core import Core
from tane.hosts import HostAgent
from tane.hosts import store as hosts
from tane.jobs import forever
from tane.services.compute import interface as compute
from tane.services.image import interface as image
from tane.services.network import interface as network
from tane.web import limits
from tane.web.protocol import serving

log = structlog.get_logger()
HEARTBEAT_SECONDS = 15.0
HOST_NAMESPACE = uuid.UUID("7a6e65ee-8f43-4d43-9b0a-74616e650001")


def host_settings(folder: Path, config: Config, mode: str) -> host.HostSettings:
    """The settings of the host this process is."""
    name = socket.gethostname()
    return host.HostSettings(
        state_dir=folder / "host",
        cloud_id=cloud_id(folder),
        mode=mode,
        local_ip=config.local_ip or None,
        host_link=config.external_host_link,
        hosts=[
            (str(uuid.uuid5(HOST_NAMESPACE, f"{folder}/{name}{suffix}")), f"{name}{suffix}")
            for suffix in _suffixes(config.simulated_hosts if mode == "simulated" else 1)
        ],
    )


def cloud_id(folder: Path) -> str:
    """Six characters that tell this cloud's kernel objects from those of another on the same machine."""
    return uuid.uuid5(HOST_NAMESPACE, str(folder)).hex[:6]


def _suffixes(count: int) -> list[str]:
    return [""] + [f"-{number}" for number in range(2, count + 1)]


async def run(folder: Path, config: Config, choice: Choice, admin_password: str, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    logs.configure(config.log_level)
    core = make_core(config)
    http, ws = serving(limits.of(config))
    cloud = Cloud(core)
    released = cloud.runner.take_back()
    cloud.prepare(admin_password)
    settings = host_settings(folder, config, choice.mode)
    agents = [
        HostAgent(duties.host_id, duties.name, duties.compute, duties.network, duties.volume, duties.local_ip)
        for duties in host.build(settings, image.LocalImages(core), _metadata_source(core))
    ]
    for agent in agents:
        core.hosts.add(agent)
        await _register(core, agent)
    network.ensure_external_network(core, external_cidr(config, settings.cloud_id))
    server = uvicorn.Server(
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
        )
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
    heartbeat = asyncio.create_task(_heartbeat(core))
    for signum in (signal.SIGTERM, signal.SIGINT):
        # The server gives the signal on to whoever handled it before, once it has stopped: that must not end us here.
        signal.signal(signum, lambda *_: None)
    try:
        await server.serve(sockets=[listener])
    finally:
        heartbeat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heartbeat
        await cloud.stop()
        for agent in agents:
            if agent.compute is not None:
                await agent.compute.stop_duty()
        core.close()
        log.info("stopped")


async def _register(core: Core, agent: HostAgent) -> None:
    """Write the host with what it offers into the registry."""
    capabilities: dict[str, Any] = {}
    if agent.compute is not None:
        capabilities = _plain(await agent.compute.capabilities())

    def write() -> None:
        with core.db.write() as tx:
            hosts.register(tx, agent.host_id, agent.name, agent.roles, agent.local_ip, capabilities)

    await core.in_thread(write)


def _plain(document: Any) -> dict[str, Any]:
    return {name: getattr(document, name) for name in document.__struct_fields__}


def _metadata_source(core: Core) -> MetadataSource:
    async def metadata(port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        return await compute.metadata(core, port_id, path, headers)

    return metadata


def _guest_listener(core: Core, host_id: str) -> GuestListener:
    def changed(guest_id: str, state: GuestState) -> None:
        compute.guest_changed(core, host_id, guest_id, state)

    return changed


async def _heartbeat(core: Core) -> None:
    """The local hosts are up as long as this process is."""

    def beat() -> None:
        with core.db.write() as tx:
            hosts.seen(tx, [agent.host_id for agent in core.hosts.local()])

    async def once() -> None:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        await core.in_thread(beat)

    await forever("heartbeat", once)


def external_cidr(config: Config, cloud: str) -> str:
    """The range of the first external network: the one that is set, or one of the benchmarking range (RFC 2544) that
    follows from the cloud's id, so that two clouds on a machine do not meet."""
    if config.external_cidr != "auto":
        return config.external_cidr
    number = int(cloud, 16) % 512
    return f"198.{18 + number // 256}.{number % 256}.0/24"
