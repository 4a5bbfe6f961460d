"""Makes the kernel hold a plan: reads what is there, compares, and applies only the difference."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pyroute2.netlink.exceptions import NetlinkError

from tane.agent.network.dnsmasq import Dnsmasq
from tane.agent.network.guard import nothing, outside_table, tunnels_table
from tane.agent.network.ledger import Ledger
from tane.agent.network.links import LinkWorker
from tane.agent.network.metadata import Key
from tane.agent.network.plan import OUTER, Leg, Link, MetadataListener, Namespace, NetworkSettings, Plan, PortFilter
from tane.agent.network.report import Report
from tane.agent.network.security import Family
from tane.agent.network.spaces import Spaces
from tane.agent.volume.drivers.exporter import PORTS
from tane.linux import netns, sysctl
from tane.linux.conntrack import Connection
from tane.linux.files import remove_tree
from tane.linux.nft import NftError
from tane.linux.space import Space
from tane.wire.errors import HostError

_TCP = 6
_PROBE = """table {family} tane_probe {{
chain probe {{
type filter hook forward priority 0
ct state new accept
}}
}}
delete table {family} tane_probe
"""
_HOST_SYSCTLS = {
    # Bridges here carry the guests' frames, and must not become interfaces of the host themselves.
    "net.ipv6.conf.all.accept_ra": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.addr_gen_mode": "1",
    "net.ipv4.ip_forward": "0",
    # A guest's engine that is in other hands must not take the ports that volumes are exported at.
    "net.ipv4.ip_unprivileged_port_start": str(PORTS[1] + 1),
}
_SHARED_SYSCTLS = {
    # Fragments of all tenants' packets wait here for their rest, before any rule sees them: for a moment, and in more
    # room than many ports' allowances of them (bounds.py) can fill.
    "net.ipv4.ipfrag_high_thresh": str(256 << 20),
    "net.ipv4.ipfrag_time": "3",
    "net.netfilter.nf_conntrack_frag6_high_thresh": str(256 << 20),
    "net.netfilter.nf_conntrack_frag6_timeout": "3",
    # A connection that is over takes a place of its project's share (tracked.py): two minutes are the kernel's choice.
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": "20",
}
_BRIDGE_FILTER_SYSCTLS = {
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
    "net.bridge.bridge-nf-call-arptables": "0",
}


NEIGHBOURS = {3: 131072, 2: 65536, 1: 8192}


class Engine:
    """All kernel work of one cloud on one host. Everything runs on one thread, which is in the outer namespace."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._spaces = Spaces(Ledger(settings.state_dir / "namespaces"))
        self._family: Family | None = None
        self._filters: dict[str, PortFilter] | None = None
        self._floating: dict[str, dict[str, str]] = {}
        self._sources: dict[str, set[str]] = {}
        self.refused: str | None = None
        """Why the kernel refused the last plan's packet filter."""
        # True until it is known that an earlier process left none.
        self._guarded = True

    @property
    def writes(self) -> int:
        """How often this engine changed the kernel: netlink requests and nftables transactions."""
        return self._spaces.writes

    def prepare(self) -> Family:
        """Make the host namespace and find out how this kernel filters bridged frames. Raises HostError."""
        try:
            host, fresh = self._spaces.ensure(self._settings.host_namespace)
            if fresh:
                self._filters = None
                _widen_neighbours()
            _set_sysctls(host, _HOST_SYSCTLS)
            if self._family is None:
                self._family = _probe(host)
            _set_sysctls(host, _SHARED_SYSCTLS, needed=False)
            if self._family == "inet":
                _set_sysctls(host, _BRIDGE_FILTER_SYSCTLS)
        except FileNotFoundError as error:
            raise HostError(
                "this kernel tracks bridged connections neither itself (CONFIG_NF_CONNTRACK_BRIDGE) nor through "
                f"br_netfilter in a namespace; load the module br_netfilter: {error}"
            ) from error
        except (OSError, NetlinkError, NftError) as error:
            raise HostError(f"the host's network namespace cannot be prepared: {error}") from error
        return self._family

    def apply(self, plan: Plan) -> Report:
        """One pass; :meth:`prepare` comes before it."""
        report = Report(plan.failed)
        host = self._spaces.get(self._settings.host_namespace)
        self._remove_daemons(plan, report)
        self._make_spaces(plan, report)
        worker = LinkWorker(host, self._spaces, self._settings.local_ip, report, self._settings.tunnel_port)
        # Filters come before the links they filter: what cannot be filtered is not connected.
        self._disconnect(plan, self._translate(plan, report) | self._guard_outside(plan, report))
        if self._filter(host, plan, report):
            worker.links(plan)
            for name, legs in _legs(plan).items():
                worker.namespace(name, plan.namespaces.get(name), legs)
            worker.entries(plan)
        self._serve_dhcp(plan, report)
        self._remove_spaces(plan, report)
        return report

    def accepts(self, rules: str) -> bool:
        """Whether the kernel would take these rules in the host namespace; it keeps what it has."""
        return self._spaces.get(self._settings.host_namespace).nft.accepts(rules)

    def places(self, listeners: list[MetadataListener]) -> dict[Key, MetadataListener]:
        """The listeners whose interface is there, by what tells it from another of its name."""
        found: dict[Key, MetadataListener] = {}
        for listener in listeners:
            # What is missing was told when it could not be made.
            with contextlib.suppress(LookupError):
                space = self._spaces.get(listener.namespace)
                number = os.fstat(space.descriptor).st_ino
                index = space.netlink.index(listener.device)
                found[listener.namespace, number, listener.device, index, listener.address] = listener
        return found

    def teardown(self) -> None:
        """Remove everything of this cloud, also what an earlier process left. Raises HostError with what remains."""
        report = Report({})
        self._remove_daemons(Plan(), report)
        host_name = self._settings.host_namespace
        with report.blaming(host_name):
            if netns.exists(host_name):
                host, _ = self._spaces.ensure(host_name)
                LinkWorker(host, self._spaces, None, report).links(Plan())
        self._remove_spaces(Plan(), report)
        with report.blaming(host_name):
            self._spaces.remove(host_name)
        with report.blaming("outside"):
            self._unguard()
        self.close()
        self._filters = None
        self._floating.clear()
        self._sources.clear()
        if report.failed:
            raise HostError("not everything could be removed: " + "; ".join(report.failed.values()), transient=True)
        for left in ("dhcp", "namespaces"):
            path = self._settings.state_dir / left
            remove_tree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the kernel without changing it."""
        self._spaces.close()

    # ----------------------------------------------------------------------------------------------- namespaces

    def _make_spaces(self, plan: Plan, report: Report) -> None:
        for name, wanted in plan.namespaces.items():
            with report.blaming(wanted.owner):
                space, fresh = self._spaces.ensure(name)
                if fresh:
                    self._forget_space(name)
                    report.done.append(f"opened {name}")
                _set_sysctls(space, wanted.sysctls)

    def _remove_spaces(self, plan: Plan, report: Report) -> None:
        for name in self._spaces.names() - plan.namespaces.keys() - {self._settings.host_namespace}:
            with report.blaming(name):
                self._forget_space(name)
                self._spaces.remove(name)
                report.done.append(f"removed {name}")

    # ------------------------------------------------------------------------------------------------ filtering

    def _filter(self, host: Space, plan: Plan, report: Report) -> bool:
        """Security groups and anti-spoofing; False when the kernel refuses them, and then nothing may be connected."""
        self.refused = None
        try:
            if host.apply_rules(plan.rules):
                report.done.append(f"replaced the filter of {len(plan.filters)} ports")
        except (NftError, OSError) as error:
            self.refused = str(error)
            for link in plan.links.values():
                report.failed.setdefault(link.owner, f"its packet filter was refused: {error}")
            return False
        old, new = self._filters, plan.filters
        changed = {
            (port.zone, address)
            for known in (old or {}, new)
            for port_id, port in known.items()
            if old is None or old.get(port_id) != new.get(port_id)
            for address in port.addresses
        }

        def affected(connection: Connection) -> bool:
            # TCP needs no help: its packets in the original direction are always judged. Others may have no such
            # packets any more; forgotten, their next packet counts as a first one.
            return connection.protocol != _TCP and any((connection.zone, ip) in changed for ip in connection.addresses)

        if changed:
            with report.blaming(self._settings.host_namespace):
                host.conntrack.delete({address for _, address in changed}, affected)
                self._filters = new
        return True

    def _translate(self, plan: Plan, report: Report) -> set[str]:
        """The rules of the other namespaces, and an end to connections translated as it was before; returns those
        whose rules the kernel refuses."""
        refused = set()
        legs = _legs(plan)
        for name, wanted in plan.namespaces.items():
            refused.add(name)
            with report.blaming(wanted.owner):
                space = self._spaces.get(name)
                if wanted.rules and space.apply_rules(wanted.rules):
                    report.done.append(f"replaced the rules of {name}")
                refused.discard(name)
                self._forget_translated(space, wanted)
                if wanted.routed:
                    self._forget_sources(space, wanted, [leg for _, leg in legs[name]])
        return refused

    def _forget_translated(self, space: Space, wanted: Namespace) -> None:
        name, new = wanted.name, wanted.floating
        known = {*self._floating.get(name, {}), *new}

        def stale(connection: Connection) -> bool:
            return any(new.get(used) not in connection.addresses for used in known & connection.addresses)

        if self._floating.get(name) != new and (known or name not in self._floating):
            if known:
                space.conntrack.delete(known, stale)
            self._floating[name] = new

    def _forget_sources(self, space: Space, wanted: Namespace, legs: list[Leg]) -> None:
        """An end to connections that leave with an address which the router has no more: it may be another's by now.
        Also with those of before this process, of which nothing is known."""
        own = {address.partition("/")[0] for leg in legs for address in leg.addresses}
        kept = {*wanted.floating, *wanted.sources, *own}
        known = self._sources.get(wanted.name)
        if known is None:
            space.conntrack.forget_sources(kept)
        elif gone := known - kept:
            space.conntrack.delete(gone, lambda one: one.shown in gone and one.shown != one.source)
        self._sources[wanted.name] = kept

    def _forget_space(self, name: str) -> None:
        self._floating.pop(name, None)
        self._sources.pop(name, None)

    def _guard_outside(self, plan: Plan, report: Report) -> set[str]:
        """What the machine refuses from the external networks, and by tunnels from who is no host; like
        :meth:`_translate`. The agent's own namespace may have some from when the external networks ended there."""
        name, cloud_id = self._settings.outside_namespace, self._settings.cloud_id
        here = {tunnels_table(cloud_id): plan.tunnel_rules, outside_table(cloud_id): "" if name else plan.outside_rules}
        texts = {OUTER: "".join(rules or nothing(table) for table, rules in here.items())}
        if name and plan.outside_rules:
            texts[name] = plan.outside_rules
        if not any(here.values()) and not self._guarded:
            del texts[OUTER]
        refused = {where for where, text in texts.items() if not self._guard(where, text, plan, report)}
        self._guarded = any(here.values()) or OUTER in refused
        return refused

    def _guard(self, where: str, text: str, plan: Plan, report: Report) -> bool:
        try:
            if self._spaces.get(where).apply_rules(text):
                report.done.append("replaced the rules for what reaches the machine from outside")
        except (NftError, OSError, LookupError) as error:
            for link in plan.links.values():
                if _comes_from(link, where):
                    report.failed.setdefault(link.owner, f"the machine cannot be guarded from it: {error}")
            return False
        return True

    def _unguard(self) -> None:
        if self._guarded:
            tables = (outside_table(self._settings.cloud_id), tunnels_table(self._settings.cloud_id))
            self._spaces.get(OUTER).apply_rules("".join(map(nothing, tables)))
        self._guarded = False

    def _disconnect(self, plan: Plan, refused: set[str]) -> None:
        """Leave out what leads into namespaces without their rules."""
        if refused:
            kept = {n: link for n, link in plan.links.items() if not any(_comes_from(link, name) for name in refused)}
            plan.links = kept
            plan.fdb = {entry: owner for entry, owner in plan.fdb.items() if entry.link in kept}
            plan.dhcp = [server for server in plan.dhcp if server.namespace not in refused]

    # ----------------------------------------------------------------------------------------------------- DHCP

    def _folder(self, owner: str) -> Path:
        return self._settings.state_dir / "dhcp" / owner

    def _serve_dhcp(self, plan: Plan, report: Report) -> None:
        for server in plan.dhcp:
            with report.blaming(server.owner):
                self._spaces.get(server.namespace)
                if did := Dnsmasq(self._folder(server.owner)).apply(server):
                    report.done.append(f"{did} dnsmasq of {server.owner}")

    def _remove_daemons(self, plan: Plan, report: Report) -> None:
        """Stop the DHCP servers that are not wanted any more, before their namespaces go."""
        wanted = {server.owner for server in plan.dhcp}
        folder = self._settings.state_dir / "dhcp"
        for owner in sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else ():
            if owner not in wanted:
                with report.blaming(owner):
                    Dnsmasq(folder / owner).stop()
                    remove_tree(folder / owner)
                    report.done.append(f"stopped dnsmasq of {owner}")


def _comes_from(link: Link, namespace: str) -> bool:
    """Whether what is in a namespace, or reaches the machine there, gets into the link."""
    return (link.leg is not None and link.leg.namespace == namespace) or (namespace == OUTER and link.kind == "vxlan")


def _legs(plan: Plan) -> dict[str, list[tuple[Link, Leg]]]:
    """The legs of a plan by namespace; a namespace without legs has an empty list."""
    legs: dict[str, list[tuple[Link, Leg]]] = {name: [] for name in plan.namespaces}
    for link in plan.links.values():
        if link.leg is not None:
            legs.setdefault(link.leg.namespace, []).append((link, link.leg))
    return legs


def _set_sysctls(space: Space, wanted: dict[str, str], *, needed: bool = True) -> None:
    """``needed``: that the kernel has none of them in a namespace is an error."""
    with netns.entered(space.descriptor):
        has_ipv6 = Path("/proc/sys/net/ipv6").exists()
        for name, value in wanted.items():
            if has_ipv6 or not name.startswith("net.ipv6."):
                with contextlib.nullcontext() if needed else contextlib.suppress(FileNotFoundError):
                    sysctl.write(name, value)


def _widen_neighbours() -> None:
    """The kernel has one table of neighbours for all namespaces, of 1,024 places unless somebody set more: routers of
    many tenants need them. Only the machine's own namespace shows it, and only root may."""
    for family in ("ipv4", "ipv6"):
        for number, least in NEIGHBOURS.items():
            name = f"net.{family}.neigh.default.gc_thresh{number}"
            with contextlib.suppress(FileNotFoundError, PermissionError):
                if int(sysctl.read(name)) < least:
                    sysctl.write(name, str(least))


def _probe(host: Space) -> Family:
    """Whether this kernel tracks connections in the bridge family."""
    host.nft.run(_PROBE.format(family="inet"))
    try:
        host.nft.run(_PROBE.format(family="bridge"))
    except NftError:
        return "inet"
    return "bridge"
