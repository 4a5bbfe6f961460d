"""SQL of volume types and who may use the private ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_default_type, volume_type, volume_type_access


def get(tx: Tx, type_id: str) -> Row[Any] | None:
    return tx.row(volume_type, id=type_id)


def by_name(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(volume_type, name=name)


def names(tx: Tx) -> list[str]:
    return [row.name for row in tx.all(select(volume_type.c.name).order_by(volume_type.c.name))]


def names_hidden_from(tx: Tx, project_id: str) -> list[str]:
    """Names of the types that a project can neither see nor use."""
    return [row.name for row in tx.all(select(volume_type.c.name).where(~usable_by(project_id)))]


def usable_by(project_id: str) -> Any:
    """Condition: public, or private with access for the project."""
    granted = exists(
        select(volume_type_access.c.project_id).where(
            volume_type_access.c.volume_type_id == volume_type.c.id, volume_type_access.c.project_id == project_id
        )
    )
    return or_(volume_type.c.is_public, granted)


def find(tx: Tx, conditions: Sequence[Any], wanted: Page, marker: Row[Any] | None) -> list[Row[Any]]:
    columns = [(volume_type.c[name], descending) for name, descending in wanted.order]
    values = None if marker is None else [getattr(marker, name) for name, _ in wanted.order]
    statement = page(select(volume_type).where(*conditions), columns, values, wanted.limit)
    return tx.all(statement.offset(wanted.offset) if wanted.offset else statement)


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(volume_type, created_at=tx.now, **values)


def change(tx: Tx, type_id: str, **values: Any) -> int:
    return tx.update(volume_type, {"id": type_id}, updated_at=tx.now, **values)


def remove(tx: Tx, type_id: str) -> int:
    return tx.count(delete(volume_type).where(volume_type.c.id == type_id))


def access(tx: Tx, type_id: str) -> list[str]:
    """Projects that may use a private type."""
    wanted = select(volume_type_access.c.project_id).where(volume_type_access.c.volume_type_id == type_id)
    return [row.project_id for row in tx.all(wanted.order_by(volume_type_access.c.project_id))]


def grant(tx: Tx, type_id: str, project_id: str) -> None:
    tx.insert(volume_type_access, volume_type_id=type_id, project_id=project_id)


def revoke(tx: Tx, type_id: str, project_id: str) -> int:
    key = (volume_type_access.c.volume_type_id == type_id, volume_type_access.c.project_id == project_id)
    return tx.count(delete(volume_type_access).where(*key))


def default_of(tx: Tx, project_id: str) -> Row[Any] | None:
    """The type that is a project's own default."""
    chosen = select(volume_default_type.c.volume_type_id).where(volume_default_type.c.project_id == project_id)
    return tx.first(select(volume_type).where(volume_type.c.id == chosen.scalar_subquery()))


def defaults(tx: Tx) -> list[Row[Any]]:
    """Rows (project_id, volume_type_id)."""
    return tx.all(select(volume_default_type).order_by(volume_default_type.c.project_id))


def is_default(tx: Tx, type_id: str) -> bool:
    """Whether a project has the type as its default."""
    return bool(tx.scalar(select(exists().where(volume_default_type.c.volume_type_id == type_id))))


def set_default(tx: Tx, project_id: str, type_id: str) -> None:
    unset_default(tx, project_id)
    tx.insert(volume_default_type, project_id=project_id, volume_type_id=type_id)


def unset_default(tx: Tx, project_id: str) -> int:
    return tx.count(delete(volume_default_type).where(volume_default_type.c.project_id == project_id))
