"""SQL of quality-of-service specs and of the types that have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_qos_specs, volume_type


def get(tx: Tx, specs_id: str) -> Row[Any] | None:
    return tx.row(volume_qos_specs, id=specs_id)


def by_name(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(volume_qos_specs, name=name)


def find(tx: Tx, wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume_qos_specs.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(select(volume_qos_specs), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(volume_qos_specs, created_at=tx.now, **values)


def change(tx: Tx, specs_id: str, **values: Any) -> None:
    mine = volume_qos_specs.c.id == specs_id
    tx.execute(update(volume_qos_specs).where(mine).values(updated_at=tx.now, **values))


def remove(tx: Tx, specs_id: str) -> None:
    tx.execute(delete(volume_qos_specs).where(volume_qos_specs.c.id == specs_id))


def types_with(tx: Tx, specs_id: str) -> list[Row[Any]]:
    return tx.all(select(volume_type).where(volume_type.c.qos_specs_id == specs_id).order_by(volume_type.c.name))


def take_from_types(tx: Tx, specs_id: str) -> None:
    """No type has them any more."""
    tx.update(volume_type, {"qos_specs_id": specs_id}, qos_specs_id=None)
