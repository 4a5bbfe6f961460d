"""SQL of groups of volumes, their types and their snapshots, and what becomes of them when their members change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, exists, func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import (
    volume,
    volume_group,
    volume_group_snapshot,
    volume_group_type,
    volume_snapshot,
)

IN_WORK = ("creating", "downloading")


def get(tx: Tx, table: Table, resource_id: str) -> Row[Any] | None:
    return tx.row(table, id=resource_id)


def find(tx: Tx, table: Table, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(table.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(select(table).where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def add(tx: Tx, table: Table, values: Mapping[str, Any]) -> None:
    tx.insert(table, created_at=tx.now, **values)


def change(tx: Tx, table: Table, resource_id: str, **values: Any) -> None:
    tx.update(table, {"id": resource_id}, updated_at=tx.now, **values)


def remove(tx: Tx, table: Table, resource_id: str) -> None:
    tx.execute(delete(table).where(table.c.id == resource_id))


def type_named(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(volume_group_type, name=name)


def of_type(tx: Tx, type_id: str) -> bool:
    return bool(tx.scalar(select(exists().where(volume_group.c.group_type_id == type_id))))


def number(tx: Tx, project_id: str) -> int:
    return int(tx.scalar(select(func.count()).select_from(volume_group).where(volume_group.c.project_id == project_id)))


def volume_ids(tx: Tx, group_ids: Collection[str]) -> dict[str, list[str]]:
    """Group → the ids of its volumes, those of a page of groups in one query."""
    found: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    statement = select(volume.c.group_id, volume.c.id).where(volume.c.group_id.in_(group_ids))
    for row in tx.all(statement.order_by(volume.c.created_at, volume.c.id)):
        found[row.group_id].append(row.id)
    return found


def volumes_of(tx: Tx, group_id: str) -> list[Row[Any]]:
    return tx.all(select(volume).where(volume.c.group_id == group_id).order_by(volume.c.created_at, volume.c.id))


def snapshots_of(tx: Tx, group_snapshot_id: str) -> list[Row[Any]]:
    mine = volume_snapshot.c.group_snapshot_id == group_snapshot_id
    return tx.all(select(volume_snapshot).where(mine).order_by(volume_snapshot.c.created_at, volume_snapshot.c.id))


def has_snapshots(tx: Tx, group_id: str) -> bool:
    return bool(tx.scalar(select(exists().where(volume_group_snapshot.c.group_id == group_id))))


def settle(tx: Tx, group_id: str | None) -> None:
    """A group that is being made is so until its last volume is; one that is being deleted goes with its last."""
    if group_id is not None:
        _settle(tx, volume_group, group_id, [row.status for row in volumes_of(tx, group_id)])


def settle_snapshot(tx: Tx, group_snapshot_id: str | None) -> None:
    """The same of a group's snapshot, by its snapshots."""
    if group_snapshot_id is not None:
        states = [row.status for row in snapshots_of(tx, group_snapshot_id)]
        _settle(tx, volume_group_snapshot, group_snapshot_id, states)


def _settle(tx: Tx, table: Table, resource_id: str, states: Sequence[str]) -> None:
    row = get(tx, table, resource_id)
    if row is None or row.status not in ("creating", "deleting"):
        return
    if row.status == "deleting" and not states:
        remove(tx, table, resource_id)
    elif row.status == "deleting" and "deleting" not in states:
        change(tx, table, resource_id, status="error")
    elif row.status == "creating" and not any(state in IN_WORK for state in states):
        change(tx, table, resource_id, status="error" if "error" in states else "available")
