"""Writing back what a host reports: which networks, ports, routers and floating IPs work, and which do not and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert, update
from sqlalchemy.engine import Row

from tane.agent.documents import NetworkApplied, NetworkState
from tane.db import Tx
from tane.services.network.domain.desired import Snapshot
from tane.services.network.tables import ROUTER_OWNERS, floating_ip, network, network_host, port, router


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


def changes(
    snapshot: Snapshot, reports: Mapping[str, tuple[NetworkState, NetworkApplied]], problems: Mapping[str, str]
) -> list[Change]:
    """What has to be written for the reports of some hosts (host id → its document and its answer)."""
    found: list[Change] = []
    dhcp_states: dict[str, State] = {}
    for host_id, (state, applied) in reports.items():
        failed = {**problems, **applied.failed}
        found += _ports(snapshot, host_id, failed)
        for document in state.networks:
            if document.dhcp_port is not None:
                dhcp_states[document.dhcp_port.id] = _judge(failed, document.dhcp_port.id, document.id)
        if host_id == snapshot.gateway_host:
            found += _networks(snapshot, state, failed)
            found += _routers(snapshot, failed)
            found += _floating_ips(snapshot, applied, failed)
    for row in snapshot.dhcp.values():
        wanted = dhcp_states.get(row.id, State("DOWN"))
        if (row.status, row.fault) != (wanted.status, wanted.fault):
            found.append(Change(port, row.id, wanted))
    return found


def _judge(failed: Mapping[str, str], *ids: str, up: bool = True) -> State:
    """ERROR with the first reason among ``ids``, else ACTIVE, or DOWN when switched off."""
    for resource_id in ids:
        if resource_id in failed:
            return State("ERROR", failed[resource_id])
    return State("ACTIVE" if up else "DOWN")


def _differs(row: Row[Any], state: State) -> bool:
    return (row.status, row.fault) != (state.status, state.fault)


def _ports(snapshot: Snapshot, host_id: str, failed: Mapping[str, str]) -> list[Change]:
    found = []
    for row in snapshot.on_host.get(host_id, ()):
        up = row.admin_state_up and snapshot.networks[row.network_id].admin_state_up
        state = _judge(failed, row.id, row.network_id, up=up)
        if _differs(row, state):
            found.append(Change(port, row.id, state, (("host_id", host_id), ("admin_state_up", row.admin_state_up))))
    return found


def _networks(snapshot: Snapshot, state: NetworkState, failed: Mapping[str, str]) -> list[Change]:
    found = []
    for document in state.networks:
        row, wanted = snapshot.networks[document.id], _judge(failed, document.id)
        if _differs(row, wanted):
            found.append(Change(network, row.id, wanted))
    return found


def _routers(snapshot: Snapshot, failed: Mapping[str, str]) -> list[Change]:
    found = []
    for row in snapshot.routers.values():
        reached = [leg.network_id for leg in snapshot.legs[row.id]]
        state = _judge(failed, row.id, *reached)
        if _differs(row, state):
            found.append(Change(router, row.id, state))
    for row in snapshot.ports:
        if row.device_owner in ROUTER_OWNERS and row.device_id in snapshot.routers:
            owner = snapshot.routers[row.device_id]
            # Not whether the router is switched on: that its own admin_state_up tells, and clients wait for the port.
            state = _judge(failed, row.id, owner.id, row.network_id, up=row.admin_state_up)
            if _differs(row, state):
                found.append(Change(port, row.id, state))
    return found


def _floating_ips(snapshot: Snapshot, applied: NetworkApplied, failed: Mapping[str, str]) -> list[Change]:
    found = []
    for rows in snapshot.floating.values():
        for row in rows:
            up = snapshot.routers[row.router_id].admin_state_up
            judged = _judge(failed, row.id, row.router_id, row.floating_network_id, up=up)
            wanted = State(judged.status, judged.fault, applied.forwarded.get(row.id))
            if _differs(row, wanted) or row.forwarded != wanted.forwarded:
                having = (("fixed_port_id", row.fixed_port_id), ("router_id", row.router_id))
                found.append(Change(floating_ip, row.id, wanted, having))
    return found


def write(tx: Tx, found: list[Change], summaries: Mapping[str, NetworkApplied]) -> None:
    """Write the changes, wake those who wait for a port, and note what each host holds."""
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
    for host_id, applied in summaries.items():
        values = {"revision": applied.revision, "summary": applied.summary, "applied_at": tx.now}
        if not tx.count(update(network_host).where(network_host.c.host_id == host_id).values(**values)):
            tx.execute(insert(network_host).values(host_id=host_id, **values))
