"""SQL of archive policies and their rules."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select

from tane.db import Tx
from tane.services.metric.tables import archive_policy, archive_policy_rule, metric


def get(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(archive_policy, name=name)


def every(tx: Tx) -> list[Row[Any]]:
    return tx.all(select(archive_policy).order_by(archive_policy.c.name))


def add(tx: Tx, **values: Any) -> None:
    tx.insert(archive_policy, **values)


def change(tx: Tx, name: str, **values: Any) -> None:
    tx.update(archive_policy, {"name": name}, **values)


def remove(tx: Tx, name: str) -> None:
    tx.execute(delete(archive_policy).where(archive_policy.c.name == name))


def in_use(tx: Tx, name: str) -> bool:
    used = select(metric.c.number).where(metric.c.archive_policy_name == name).limit(1)
    ruled = select(archive_policy_rule.c.name).where(archive_policy_rule.c.archive_policy_name == name).limit(1)
    return tx.first(used) is not None or tx.first(ruled) is not None


def rule(tx: Tx, name: str) -> Row[Any] | None:
    return tx.row(archive_policy_rule, name=name)


def rules(tx: Tx) -> list[Row[Any]]:
    """The most special pattern first, as they are looked through."""
    columns = archive_policy_rule.c
    return tx.all(select(archive_policy_rule).order_by(columns.metric_pattern.desc(), columns.name))


def add_rule(tx: Tx, **values: Any) -> None:
    tx.insert(archive_policy_rule, **values)


def rename_rule(tx: Tx, name: str, new: str) -> None:
    tx.update(archive_policy_rule, {"name": name}, name=new)


def remove_rule(tx: Tx, name: str) -> None:
    tx.execute(delete(archive_policy_rule).where(archive_policy_rule.c.name == name))
