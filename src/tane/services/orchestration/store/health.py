"""SQL of groups whose failed members are replaced: what the look at all of them reads, once every few seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.store.resources import REPLACE_FAILED
from tane.services.orchestration.tables import stack, stack_resource

MANY = 500
STACK = tuple(stack.c[name] for name in ("id", "project_id", "root_id", "parent_resource_id", "action", "status"))
RESOURCE = tuple(
    stack_resource.c[name]
    for name in (
        *("id", "stack_id", "project_id", "name", "type", "physical_id"),
        *("action", "status", "reason", "working", "created_at"),
    )
)


def groups(tx: Tx, kind: str) -> list[Row[Any]]:
    """Groups of a type that say so and are there and at rest, with what their templates and they themselves say of it;
    nothing else of their metadata, which may be long."""
    said = stack_resource.c.metadata[REPLACE_FAILED].label("terms")
    wanted = select(*RESOURCE, said, stack_resource.c.data["health"].label("health"))
    at_rest = (
        stack_resource.c.replaces_failed,
        stack_resource.c.current,
        ~stack_resource.c.working,
        stack_resource.c.action.not_in(("INIT", "DELETE")),
    )
    return tx.all(wanted.where(stack_resource.c.type == kind, *at_rest).order_by(stack_resource.c.id))


def stacks(tx: Tx, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Stacks by their ids, without what is long."""
    some = (select(*STACK).where(stack.c.id.in_(part), ~stack.c.deleted) for part in _parts(ids))
    return {row.id: row for wanted in some for row in tx.all(wanted)}


def below(tx: Tx, parent_ids: Sequence[str]) -> list[Row[Any]]:
    """Stacks that are nested in these."""
    some = (select(*STACK).where(stack.c.parent_id.in_(part), ~stack.c.deleted) for part in _parts(parent_ids))
    return [row for wanted in some for row in tx.all(wanted)]


def members(tx: Tx, stack_ids: Sequence[str]) -> list[Row[Any]]:
    """The present resources of stacks, with the kind that made each, whatever a template calls its type."""
    kind = stack_resource.c.declared["kind"].as_string().label("kind")
    mine = select(*RESOURCE, kind).where(stack_resource.c.current)
    some = (mine.where(stack_resource.c.stack_id.in_(part)) for part in _parts(stack_ids))
    return [row for wanted in some for row in tx.all(wanted.order_by(stack_resource.c.created_at))]


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), MANY):
        yield ids[start : start + MANY]
