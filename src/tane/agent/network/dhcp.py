"""DHCP and DNS of a network: dnsmasq's files, made from documents, and the daemon that reads them.

The daemon has a user of its own for each network and two capabilities, in its network namespace: ``net_admin``, to
enter the neighbours there that it answers before they have an address, and ``net_bind_service``; it does not start
without. It pings nobody, so it needs no ``net_raw``. It may read its files, write the folder of its leases, and
nothing else; what it wrote is read as a stranger's.
"""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Iterable
from pathlib import Path

from tane.agent.network.plan import METADATA_ADDRESS, DhcpServer, dhcp_namespace, leg_name
from tane.linux import confine, process
from tane.linux.confine import Confinement
from tane.linux.files import remove_tree
from tane.wire import grammar
from tane.wire.documents import DhcpPort, Network, Port, Subnet

LEASE_SECONDS = 86400
CAPABILITIES = ("net_admin", "net_bind_service")
MEMORY_BYTES = 256 << 20
_MAX_LEASES_BYTES = 16 << 20

# What dnsmasq takes for a name where it could also be an address, a time or a key word (dnsmasq(8), --dhcp-host).
_NAME = re.compile(r"(?!(?:ignore|infinite|[0-9]+[smhdwSMHDW]?)\Z)[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")


# ------------------------------------------------------------------------------------------------- the documents


def plan_dhcp(network: Network, dhcp_port: DhcpPort, ports: Iterable[Port]) -> DhcpServer | None:
    """What dnsmasq of ``network`` has to know; None when no IPv4 subnet wants DHCP. Raises ValueError."""
    subnets = {subnet.id: subnet for subnet in network.subnets if subnet.ip_version == 4 and subnet.enable_dhcp}
    served_by = {fixed.subnet_id: fixed.ip_address for fixed in dhcp_port.fixed_ips if fixed.subnet_id in subnets}
    if not served_by:
        return None
    subnets = {subnet_id: subnet for subnet_id, subnet in subnets.items() if subnet_id in served_by}
    hosts, names, addresses = [], [], {}
    domain = network.dns_domain.rstrip(".")
    for port in sorted(ports, key=lambda port: port.id):
        for fixed in port.fixed_ips:
            name = port.hostname
            if not _NAME.match(name):
                name = "host-" + fixed.ip_address.replace(".", "-").replace(":", "-")
            names.append(f"{fixed.ip_address} {name}.{domain} {name}" if domain else f"{fixed.ip_address} {name}")
            if fixed.subnet_id in subnets:
                hosts.append(f"{port.mac_address},{name},{fixed.ip_address}")
                addresses[fixed.ip_address] = port.mac_address.lower()
    options: list[str] = []
    config = [
        "bind-interfaces",
        f"interface={leg_name('ns-', dhcp_port.id)}",
        "except-interface=lo",
        "no-resolv",
        "no-hosts",
        "dhcp-authoritative",
        "dhcp-ignore=tag:!known",
        # Who asks is told by the MAC, which a guest cannot choose.
        "dhcp-ignore-clid",
        "no-ping",
        "quiet-dhcp",
        f"dhcp-option-force=option:mtu,{network.mtu}",
    ]
    if domain:
        config += [f"domain={domain}", f"local=/{domain}/", "expand-hosts"]
    for number, subnet in enumerate(sorted(subnets.values(), key=lambda subnet: subnet.id)):
        cidr = grammar.network(subnet.cidr)
        config.append(f"dhcp-range=set:subnet{number},{cidr.network_address},static,{cidr.netmask},{LEASE_SECONDS}s")
        options += _options(f"tag:subnet{number}", subnet, served_by[subnet.id], network.subnets)
    return DhcpServer(
        network_id=network.id,
        namespace=dhcp_namespace(network.id),
        config=tuple(config),
        hosts=tuple(hosts),
        options=tuple(options),
        names=tuple(names),
        addresses=addresses,
    )


def _options(tag: str, subnet: Subnet, server: str, neighbours: Iterable[Subnet]) -> list[str]:
    routes = [(METADATA_ADDRESS + "/32", server)]
    routes += [(route.destination, route.nexthop) for route in subnet.host_routes]
    routes += [
        (other.cidr, "0.0.0.0") for other in neighbours if other.ip_version == subnet.ip_version and other is not subnet
    ]
    if subnet.gateway_ip:
        # A client that is given classless routes ignores the router option (RFC 3442).
        routes.append(("0.0.0.0/0", subnet.gateway_ip))
    classless = ",".join(f"{destination},{gateway}" for destination, gateway in routes)
    # An empty router option keeps dnsmasq from naming itself.
    lines = [f"{tag},option:router" + (f",{subnet.gateway_ip}" if subnet.gateway_ip else "")]
    lines += [f"{tag},option:classless-static-route,{classless}", f"{tag},249,{classless}"]
    # The option has room for IPv4 addresses only.
    servers = [server for server in subnet.dns_nameservers if ":" not in server]
    if servers:
        lines.append(f"{tag},option:dns-server,{','.join(servers)}")
    return lines


# ---------------------------------------------------------------------------------------------------- the daemon


class Dnsmasq:
    """dnsmasq of one network, its files in ``folder``. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pidfile = folder / "pid"
        self._user = confine.identity(f"dnsmasq-{folder.name}")
        self._leases = folder / "db" / "leases"
        self._log = folder / "log"

    def apply(self, server: DhcpServer) -> str | None:
        """Make dnsmasq serve exactly ``server``; returns what was done ("started", "reloaded") or None.

        Raises OSError when it cannot be started.
        """
        fresh = not self.folder.is_dir()
        if fresh:
            self.folder.mkdir(parents=True)
        restart = self._write("config", self._configuration(server)) or not process.alive(self.pidfile)
        # No short cut here: each of the three files has to be written.
        reload = any(
            [
                self._write("hosts", server.hosts),
                self._write("options", server.options),
                self._write("names", server.names),
            ]
        )
        leases = self._read_leases()
        stale = _stale(leases, server.addresses)
        process.bound_log(self._log)
        if restart or stale:
            self.stop()
            self._prepare([line for line in leases if line not in stale])
            self._start(server.namespace)
            return "started"
        if reload:
            process.send_signal(self.pidfile, signal.SIGHUP)
            return "reloaded"
        return None

    def stop(self) -> None:
        """End the daemon; its leases stay."""
        process.stop(self.pidfile)

    def _start(self, namespace: str) -> None:
        process.spawn(
            ["dnsmasq", "--conf-file=config", "--no-daemon", "--log-facility=-"],
            pidfile=self.pidfile,
            log=self._log,
            netns=namespace,
            confinement=Confinement(self._user, capabilities=CAPABILITIES, memory_bytes=MEMORY_BYTES, open_files=128),
            folder=self.folder,
        )

    def _configuration(self, server: DhcpServer) -> tuple[str, ...]:
        # Found by the working folder: the folders above may be closed to its user.
        files = ("dhcp-hostsfile=hosts", "dhcp-optsfile=options", "addn-hosts=names", "dhcp-leasefile=db/leases")
        return (*server.config, *files)

    def _write(self, name: str, lines: Iterable[str]) -> bool:
        target = self.folder / name
        text = "".join(f"{line}\n" for line in lines)
        if target.exists() and target.read_text() == text:
            return False
        fresh = target.with_suffix(".new")
        fresh.write_text(text)
        confine.lend(fresh, self._user)
        fresh.replace(target)
        return True

    def _prepare(self, leases: list[str]) -> None:
        """The files as its user finds them. Nothing is opened in the folder it may write."""
        confine.lend(self.folder, self._user)
        for name in ("config", "hosts", "options", "names"):
            confine.lend(self.folder / name, self._user)
        remove_tree(self._leases.parent)
        confine.make_folder(self._leases.parent, self._user)
        fresh = self.folder / "leases.new"
        confine.make_file(fresh, self._user)
        fresh.write_text("".join(f"{line}\n" for line in leases))
        fresh.replace(self._leases)

    def _read_leases(self) -> list[str]:
        try:
            descriptor = os.open(self._leases, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return []  # there are none yet, or what is there is no file
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return []
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_MAX_LEASES_BYTES).decode(errors="replace").splitlines()


def _stale(leases: list[str], addresses: dict[str, str]) -> set[str]:
    """Leases of an address by another MAC than the one it belongs to now: dnsmasq would refuse the new owner."""
    entries = [(line, line.split()) for line in leases]
    return {
        line for line, entry in entries if len(entry) >= 4 and addresses.get(entry[2], entry[1]) != entry[1].lower()
    }
