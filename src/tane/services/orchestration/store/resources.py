"""SQL of the resources of stacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.store.stacks import REASON
from tane.services.orchestration.tables import stack, stack_resource

LIGHT = tuple(
    stack_resource.c[name]
    for name in ("id", "name", "physical_id", "current", "action", "status", "traversal", "working", "requires")
)


def get(tx: Tx, resource_id: str) -> Row[Any] | None:
    return tx.row(stack_resource, id=resource_id)


def of_stack(tx: Tx, stack_id: str) -> list[Row[Any]]:
    """All of a stack, oldest first, also those that were replaced."""
    mine = select(stack_resource).where(stack_resource.c.stack_id == stack_id)
    return tx.all(mine.order_by(stack_resource.c.created_at, stack_resource.c.id))


def of_stacks(tx: Tx, stack_ids: Sequence[str]) -> list[Row[Any]]:
    mine = select(stack_resource).where(stack_resource.c.stack_id.in_(stack_ids))
    return tx.all(mine.order_by(stack_resource.c.created_at, stack_resource.c.id))


def light(tx: Tx, stack_id: str) -> list[Row[Any]]:
    """The same with the columns alone that the engine goes by."""
    return tx.all(select(*LIGHT).where(stack_resource.c.stack_id == stack_id))


def ids(tx: Tx, stack_id: str, names: Collection[str]) -> list[str]:
    """Ids of the present ones of these names."""
    if not names:
        return []
    mine = select(stack_resource.c.id).where(stack_resource.c.stack_id == stack_id, stack_resource.c.current)
    return sorted(row.id for row in tx.all(mine.where(stack_resource.c.name.in_(names))))


def of_names(tx: Tx, stack_id: str, names: Collection[str]) -> list[Row[Any]]:
    """The present ones of these names, with the columns that the engine goes by."""
    mine = select(*LIGHT).where(stack_resource.c.stack_id == stack_id, stack_resource.c.current)
    return tx.all(mine.where(stack_resource.c.name.in_(names))) if names else []


def whole(tx: Tx, stack_id: str, names: Collection[str]) -> list[Row[Any]]:
    """The present ones of these names, with all columns."""
    mine = select(stack_resource).where(stack_resource.c.stack_id == stack_id, stack_resource.c.current)
    return tx.all(mine.where(stack_resource.c.name.in_(names)))


def done(tx: Tx, stack_id: str, traversal: str) -> int:
    """How many were handled well in an action of the stack."""
    mine = (
        stack_resource.c.stack_id == stack_id,
        stack_resource.c.traversal == traversal,
        stack_resource.c.current,
        stack_resource.c.status == "COMPLETE",
        ~stack_resource.c.working,
    )
    return int(tx.scalar(select(func.count()).select_from(stack_resource).where(*mine)) or 0)


def is_working(tx: Tx, stack_id: str) -> bool:
    """Whether a job is at one of a stack."""
    mine = select(stack_resource.c.id).where(stack_resource.c.stack_id == stack_id, stack_resource.c.working)
    return tx.first(mine.limit(1)) is not None


def any_marked(tx: Tx, stack_ids: Sequence[str]) -> bool:
    """Whether one of the present ones of stacks was marked, or found, as unhealthy."""
    mine = (stack_resource.c.stack_id.in_(stack_ids), stack_resource.c.current, stack_resource.c.status == "FAILED")
    marked = select(stack_resource.c.id).where(*mine, stack_resource.c.action == "CHECK")
    return tx.first(marked.limit(1)) is not None


def named(tx: Tx, stack_id: str, name: str) -> Row[Any] | None:
    mine = select(stack_resource).where(stack_resource.c.stack_id == stack_id, stack_resource.c.name == name)
    return tx.first(mine.order_by(stack_resource.c.current.desc()))


def all_named(tx: Tx, stack_id: str, name: str) -> list[Row[Any]]:
    """The present one of a name, and those that it, or they, replaced."""
    return tx.rows(stack_resource, stack_id=stack_id, name=name)


def by_physical_id(tx: Tx, stack_id: str, physical_id: str) -> Row[Any] | None:
    mine = select(stack_resource).where(stack_resource.c.stack_id == stack_id)
    return tx.first(mine.where(stack_resource.c.physical_id == physical_id))


def standing_for(tx: Tx, project_id: str, physical_id: str) -> Row[Any] | None:
    """The present one of a project that stands for a thing."""
    mine = select(stack_resource).where(stack_resource.c.physical_id == physical_id, stack_resource.c.current)
    return tx.first(mine.where(stack_resource.c.project_id == project_id).order_by(stack_resource.c.created_at))


def count(tx: Tx, root_id: str) -> int:
    """How many a stack and those nested in it have."""
    ids = select(stack.c.id).where(stack.c.root_id == root_id, ~stack.c.deleted)
    mine = stack_resource.c.stack_id.in_(ids)
    return int(tx.scalar(select(func.count()).select_from(stack_resource).where(mine)) or 0)


def add(tx: Tx, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    if values:
        tx.execute(insert(stack_resource), values)


REPLACE_FAILED = "replace_failed"
"""Of the metadata of a group: whether, and when, its failed members are replaced."""


def change(tx: Tx, resource_id: str, **values: Any) -> None:
    if "reason" in values:
        values["reason"] = values["reason"][:REASON]
    if "metadata" in values:
        # An empty object says so, too.
        values["replaces_failed"] = (values["metadata"] or {}).get(REPLACE_FAILED) not in (None, False)
    tx.update(stack_resource, {"id": resource_id}, **values)


def bytes_of(tx: Tx, project_id: str) -> int:
    """How long the values of all resources of a project are."""
    total = func.coalesce(func.sum(stack_resource.c.bytes), 0)
    return int(tx.scalar(select(total).where(stack_resource.c.project_id == project_id)) or 0)


def remove(tx: Tx, resource_id: str) -> None:
    tx.execute(delete(stack_resource).where(stack_resource.c.id == resource_id))


def expired(tx: Tx, now: datetime) -> list[str]:
    """Ids of those whose time is over while a job is at them."""
    return [row.id for row in tx.all(select(stack_resource.c.id).where(stack_resource.c.expires_at <= now))]
