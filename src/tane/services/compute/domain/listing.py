"""Which servers a list call means: filters, sort keys, pages (Compute API: "List servers")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, and_, false, func, or_

from tane.core import Core
from tane.db import Tx
from tane.services.compute.domain import scheduler
from tane.services.compute.domain.servers import Shown, details
from tane.services.compute.domain.states import states_of_status
from tane.services.compute.store import servers
from tane.services.compute.tables import server
from tane.services.network import interface as network
from tane.web import codec, patterns
from tane.web.codec import later, whole
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden

SORT_KEYS: dict[str, Column[Any]] = {
    "access_ip_v4": server.c.access_ip_v4,
    "access_ip_v6": server.c.access_ip_v6,
    "availability_zone": server.c.availability_zone,
    "config_drive": server.c.config_drive,
    "created_at": server.c.created_at,
    "display_description": server.c.description,
    "display_name": server.c.name,
    "host": server.c.host_name,
    "hostname": server.c.hostname,
    "image_ref": server.c.image_id,
    "instance_type_id": server.c.flavor_id,
    "key_name": server.c.key_name,
    "launch_index": server.c.launch_index,
    "launched_at": server.c.launched_at,
    "locked": server.c.locked_by,
    "locked_by": server.c.locked_by,
    "node": server.c.host_name,
    "power_state": server.c.power_state,
    "progress": server.c.progress,
    "project_id": server.c.project_id,
    "root_device_name": server.c.root_device_name,
    "task_state": server.c.task_state,
    "terminated_at": server.c.terminated_at,
    "updated_at": server.c.updated_at,
    "user_id": server.c.user_id,
    "uuid": server.c.id,
    "vm_state": server.c.vm_state,
}

EXACT: dict[str, ColumnElement[Any]] = {
    "image": func.coalesce(server.c.image_id, server.c.image_ref),
    "flavor": server.c.flavor_id,
    "reservation_id": server.c.reservation_id,
    "uuid": server.c.id,
    "user_id": server.c.user_id,
    "key_name": server.c.key_name,
    "host": server.c.host_name,
    "node": server.c.host_name,
    "hypervisor_hostname": server.c.host_name,
    "hostname": server.c.hostname,
    "vm_state": server.c.vm_state,
    "task_state": server.c.task_state,
    "description": server.c.description,
    "access_ip_v4": server.c.access_ip_v4,
    "access_ip_v6": server.c.access_ip_v6,
    "root_device_name": server.c.root_device_name,
}
NUMBERS = {"power_state": server.c.power_state, "launch_index": server.c.launch_index, "progress": server.c.progress}
MOMENTS = {
    "created_at": server.c.created_at,
    "launched_at": server.c.launched_at,
    "terminated_at": server.c.terminated_at,
}
FOR_EVERYONE = frozenset(
    [
        "name",
        "status",
        "image",
        "flavor",
        "ip",
        "ip6",
        "changes-since",
        "changes-before",
        "reservation_id",
        "tags",
        "tags-any",
        "not-tags",
        "not-tags-any",
        "uuid",
        "locked",
        "metadata",
    ]
)
FOR_EVERYONE_SINCE_2_83 = frozenset(
    [
        "availability_zone",
        "config_drive",
        "key_name",
        "created_at",
        "launched_at",
        "terminated_at",
        "power_state",
        "task_state",
        "vm_state",
        "progress",
        "user_id",
    ]
)
KNOWN = frozenset(
    {*EXACT, *NUMBERS, *MOMENTS, *FOR_EVERYONE, *FOR_EVERYONE_SINCE_2_83}
    | {
        "project_id",
        "tenant_id",
        "all_tenants",
        "deleted",
        "limit",
        "marker",
        "sort_key",
        "sort_dir",
        "soft_deleted",
    }
)


@dataclass(frozen=True)
class Query:
    """A list call. ``filters`` are query parameters by name; ``sort`` are (key, descending) pairs."""

    filters: Mapping[str, Sequence[str]]
    all_projects: bool
    sort: Sequence[tuple[str, bool]]
    marker: str | None
    limit: int
    ip6_for_all: bool = False
    refuse_bad_status: bool = False
    detailed: bool = True


def index(core: Core, ctx: Context, query: Query) -> Shown:
    """:raises BadRequest: a filter, sort key or marker that makes no sense. :raises Forbidden: deleted servers."""
    with core.db.read() as tx:
        where = _conditions(tx, ctx, query)
        order = _order(ctx, query.sort)
        where.extend(_by_address(tx, query, where))
        rows = servers.find(tx, where, order, _marker(tx, ctx, query.marker, order), query.limit)
        return details(tx, rows) if query.detailed else Shown(rows)


def _order(ctx: Context, sort: Sequence[tuple[str, bool]]) -> list[tuple[Column[Any], bool]]:
    for key, _ in sort:
        if key in ("host", "node") and not ctx.is_admin:
            raise Forbidden(f"Only administrators can sort servers by {key}")
        if key not in SORT_KEYS:
            raise BadRequest(f"Invalid sort key: {key}")
    order = [(SORT_KEYS[key], descending) for key, descending in sort] or [(server.c.created_at, True)]
    if not any(column is server.c.id for column, _ in order):
        order.append((server.c.number, True) if order[-1][1] else (server.c.number, False))
    return order


def _marker(tx: Tx, ctx: Context, marker: str | None, order: Sequence[tuple[Column[Any], bool]]) -> list[Any] | None:
    if marker is None:
        return None
    row = servers.get(tx, marker, deleted=True)
    if row is None or not ctx.sees(row.project_id):
        raise BadRequest(f"marker [{marker}] not found")
    return [getattr(row, column.name) for column, _ in order]


def _conditions(tx: Tx, ctx: Context, query: Query) -> list[ColumnElement[bool]]:
    filters = query.filters
    where = [] if query.all_projects else [server.c.project_id == ctx.project_id]
    for name in ("project_id", "tenant_id"):
        if filters.get(name) and query.all_projects:
            where.append(server.c.project_id.in_(filters[name]))
    where.append(_deleted(ctx, filters))
    for name, column in EXACT.items():
        if filters.get(name):
            where.append(column.in_(filters[name]))
    for name, column in NUMBERS.items():
        if filters.get(name):
            where.append(column.in_([_number(name, value) for value in filters[name]]))
    for name, column in MOMENTS.items():
        for value in filters.get(name, ()):
            where.append(column == moment(name, value))
    for value in filters.get("name", ())[-1:]:
        where.append(server.c.name.regexp_match(_regex("name", value)))
    if filters.get("status"):
        where.append(_status(ctx, filters["status"], refuse=query.refuse_bad_status))
    for value in filters.get("changes-since", ())[:1]:
        where.append(server.c.updated_at >= moment("changes-since", value))
    for value in filters.get("changes-before", ())[:1]:
        # Moments are shown in whole seconds: a server is found by the second that it shows.
        where.append(server.c.updated_at < later(moment("changes-before", value), timedelta(seconds=1)))
    for value in filters.get("config_drive", ())[:1]:
        where.append(server.c.config_drive if _flag("config_drive", value) else ~server.c.config_drive)
    for value in filters.get("locked", ())[:1]:
        where.append(server.c.locked_by.is_not(None) if _flag("locked", value) else server.c.locked_by.is_(None))
    for value in filters.get("availability_zone", ())[:1]:
        zone_of = scheduler.zones(tx)
        here = [name for name, zone in zone_of.items() if zone == value]
        where.append(
            or_(server.c.host_name.is_(None), server.c.host_name.not_in(list(zone_of)))
            if value == scheduler.DEFAULT_ZONE
            else server.c.host_name.in_(here)
        )
    for value in filters.get("metadata", ())[:1]:
        where.extend(_metadata(value))
    where.extend(_tags(filters))
    return where


def _changes(filters: Mapping[str, Sequence[str]]) -> bool:
    return bool(filters.get("changes-since") or filters.get("changes-before"))


def _deleted(ctx: Context, filters: Mapping[str, Sequence[str]]) -> ColumnElement[bool]:
    """Deleted servers are shown to administrators who ask for them, and to whoever asks for changes since or before a
    moment."""
    if filters.get("deleted"):
        if not ctx.is_admin:
            raise Forbidden("Only administrators may list deleted instances")
        return server.c.deleted if _flag("deleted", filters["deleted"][0]) else ~server.c.deleted
    if any(value.upper() == "DELETED" for value in filters.get("status", ())):
        if not ctx.is_admin:
            raise Forbidden("Only administrators may list deleted instances")
        return server.c.deleted
    return or_(server.c.deleted, ~server.c.deleted) if _changes(filters) else ~server.c.deleted


def _status(ctx: Context, wanted: Sequence[str], *, refuse: bool) -> ColumnElement[bool]:
    alternatives: list[ColumnElement[bool]] = []
    for status in wanted:
        vm_states, task_states = states_of_status(status)
        if not vm_states and refuse:
            raise BadRequest(f"Invalid status value: {status}")
        condition = server.c.vm_state.in_(vm_states)
        alternatives.append(and_(condition, server.c.task_state.in_(task_states)) if task_states else condition)
    return or_(*alternatives)


def _metadata(text: str) -> list[ColumnElement[bool]]:
    try:
        wanted = msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest("Invalid filter 'metadata': a JSON object of strings is expected") from None
    return [server.c.metadata[key].as_string() == value for key, value in wanted.items()]


def _tags(filters: Mapping[str, Sequence[str]]) -> list[ColumnElement[bool]]:
    found = []
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        tags = [tag for value in filters.get(name, ()) for tag in value.split(",") if tag]
        if tags:
            condition = servers.tagged(tags, every=not name.endswith("any"))
            found.append(~condition if name.startswith("not") else condition)
    return found


def _by_address(tx: Tx, query: Query, where: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """``ip`` and ``ip6`` are regular expressions on the addresses, which the network service knows."""
    wanted = [
        (_regex(name, value), version)
        for name, version in (("ip", 4), ("ip6", 6))
        for value in query.filters.get(name, ())[:1]
    ]
    if not wanted:
        return []
    found = network.addresses(tx, servers.ids(tx, where))
    matching = [
        server_id
        for server_id, addresses in found.items()
        if any(
            info.version == version and re.search(text, info.address) for info in addresses for text, version in wanted
        )
    ]
    return [server.c.id.in_(matching) if matching else false()]


def _regex(name: str, text: str) -> str:
    try:
        return patterns.checked(text)
    except patterns.Dear as error:
        raise BadRequest(f"Invalid regular expression in filter '{name}': {text} ({error})") from None


def _number(name: str, text: str) -> int:
    number = whole(text)
    if number is None:
        raise BadRequest(f"Invalid filter '{name}': {text} is not an integer")
    return number


def _flag(name: str, text: str) -> bool:
    if text.lower() in ("1", "true", "t", "yes", "y", "on"):
        return True
    if text.lower() in ("0", "false", "f", "no", "n", "off"):
        return False
    raise BadRequest(f"Invalid filter '{name}': {text} is not a boolean")


def moment(name: str, text: str) -> datetime:
    """An ISO 8601 time as naive UTC. :raises BadRequest: when it is none."""
    found = codec.moment(text)
    if found is None:
        raise BadRequest(f"Invalid input for query parameters {name}. Value: {text}. '{text}' is not a 'date-time'")
    return found
