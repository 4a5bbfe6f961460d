"""SQL of what is rated when, of closed months and of budgets. Every function takes an open transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.rating.tables import rating_budget, rating_closing, rating_scope, rating_switch

switch, scope, budget = rating_switch.c, rating_scope.c, rating_budget.c


def switched(tx: Tx, kind: str, name: str | None = None) -> list[Row[Any]]:
    """When a module or a project's rating was switched on or off, the oldest first."""
    wanted = [switch.kind == kind, *([] if name is None else [switch.name == name])]
    return tx.all(select(rating_switch).where(*wanted).order_by(switch.number))


def add_switch(tx: Tx, kind: str, name: str, enabled: bool, priority: int) -> None:
    tx.insert(rating_switch, kind=kind, name=name, enabled=enabled, priority=priority, at=tx.now)


def scopes(tx: Tx, ids: Sequence[str], active: Iterable[bool], offset: int, limit: int) -> list[Row[Any]]:
    asked = select(rating_scope).where(scope.active.in_(list(active)))
    if ids:
        asked = asked.where(scope.project_id.in_(list(ids)))
    return tx.all(asked.order_by(scope.project_id).offset(offset).limit(limit))


def get_scope(tx: Tx, project_id: str) -> Row[Any] | None:
    return tx.first(select(rating_scope).where(scope.project_id == project_id))


def set_scope(tx: Tx, project_id: str, active: bool) -> None:
    values = {"active": active, "toggled_at": tx.now}
    tx.execute(update(rating_scope).where(scope.project_id == project_id).values(**values))


def closings(tx: Tx) -> list[Row[Any]]:
    """Closed months, the oldest first."""
    return tx.all(select(rating_closing).order_by(rating_closing.c.month))


def close(tx: Tx, month: str, user_id: str | None) -> None:
    tx.insert(rating_closing, month=month, closed_at=tx.now, user_id=user_id)


def budgets(tx: Tx, limit: int) -> list[Row[Any]]:
    return tx.all(select(rating_budget).order_by(budget.project_id).limit(limit))


def get_budget(tx: Tx, project_id: str) -> Row[Any] | None:
    return tx.first(select(rating_budget).where(budget.project_id == project_id))


def set_budget(tx: Tx, project_id: str, **values: Any) -> None:
    if not tx.count(update(rating_budget).where(budget.project_id == project_id).values(**values)):
        tx.insert(rating_budget, project_id=project_id, **values)


def spend(tx: Tx, project_id: str, amount: str, **values: Any) -> bool:
    """What was spent of a budget; False when it is not the one that was looked at any more."""
    here = (budget.project_id == project_id, budget.amount == amount)
    return tx.count(update(rating_budget).where(*here).values(**values)) == 1


def remove_budget(tx: Tx, project_id: str) -> bool:
    return tx.count(delete(rating_budget).where(budget.project_id == project_id)) == 1


# Asked for each server, volume and address that is made: compiled once.
_REFUSING = select(budget.amount, budget.spent, budget.month).where(
    budget.project_id == bindparam("project"), budget.action == "refuse", budget.state == "exceeded"
)


def refusing(tx: Tx, project_id: str) -> Row[Any] | None:
    """The project's budget, where it is spent and nothing more shall be made then."""
    return tx.execute(_REFUSING, {"project": project_id}).first()
