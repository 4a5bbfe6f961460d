"""Keyset paging: one query a page, whatever its depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Select, and_, false, or_

MOST_KEYS = 10
"""Keys that a list is sorted by: what comes after a marker is a condition for each prefix of them."""
Key = TypeVar("Key", bound="tuple[Any, ...]")


class TooManyKeys(Exception):
    """A list is to be sorted by more keys than any is."""

    def __init__(self) -> None:
        super().__init__(f"A list is sorted by at most {MOST_KEYS} keys.")


def once_each(keys: Sequence[Key]) -> list[Key]:
    """Sort keys, each a name with its direction, as they count: named again, one changes nothing.

    :raises TooManyKeys: more than :data:`MOST_KEYS` are left.
    """
    found: dict[str, Key] = {}
    for key in keys:
        found.setdefault(key[0], key)
    if len(found) > MOST_KEYS:
        raise TooManyKeys
    return list(found.values())


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
