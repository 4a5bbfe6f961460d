"""SQL of flavors and who may use those that are not public."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Select, and_, delete, exists, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.compute.tables import flavor, flavor_access


def _open_to(project_id: str) -> Any:
    granted = exists().where(and_(flavor_access.c.flavor_id == flavor.c.id, flavor_access.c.project_id == project_id))
    return or_(flavor.c.is_public, granted)


def get(tx: Tx, flavor_id: str, project_id: str | None = None) -> Row[Any] | None:
    """A flavor; with ``project_id`` only when that project may use it."""
    statement = select(flavor).where(flavor.c.id == flavor_id)
    return tx.first(statement if project_id is None else statement.where(_open_to(project_id)))


def find(
    tx: Tx,
    *,
    project_id: str | None,
    is_public: bool | None,
    min_ram: int,
    min_disk: int,
    order: Sequence[tuple[Column[Any], bool]],
    marker: Sequence[Any] | None,
    limit: int | None,
) -> list[Row[Any]]:
    """``project_id`` None: whoever may use them; ``is_public`` None: both kinds."""
    statement: Select[Any] = select(flavor).where(flavor.c.ram >= min_ram, flavor.c.disk >= min_disk)
    if project_id is not None:
        statement = statement.where(_open_to(project_id))
    if is_public is not None:
        statement = statement.where(flavor.c.is_public if is_public else ~flavor.c.is_public)
    return tx.all(page(statement, order, marker, limit))


def by_name(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(flavor, name=name)


def add(tx: Tx, **values: Any) -> None:
    tx.insert(flavor, created_at=tx.now, **values)


def change(tx: Tx, flavor_id: str, **values: Any) -> None:
    tx.update(flavor, {"id": flavor_id}, updated_at=tx.now, **values)


def remove(tx: Tx, flavor_id: str) -> int:
    return tx.count(delete(flavor).where(flavor.c.id == flavor_id))


def access(tx: Tx, flavor_id: str) -> list[str]:
    """The projects a flavor is open to besides being public."""
    statement = select(flavor_access.c.project_id).where(flavor_access.c.flavor_id == flavor_id)
    return [row.project_id for row in tx.all(statement.order_by(flavor_access.c.project_id))]


def grant(tx: Tx, flavor_id: str, project_id: str) -> None:
    tx.insert(flavor_access, flavor_id=flavor_id, project_id=project_id)


def revoke(tx: Tx, flavor_id: str, project_id: str) -> int:
    mine = and_(flavor_access.c.flavor_id == flavor_id, flavor_access.c.project_id == project_id)
    return tx.count(delete(flavor_access).where(mine))
