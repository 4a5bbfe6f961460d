"""SQL of snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume, volume_snapshot


def get(tx: Tx, snapshot_id: str) -> Row[Any] | None:
    return tx.row(volume_snapshot, id=snapshot_id)


def of_volume(tx: Tx, volume_id: str) -> list[Row[Any]]:
    return tx.rows(volume_snapshot, volume_id=volume_id)


def find(tx: Tx, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume_snapshot.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(select(volume_snapshot).where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def count(tx: Tx, conditions: Sequence[Any]) -> int:
    return int(tx.scalar(select(func.count()).select_from(volume_snapshot).where(*conditions)))


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(volume_snapshot, created_at=tx.now, **values)


def change(tx: Tx, snapshot_id: str, /, *, only_of: str | None = None, **values: Any) -> int:
    """Change a snapshot and wake who waits for it; with ``only_of`` only when it is that project's."""
    condition = volume_snapshot.c.id == snapshot_id
    if only_of is not None:
        condition = and_(condition, volume_snapshot.c.project_id == only_of)
    changed = tx.count(update(volume_snapshot).where(condition).values(updated_at=tx.now, **values))
    if changed:
        tx.notify(f"snapshot:{snapshot_id}")
    return changed


def remove(tx: Tx, snapshot_id: str) -> None:
    tx.execute(delete(volume_snapshot).where(volume_snapshot.c.id == snapshot_id))
    tx.notify(f"snapshot:{snapshot_id}")


def usage(tx: Tx, project_id: str, type_id: str | None = None) -> tuple[int, int]:
    """Snapshots of a project and their GiB; of volumes of one type when given."""
    wanted = select(
        func.count().label("number"), func.coalesce(func.sum(volume_snapshot.c.size), 0).label("size")
    ).where(volume_snapshot.c.project_id == project_id)
    if type_id is not None:
        wanted = wanted.where(volume_snapshot.c.volume_type_id == type_id)
    row = tx.first(wanted)
    assert row is not None
    return int(row.number), int(row.size)


def on_host(tx: Tx, host_id: str) -> dict[str, tuple[int, int]]:
    """Project → how many snapshots it has of volumes in the pool of a host, and their GiB."""
    number, size = func.count().label("number"), func.sum(volume_snapshot.c.size).label("size")
    counted = select(volume_snapshot.c.project_id, number, size).join(
        volume, volume.c.id == volume_snapshot.c.volume_id
    )
    rows = tx.all(counted.where(volume.c.host_id == host_id).group_by(volume_snapshot.c.project_id))
    return {row.project_id: (int(row.number), int(row.size)) for row in rows}


def set_type(tx: Tx, volume_id: str, project_id: str, type_id: str) -> None:
    """Of the snapshots of a volume that are its project's: they are counted with its type."""
    mine = and_(volume_snapshot.c.volume_id == volume_id, volume_snapshot.c.project_id == project_id)
    tx.execute(update(volume_snapshot).where(mine).values(volume_type_id=type_id))
