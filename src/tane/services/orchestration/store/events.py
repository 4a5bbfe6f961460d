"""SQL of the events of stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, literal, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.tables import stack_event

SORTABLE = {
    "resource_type": stack_event.c.resource_type,
    "created_at": stack_event.c.number,
    "event_time": stack_event.c.number,
}


def add(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(stack_event, **values)


def count(tx: Tx, stack_id: str) -> int:
    mine = stack_event.c.stack_id == stack_id
    return int(tx.scalar(select(func.count()).select_from(stack_event).where(mine)) or 0)


def prune(tx: Tx, stack_id: str, most: int) -> int:
    """Forget the oldest beyond ``most``."""
    mine = select(stack_event.c.number).where(stack_event.c.stack_id == stack_id)
    kept_from = tx.scalar(mine.order_by(stack_event.c.number.desc()).offset(most - 1).limit(1))
    if kept_from is None:
        return 0
    return tx.count(delete(stack_event).where(stack_event.c.stack_id == stack_id, stack_event.c.number < kept_from))


def get(tx: Tx, stack_id: str, event_id: str) -> Row[Any] | None:
    return tx.row(stack_event, stack_id=stack_id, id=event_id)


def find(
    tx: Tx,
    stack_ids: Sequence[str],
    conditions: Sequence[ColumnElement[bool]],
    *,
    sort: str | None = None,
    down: bool = False,
    marker: str | None = None,
    limit: int,
) -> list[Row[Any]]:
    """Events of these stacks in their order, or by a key of :data:`SORTABLE`; those after the event ``marker``."""
    column = SORTABLE.get(sort or "", stack_event.c.number)
    keys = [column.desc() if down else column]
    if column is not stack_event.c.number:
        keys.append(stack_event.c.number.desc() if down else stack_event.c.number)
    wanted = select(stack_event).where(stack_event.c.stack_id.in_(stack_ids), *conditions)
    if marker is not None:
        last = tx.first(select(stack_event).where(stack_event.c.id == marker, stack_event.c.stack_id.in_(stack_ids)))
        if last is None:
            return []
        number, place = stack_event.c.number, literal(last._mapping[column])
        after = number < last.number if down else number > last.number
        beyond = column < place if down else column > place
        wanted = wanted.where(after if column is number else or_(beyond, and_(column == place, after)))
    return tx.all(wanted.order_by(*keys).limit(limit))


def matching(names: Mapping[str, Sequence[str]]) -> list[ColumnElement[bool]]:
    """Conditions of filters by column name."""
    return [stack_event.c[name].in_(list(values)) for name, values in names.items()]
