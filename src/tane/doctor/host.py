"""Checks of the machine: rights, accelerator, kernel, programs, disk, clock."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from pathlib import Path

from tane.agent.compute.drivers.qemu.accelerator import accelerator
from tane.agent.rights import choose
from tane.config import Config
from tane.doctor.machine import Machine
from tane.finding import Finding
from tane.linux.programs import CLOUD
from tane.web import certificates, tls

HostCheck = Callable[[Machine, Config], Iterator[Finding]]
LOW_DISK = 10 << 30
NO_DISK = 1 << 30
ENDS_SOON = 30
"""Days."""
ISCSI_TARGETS = {"tgtd": "tgt", "iscsid": "open-iscsi", "ietd": "iscsitarget"}


def rights(machine: Machine, config: Config) -> Iterator[Finding]:
    """What the cloud may do here, and why."""
    choice = choose(config)
    sentence = choice.sentence.removeprefix("tane: ")
    if choice.mode == "simulated" and config.mode == "auto":
        yield Finding(
            "problem", sentence, "Servers are only pretended.", "sudo apt-get install qemu-system-x86 qemu-utils"
        )
    elif choice.mode == "user" and config.mode == "auto":
        yield Finding(
            "warning",
            sentence,
            "Networks, routers and security groups need namespaces, bridges and taps.",
            choice.mend,
        )
    else:
        yield Finding("note", sentence)
    setting = machine.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if setting == "1" and not machine.is_root():
        yield Finding(
            "warning",
            "AppArmor keeps ordinary users from making user namespaces.",
            "Without root the cloud falls back to a user-mode network.",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )


def programs(machine: Machine, config: Config) -> Iterator[Finding]:
    for program, package in CLOUD.items():
        if machine.which(program) is None:
            yield Finding(
                "problem",
                f"The program {program} is not installed.",
                "Servers or networks cannot be made without it.",
                f"sudo apt-get install {package}",
            )


def console_page(machine: Machine, config: Config) -> Iterator[Finding]:
    if not machine.exists(str(config.novnc_dir / "vnc_lite.html")):
        yield Finding(
            "warning",
            f"noVNC is not installed in {config.novnc_dir}.",
            "The consoles of servers cannot be shown in a browser; other VNC clients reach them by WebSocket.",
            "sudo apt-get install --no-install-recommends novnc",
        )


def accelerated(machine: Machine, config: Config) -> Iterator[Finding]:
    """Tried with a guest: a /dev/kvm that exists may still hang every kernel."""
    if machine.which("qemu-system-x86_64") is None:
        return
    found = accelerator()
    if found.kind == "kvm":
        yield Finding("note", f"Guests run on KVM: {found.reason}.")
        return
    yield Finding(
        "warning",
        f"Guests run under emulation (TCG): {found.reason}.",
        "Servers start and compute about ten times slower.",
        found.mend,
    )


def forwarding(machine: Machine, config: Config) -> Iterator[Finding]:
    """Each router forwards in its own namespace; the machine itself has to, for guests to reach the world behind it."""
    if choose(config).mode == "user":
        return
    if machine.read("/proc/sys/net/ipv4/ip_forward") == "0":
        yield Finding(
            "warning",
            "net.ipv4.ip_forward is 0.",
            "Servers reach this machine and each other, but nothing behind it.",
            "sudo sysctl -w net.ipv4.ip_forward=1",
        )


def bridge_filter(machine: Machine, config: Config) -> Iterator[Finding]:
    """Security groups need bridged frames to pass the firewall: by conntrack in the bridge family, or br_netfilter."""
    if machine.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"):
        return
    modules = machine.read("/proc/modules") or ""
    if "nf_conntrack_bridge" in modules or "br_netfilter" in modules:
        return
    yield Finding(
        "warning",
        "Neither br_netfilter nor nf_conntrack_bridge is loaded.",
        "Security groups cannot follow connections unless the kernel loads one of them on demand.",
        "sudo modprobe br_netfilter",
    )


def kernel_features(machine: Machine, config: Config) -> Iterator[Finding]:
    if not machine.exists("/dev/net/tun"):
        yield Finding(
            "problem", "/dev/net/tun does not exist.", "Servers have no network without taps.", "sudo modprobe tun"
        )
    if machine.is_root():
        for kind, arguments in (("bridge", ()), ("vxlan", ("id", "1", "dstport", "4789")), ("veth", ())):
            status, output = machine.run("unshare", "--net", "ip", "link", "add", "tane0", "type", kind, *arguments)
            if status != 0:
                yield Finding(
                    "problem",
                    f"The kernel makes no {kind} interface: {output.strip()}",
                    "Networks are built of bridges, veth pairs and VXLAN tunnels.",
                    f"sudo modprobe {kind}",
                )


def addresses(machine: Machine, config: Config) -> Iterator[Finding]:
    """The external network must not overlap with one the machine is in already."""
    from tane import ids
    from tane.server import external_cidr

    known = ids.read(config.state_dir)
    if known is None and config.external_cidr == "auto":
        return
    status, output = machine.run("ip", "-4", "-o", "addr", "show")
    if status != 0:
        return
    own = f"tx-{known.cloud_id}" if known else "tx-"
    words = [line.split() for line in output.splitlines()]
    found = [(ipaddress.ip_interface(w[3]).network, w[1]) for w in words if len(w) > 3]
    others = [(other, name) for other, name in found if not name.startswith(own)]
    taken = [{"cidr": str(other), "interface": name} for other, name in others]
    cidr = ipaddress.ip_network(external_cidr(config, known.cloud_id if known else "", taken))
    for other, name in others:
        if other.overlaps(cidr):
            yield Finding(
                "problem",
                f"The external network {cidr} overlaps with {other} of interface {name}.",
                "Floating IPs would be looked for on the wrong interface.",
                f"set external_cidr in {config.state_dir}/tane.toml to a free range",
            )


def iscsi(machine: Machine, config: Config) -> Iterator[Finding]:
    running = machine.process_names()
    found = [name for name in ISCSI_TARGETS if name in running]
    if "tgtd" in found and "ietd" in found:
        yield Finding(
            "problem",
            "Two iSCSI target daemons run: tgtd and ietd.",
            "They fight for port 3260, and volumes are exported by one or the other.",
            "sudo systemctl disable --now iscsitarget",
        )
    elif found:
        yield Finding(
            "note",
            f"iSCSI daemons of the machine run ({', '.join(found)}); volumes here go over NBD and do not meet them.",
        )


def apparmor(machine: Machine, config: Config) -> Iterator[Finding]:
    status, output = machine.run("dmesg")
    denied = (
        [line for line in output.splitlines() if 'apparmor="DENIED"' in line and "qemu" in line] if status == 0 else []
    )
    if denied:
        yield Finding(
            "problem",
            f"AppArmor denied QEMU access {len(denied)} times, last: {denied[-1][-160:]}",
            "Volumes or images cannot be opened by guests.",
            "sudo aa-complain /usr/bin/qemu-system-x86_64",
        )


def proxy(machine: Machine, config: Config) -> Iterator[Finding]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        value = machine.environment(name)
        exempt = machine.environment("no_proxy") or machine.environment("NO_PROXY")
        if value and config.host not in exempt.split(","):
            yield Finding(
                "warning",
                f"{name} is set to {value}, and no_proxy does not name {config.host}.",
                "Clients would send the cloud's own calls to the proxy.",
                f"export no_proxy={config.host},{exempt}".rstrip(","),
            )
            return


def open_files(machine: Machine, config: Config) -> Iterator[Finding]:
    """The state holds keys that tokens are made with, every tenant's disks and their user data."""
    places = {config.state_dir: "The state folder"}
    places |= {store.path: f"The image store {name}" for name, store in config.image.stores.items() if store.path}
    for folder, what in places.items():
        mode = machine.mode(str(folder))
        if mode is not None and mode & 0o077:
            yield Finding(
                "problem",
                f"{what}, {folder}, is open to other users of this machine (mode {mode:03o}).",
                "They read every tenant's disks, and make tokens of an administrator with the keys in the database.",
                f"chmod 700 {folder}",
            )


def disk(machine: Machine, config: Config) -> Iterator[Finding]:
    folder = config.state_dir if config.state_dir.exists() else Path(config.state_dir.anchor)
    free = machine.free_bytes(str(folder))
    if free < LOW_DISK:
        yield Finding(
            "problem" if free < NO_DISK else "warning",
            f"{free / (1 << 30):.1f} GB are free for {config.state_dir}.",
            "Images, volumes and servers share this space; when it is full their writes stop.",
            "free some space, or put the state elsewhere with --state",
        )


def clock(machine: Machine, config: Config) -> Iterator[Finding]:
    status, output = machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if status == 0 and output.strip() == "no":
        yield Finding(
            "warning",
            "The clock is not synchronised.",
            "Tokens expire and leases end by the clock; several hosts must agree on it.",
            "sudo timedatectl set-ntp true",
        )


def open_wire(machine: Machine, config: Config) -> Iterator[Finding]:
    """Passwords and tokens go in each request."""
    if not config.on_loopback and not config.encrypted:
        yield Finding(
            "warning",
            f'The APIs listen on {config.host} without TLS (tls = "off").',
            "Whoever is on the way reads passwords and tokens.",
            'set tls = "auto" in tane.toml, or put a proxy that encrypts before the cloud',
        )


def certificate(machine: Machine, config: Config) -> Iterator[Finding]:
    """Clients turn away from a certificate whose time is over."""
    shown = tls.files(config)
    if shown is None:
        return
    try:
        days = certificates.days_left(shown.certificate)
    except (OSError, ValueError):
        # A cloud that was never started has none yet; a start says what is wrong with one that was given.
        return
    if days < ENDS_SOON:
        own = config.tls_certificate == Path()
        mend = "./tane down && ./tane up" if own else f"renew {shown.certificate}, then ./tane down && ./tane up"
        yield Finding("warning", f"The certificate of the APIs ends in {days} days.", "Clients will refuse it.", mend)


HOST_CHECKS: tuple[HostCheck, ...] = (
    open_wire,
    certificate,
    rights,
    programs,
    console_page,
    accelerated,
    forwarding,
    bridge_filter,
    kernel_features,
    addresses,
    iscsi,
    apparmor,
    proxy,
    open_files,
    disk,
    clock,
)
