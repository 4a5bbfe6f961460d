"""SQL of servers and their tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, delete, exists, func, insert, not_, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx, kept
from tane.db.paging import page
from tane.services.compute.tables import block_device, console_token, nic_tag, server, server_tag

Order = Sequence[tuple[Column[Any], bool]]


def get(tx: Tx, server_id: str, *, deleted: bool = False) -> Row[Any] | None:
    """A server; a deleted one only when ``deleted``."""
    row = tx.row(server, id=server_id)
    return row if row is not None and (deleted or not row.deleted) else None


def find(
    tx: Tx, where: Sequence[ColumnElement[bool]], order: Order, marker: Sequence[Any] | None, limit: int | None
) -> list[Row[Any]]:
    return tx.all(page(select(server).where(*where), order, marker, limit))


def ids(tx: Tx, where: Sequence[ColumnElement[bool]]) -> list[str]:
    return [row.id for row in tx.all(select(server.c.id).where(*where))]


def add(tx: Tx, **values: Any) -> None:
    tx.insert(server, created_at=tx.now, updated_at=tx.now, **values)


def change(tx: Tx, server_id: str, **values: Any) -> int:
    """Set columns; everyone who waits on the server is woken. What is stopped was stopped by somebody, unless
    ``ended_by_itself`` says otherwise in the same breath."""
    if "vm_state" in values:
        values.setdefault("ended_by_itself", False)
    tx.notify(f"server:{server_id}")
    return tx.update(server, {"id": server_id}, updated_at=tx.now, **values)


def on_host(tx: Tx, host_id: str) -> list[Row[Any]]:
    """The servers that live on a host, the deleted ones left out."""
    return tx.all(select(server).where(server.c.host_id == host_id, ~server.c.deleted))


def states(tx: Tx, server_ids: Sequence[str]) -> list[Row[Any]]:
    """What tells how they do, and whose they are, of some hundred ids at most, deleted ones too."""
    if not server_ids:
        return []
    names = ("id", "project_id", "deleted", "vm_state", "task_state", "power_state", "ended_by_itself", "host_id")
    return tx.all(select(*(server.c[name] for name in names)).where(server.c.id.in_(server_ids)))


def of_ids(tx: Tx, server_ids: Sequence[str]) -> list[Row[Any]]:
    """(id, project_id, host_id) of those that are there, of some hundred ids at most."""
    if not server_ids:
        return []
    wanted = select(server.c.id, server.c.project_id, server.c.host_id)
    return tx.all(wanted.where(server.c.id.in_(server_ids), ~server.c.deleted))


def known(tx: Tx, server_ids: Iterable[str]) -> dict[str, bool]:
    """Server id → whether it is deleted, for those of ``server_ids`` that ever existed."""
    statement = select(server.c.id, server.c.deleted).where(server.c.id.in_(list(server_ids)))
    return {row.id: row.deleted for row in tx.all(statement)}


def usage(tx: Tx, project_id: str) -> Row[Any]:
    """What a project's servers take of its quota: instances, cores, ram (MB)."""
    statement = select(
        func.count().label("instances"),
        func.coalesce(func.sum(server.c.vcpus), 0).label("cores"),
        func.coalesce(func.sum(server.c.ram_mb), 0).label("ram"),
    ).where(server.c.project_id == project_id, ~server.c.deleted)
    row = tx.first(statement)
    assert row is not None
    return row


def counts(tx: Tx) -> dict[str, Row[Any]]:
    """Host id → how many servers it has, and how many of them are ``busy`` with a task."""
    statement = (
        select(
            server.c.host_id,
            func.count().label("servers"),
            func.count().filter(server.c.task_state.is_not(None)).label("busy"),
        )
        .where(server.c.host_id.is_not(None), ~server.c.deleted)
        .group_by(server.c.host_id)
    )
    return {row.host_id: row for row in tx.all(statement)}


def hosts_of_group(tx: Tx, group_id: str, but: str | None = None) -> dict[str, int]:
    """Host id → how many servers of a server group live on it, not counting the server ``but``."""
    statement = (
        select(server.c.host_id, func.count().label("servers"))
        .where(server.c.group_id == group_id, server.c.host_id.is_not(None), ~server.c.deleted)
        .where(server.c.id != (but or ""))
        .group_by(server.c.host_id)
    )
    return {row.host_id: row.servers for row in tx.all(statement)}


def of_period(
    tx: Tx,
    start: datetime,
    end: datetime,
    project_id: str | None,
    *,
    limit: int | None = None,
    marker: str | None = None,
) -> list[Row[Any]]:
    """Servers that existed at any moment between ``start`` and ``end``, the deleted ones too, in the order of ids.

    Those that failed before they ran have used nothing. :param marker: only what comes after this id.
    """
    statement = _existed(start, end, project_id)
    if marker is not None:
        statement = statement.where(server.c.id > marker)
    return tx.all(statement.order_by(server.c.id).limit(limit))


def existed(tx: Tx, start: datetime, end: datetime, project_id: str | None, server_id: str) -> bool:
    """Whether a server is among those of :func:`of_period`."""
    return tx.first(_existed(start, end, project_id).where(server.c.id == server_id)) is not None


def _existed(start: datetime, end: datetime, project_id: str | None) -> Select[Any]:
    failed = and_(server.c.launched_at.is_(None), server.c.terminated_at.is_(None), server.c.vm_state == "error")
    statement = select(server).where(
        server.c.created_at < end, or_(server.c.terminated_at.is_(None), server.c.terminated_at > start), not_(failed)
    )
    return statement if project_id is None else statement.where(server.c.project_id == project_id)


def forget_deleted(tx: Tx, before: datetime, most: int) -> int:
    """Delete the rows of servers that were deleted before a moment, and of each project's those beyond its newest
    ``most``; returns how many. It is to be called again as long as it finds some."""
    forgotten = tx.count(delete(server).where(server.c.deleted, server.c.terminated_at < before))
    columns = (server.c.project_id, server.c.terminated_at, server.c.id)
    return forgotten + kept.forget_oldest_of_each(tx, server.c.deleted, *columns, most)


def forget_parts(tx: Tx, server_id: str) -> None:
    """What hangs on a server that is deleted, and nobody asks for any more."""
    for table in (server_tag, nic_tag, block_device, console_token):
        tx.execute(delete(table).where(table.c.server_id == server_id))


# ------------------------------------------------------------------------------------------------------------ tags


def tags(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[str]]:
    """Server id → its tags, for all ``server_ids`` in one query."""
    found: dict[str, list[str]] = {}
    for row in tx.all(select(server_tag).where(server_tag.c.server_id.in_(server_ids)).order_by(server_tag.c.tag)):
        found.setdefault(row.server_id, []).append(row.tag)
    return found


def set_tags(tx: Tx, server_id: str, wanted: Iterable[str]) -> None:
    tx.execute(delete(server_tag).where(server_tag.c.server_id == server_id))
    rows = [{"server_id": server_id, "tag": tag} for tag in sorted(set(wanted))]
    if rows:
        tx.execute(insert(server_tag), rows)


def tagged(tags: Sequence[str], *, every: bool) -> ColumnElement[bool]:
    """A condition: the server has all (``every``) or any of ``tags``."""

    def has(tag: str) -> ColumnElement[bool]:
        return exists().where(and_(server_tag.c.server_id == server.c.id, server_tag.c.tag == tag))

    return (and_ if every else or_)(*(has(tag) for tag in tags))


def measured_on(tx: Tx, host_id: str) -> list[Row[Any]]:
    """What is shown of the servers of a host beside what is measured of them."""
    columns = ("id", "number", "project_id", "user_id", "name", "flavor_id", "flavor", "image_ref", "image_id")
    more = ("host_name", "group_id", "vcpus", "ram_mb", "disk_gb", "created_at", "launched_at", "vm_state")
    wanted = [server.c[name] for name in (*columns, *more)]
    return tx.all(select(*wanted).where(server.c.host_id == host_id, ~server.c.deleted))


def living(tx: Tx) -> set[str]:
    return {row.id for row in tx.all(select(server.c.id).where(~server.c.deleted))}
