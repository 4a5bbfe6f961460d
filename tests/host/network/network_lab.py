"""A host with a network of its own, and guests played by namespaces on the far end of a veth pair."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tane.agent.network.duty import LinuxNetwork
from tane.agent.network.plan import NetworkSettings, leg_name
from tane.linux import netns
from tane.wire.documents import (
    DhcpPort,
    ExternalNetwork,
    FixedIp,
    FloatingIp,
    Network,
    NetworkApplied,
    NetworkState,
    Port,
    RouterGateway,
    RouterInterface,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)

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


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Net:
    """A tenant network with one IPv4 subnet; ``.1`` is its gateway and ``.2`` its DHCP server."""

    segment_id: int
    prefix: str = "10.0.0"
    id: str = field(default_factory=new_id)
    subnet_id: str = field(default_factory=new_id)
    leg_id: str = field(default_factory=new_id)

    def document(self, *, dhcp: bool = False, **subnet: Any) -> Network:
        options = {"gateway_ip": f"{self.prefix}.1", **subnet}
        server = DhcpPort(
            id=self.leg_id,
            mac_address=f"fa:16:3d:00:{self.segment_id >> 8:02x}:{self.segment_id & 255:02x}",
            fixed_ips=(FixedIp(subnet_id=self.subnet_id, ip_address=f"{self.prefix}.2"),),
        )
        return Network(
            id=self.id,
            segment_id=self.segment_id,
            mtu=1450,
            dns_domain="cloud.example.",
            subnets=(Subnet(id=self.subnet_id, cidr=f"{self.prefix}.0/24", **options),),
            dhcp_port=server if dhcp else None,
        )

    def leg(self) -> RouterInterface:
        return RouterInterface(
            port_id=derived_id(self.id, "leg"),
            network_id=self.id,
            mac_address=f"fa:16:3c:00:{self.segment_id >> 8:02x}:{self.segment_id & 255:02x}",
            ip_address=f"{self.prefix}.1",
            prefixlen=24,
        )


def derived_id(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(parts)))


@dataclass(frozen=True)
class External:
    """An external network 203.0.113.0/24 whose providers' gateway is the host's own leg."""

    id: str = field(default_factory=new_id)

    def document(self) -> Network:
        return Network(id=self.id, segment_id=1, external=True)

    def leg(self) -> ExternalNetwork:
        return ExternalNetwork(network_id=self.id, cidr="203.0.113.0/24", gateway_ip=EXTERNAL_GATEWAY)

    def gateway(self, last: int = 10, **options: Any) -> RouterGateway:
        return RouterGateway(
            port_id=derived_id(self.id, str(last)),
            network_id=self.id,
            mac_address=f"fa:16:3b:00:00:{last:02x}",
            ip_address=f"203.0.113.{last}",
            prefixlen=24,
            next_hop=EXTERNAL_GATEWAY,
            **options,
        )


def floating(port: Port, address: str) -> FloatingIp:
    fixed = port.fixed_ips[0].ip_address
    return FloatingIp(id=new_id(), floating_ip_address=address, fixed_ip_address=fixed, port_id=port.id)


OPEN = SecurityGroup(
    id="open",
    rules=(
        SecurityGroupRule(direction="ingress"),
        SecurityGroupRule(direction="egress"),
        SecurityGroupRule(direction="ingress", ethertype="IPv6"),
        SecurityGroupRule(direction="egress", ethertype="IPv6"),
    ),
)


@dataclass
class Guest:
    """A namespace with ``eth0`` on the far end of the port's device."""

    port: Port
    namespace: str

    def reaches(self, target: str) -> bool:
        """Whether pings come back; a new link needs a moment until the kernel sends on it."""
        return eventually(lambda: pings(self.namespace, target), seconds=4)

    def is_cut_off_from(self, target: str) -> bool:
        """Whether no ping comes back, the link being up."""
        return not any(pings(self.namespace, target) for _ in range(2))

    def ip(self, *argv: str) -> str:
        return run("ip", "-n", self.namespace, *argv)


def _accept(listening: socket.socket, name: str) -> None:
    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=_echo, args=(listening.accept()[0], name), daemon=True).start()


def _echo(connection: socket.socket, name: str) -> None:
    with connection, contextlib.suppress(OSError):
        connection.sendall(name.encode())
        while data := connection.recv(4096):
            connection.sendall(data)


class Talk:
    """A TCP connection to :meth:`Host.serve`."""

    def __init__(self, client: socket.socket, address: str, port: int) -> None:
        self._client = client
        try:
            client.connect((address, port))
            self.name = client.recv(100).decode()
        except OSError:
            self.name = ""

    def answers(self) -> bool:
        """Whether the echo comes back within a second."""
        try:
            self._client.sendall(b"hello")
            return self._client.recv(100) != b""
        except OSError:
            return False


async def nobody(port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
    return 404, "text/plain", b""


@dataclass
class Host:
    """A LinuxNetwork under test. ``apply`` runs a pass on the document and expects no failures."""

    network: LinuxNetwork
    unique: str
    guests: list[Guest] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    revision: int = 0

    @property
    def namespace(self) -> str:
        return self.network.settings.host_namespace

    @property
    def outside(self) -> str:
        return self.network.settings.outside_namespace

    async def apply(self, state: NetworkState) -> NetworkApplied:
        """A document of before is ordered anew: as one that is older it would be refused."""
        self.revision = max(self.revision, state.revision)
        applied = await self.network.apply(msgspec.structs.replace(state, revision=self.revision))
        assert applied.failed == {}
        return applied

    def port(self, net: Net, address: str, *groups: str, **options: Any) -> Port:
        """A new port's document."""
        port_id = new_id()
        mac = "fa:16:3e:" + ":".join(port_id.replace("-", "")[index : index + 2] for index in (0, 2, 4))
        return Port(
            id=port_id,
            network_id=net.id,
            mac_address=mac,
            device=leg_name("tap", port_id),
            fixed_ips=(FixedIp(subnet_id=net.subnet_id, ip_address=address),),
            security_group_ids=groups,
            **options,
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

    def serve(self, guest: Guest, name: str, port: int) -> None:
        """A TCP server in a guest: it says its name, then echoes."""
        with netns.entered(guest.namespace):
            listening = socket.create_server(("", port))
        self.sockets.append(listening)
        threading.Thread(target=_accept, args=(listening, name), daemon=True).start()

    def talk(self, namespace: str, address: str, port: int) -> Talk:
        """Connect from a namespace; ``name`` of the result is empty when nobody answered within a second."""
        with netns.entered(namespace):
            client = socket.socket()
        self.sockets.append(client)
        client.settimeout(1)
        return Talk(client, address, port)

    def udp(self, guest: Guest, port: int) -> socket.socket:
        """A UDP socket of the guest that waits half a second at most."""
        with netns.entered(guest.namespace):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.settimeout(0.5)
        opened.bind(("", port))
        return opened

    def pings(self, namespace: str, target: str) -> bool:
        return pings(namespace, target)

    async def ask(self, namespace: str, request: bytes, at: str = "169.254.169.254") -> bytes:
        """Send bytes to the metadata service from a namespace and read all that comes back."""

        def call() -> bytes:
            with netns.entered(namespace):
                connection = socket.create_connection((at, 80), timeout=3)
            with connection:
                connection.sendall(request)
                return b"".join(iter(lambda: connection.recv(65536), b""))

        return await asyncio.to_thread(call)

    async def curl(self, namespace: str, path: str, *headers: str, at: str = "169.254.169.254") -> tuple[int, str]:
        """(status, body) of a metadata request."""
        lines = [f"GET {path} HTTP/1.1", "Host: 169.254.169.254", "Connection: close", *headers, "", ""]
        told = await self.ask(namespace, "\r\n".join(lines).encode(), at)
        head, _, body = told.decode().partition("\r\n\r\n")
        return int(head.split()[1]), body

    def remove_guests(self) -> None:
        for opened in self.sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for guest in self.guests:
            netns.remove(guest.namespace)
        self.sockets.clear()
        self.guests.clear()


@contextlib.asynccontextmanager
async def host_of(settings: NetworkSettings, machine: str | None = None) -> AsyncIterator[Host]:
    """A host with the empty document applied, torn down at the end; ``machine`` is its outer namespace."""
    asked: list[tuple[str, str, dict[str, str]]] = []

    async def metadata(port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        asked.append((port_id, path, headers))
        return 200, "text/plain", f"{port_id} {path}".encode()

    with netns.entered(machine) if machine else contextlib.nullcontext():
        network = LinuxNetwork(settings, metadata)
    host = Host(network, settings.cloud_id, asked=asked)
    try:
        await host.apply(NetworkState(revision=0))
        yield host
    finally:
        host.remove_guests()
        try:
            await host.network.teardown()
        finally:
            await host.network.close()


def on_host(settings: NetworkSettings, body: Callable[[Host], Awaitable[None]]) -> None:
    """Run an async test body on a fresh host."""

    async def main() -> None:
        async with host_of(settings) as host:
            await body(host)

    asyncio.run(main())
