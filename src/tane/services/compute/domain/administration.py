"""Hosts as administrators see them, zones, aggregates, server groups, usage."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Row

from tane import quota
from tane.core import Core
from tane.db import Tx
from tane.hosts import allocations
from tane.hosts import store as hosts
from tane.services.compute.domain import quotas, scheduler
from tane.services.compute.domain.common import new_id
from tane.services.compute.store import groups, servers
from tane.web.codec import whole
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

SERVICES = uuid.UUID("6d0b8a2e-6a7b-5b0b-9f0e-3f2f6f5d2c11")
"""Namespace of the ids of ``nova-compute`` services, one for each host."""


@dataclass(frozen=True)
class HostView:
    """A compute host with what is claimed of it, by resource class, and how many servers it has."""

    row: Row[Any]
    up: bool
    zone: str
    servers: list[Row[Any]]
    claimed: Mapping[str, int]
    count: Row[Any] | None

    @property
    def number(self) -> int:
        """The integer id of microversions before 2.53."""
        return zlib.crc32(self.row.id.encode()) & 0x7FFFFFFF

    @property
    def service_id(self) -> str:
        return str(uuid.uuid5(SERVICES, self.row.id))


def compute_hosts(core: Core, *, with_servers: bool = False) -> list[HostView]:
    with core.db.read() as tx:
        return _compute_hosts(tx, with_servers=with_servers)


def _compute_hosts(tx: Tx, *, with_servers: bool = False) -> list[HostView]:
    claimed, counts, zones = allocations.used(tx), servers.counts(tx), scheduler.zones(tx)
    return [
        HostView(
            row=row,
            up=hosts.is_up(tx, row),
            zone=zones.get(row.name, scheduler.DEFAULT_ZONE),
            servers=servers.on_host(tx, row.id) if with_servers else [],
            claimed=claimed.get(row.id, {}),
            count=counts.get(row.id),
        )
        for row in hosts.all_hosts(tx)
        if "compute" in row.roles
    ]


def compute_host(core: Core, wanted: str) -> HostView:
    """A compute host by its id, the integer id of old microversions, or its service's id. :raises NotFound:"""
    for host in compute_hosts(core, with_servers=True):
        if wanted in (host.row.id, str(host.number), host.service_id):
            return host
    raise NotFound(f"Compute host {wanted} could not be found.")


def update_host(core: Core, wanted: str, values: Mapping[str, Any], *, by_name: bool = False) -> HostView:
    """Enable, disable or force down the ``nova-compute`` service of a host."""
    with core.db.write() as tx:
        for host in _compute_hosts(tx):
            if wanted == (host.row.name if by_name else host.service_id):
                hosts.change(tx, host.row.id, **values)
                return next(changed for changed in _compute_hosts(tx) if changed.row.id == host.row.id)
    raise NotFound(
        f"Compute service {wanted} could not be found." if not by_name else f"Host '{wanted}' could not be found."
    )


# ------------------------------------------------------------------------------------------------------ aggregates


def aggregates(core: Core) -> list[Row[Any]]:
    with core.db.read() as tx:
        return groups.aggregates(tx)


def _require_aggregate(tx: Tx, aggregate_id: str) -> Row[Any]:
    number = whole(aggregate_id)
    row = None if number is None else groups.aggregate_by_id(tx, number)
    if row is None:
        raise NotFound(f"Aggregate {aggregate_id} could not be found.")
    return row


def aggregate(core: Core, aggregate_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return _require_aggregate(tx, aggregate_id)


def create_aggregate(core: Core, name: str, zone: str | None) -> Row[Any]:
    with core.db.write() as tx:
        _refuse_same_name(tx, name)
        found = {"availability_zone": zone} if zone else {}
        aggregate_id = groups.add_aggregate(tx, uuid=new_id(), name=name, metadata=found, hosts=[])
        return _require_aggregate(tx, str(aggregate_id))


def _refuse_same_name(tx: Tx, name: str) -> None:
    if any(row.name == name for row in groups.aggregates(tx)):
        raise Conflict(f"Aggregate {name} already exists.")


def update_aggregate(core: Core, aggregate_id: str, name: str | None, metadata: Mapping[str, str | None]) -> Row[Any]:
    """Rename, and set (or with None remove) metadata; ``availability_zone`` is one of them."""
    with core.db.write() as tx:
        row = _require_aggregate(tx, aggregate_id)
        if name is not None and name != row.name:
            _refuse_same_name(tx, name)
        merged = {k: v for k, v in {**row.metadata, **metadata}.items() if v is not None}
        zone = merged.get("availability_zone")
        for host in row.hosts:
            _refuse_second_zone(tx, row.id, host, zone)
        groups.change_aggregate(tx, row.id, name=name or row.name, metadata=merged)
        return _require_aggregate(tx, aggregate_id)


def delete_aggregate(core: Core, aggregate_id: str) -> None:
    with core.db.write() as tx:
        row = _require_aggregate(tx, aggregate_id)
        if row.hosts:
            raise BadRequest(f"Cannot remove aggregate {aggregate_id}: it has hosts.")
        groups.remove_aggregate(tx, row.id)


def add_aggregate_host(core: Core, aggregate_id: str, host: str) -> Row[Any]:
    with core.db.write() as tx:
        row = _require_aggregate(tx, aggregate_id)
        if hosts.by_name(tx, host) is None:
            raise NotFound(f"Compute host {host} could not be found.")
        if host in row.hosts:
            raise Conflict(f"Aggregate {aggregate_id} already has host {host}.")
        _refuse_second_zone(tx, row.id, host, row.metadata.get("availability_zone"))
        groups.change_aggregate(tx, row.id, hosts=[*row.hosts, host])
        return _require_aggregate(tx, aggregate_id)


def _refuse_second_zone(tx: Tx, aggregate_id: int, host: str, zone: str | None) -> None:
    for other in groups.aggregates(tx):
        theirs = other.metadata.get("availability_zone")
        if other.id != aggregate_id and host in other.hosts and zone and theirs and theirs != zone:
            raise Conflict(f"Host {host} is already in availability zone {theirs} by aggregate {other.name}.")


def remove_aggregate_host(core: Core, aggregate_id: str, host: str) -> Row[Any]:
    with core.db.write() as tx:
        row = _require_aggregate(tx, aggregate_id)
        if host not in row.hosts:
            raise NotFound(f"Aggregate {aggregate_id} has no host {host}.")
        groups.change_aggregate(tx, row.id, hosts=[name for name in row.hosts if name != host])
        return _require_aggregate(tx, aggregate_id)


# --------------------------------------------------------------------------------------------------- server groups


def server_groups(
    core: Core, ctx: Context, *, all_projects: bool, limit: int, offset: int
) -> tuple[list[Row[Any]], dict[str, list[str]]]:
    with core.db.read() as tx:
        rows = groups.find(tx, None if all_projects else ctx.project_id, limit, offset)
        return rows, groups.members(tx, [row.id for row in rows])


def server_group(core: Core, ctx: Context, group_id: str) -> tuple[Row[Any], list[str]]:
    with core.db.read() as tx:
        return _require_group(tx, ctx, group_id), groups.members(tx, [group_id]).get(group_id, [])


def _require_group(tx: Tx, ctx: Context, group_id: str) -> Row[Any]:
    row = groups.get(tx, group_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"Instance group {group_id} could not be found.")
    return row


def create_server_group(core: Core, ctx: Context, name: str, policy: str, rules: dict[str, int]) -> Row[Any]:
    if rules and policy != "anti-affinity":
        raise BadRequest("Only anti-affinity policy supports rules.")
    with core.db.write() as tx:
        limit = quotas.limits(tx, ctx.project_id)["server_groups"]
        if quota.exceeded(limit, groups.count(tx, ctx.project_id), 1):
            raise Forbidden("Quota exceeded, too many server groups.")
        group_id = new_id()
        groups.add(
            tx, id=group_id, project_id=ctx.project_id, user_id=ctx.user_id, name=name, policy=policy, rules=rules
        )
        return _require_group(tx, ctx, group_id)


def delete_server_group(core: Core, ctx: Context, group_id: str) -> None:
    with core.db.write() as tx:
        _require_group(tx, ctx, group_id)
        groups.remove(tx, group_id)


# ----------------------------------------------------------------------------------------------------------- usage


@dataclass(frozen=True)
class ServerUsage:
    """What one server used in a period."""

    row: Row[Any]
    hours: float
    ended_at: datetime | None
    uptime: int


def usage(
    core: Core,
    start: datetime,
    end: datetime,
    project_id: str | None,
    *,
    limit: int | None = None,
    marker: str | None = None,
) -> list[ServerUsage]:
    """What each server used between two moments, from the servers' own rows, in the order of their ids.

    :param marker: the id of a server of the report; only what comes after it.
    :raises BadRequest: the marker is none.
    """
    with core.db.read() as tx:
        if marker is not None and not servers.existed(tx, start, end, project_id, marker):
            raise BadRequest(f"marker [{marker}] not found")
        return [
            _used(tx, row, start, end)
            for row in servers.of_period(tx, start, end, project_id, limit=limit, marker=marker)
        ]


def _used(tx: Tx, row: Row[Any], start: datetime, end: datetime) -> ServerUsage:
    begun, ended = row.launched_at or row.created_at, row.terminated_at
    hours = max((min(ended or end, end) - max(begun, start)) / timedelta(hours=1), 0.0)
    return ServerUsage(row, hours, ended, int(((ended or tx.now) - begun).total_seconds()))
