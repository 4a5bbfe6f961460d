"""Statements that are built once: what rows are found by and what they get are parameters of theirs.

To build a statement anew, and to find what it was compiled to, costs several times what the database needs for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Executable, Table, bindparam, insert, select, update
from sqlalchemy.sql import ClauseElement

Parameters = Mapping[str, Any] | None
_FOUND_BY = "found_by__"
"""Before names of columns, so that none is the name of another column."""


def inserting(table: Table, values: Mapping[str, Any]) -> tuple[Executable, Parameters]:
    """The row, and what is executed with it."""
    return (insert(table).values(**values), None) if _any_expression(values.values()) else (_insert(table), values)


def updating(table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[Executable, Parameters]:
    """New ``values`` for the rows whose columns are ``key``."""
    if not _is_plain(key) or _any_expression(values.values()):
        return update(table).where(*_equal(table, key)).values(**values), None
    return _update(table, tuple(key)), {**_named(key), **values}


def selecting(table: Table, key: Mapping[str, Any]) -> tuple[Executable, Parameters]:
    """The rows whose columns are ``key``."""
    if not _is_plain(key):
        return select(table).where(*_equal(table, key)), None
    return _select(table, tuple(key)), _named(key)


def among(table: Table, column: str, values: Sequence[Any]) -> tuple[Executable, Parameters]:
    """The rows whose ``column`` is one of ``values``."""
    return _among(table, column), {_FOUND_BY + column: values}


def adding(table: Table) -> Executable:
    """Rows that all have the same columns, which are executed with it."""
    return _insert(table)


def _is_plain(key: Mapping[str, Any]) -> bool:
    # Nothing equals NULL: that is another statement.
    return not _any_expression(key.values()) and None not in key.values()


def _any_expression(values: Iterable[Any]) -> bool:
    return any(isinstance(value, ClauseElement) for value in values)


def _equal(table: Table, key: Mapping[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in key.items()]


def _named(key: Mapping[str, Any]) -> dict[str, Any]:
    return {_FOUND_BY + name: value for name, value in key.items()}


@cache
def _insert(table: Table) -> Executable:
    return insert(table)


@cache
def _update(table: Table, names: tuple[str, ...]) -> Executable:
    return update(table).where(*_bound(table, names))


@cache
def _select(table: Table, names: tuple[str, ...]) -> Executable:
    return select(table).where(*_bound(table, names))


@cache
def _among(table: Table, column: str) -> Executable:
    found_by = bindparam(_FOUND_BY + column, type_=table.c[column].type, expanding=True)
    return select(table).where(table.c[column].in_(found_by))


def _bound(table: Table, names: tuple[str, ...]) -> list[Any]:
    return [table.c[name] == bindparam(_FOUND_BY + name, type_=table.c[name].type) for name in names]
