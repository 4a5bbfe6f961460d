"""Brings links, addresses, routes and neighbours of the namespaces to what a plan says; nothing when they are so."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from pyroute2.netlink.exceptions import NetlinkError

from tane.agent.network.plan import Leg, Link, Namespace, Plan
from tane.agent.network.report import Report
from tane.agent.network.spaces import Spaces
from tane.linux import netns, tap
from tane.linux.netlink import VXLAN_PORT, Address, LinkState
from tane.linux.space import Space

_Entry = TypeVar("_Entry")


class LinkWorker:
    """One pass over one plan's links; tunnels start at ``local_ip``, by the UDP port ``tunnel_port``."""

    def __init__(
        self, host: Space, spaces: Spaces, local_ip: str | None, report: Report, tunnel_port: int = VXLAN_PORT
    ) -> None:
        self._host = host
        self._spaces = spaces
        self._local_ip = local_ip
        self._tunnel_port = tunnel_port
        self._report = report

    # ------------------------------------------------------------------------------------------- host namespace

    def links(self, plan: Plan) -> None:
        """Bridges, taps, tunnels and veth pairs. What the plan does not name is removed."""
        current = self._host.netlink.links()
        for name in current.keys() - plan.links.keys() - {"lo"}:
            with self._report.blaming(name):
                self._host.netlink.delete_link(name)
                self._report.done.append(f"removed {name}")
        peers = self._peers(plan)
        # Bridges first: the others go into them.
        for link in sorted(plan.links.values(), key=lambda link: link.kind != "bridge"):
            with self._report.blaming(link.owner):
                self._link(link, current.get(link.name), peers)

    def entries(self, plan: Plan) -> None:
        """The bridges' static entries, permanent neighbours, and the host's own addresses."""
        link = self._host.netlink
        link.links()
        self._adjust(link.fdb(), plan.fdb, link.add_fdb, link.delete_fdb)
        self._adjust(link.neighbours(), plan.neighbours, link.add_neighbour, link.delete_neighbour)
        own = {Address(each.name, each.address): each.owner for each in plan.links.values() if each.address}
        self._adjust(
            {entry for entry in link.addresses() if entry.link != "lo"}, own, link.add_address, link.delete_address
        )

    def _peers(self, plan: Plan) -> dict[str, set[str]]:
        """Namespace → its interfaces, to tell a whole veth pair from a foreign interface of that name."""
        found: dict[str, set[str]] = {}
        for link in plan.links.values():
            if link.leg is not None and link.leg.namespace not in found:
                with self._report.blaming(link.owner):
                    found[link.leg.namespace] = set(self._spaces.get(link.leg.namespace).netlink.links())
        return found

    def _link(self, link: Link, state: LinkState | None, peers: Mapping[str, set[str]]) -> None:
        netlink = self._host.netlink
        if state is not None and not self._is_kind(link, state, peers):
            netlink.delete_link(link.name)
            state = None
        if state is None:
            self._create(link)
            self._report.done.append(f"made {link.name}")
            state = netlink.link(link.name)
        changes: dict[str, object] = {}
        if link.mac is not None and state.mac != link.mac:
            changes["address"] = link.mac
        if state.mtu != link.mtu:
            changes["mtu"] = link.mtu
        if link.port is not None and state.port != link.port:
            netlink.set_port(link.name, link.port)
            self._report.done.append(f"connected {link.name} to {link.port.bridge}")
        if state.up != link.up:
            changes["state"] = "up" if link.up else "down"
        if changes:
            netlink.set_link(link.name, **changes)
            self._report.done.append(f"set {link.name}")

    def _is_kind(self, link: Link, state: LinkState, peers: Mapping[str, set[str]]) -> bool:
        """Whether what has the link's name can be made into it. A port's device is taken as it is found."""
        if link.kind == "tap":
            return True
        if link.kind == "vxlan":
            return (state.kind, state.vxlan_id, state.vxlan_local) == ("vxlan", link.vni, self._local_ip)
        if link.leg is not None:
            return state.kind == "veth" and link.leg.name in peers.get(link.leg.namespace, ())
        return state.kind == link.kind

    def _create(self, link: Link) -> None:
        netlink = self._host.netlink
        if link.kind == "bridge" and link.mac is not None:
            netlink.add_bridge(link.name, link.mac, link.mtu)
        elif link.kind == "tap":
            with netns.entered(self._host.descriptor):
                tap.create(link.name)
        elif link.leg is not None:
            peer = (self._spaces.get(link.leg.namespace).descriptor, link.leg.name, link.leg.mac)
            netlink.add_veth(link.name, link.mtu, peer)
        elif self._local_ip is not None:
            # Made from the outer namespace, so that its packets travel there, where local_ip is.
            self._tunnel(link, self._local_ip)

    def _tunnel(self, link: Link, local_ip: str) -> None:
        outer, port = self._spaces.get("").netlink, self._tunnel_port
        try:
            outer.add_vxlan(link.name, link.mtu, link.vni, local_ip, into=self._host.descriptor, port=port)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise
            raise LookupError(
                f"this machine has a tunnel {link.vni} at UDP port {port} already, of another cloud: each takes its "
                "own vxlan_port"
            ) from None

    # ------------------------------------------------------------------------------------------ other namespaces

    def namespace(self, name: str, wanted: Namespace | None, legs: list[tuple[Link, Leg]]) -> None:
        """The far ends of veth pairs with their addresses, then routes and neighbours. Without ``wanted`` it is the
        outer namespace: there only the legs themselves are ours."""
        owner = wanted.owner if wanted else legs[0][0].owner
        with self._report.blaming(owner):
            space = self._spaces.get(name)
            states = space.netlink.links()
            current = space.netlink.addresses()
            for link, leg in legs:
                with self._report.blaming(link.owner):
                    self._leg(space, leg, link.mtu, states.get(leg.name))
                    self._addresses(space, leg, link.owner, current)
            if wanted is not None:
                netlink = space.netlink
                self._routes(space, wanted)
                if wanted.routed:
                    self._adjust(netlink.policies(), wanted.policies, netlink.add_policy, netlink.delete_policy)
                self._adjust(netlink.neighbours(), wanted.neighbours, netlink.add_neighbour, netlink.delete_neighbour)

    def _leg(self, space: Space, leg: Leg, mtu: int, state: LinkState | None) -> None:
        if state is None:
            raise LookupError(f"the interface {leg.name} is missing in {space.name or 'the outer namespace'}")
        if state.mac != leg.mac.lower():
            space.netlink.set_link(leg.name, address=leg.mac)
        if state.mtu != mtu:
            space.netlink.set_link(leg.name, mtu=mtu)
        if leg.master is not None and state.master != space.netlink.index(leg.master):
            space.netlink.set_link(leg.name, master=space.netlink.index(leg.master))
        if not state.up:
            space.netlink.set_link(leg.name, state="up")

    def _addresses(self, space: Space, leg: Leg, owner: str, current: set[Address]) -> None:
        have = {entry for entry in current if entry.link == leg.name}
        wanted = dict.fromkeys((Address(leg.name, address) for address in leg.addresses), owner)

        def add(address: Address) -> None:
            space.netlink.add_address(address)
            if leg.announce and ":" not in address.address:
                with netns.entered(space.descriptor):
                    tap.announce(leg.name, leg.mac, address.address.split("/")[0])

        self._adjust(have, wanted, add, space.netlink.delete_address)

    def _routes(self, space: Space, wanted: Namespace) -> None:
        have = space.netlink.routes()
        # The kernel names the link also of a route for which the plan leaves it open.
        open_ended = {replace(route, link=None) for route in have}
        missing = {
            route: owner for route, owner in wanted.routes.items() if route not in (have if route.link else open_ended)
        }
        kept = {replace(route, link=None) for route in wanted.routes}
        extra = {route for route in have if replace(route, link=None) not in kept}
        self._adjust(extra, missing, space.netlink.add_route, space.netlink.delete_route)

    def _adjust(
        self,
        have: set[_Entry],
        wanted: Mapping[_Entry, str],
        add: Callable[[_Entry], None],
        remove: Callable[[_Entry], None],
    ) -> None:
        """Remove what is too much, then add what is missing; ``wanted`` maps each entry to its owner."""
        for entry in have - wanted.keys():
            with self._report.blaming(str(entry)):
                remove(entry)
                self._report.done.append(f"removed {entry}")
        for entry, owner in wanted.items():
            if entry not in have:
                with self._report.blaming(owner):
                    add(entry)
                    self._report.done.append(f"added {entry}")
