"""SQL of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, and_, delete, exists, func, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.hosts.tables import host
from tane.services.volume.tables import volume, volume_attachment, volume_snapshot, volume_type


class Page(msgspec.Struct, kw_only=True):
    """Which part of a list. ``order`` is (column, descending), the last one "id"."""

    order: list[tuple[str, bool]]
    marker: str | None = None
    limit: int | None = None
    offset: int = 0


def _select() -> Select[Any]:
    return (
        select(volume, volume_type.c.name.label("type_name"), host.c.name.label("host_name"))
        .join(volume_type, volume_type.c.id == volume.c.volume_type_id)
        .outerjoin(host, host.c.id == volume.c.host_id)
    )


def get(tx: Tx, volume_id: str) -> Row[Any] | None:
    """The row with ``type_name`` and ``host_name``."""
    return tx.first(_select().where(volume.c.id == volume_id))


def find(tx: Tx, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(_select().where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def count(tx: Tx, conditions: Sequence[Any]) -> int:
    return int(tx.scalar(select(func.count()).select_from(volume).where(*conditions)))


def by_host(tx: Tx) -> dict[str, int]:
    """Host id → how many volumes are in its pool."""
    counted = select(volume.c.host_id, func.count().label("volumes")).where(volume.c.host_id.is_not(None))
    return {row.host_id: row.volumes for row in tx.all(counted.group_by(volume.c.host_id))}


def gb_by_host(tx: Tx) -> dict[str, int]:
    """Host id → GiB that the volumes in its pool may grow to."""
    summed = select(volume.c.host_id, func.sum(volume.c.size).label("size")).where(volume.c.host_id.is_not(None))
    return {row.host_id: int(row.size) for row in tx.all(summed.group_by(volume.c.host_id))}


def total(tx: Tx, conditions: Sequence[Any]) -> tuple[int, int, list[dict[str, str]]]:
    """How many volumes, their GiB, and the metadata of each that has some."""
    rows = tx.all(select(volume.c.size, volume.c.meta).where(*conditions))
    return len(rows), sum(row.size for row in rows), [row.meta for row in rows if row.meta]


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(volume, created_at=tx.now, **values)


def change(tx: Tx, volume_id: str, /, *, only_in: Sequence[str] = (), only_of: str | None = None, **values: Any) -> int:
    """Change a volume and wake who waits for it; with ``only_in`` only when its status is one of these, with
    ``only_of`` only when it is that project's."""
    condition = volume.c.id == volume_id
    if only_in:
        condition = and_(condition, volume.c.status.in_(only_in))
    if only_of is not None:
        condition = and_(condition, volume.c.project_id == only_of)
    changed = tx.count(update(volume).where(condition).values(updated_at=tx.now, **values))
    if changed:
        tx.notify(f"volume:{volume_id}")
    return changed


def remove(tx: Tx, volume_id: str) -> None:
    """Forget the volume, its attachments and its snapshots."""
    tx.execute(delete(volume_attachment).where(volume_attachment.c.volume_id == volume_id))
    tx.execute(delete(volume_snapshot).where(volume_snapshot.c.volume_id == volume_id))
    tx.execute(delete(volume).where(volume.c.id == volume_id))
    tx.notify(f"volume:{volume_id}")


def being_made_from(tx: Tx, *, snapshot_id: str | None = None, source_volid: str | None = None) -> bool:
    """Whether a volume is being created from this snapshot or volume now."""
    source = volume.c.snapshot_id == snapshot_id if snapshot_id else volume.c.source_volid == source_volid
    return bool(tx.scalar(select(exists().where(source, volume.c.status == "creating"))))


def usage(tx: Tx, project_id: str, type_id: str | None = None) -> tuple[int, int]:
    """Volumes of a project and their GiB, as quota counts them; of one type when given."""
    size = func.coalesce(volume.c.extending_to, volume.c.size)
    wanted = select(func.count().label("number"), func.coalesce(func.sum(size), 0).label("size")).where(
        volume.c.project_id == project_id
    )
    if type_id is not None:
        wanted = wanted.where(volume.c.volume_type_id == type_id)
    row = tx.first(wanted)
    assert row is not None
    return int(row.number), int(row.size)


def of_type(tx: Tx, type_id: str) -> bool:
    return bool(tx.scalar(select(exists().where(volume.c.volume_type_id == type_id))))


def on_host(tx: Tx, host_id: str) -> dict[str, tuple[int, int]]:
    """Project → how many volumes it has in the pool of a host, and their GiB."""
    counted = select(volume.c.project_id, func.count().label("number"), func.sum(volume.c.size).label("size"))
    rows = tx.all(counted.where(volume.c.host_id == host_id).group_by(volume.c.project_id))
    return {row.project_id: (int(row.number), int(row.size)) for row in rows}


def measured(tx: Tx) -> list[Row[Any]]:
    names = ("id", "project_id", "user_id", "name", "size", "volume_type_id", "created_at")
    types = volume_type.c.name.label("type_name")
    query = select(*(volume.c[name] for name in names), types)
    return tx.all(query.join(volume_type, volume.c.volume_type_id == volume_type.c.id))
