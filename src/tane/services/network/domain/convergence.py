"""Telling hosts that what they should hold has changed: those concerned, and no other.

A host is concerned by what its document is made of (``network_interest``, written when the document is derived) and by
the ports that are bound to it or were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.store import convergence as store
from tane.services.network.store import gateway_hosts
from tane.services.network.store.rows import among
from tane.services.network.tables import KEPT_OWNERS, ROUTER_OWNERS, floating_ip, port_security_group

LATER = "network:later"
"""Notified when hosts have to learn of ports elsewhere. Nobody waits for that: a moment's changes are one document."""
GATEWAYS = "network:gateways"
"""Notified when gateway hosts may have to move."""


def topic(host_id: str) -> str:
    """Notified when somebody waits for what the host should hold."""
    return f"network:{host_id}"


@dataclass(frozen=True)
class PortChange:
    """A port that came, went or changed. ``hosts``: where it is bound or was. ``groups``: those whose members'
    addresses it changes. ``spreads``: the other hosts of its network have to know, too."""

    id: str
    network_id: str
    hosts: tuple[str, ...]
    groups: tuple[str, ...] = ()
    spreads: bool = True

    def resources(self) -> list[str]:
        elsewhere = [store.network(self.network_id)] if self.spreads else []
        return elsewhere + [store.members(group_id) for group_id in self.groups]


def changed(
    tx: Tx,
    *,
    ports: Iterable[PortChange] = (),
    networks: Iterable[str] = (),
    routers: Iterable[str] = (),
    groups: Iterable[str] = (),
    hosts: Iterable[str] = (),
) -> None:
    """In the transaction of the change: count up the revision of each host it concerns, and wake it.

    ``networks``: their settings and subnets; hosts on which they are. ``routers``: hosts on which they are, and their
    gateway hosts. ``groups``: their rules; hosts that filter by them. ``hosts``: these, whatever they hold.
    """
    moved = [change for change in ports if change.hosts]
    router_ids = list(routers)
    wide = [store.network(network_id) for network_id in networks]
    wide += [store.router(router_id) for router_id in router_ids]
    wide += [store.group(group_id) for group_id in groups]
    at = {*hosts, *(gateway_hosts.of(tx, router_ids).values() if router_ids else ())}
    wide += [store.host(host_id) for host_id in at]
    if not moved and not wide:
        return
    revision = store.count_up(tx)
    notes: list[dict[str, Any]] = [
        {"revision": revision, "resource": resource, "port_id": None, "network_id": None} for resource in wide
    ]
    for change in moved:
        of_port = {"revision": revision, "port_id": change.id, "network_id": change.network_id}
        told = [*(store.host(host_id) for host_id in change.hosts), *change.resources()]
        notes += [{**of_port, "resource": resource} for resource in told]
    store.note(tx, notes)
    soon = {host_id for change in moved for host_id in change.hosts} | at
    if wide:
        soon |= store.holders(tx, wide)
    elsewhere = {resource for change in moved for resource in change.resources()}
    store.want(tx, revision, soon, elsewhere)
    for host_id in soon:
        tx.notify(topic(host_id))
    if elsewhere:
        tx.notify(LATER)


def bound_elsewhere(tx: Tx, changes: Sequence[PortChange]) -> None:
    """These ports are on other hosts now: so are the legs of their floating IPs, which is more than a part can say."""
    led = {row.fixed_port_id: row for row in among(tx, floating_ip, "fixed_port_id", [change.id for change in changes])}
    changed(
        tx,
        ports=changes,
        networks={row.floating_network_id for row in led.values()},
        hosts={host_id for change in changes if change.id in led for host_id in change.hosts},
    )


def host_removed(tx: Tx, host_id: str) -> None:
    """Forget what a host that was removed was to hold."""
    store.leave(tx, host_id)
    tx.notify(LATER)


def groups_of(tx: Tx, port_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The security groups of each port."""
    found: dict[str, tuple[str, ...]] = {}
    for row in among(tx, port_security_group, "port_id", port_ids):
        found[row.port_id] = (*found.get(row.port_id, ()), row.security_group_id)
    return found


def ports_gone(tx: Tx, found: Sequence[Row[Any]]) -> None:
    """These ports are about to be deleted or unbound: their hosts, networks and groups' members change."""
    placed = [row for row in found if row.host_id is not None and row.device_owner not in KEPT_OWNERS]
    legs = [row for row in found if row.device_owner in ROUTER_OWNERS]
    groups = groups_of(tx, [row.id for row in placed])
    bound_elsewhere(tx, [PortChange(row.id, row.network_id, (row.host_id,), groups.get(row.id, ())) for row in placed])
    changed(
        tx,
        routers={row.device_id for row in legs},
        networks={row.network_id for row in legs},
    )
