"""SQL of prices: services, fields, groups, mappings and thresholds. Every function takes an open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, or_, select, true, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.rating.tables import rating_field, rating_group, rating_rule, rating_service

TABLES: dict[str, Table] = {"service": rating_service, "field": rating_field, "group": rating_group}
rule = rating_rule.c


def get(tx: Tx, kind: str, one: str) -> Row[Any] | None:
    """A service, field or group."""
    return tx.first(select(TABLES[kind]).where(TABLES[kind].c.id == one))


def named(tx: Tx, kind: str, name: str, service_id: str | None = None) -> Row[Any] | None:
    wanted = [TABLES[kind].c.name == name]
    if service_id is not None:
        wanted.append(rating_field.c.service_id == service_id)
    return tx.first(select(TABLES[kind]).where(*wanted))


def every(tx: Tx, kind: str, limit: int, service_id: str | None = None) -> list[Row[Any]]:
    table = TABLES[kind]
    asked = select(table).order_by(table.c.name, table.c.id).limit(limit)
    return tx.all(asked if service_id is None else asked.where(rating_field.c.service_id == service_id))


def number(tx: Tx, kind: str) -> int:
    table = TABLES.get(kind, rating_rule)
    return int(tx.scalar(select(func.count()).select_from(table)) or 0)


def add(tx: Tx, kind: str, **values: Any) -> None:
    tx.execute(insert(TABLES[kind]).values(**values))


def remove(tx: Tx, kind: str, one: str) -> None:
    tx.execute(delete(TABLES[kind]).where(TABLES[kind].c.id == one))


def current(tx: Tx, kind: str, one: str) -> Row[Any] | None:
    """A mapping or threshold as it is now, unless it is deleted."""
    return tx.first(select(rating_rule).where(rule.id == one, rule.kind == kind, rule.current))


def find(tx: Tx, wanted: Sequence[ColumnElement[bool]], limit: int) -> list[Row[Any]]:
    return tx.all(select(rating_rule).where(*wanted).order_by(rule.created_at, rule.number).limit(limit))


def under(tx: Tx, column: str, one: str) -> list[Row[Any]]:
    """Those that are in force or will be, of a service, field or group."""
    return tx.all(select(rating_rule).where(rating_rule.c[column] == one, rule.current))


def overlapping(tx: Tx, same: dict[str, Any], begins: datetime, ends: datetime | None) -> Row[Any] | None:
    """Another one for the same thing at the same time."""
    wanted: list[ColumnElement[bool]] = [rule.current, or_(rule.ends.is_(None), rule.ends > begins)]
    wanted += [rating_rule.c[name].is_(None) if value is None else rule[name] == value for name, value in same.items()]
    if ends is not None:
        wanted.append(rule.begins < ends)
    return tx.first(select(rating_rule).where(*wanted).limit(1))


def write(tx: Tx, **values: Any) -> None:
    tx.insert(rating_rule, **values)


def void(tx: Tx, rule_id: str) -> None:
    """All that was ever written of one."""
    tx.execute(update(rating_rule).where(rule.id == rule_id, rule.void_at.is_(None)).values(void_at=tx.now))


def change(tx: Tx, number_: int, **values: Any) -> None:
    tx.execute(update(rating_rule).where(rule.number == number_).values(**values))


def valid(tx: Tx, begin: datetime, end: datetime, known: datetime | None) -> list[Row[Any]]:
    """All that count somewhen in [``begin``, ``end``), as it was known at a moment (None: now)."""
    wanted: list[ColumnElement[bool]] = [rule.begins < end, or_(rule.ends.is_(None), rule.ends > begin)]
    if known is None:
        wanted.append(rule.void_at.is_(None))
    else:
        wanted += [rule.known_at <= known, or_(rule.void_at.is_(None), rule.void_at > known)]
    return tx.all(select(rating_rule).where(*wanted).order_by(rule.number))


def late(tx: Tx, after: datetime, until: datetime | None, before: datetime) -> bool:
    """Whether a price for some time before ``before`` became known, or void, in (``after``, ``until``]."""
    happened = [
        and_(moment > after, true() if until is None else moment <= until) for moment in (rule.known_at, rule.void_at)
    ]
    return tx.first(select(rule.number).where(rule.begins < before, or_(*happened)).limit(1)) is not None
