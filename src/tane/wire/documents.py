"""The documents a controller hands to a host's duties and gets back.

All are plain msgspec structs so that the same document travels in process or as JSON between machines. Sizes are in the
unit their name says. Identifiers are the resource ids of the API. The fields' types carry the grammar
(:mod:`tane.wire.grammar`); a duty uses no document it has not checked.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from tane.wire.grammar import (
    BlockDevice,
    Cidr,
    DeviceName,
    Digest,
    DomainName,
    HostName,
    Id,
    IpAddress,
    Key,
    Line,
    MacAddress,
    Reason,
    Word,
)
from tane.wire.grammar import Port as PortNumber

Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Total = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""Of what grows for ever: any database holds it."""
Ranged = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]
"""Of what has a range of its own, which whoever uses it asks for; where -1 means none."""
MOST_OF_NETWORKS, MOST_GUESTS, MOST_VOLUMES = 100_000, 4096, 100_000
"""Of one host: what it tells of its networks, guests (and moves of such), and volumes."""
Forwarded = Annotated[str, msgspec.Meta(pattern=r"^[0-9.]{7,15}:[0-9]{1,5}\Z")]


class Document(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Base of every document: keyword-only, defaults left out on the wire."""


# --------------------------------------------------------------------------------------------------------- network


class FixedIp(Document):
    subnet_id: Id
    ip_address: IpAddress


class HostRoute(Document):
    destination: Cidr
    nexthop: IpAddress


GuestAddressing = Literal["", "slaac", "dhcpv6-stateless", "dhcpv6-stateful"]
"""How guests come by IPv6 addresses (Networking API, "IPv6 configuration modes"); empty: by nothing of the cloud."""


class Subnet(Document):
    """``ipv6_ra_mode``: what its router advertises; ``ipv6_address_mode``: what the network's own server serves."""

    id: Id
    cidr: Cidr
    ip_version: Literal[4, 6] = 4
    gateway_ip: IpAddress | None = None
    enable_dhcp: bool = True
    dns_nameservers: tuple[IpAddress, ...] = ()
    host_routes: tuple[HostRoute, ...] = ()
    ipv6_ra_mode: GuestAddressing = ""
    ipv6_address_mode: GuestAddressing = ""


class DhcpPort(Document):
    """The port of a network's ``qdhcp-`` namespace."""

    id: Id
    mac_address: MacAddress
    fixed_ips: tuple[FixedIp, ...]


class Network(Document):
    """One network on this host. ``segment_id`` is its VXLAN id, unique in the cloud. ``tunnel``: its tunnel is there
    also while no port elsewhere is known. ``physical_network``: hosts reach it by bridges of their own, and by no
    tunnel."""

    id: Id
    segment_id: Ranged
    mtu: Ranged = 1500
    external: bool = False
    dns_domain: DomainName = ""
    subnets: tuple[Subnet, ...] = ()
    dhcp_port: DhcpPort | None = None
    tunnel: bool = False
    physical_network: Word = ""


class AddressPair(Document):
    ip_address: Cidr
    mac_address: MacAddress


class Port(Document):
    """A port that is bound to this host; ``device`` is the tap's name (``tap`` + first 11 characters of the id).

    ``project_id``: whose share of what the host does for guests it takes."""

    id: Id
    network_id: Id
    mac_address: MacAddress
    device: DeviceName
    fixed_ips: tuple[FixedIp, ...] = ()
    admin_state_up: bool = True
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    security_group_ids: tuple[Id, ...] = ()
    hostname: HostName = ""
    project_id: Id | None = None
    comes: bool = False
    """It is on another host still: its interface and filter are made, and nothing is sent there."""


class RemotePort(Document, gc=False):
    """A port of one of this host's networks that lives on another host (for FDB and neighbour entries)."""

    port_id: Id
    network_id: Id
    mac_address: MacAddress
    ip_addresses: tuple[IpAddress, ...]
    host_ip: IpAddress
    of_router: bool = False


class RouterInterface(Document):
    """A router's leg in a tenant network (``qr-`` + first 11 characters of the port id)."""

    port_id: Id
    network_id: Id
    mac_address: MacAddress
    ip_address: IpAddress
    prefixlen: Ranged


class RouterGateway(Document):
    """A router's leg in the external network (``qg-`` + first 11 characters of the port id)."""

    port_id: Id
    network_id: Id
    mac_address: MacAddress
    ip_address: IpAddress
    prefixlen: Ranged
    next_hop: IpAddress | None
    enable_snat: bool = True


class RouterTransit(Document):
    """A router's leg in the network that its parts on several hosts have between them (``rt-`` + first 11 characters of
    the router's id). ``next_hop``: the part on the gateway host, None there."""

    network_id: Id
    mac_address: MacAddress
    ip_address: IpAddress
    prefixlen: Ranged
    next_hop: IpAddress | None = None


class FloatingLeg(Document):
    """A floating IP's own leg in the external network (``qg-`` + first 11 characters of its port's id). ``cidr`` is of
    its subnet, ``next_hop`` the way to everything else."""

    port_id: Id
    network_id: Id
    mac_address: MacAddress
    cidr: Cidr
    next_hop: IpAddress | None = None


class FloatingIp(Document):
    """``leg``: where its port is on this host and the router distributed; else it is on the router's gateway."""

    id: Id
    floating_ip_address: IpAddress
    fixed_ip_address: IpAddress
    port_id: Id
    leg: FloatingLeg | None = None


class Router(Document):
    """A router, or the part of it that this host has: the gateway is on one host, interfaces are on all."""

    id: Id
    interfaces: tuple[RouterInterface, ...] = ()
    gateway: RouterGateway | None = None
    transit: RouterTransit | None = None
    routes: tuple[HostRoute, ...] = ()
    floating_ips: tuple[FloatingIp, ...] = ()
    admin_state_up: bool = True


PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
"""The names a rule may use for protocol numbers (Networking API, "Security group rules"); 0 is any protocol."""


class SecurityGroupRule(Document):
    """One allow rule. ``protocol`` is a name of PROTOCOLS, a number, or None for any. For ICMP
    ``port_range_min``/``max`` are type and code."""

    direction: Literal["ingress", "egress"]
    ethertype: Literal["IPv4", "IPv6"] = "IPv4"
    protocol: Word | None = None
    port_range_min: Ranged | None = None
    port_range_max: Ranged | None = None
    remote_ip_prefix: Cidr | None = None
    remote_group_id: Id | None = None


class SecurityGroup(Document):
    """A group used by a port of this host, or named as ``remote_group_id``; ``members`` are then the addresses of all
    its ports in the cloud, by port id."""

    id: Id
    rules: tuple[SecurityGroupRule, ...] = ()
    members: dict[Id, tuple[Cidr, ...]] = {}


class ExternalNetwork(Document):
    """What the host itself contributes to an external network: the address of its own leg (the providers' gateway)."""

    network_id: Id
    cidr: Cidr
    gateway_ip: IpAddress


class HostPeer(Document):
    """Another host: where tunnels to it end, and its address in the hosts' own network."""

    host_ip: IpAddress
    address: IpAddress


class HostsNetwork(Document):
    """The network that the hosts have between them, for volumes: no guest is in it. ``address`` is this host's."""

    address: IpAddress
    prefixlen: Ranged
    peers: tuple[HostPeer, ...] = ()


class NetworkState(Document):
    """The desired network state of one host; ``revision`` is the host's own, and grows with what it should hold.

    Whole, or with ``since`` a part: all is as in revision ``since``, but of the ports in ``gone`` nothing is left
    except what is said here in ``ports``, ``remote_ports`` and the ``members`` of ``security_groups``; the other fields
    of a part mean nothing.

    A part with ``frame`` says everything else anew: only of the remote ports that are no router's, and of the members
    of groups, those that were there stay, as far as their networks and groups do.

    A whole one takes the place of a later one, ``replaces``, where the database came back from a backup.
    """

    revision: Total
    since: Total | None = None
    replaces: Total | None = None
    frame: bool = False
    gone: tuple[Id, ...] = ()
    networks: tuple[Network, ...] = ()
    ports: tuple[Port, ...] = ()
    remote_ports: tuple[RemotePort, ...] = ()
    routers: tuple[Router, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    external: tuple[ExternalNetwork, ...] = ()
    hosts: HostsNetwork | None = None


class NetworkApplied(Document):
    """What the kernel now holds. ``failed`` maps a resource id to the reason it could not be applied; everything
    else of the document is in place. ``summary`` is the one sentence that explains the pass."""

    revision: Total
    failed: Annotated[dict[Id, Reason], msgspec.Meta(max_length=MOST_OF_NETWORKS)] = {}
    summary: Line = ""
    forwarded: Annotated[dict[Id, Forwarded], msgspec.Meta(max_length=MOST_OF_NETWORKS)] = {}
    """In user mode only: floating IP id → "127.0.0.1:port" that reaches the guest's SSH port."""


# --------------------------------------------------------------------------------------------------------- volumes


class VolumeConnection(Document):
    """How to reach an exported volume: NBD over TLS with a pre-shared key (``tls_key`` in hex)."""

    host: IpAddress
    port: PortNumber
    export: Id
    tls_username: Word
    tls_key: Key


class PoolCapacity(Document):
    total_gb: Annotated[float, msgspec.Meta(ge=0, le=1e12)]
    free_gb: Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
    driver: Word


class VolumeUsage(Document):
    """Bytes a volume takes in its pool and the virtual size its users see."""

    allocated_bytes: Total
    virtual_bytes: Total


# --------------------------------------------------------------------------------------------------------- compute


class ImageRef(Document):
    """An image a guest or volume is made from. ``digest`` is the hex digest the content-addressed cache is keyed by."""

    id: Id
    digest: Digest
    disk_format: Word
    size_bytes: Total


class Kernel(Document):
    """Direct kernel boot (image properties ``kernel_id``, ``ramdisk_id``, ``os_command_line``)."""

    kernel: ImageRef
    ramdisk: ImageRef | None = None
    command_line: Line = ""


LocalDisk = Literal["root", "ephemeral", "variables", "layout"]
"""What a guest has on its host that goes with it to another: disks (swap is made anew), the firmware's variables, and
the :class:`Layout` of its machine."""


class RootDisk(Document):
    """The disk on the host itself: a copy-on-write copy of an image, grown to ``size_gb`` (0 = the image's size).

    ``standalone``: a whole copy, since the image will be gone; it counts when the disk is made.
    """

    image: ImageRef
    size_gb: Amount = 0
    standalone: bool = False


class VolumeDisk(Document):
    """A volume attached over the network. ``device`` is the name shown in the API (``/dev/vdb``)."""

    volume_id: Id
    connection: VolumeConnection
    device: BlockDevice = ""
    boot_index: Ranged | None = None
    read_only: bool = False


class Nic(Document):
    port_id: Id
    mac_address: MacAddress
    tap: DeviceName
    mtu: Ranged = 1500


class ConfigDrive(Document):
    """Files of the ISO 9660 volume ``config-2``: path inside it → content."""

    files: dict[str, bytes]


MachineType = Annotated[str, msgspec.Meta(pattern=r"\A(q35|pc-q35-[0-9]{1,2}\.[0-9]{1,2})\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=1024)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Layout(Document):
    """Where the devices of a guest's machine sit, by their names, and the machine's type when it first started: a guest
    knows its network cards by their places."""

    slots: Annotated[dict[Word, Slot], msgspec.Meta(max_length=256)] = {}
    machine: MachineType | Literal[""] = ""
    ports: Slot = 0  # How many slots there are.
    balloon: bool = False


CopiedDisk = Literal["root", "ephemeral", "swap"]


class RunningGuest(Document):
    """What a guest that runs is like, so that another host can make room for it: where its devices sit, the bytes of
    its local disks, and its config drive as it reads it now."""

    layout: Layout
    disks: Annotated[dict[CopiedDisk, Annotated[int, msgspec.Meta(ge=0, le=1 << 46)]], msgspec.Meta(max_length=3)] = {}
    config_drive: Annotated[bytes, msgspec.Meta(max_length=4 << 20)] | None = None


class Landing(Document):
    """Where another host awaits a running guest: its memory and its disks, by TLS with a pre-shared key (in hex)."""

    host: IpAddress
    memory_port: PortNumber
    disks_port: PortNumber
    tls_username: Word
    tls_key: Key


class LiveProgress(Document):
    """How much of a guest that goes to another host has got there, in bytes."""

    memory_total: Amount = 0
    memory_processed: Amount = 0
    memory_remaining: Amount = 0
    disk_total: Amount = 0
    disk_processed: Amount = 0
    disk_remaining: Amount = 0


class DiskLimits(Document):
    """How much each local disk of a guest may do in a second: bytes, and requests (``iops``); 0 is as much as it can.

    A total goes with no limit of reading or writing alone.
    """

    bytes_total: Amount = 0
    bytes_read: Amount = 0
    bytes_write: Amount = 0
    iops_total: Amount = 0
    iops_read: Amount = 0
    iops_write: Amount = 0


class Hardware(Document):
    """What the guest's machine is made of beside memory, disks and NICs.

    ``watchdog``: what it does to a guest that hangs; "" is no watchdog. ``sockets``, ``cores`` and ``threads`` multiply
    to the guest's VCPUs, or are all 0. ``local_time``: the clock is not in UTC, as Windows has it. ``disk_bus``: with
    "sata", which has no hot plugging, volumes but the one it boots from are virtio.
    """

    machine: MachineType = "q35"
    firmware: Literal["bios", "uefi"] = "bios"
    secure_boot: bool = False
    disk_bus: Literal["virtio", "scsi", "sata"] = "virtio"
    cdrom_bus: Literal["scsi", "sata"] = "scsi"
    vif_model: Literal["virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"] = "virtio"
    video_model: Literal["vga", "virtio", "cirrus", "qxl", "bochs", "none"] = "vga"
    watchdog: Literal["", "reset", "poweroff", "pause", "none"] = ""
    tablet: bool = False
    serial_ports: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1
    boot_menu: bool = False
    guest_agent: bool = False
    quiesce: bool = False
    """Whether its file systems are frozen, by the agent in it, while a snapshot begins."""
    local_time: bool = False
    sockets: Count = 0
    cores: Count = 0
    threads: Count = 0
    disk_limits: DiskLimits = msgspec.field(default_factory=DiskLimits)


class Guest(Document):
    """One guest as it should be. Disks and NICs are listed in the order the guest sees them."""

    id: Id
    name: Line
    vcpus: Amount
    memory_mb: Amount
    root: RootDisk | None = None
    volumes: tuple[VolumeDisk, ...] = ()
    nics: tuple[Nic, ...] = ()
    kernel: Kernel | None = None
    config_drive: ConfigDrive | None = None
    ephemeral_gb: Amount = 0
    swap_mb: Amount = 0
    rescue: RootDisk | None = None
    """While the server is rescued: a disk made of this image is the first one, and the root disk comes after it."""
    hardware: Hardware = msgspec.field(default_factory=Hardware)
    leased: bool = False
    """Whether it ends when the host's lease does, because the cloud then starts it on another host."""


GuestState = Literal["running", "paused", "suspended", "stopped", "crashed", "absent"]


class HostCapabilities(Document):
    """What a compute host offers. ``hypervisor_version`` as the API gives it: major*1000000 + minor*1000 + micro."""

    hostname: HostName
    vcpus: Amount
    memory_mb: Amount
    disk_gb: Amount
    hypervisor_type: Line
    hypervisor_version: Amount
    cpu_model: Line = ""
    cpu_arch: Line = "x86_64"
    accelerator: Line = "tcg"
    accelerator_reason: Line = ""
    metadata_service: bool = True
    """False where guests cannot reach 169.254.169.254 and need a config drive instead (user-mode network)."""


class HostUptime(Document):
    """How long a host has been up, its clock (``HH:MM:SS``), and its load over 1, 5 and 15 minutes."""

    seconds: Amount
    clock: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2}:[0-9]{2}:[0-9]{2}\Z")]
    load: tuple[float, float, float]


class NicCounters(Document):
    """What went through a card since the guest's start, seen from the guest; None where the host does not count."""

    port_id: Id
    rx_octets: Total | None = None
    rx_packets: Total | None = None
    rx_errors: Total | None = None
    rx_drop: Total | None = None
    tx_octets: Total | None = None
    tx_packets: Total | None = None
    tx_errors: Total | None = None
    tx_drop: Total | None = None


class DiskCounters(Document):
    """What a disk did since the guest's start. ``name``: ``root``, ``ephemeral``, ``swap``, ``config``, or the volume's
    id."""

    name: Word
    read_bytes: Total = 0
    read_requests: Total = 0
    write_bytes: Total = 0
    write_requests: Total = 0
    errors: Total = 0


class GuestDiagnostics(Document):
    """What a running guest uses. ``cpu_ns``: nanoseconds of processor time of each of its processors."""

    uptime_seconds: Amount
    hypervisor: Word
    cpu_ns: tuple[Total, ...] = ()
    nics: tuple[NicCounters, ...] = ()
    disks: tuple[DiskCounters, ...] = ()
    resident_mb: Amount = 0
    """Memory of the host that the guest's process holds; ``used_mb``: what the guest says that it uses."""
    used_mb: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
