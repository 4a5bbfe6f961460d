"""Writing back what a host reports: which networks, ports, routers and floating IPs work, and which do not and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain import distributed
from tane.services.network.domain.desired import Snapshot
from tane.services.network.store import convergence as store
from tane.services.network.store import host_state
from tane.services.network.tables import DHCP, floating_ip, network, port, router
from tane.wire.documents import NetworkApplied


@dataclass(frozen=True)
class State:
    """What a resource's row should say."""

    status: str
    fault: str | None = None
    forwarded: str | None = None


@dataclass(frozen=True)
class Change:
    """A row whose state differs from what was reported; ``having`` are the columns that must not have changed since
    the document was made."""

    table: Table
    row_id: str
    state: State
    having: tuple[tuple[str, Any], ...] = ()


def changes(snapshot: Snapshot, applied: NetworkApplied, problems: Mapping[str, str]) -> list[Change]:
    """What has to be written for a host's answer to its whole document."""
    failed = {**problems, **applied.failed}
    up = {row.id: row.admin_state_up for row in snapshot.networks.values()}
    own = [row for row in snapshot.ports if row.host_id == snapshot.host_id]
    return [
        *ports(snapshot.host_id, own, failed, up),
        *_networks(snapshot, failed),
        *_routers(snapshot, failed),
        *_floating_ips(snapshot, applied, failed),
    ]


def _judge(failed: Mapping[str, str], *ids: str, up: bool = True) -> State:
    """ERROR with the first reason among ``ids``, else ACTIVE, or DOWN when switched off."""
    for resource_id in ids:
        if resource_id in failed:
            return State("ERROR", failed[resource_id])
    return State("ACTIVE" if up else "DOWN")


def _differs(row: Row[Any], state: State) -> bool:
    return (row.status, row.fault) != (state.status, state.fault)


def ports(
    host_id: str, rows: Iterable[Row[Any]], failed: Mapping[str, str], networks_up: Mapping[str, bool]
) -> list[Change]:
    """For ports that are bound to the host."""
    found = []
    for row in rows:
        state = _judge(failed, row.id, row.network_id, up=row.admin_state_up and networks_up[row.network_id])
        if _differs(row, state):
            found.append(Change(port, row.id, state, (("host_id", host_id), ("admin_state_up", row.admin_state_up))))
    return found


def _networks(snapshot: Snapshot, failed: Mapping[str, str]) -> list[Change]:
    """Of a network on many hosts one speaks: the gateway host of an external one, else the first that has it."""
    found = []
    for row in snapshot.networks.values():
        speaks = row.id in snapshot.gateway_of if row.external else store.network(row.id) in snapshot.speaks_for
        wanted = _judge(failed, row.id)
        if speaks and _differs(row, wanted):
            found.append(Change(network, row.id, wanted))
        dhcp = snapshot.dhcp.get(row.id)
        if dhcp is not None and store.dhcp(row.id) in snapshot.speaks_for:
            wanted = _judge(failed, dhcp.id, row.id)
            if _differs(dhcp, wanted):
                found.append(Change(port, dhcp.id, wanted))
    return found


def _routers(snapshot: Snapshot, failed: Mapping[str, str]) -> list[Change]:
    """Of a router its gateway host speaks."""
    found = []
    for row in snapshot.routers.values():
        if row.id not in snapshot.gateway_of:
            continue
        legs = snapshot.legs[row.id]
        state = _judge(failed, row.id, *(leg.network_id for leg in legs))
        if _differs(row, state):
            found.append(Change(router, row.id, state))
        for leg in {leg.port_id: leg for leg in legs}.values():
            # Not whether the router is switched on: that its own admin_state_up tells, and clients wait for the port.
            state = _judge(failed, leg.port_id, row.id, leg.network_id, up=leg.admin_state_up)
            if _differs(leg, state):
                found.append(Change(port, leg.port_id, state))
    return found


def _floating_ips(snapshot: Snapshot, applied: NetworkApplied, failed: Mapping[str, str]) -> list[Change]:
    found = []
    for row in (row for rows in snapshot.floating.values() for row in rows):
        if distributed.place_of(snapshot, row)[0] != snapshot.host_id:
            continue
        up = snapshot.routers[row.router_id].admin_state_up
        judged = _judge(failed, row.id, row.router_id, row.floating_network_id, up=up)
        wanted = State(judged.status, judged.fault, applied.forwarded.get(row.id))
        if _differs(row, wanted) or row.forwarded != wanted.forwarded:
            having = (("fixed_port_id", row.fixed_port_id), ("router_id", row.router_id))
            found.append(Change(floating_ip, row.id, wanted, having))
    return found


def write(tx: Tx, found: Iterable[Change]) -> None:
    """Write the changes, and wake those who wait for a port."""
    grouped: dict[tuple[Table, State, tuple[tuple[str, Any], ...]], list[str]] = {}
    for change in found:
        grouped.setdefault((change.table, change.state, change.having), []).append(change.row_id)
    for (table, state, having), row_ids in grouped.items():
        values: dict[str, Any] = {"status": state.status, "fault": state.fault}
        if table is floating_ip:
            values["forwarded"] = state.forwarded
        for start in range(0, len(row_ids), 500):
            some = table.c.id.in_(row_ids[start : start + 500])
            tx.execute(update(table).where(some, *(table.c[name] == value for name, value in having)).values(**values))
        if table is port:
            for row_id in row_ids:
                tx.notify(f"port:{row_id}")


def let_go(tx: Tx, snapshot: Snapshot) -> set[str]:
    """Forget what the host no longer has, unless something concerned it meanwhile; DHCP ports that no host has any more
    are DOWN. Returns what was forgotten."""
    gone = snapshot.known - snapshot.interests()
    if not gone or store.wanted(tx, snapshot.host_id)[0] != snapshot.revision:
        return set()
    store.drop_interests(tx, snapshot.host_id, gone)
    served = {resource for resource in gone if resource.startswith(store.dhcp(""))}
    unserved = served - set(store.first_holders(tx, served))
    if unserved:
        network_ids = [resource.removeprefix(store.dhcp("")) for resource in unserved]
        idle = [row for row in host_state.dhcp_ports(tx, network_ids) if row.status != "DOWN"]
        write(tx, [Change(port, row.id, State("DOWN"), (("device_owner", DHCP),)) for row in idle])
    return gone
