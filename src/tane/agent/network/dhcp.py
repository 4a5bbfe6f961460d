"""DHCP and DNS of a network: dnsmasq's files, made from documents, and the daemon that reads them."""

from __future__ import annotations

import ipaddress
import signal
from collections.abc import Iterable
from pathlib import Path

from tane.agent.documents import DhcpPort, Network, Port, Subnet
from tane.agent.network.plan import METADATA_ADDRESS, DhcpServer, dhcp_namespace, leg_name
from tane.linux import process

LEASE_SECONDS = 86400


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
            name = port.hostname or "host-" + fixed.ip_address.replace(".", "-").replace(":", "-")
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
        f"dhcp-option-force=option:mtu,{network.mtu}",
    ]
    if domain:
        config += [f"domain={domain}", f"local=/{domain}/", "expand-hosts"]
    for number, subnet in enumerate(sorted(subnets.values(), key=lambda subnet: subnet.id)):
        cidr = ipaddress.IPv4Network(subnet.cidr)
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
    if subnet.dns_nameservers:
        lines.append(f"{tag},option:dns-server,{','.join(subnet.dns_nameservers)}")
    return lines


# ---------------------------------------------------------------------------------------------------- the daemon


class Dnsmasq:
    """dnsmasq of one network, its files in ``folder``. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pidfile = folder / "pid"

    def apply(self, server: DhcpServer) -> str | None:
        """Make dnsmasq serve exactly ``server``; returns what was done ("started", "reloaded") or None.

        Raises OSError when it cannot be started.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        restart = self._write("config", self._configuration(server)) or not process.alive(self.pidfile)
        # No short cut here: each of the three files has to be written.
        reload = any(
            [
                self._write("hosts", server.hosts),
                self._write("options", server.options),
                self._write("names", server.names),
            ]
        )
        stale = self._stale_leases(server.addresses)
        if restart or stale:
            self.stop()
            self._forget(stale)
            argv = ["dnsmasq", f"--conf-file={self.folder / 'config'}", "--no-daemon", "--log-facility=-"]
            process.spawn(argv, pidfile=self.pidfile, log=self.folder / "log", netns=server.namespace)
            return "started"
        if reload:
            process.send_signal(self.pidfile, signal.SIGHUP)
            return "reloaded"
        return None

    def stop(self) -> None:
        """End the daemon; its leases stay."""
        process.stop(self.pidfile)

    def _configuration(self, server: DhcpServer) -> tuple[str, ...]:
        files = (
            f"dhcp-hostsfile={self.folder / 'hosts'}",
            f"dhcp-optsfile={self.folder / 'options'}",
            f"addn-hosts={self.folder / 'names'}",
            f"dhcp-leasefile={self.folder / 'leases'}",
        )
        return (*server.config, *files)

    def _write(self, name: str, lines: Iterable[str]) -> bool:
        target = self.folder / name
        text = "".join(f"{line}\n" for line in lines)
        if target.exists() and target.read_text() == text:
            return False
        fresh = target.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(target)
        return True

    def _stale_leases(self, addresses: dict[str, str]) -> set[str]:
        """Addresses leased to another MAC than the one they belong to now: dnsmasq would refuse the new owner."""
        leases = self.folder / "leases"
        if not leases.exists():
            return set()
        fields = [line.split() for line in leases.read_text().splitlines()]
        return {
            entry[2] for entry in fields if len(entry) >= 4 and addresses.get(entry[2], entry[1]) != entry[1].lower()
        }

    def _forget(self, stale: set[str]) -> None:
        leases = self.folder / "leases"
        if stale:
            kept = [line for line in leases.read_text().splitlines() if line.split()[2:3] not in [[a] for a in stale]]
            leases.write_text("".join(f"{line}\n" for line in kept))
