"""A host with a network of its own, and guests played by namespaces on the far end of a veth pair."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tane.agent.documents import FixedIp, NetworkApplied, NetworkState, Port
from tane.agent.network import LinuxNetwork, NetworkSettings
from tane.agent.network.plan import leg_name
from tane.linux import netns

EXTERNAL_GATEWAY = "203.0.113.1"


def run(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return done.stdout


def inside(namespace: str, *argv: str, check: bool = True) -> str:
    return run("ip", "netns", "exec", namespace, *argv, check=check)


def eventually(check: Callable[[], bool], *, seconds: float = 5.0) -> bool:
    """Whether ``check`` becomes true in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pings(namespace: str, target: str, *, wait: int = 1) -> bool:
    argv = ["ip", "netns", "exec", namespace, "ping", "-c1", "-n", f"-W{wait}", target]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@dataclass
class Guest:
    """A namespace with ``eth0`` on the far end of the port's device."""

    port: Port
    namespace: str

    def ping(self, target: str) -> bool:
        return pings(self.namespace, target)

    def ip(self, *argv: str) -> str:
        return run("ip", "-n", self.namespace, *argv)


@dataclass
class Host:
    """A LinuxNetwork under test. ``apply`` runs a pass on the document and expects no failures."""

    network: LinuxNetwork
    unique: str
    guests: list[Guest] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return self.network.settings.host_namespace

    @property
    def outside(self) -> str:
        return self.network.settings.outside_namespace

    def id(self) -> str:
        return str(uuid.uuid4())

    async def apply(self, state: NetworkState) -> NetworkApplied:
        applied = await self.network.apply(state)
        assert applied.failed == {}
        return applied

    async def port(self, network_id: str, subnet_id: str, address: str, **options: object) -> Port:
        """A port document whose device is a veth end, with the guest namespace behind it set up by hand."""
        port_id = self.id()
        mac = "fa:16:3e:" + ":".join(port_id.replace("-", "")[index : index + 2] for index in (0, 2, 4))
        return Port(
            id=port_id,
            network_id=network_id,
            mac_address=mac,
            device=leg_name("tap", port_id),
            fixed_ips=(FixedIp(subnet_id=subnet_id, ip_address=address),),
            **options,  # type: ignore[arg-type]
        )

    def plug(self, port: Port, *, gateway: str | None = None, prefix: int = 24, configure: bool = True) -> Guest:
        """Put a guest behind the port's device; before the pass that names the port."""
        namespace = f"t{self.unique}-g{len(self.guests)}"
        netns.create(namespace)
        guest = Guest(port, namespace)
        self.guests.append(guest)
        run(
            *("ip", "-n", self.namespace, "link", "add", port.device, "type", "veth"),
            *("peer", "name", "eth0", "netns", namespace, "address", port.mac_address),
        )
        guest.ip("link", "set", "lo", "up")
        if configure:
            guest.ip("addr", "add", f"{port.fixed_ips[0].ip_address}/{prefix}", "dev", "eth0")
        guest.ip("link", "set", "eth0", "up")
        if gateway:
            guest.ip("route", "add", "default", "via", gateway)
        return guest

    def start(self, namespace: str, *argv: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def remove_guests(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        for guest in self.guests:
            netns.remove(guest.namespace)
        self.processes.clear()
        self.guests.clear()


@pytest.fixture
def unique() -> str:
    return uuid.uuid4().hex[:6]


@pytest.fixture
def settings(tmp_path: Path, unique: str) -> NetworkSettings:
    return NetworkSettings(state_dir=tmp_path / "network", cloud_id=unique, host_link=False)


@contextlib.asynccontextmanager
async def host_of(settings: NetworkSettings) -> AsyncIterator[Host]:
    """A host with the empty document applied, torn down at the end."""
    asked: list[tuple[str, str, dict[str, str]]] = []

    async def metadata(port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        asked.append((port_id, path, headers))
        return 200, "text/plain", f"{port_id} {path}".encode()

    host = Host(LinuxNetwork(settings, metadata), settings.cloud_id, asked=asked)
    try:
        await host.apply(NetworkState(revision=0))
        yield host
    finally:
        host.remove_guests()
        try:
            await host.network.teardown()
        finally:
            await host.network.close()


@pytest.fixture
def with_host(settings: NetworkSettings) -> Iterator[Callable[[Callable[[Host], Awaitable[None]]], None]]:
    """Run an async test body on a fresh host."""

    def call(body: Callable[[Host], Awaitable[None]]) -> None:
        async def main() -> None:
            async with host_of(settings) as host:
                await body(host)

        asyncio.run(main())

    yield call
