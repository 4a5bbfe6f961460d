"""SQL of migrations: servers that went, or go, from one host or flavor to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx, kept
from tane.db.paging import page
from tane.services.compute.tables import migration, server

LIVE = ("preparing", "running")
"""States of a live migration whose server is still where it was."""
OPEN = ("migrating", "post-migrating", "finished", "confirming", "reverting", *LIVE)
"""States in which something is still claimed, or set aside, at the source."""
MOST_OVER = 100
"""Those of a server that are over, and told of."""


def add(tx: Tx, **values: Any) -> None:
    """What failed stays as long as its server: it may be set aside somewhere by its name."""
    over = and_(migration.c.server_id == values["server_id"], migration.c.status.not_in((*OPEN, "error")))
    kept.forget_oldest(tx, over, migration.c.created_at, migration.c.id, MOST_OVER - 1)
    tx.insert(migration, created_at=tx.now, updated_at=tx.now, **values)


def get(tx: Tx, uuid: str) -> Row[Any] | None:
    return tx.row(migration, uuid=uuid)


def change(tx: Tx, uuid: str, status: str) -> None:
    tx.update(migration, {"uuid": uuid}, status=status, updated_at=tx.now)


def open_of_server(tx: Tx, server_id: str) -> list[Row[Any]]:
    """Those of a server that are not over."""
    return tx.all(select(migration).where(migration.c.server_id == server_id, migration.c.status.in_(OPEN)))


def live_of_server(tx: Tx, server_id: str) -> list[Row[Any]]:
    """Its live migrations that are under way."""
    return [row for row in open_of_server(tx, server_id) if row.type == "live-migration"]


def flavors_of_project(tx: Tx, project_id: str) -> list[Row[Any]]:
    """(old flavor, new flavor, that of the server now) of those of a project that are not over."""
    statement = select(migration.c.old_flavor, migration.c.new_flavor, server.c.flavor)
    statement = statement.join(server, server.c.id == migration.c.server_id)
    return tx.all(statement.where(migration.c.project_id == project_id, migration.c.status.in_(OPEN)))


def forget(tx: Tx) -> int:
    """Delete those whose server nobody remembers; returns how many."""
    return tx.count(delete(migration).where(migration.c.server_id.not_in(select(server.c.id))))


def servers_of(tx: Tx, uuids: Collection[str]) -> set[str]:
    """The servers that moved, or were to move, as one of ``uuids``."""
    if not uuids:
        return set()
    return {row.server_id for row in tx.all(select(migration.c.server_id).where(migration.c.uuid.in_(list(uuids))))}


def failed_from(tx: Tx, server_id: str, host_id: str) -> list[str]:
    """The moves of a server away from a host that failed: it may be set aside there by one of these names."""
    failed = select(migration.c.uuid).where(migration.c.server_id == server_id, migration.c.source_host_id == host_id)
    return [row.uuid for row in tx.all(failed.where(migration.c.status == "error").order_by(migration.c.id.desc()))]


def left_behind(tx: Tx, host_id: str, server_ids: Iterable[str]) -> set[str]:
    """Those of ``server_ids`` of which nothing on this host is needed: they were made again elsewhere because it was
    called dead, or went away from it while they ran and are of use where they went."""
    for_good = or_(
        and_(migration.c.type == "evacuation", migration.c.status == "done"),
        and_(migration.c.type == "live-migration", migration.c.status == "completed"),
        and_(
            migration.c.type == "live-migration",
            migration.c.status == "error",
            migration.c.dest_host_id == server.c.host_id,
            server.c.vm_state != "error",
        ),
    )
    joined = select(migration.c.server_id).join(server, server.c.id == migration.c.server_id)
    found = joined.where(migration.c.server_id.in_(list(server_ids)), migration.c.source_host_id == host_id, for_good)
    return {row.server_id for row in tx.all(found)}


def finished_before(tx: Tx, moment: datetime) -> list[Row[Any]]:
    """Those that nobody has confirmed or reverted since."""
    return tx.all(select(migration).where(migration.c.status == "finished", migration.c.updated_at < moment))


def over(tx: Tx, uuids: Sequence[str]) -> list[str]:
    """Those of ``uuids`` of which nothing is needed any more: they came to their end, or nobody knows them.

    What failed on the way is needed as long as its server is: it may not have been brought back yet. Not so where it
    ran on all the while; but what is awaited where the server is *is* the server.
    """
    statement = select(migration.c.uuid).join(server, server.c.id == migration.c.server_id)
    arrives = and_(migration.c.type == "live-migration", migration.c.dest_host_id == server.c.host_id)
    kept = or_(and_(migration.c.status == "error", migration.c.type != "live-migration"), arrives)
    statement = statement.where(migration.c.uuid.in_(uuids), or_(migration.c.status.in_(OPEN), kept), ~server.c.deleted)
    needed = {row.uuid for row in tx.all(statement)}
    return [uuid for uuid in uuids if uuid not in needed]


def open_by_host(tx: Tx) -> Counter[str]:
    """Host id → how many servers that went away from it may yet come back, and how many are on their way to it."""
    found: Counter[str] = Counter()
    for column in (migration.c.source_host_id, migration.c.dest_host_id):
        statement = select(column.label("host_id"), func.count().label("servers"))
        statement = statement.join(server, server.c.id == migration.c.server_id)
        statement = statement.where(migration.c.status.in_(OPEN), server.c.host_id != column)
        found.update({row.host_id: row.servers for row in tx.all(statement.group_by(column))})
    return found


def find(tx: Tx, where: Sequence[ColumnElement[bool]], marker: int | None, limit: int | None) -> list[Row[Any]]:
    """Newest first; after the one with the number ``marker``."""
    order = [(migration.c.created_at, True), (migration.c.id, True)]
    after = None
    if marker is not None:
        row = tx.row(migration, id=marker)
        after = None if row is None else [row.created_at, row.id]
    return tx.all(page(select(migration).where(*where), order, after, limit))
