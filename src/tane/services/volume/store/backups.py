"""SQL of backups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, delete, exists, func, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_backup

_child = volume_backup.alias("child")
_DEPENDENT = exists(select(_child.c.id).where(_child.c.parent_id == volume_backup.c.id)).label("dependent")


def _select() -> Select[Any]:
    return select(volume_backup, _DEPENDENT)


def get(tx: Tx, backup_id: str) -> Row[Any] | None:
    """The row with ``dependent``: whether incremental backups build upon it."""
    return tx.first(_select().where(volume_backup.c.id == backup_id))


def find(tx: Tx, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume_backup.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(_select().where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def count(tx: Tx, conditions: Sequence[Any]) -> int:
    return int(tx.scalar(select(func.count()).select_from(volume_backup).where(*conditions)))


def latest(tx: Tx, volume_id: str, project_id: str, before: datetime | None) -> Row[Any] | None:
    """The newest whole backup of a volume in a project's own account; of content older than ``before``."""
    mine = (
        volume_backup.c.volume_id == volume_id,
        volume_backup.c.project_id == project_id,
        volume_backup.c.account == project_id,
        volume_backup.c.status == "available",
        volume_backup.c.digest.is_not(None),
    )
    wanted = _select().where(*mine)
    if before is not None:
        wanted = wanted.where(volume_backup.c.data_timestamp < before)
    newest = wanted.order_by(volume_backup.c.data_timestamp.desc(), volume_backup.c.generation.desc())
    return tx.first(newest.limit(1))


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(volume_backup, created_at=tx.now, **values)


def change(tx: Tx, backup_id: str, /, *, only_in: Sequence[str] = (), **values: Any) -> int:
    """Change a backup and wake who waits for it; with ``only_in`` only when its status is one of these."""
    condition = volume_backup.c.id == backup_id
    if only_in:
        condition = and_(condition, volume_backup.c.status.in_(only_in))
    changed = tx.count(update(volume_backup).where(condition).values(updated_at=tx.now, **values))
    if changed:
        tx.notify(f"backup:{backup_id}")
    return changed


def remove(tx: Tx, backup_id: str) -> None:
    tx.execute(delete(volume_backup).where(volume_backup.c.id == backup_id))
    tx.notify(f"backup:{backup_id}")


def usage(tx: Tx, project_id: str) -> tuple[int, int]:
    """Backups of a project and their GiB."""
    size = func.coalesce(func.sum(volume_backup.c.size), 0).label("size")
    row = tx.first(select(func.count().label("number"), size).where(volume_backup.c.project_id == project_id))
    assert row is not None
    return int(row.number), int(row.size)


def built_upon(tx: Tx, row: Row[Any]) -> bool:
    """Whether blocks of another backup lie in this one's objects: an incremental one's, of which ``parent_id`` says
    nothing when its record was imported."""
    others = select(volume_backup.c.sources).where(
        volume_backup.c.account == row.account, volume_backup.c.id != row.id, volume_backup.c.status != "deleting"
    )
    return any([row.container, row.prefix] in sources for (sources,) in tx.all(others))
