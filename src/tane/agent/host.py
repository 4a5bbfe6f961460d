"""Puts a host's duties together in the mode the machine allows, and takes everything of a host down again."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tane.agent.compute import leases
from tane.agent.compute.drivers import qemu
from tane.agent.compute.drivers.fake import FakeCompute
from tane.agent.compute.drivers.qemu.accelerator import accelerator
from tane.agent.compute.leases import Leases
from tane.agent.images import ImageCache
from tane.agent.network.duty import LinuxNetwork
from tane.agent.network.fake import FakeNetwork
from tane.agent.network.plan import NetworkSettings
from tane.agent.network.user import UserNetwork
from tane.agent.objects import ObjectFiles
from tane.agent.volume.drivers import file
from tane.agent.volume.drivers.exporter import ExportSettings
from tane.agent.volume.drivers.fake import FakeVolume
from tane.agent.volume.drivers.file import FileVolume
from tane.linux import addresses, ranges
from tane.linux.netlink import VXLAN_PORT
from tane.linux.ranges import Range
from tane.wire import structs
from tane.wire.duties import CloudDuty, ComputeDuty, ImageSource, NetworkDuty, ObjectDuty, VolumeDuty

WITH_LEGS = ("root", "userns")
"""Modes in which external networks end in a kernel's namespace."""
VXLAN_IPV4, VXLAN_IPV6 = 50, 70
"""Bytes that a tunnel adds to a packet (RFC 7348)."""
SIMULATED_TUNNELS = ipaddress.IPv4Network("100.64.0.0/16")
"""Simulated hosts have tunnels to each other like real ones, and so an address each; no packet is ever sent."""


@dataclass(frozen=True)
class HostSettings:
    """What a machine is told of the host (when simulated: the hosts) it is. ``hosts`` holds (id, name) pairs."""

    state_dir: Path
    cloud_id: str
    mode: str
    hosts: list[tuple[str, str]]
    local_ip: str | None = None
    host_link: bool = True
    tunnel_port: int = VXLAN_PORT
    bridges: Mapping[str, str] = field(default_factory=dict)
    """Physical network → the machine's bridge in it."""
    leases: bool = False
    """Whether its guests may be leased: not on the cloud's own machine."""
    offered_ports: tuple[int, ...] = ()
    """TCP ports of the machine that guests may reach by the external networks."""

    @property
    def network(self) -> NetworkSettings:
        return NetworkSettings(
            state_dir=self.state_dir / "network",
            cloud_id=self.cloud_id,
            local_ip=self.local_ip,
            host_link=self.host_link,
            offered_ports=self.offered_ports,
            tunnel_mtu=self._tunnel_mtu(),
            tunnel_port=self.tunnel_port,
            bridges=self.bridges,
        )

    def _tunnel_mtu(self) -> int:
        if self.local_ip is None or self.mode != "root":
            return addresses.ETHERNET - VXLAN_IPV4
        return addresses.mtu(self.local_ip) - (VXLAN_IPV6 if ":" in self.local_ip else VXLAN_IPV4)


@dataclass(frozen=True)
class Duties:
    """The duties of one host of this machine."""

    host_id: str
    name: str
    local_ip: str | None
    compute: ComputeDuty
    network: NetworkDuty
    volume: VolumeDuty
    objects: ObjectDuty
    leases: Leases | None = None


def build(settings: HostSettings, images: ImageSource, cloud: CloudDuty) -> list[Duties]:
    """The hosts of this machine: one, or any number of simulated ones. What they ask of ``cloud`` is for the one."""
    structs.prepare()
    if settings.mode == "simulated":
        drawn = map(str, SIMULATED_TUNNELS.hosts())
        addresses_of = [settings.local_ip] if settings.local_ip and len(settings.hosts) == 1 else drawn
        return [
            Duties(
                host_id,
                name,
                local_ip,
                FakeCompute(hostname=name),
                FakeNetwork(local_ip, plans=False),
                FakeVolume(folder=settings.state_dir / "volumes" / host_id),
                # Files are files: a simulated host keeps what it is given.
                ObjectFiles(settings.state_dir / "objects" / host_id),
            )
            for (host_id, name), local_ip in zip(settings.hosts, addresses_of, strict=False)
        ]
    [(host_id, name)] = settings.hosts
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    cache = ImageCache(settings.state_dir / "images", images)
    in_user_mode = settings.mode == "user"
    held = Leases(settings.state_dir, cloud) if settings.leases else None
    compute = qemu.QemuCompute(
        qemu.QemuSettings(
            state_dir=settings.state_dir,
            accelerator=accelerator(),
            hostname=name,
            netns=None if in_user_mode else settings.network.host_namespace,
            user_network=in_user_mode,
        ),
        cache,
        cloud.kept_disk,
        held,
    )
    network = UserNetwork() if in_user_mode else LinuxNetwork(settings.network, cloud.metadata)
    # A guest reaches its volumes on the loopback of the namespace it runs in.
    exports = ExportSettings(netns=None if in_user_mode else settings.network.host_namespace)
    volume = FileVolume(settings.state_dir, cache, exports, cloud.backup)
    volume.clear()
    objects = ObjectFiles(settings.state_dir / "objects")
    return [Duties(host_id, name, settings.local_ip, compute, network, volume, objects, held)]


def machine_ranges(settings: HostSettings) -> list[Range]:
    """The ranges of this machine that an external network of the cloud must not have: where its legs are."""
    if settings.mode not in WITH_LEGS or not settings.host_link:
        return []
    return ranges.reached(f"tx-{settings.cloud_id}-")


async def teardown(settings: HostSettings) -> None:
    """End every guest, exporter and network object of this host; needs no earlier process to have ended well."""
    if settings.mode == "simulated":
        return
    qemu.teardown(settings.state_dir)
    leases.teardown(settings.state_dir)
    file.teardown(settings.state_dir)
    if settings.mode != "user":
        network = LinuxNetwork(settings.network, _no_metadata)
        await network.teardown()
        await network.close()


async def _no_metadata(port_id: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
    return 503, "text/plain", b"the cloud is going down\n"
