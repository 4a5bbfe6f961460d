"""The kernel objects a network document stands for, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tane.linux.netlink import VXLAN_PORT, BridgePort, Fdb, Neighbour, Policy, Route

METADATA_ADDRESS = "169.254.169.254"
METADATA_ADDRESS_6 = "fe80::a9fe:a9fe"
"""As Neutron has it: the same four octets, on the link."""
METADATA_PORT = 80
ROUTER_METADATA_PORT = 9697

OUTER = ""
"""Stands for the namespace the agent itself runs in."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What a host's network is told once: its folder, the cloud's short name (at most 6 characters, unique among the
    clouds of the machine), the address its tunnels start from (None: no tunnels), the largest packet in one, their UDP
    port, whether the external networks are reachable from the machine itself or end in a namespace, and the machine's
    TCP ports that the cloud offers there."""

    state_dir: Path
    cloud_id: str
    local_ip: str | None = None
    host_link: bool = True
    offered_ports: tuple[int, ...] = ()
    tunnel_mtu: int = 1450
    tunnel_port: int = VXLAN_PORT
    bridges: Mapping[str, str] = field(default_factory=dict)
    """Physical network → the machine's bridge in it, in the agent's own namespace."""

    def __post_init__(self) -> None:
        if not (self.cloud_id.isalnum() and self.cloud_id.isascii() and len(self.cloud_id) <= 6):
            raise ValueError(f"a cloud id is 1 to 6 letters and digits, not {self.cloud_id!r}")

    @property
    def host_namespace(self) -> str:
        """Where the bridges and taps are, and where QEMU has to run."""
        return f"tane-{self.cloud_id}"

    @property
    def outside_namespace(self) -> str:
        """Where the external networks end: the agent's own namespace, or one for this cloud."""
        return OUTER if self.host_link else f"tane-{self.cloud_id}-ext"

    def trunk_leg(self, network_id: str) -> str:
        """The machine's interface of a network that its own bridge is in."""
        return f"tb-{self.cloud_id}-{network_id[: 11 - len(self.cloud_id)]}"

    def outside_leg(self, network_id: str) -> str:
        """The outside's interface of an external network."""
        return f"tx-{self.cloud_id}-{network_id[: 11 - len(self.cloud_id)]}"


HOSTS_LINK = "vxhosts"
HOSTS_VNI = (1 << 24) - 1
"""The tunnels between hosts, of which no tenant's network has the number."""


def bridge_name(network_id: str) -> str:
    return f"br{network_id[:13]}"


def vxlan_name(network_id: str) -> str:
    return f"vx{network_id[:13]}"


def leg_name(prefix: str, port_id: str) -> str:
    """``tap``, ``ns-``, ``qr-``, ``qg-`` or ``rt-`` and the first 11 characters of the port's id."""
    return f"{prefix}{port_id[:11]}"


def router_namespace(router_id: str) -> str:
    return f"qrouter-{router_id}"


def dhcp_namespace(network_id: str) -> str:
    return f"qdhcp-{network_id}"


@dataclass(frozen=True, slots=True)
class Leg:
    """The far end of a veth pair, outside the host namespace. ``announce``: tell the neighbours of new addresses;
    ``master``: the bridge there that it is put into."""

    namespace: str
    name: str
    mac: str
    addresses: tuple[str, ...]
    announce: bool = False
    master: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the host namespace. ``owner`` is the resource whose failure it is when it cannot be made; ``address``:
    what the host itself has on it."""

    owner: str
    name: str
    kind: Literal["bridge", "tap", "veth", "vxlan"]
    mtu: int
    up: bool = True
    mac: str | None = None
    port: BridgePort | None = None
    leg: Leg | None = None
    vni: int = 0
    address: str | None = None


@dataclass(slots=True)
class Namespace:
    """A router's (``routed``) or DHCP server's namespace. Routes, policies and neighbours map to the resource they are
    for."""

    name: str
    owner: str
    sysctls: dict[str, str] = field(default_factory=dict)
    legs: list[Leg] = field(default_factory=list)
    routes: dict[Route, str] = field(default_factory=dict)
    policies: dict[Policy, str] = field(default_factory=dict)
    routed: bool = False
    neighbours: dict[Neighbour, str] = field(default_factory=dict)
    rules: str = ""
    floating: dict[str, str] = field(default_factory=dict)
    """Floating address → fixed address, as ``rules`` translate them."""
    sources: frozenset[str] = frozenset()
    """Addresses that ``rules`` translate sources to beside those."""


@dataclass(frozen=True, slots=True)
class DhcpServer:
    """dnsmasq of a network (``owner``), or of a router that advertises itself: its configuration, and the files it
    reads again on SIGHUP. ``version6``: it speaks ICMPv6 itself."""

    owner: str
    namespace: str
    config: tuple[str, ...]
    hosts: tuple[str, ...]
    options: tuple[str, ...]
    names: tuple[str, ...]
    addresses: dict[str, str]
    """IP address → MAC address of every host."""
    version6: bool = False


@dataclass(frozen=True, slots=True)
class MetadataListener:
    """Where guests of one network reach the metadata service: requests that come in on ``device``, and nothing else,
    are of the network's ports on this host. ``ports``: source address → port id; ``projects``: port id → project."""

    namespace: str
    owner: str
    device: str
    address: str
    port: int
    ports: dict[str, str]
    projects: dict[str, str]


@dataclass(frozen=True, slots=True)
class PortFilter:
    """What decides over one port's connections: when ``rules`` change, connections of ``addresses`` in ``zone`` do."""

    zone: int
    addresses: frozenset[str]
    rules: str


@dataclass(slots=True)
class Plan:
    """Everything one document asks of the kernel. ``failed`` are resources that make no sense as documented."""

    links: dict[str, Link] = field(default_factory=dict)
    fdb: dict[Fdb, str] = field(default_factory=dict)
    neighbours: dict[Neighbour, str] = field(default_factory=dict)
    rules: str = ""
    filters: dict[str, PortFilter] = field(default_factory=dict)
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    dhcp: list[DhcpServer] = field(default_factory=list)
    listeners: list[MetadataListener] = field(default_factory=list)
    outside_rules: str = ""
    """What the machine refuses from the external networks; empty when none ends here."""
    tunnel_rules: str = ""
    """From whom the machine takes tunnels' frames; empty when it has none."""
    failed: dict[str, str] = field(default_factory=dict)
