"""Keyset paging: one query a page, whatever its depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Select, and_, false, or_


def page(
    statement: Select[Any],
    order: Sequence[tuple[Column[Any], bool]],
    marker: Sequence[Any] | None,
    limit: int | None,
) -> Select[Any]:
    """Order ``statement`` and start it after the marker row.

    ``order`` is (column, descending) pairs of which the last must be unique; ``marker`` holds the marker row's
    values of these columns. NULLs sort first in ascending order and last in descending order on both databases.
    """
    for column, descending in order:
        statement = statement.order_by(column.desc().nulls_last() if descending else column.asc().nulls_first())
    if marker is not None:
        alternatives = []
        for i, (column, descending) in enumerate(order):
            equal = [c.is_(None) if m is None else c == m for (c, _), m in zip(order[:i], marker[:i], strict=True)]
            alternatives.append(and_(*equal, _after(column, descending, marker[i])))
        statement = statement.where(or_(*alternatives))
    return statement if limit is None else statement.limit(limit)


def _after(column: Column[Any], descending: bool, value: Any) -> Any:
    if value is None:
        return false() if descending else column.is_not(None)
    return or_(column < value, column.is_(None)) if descending else column > value
