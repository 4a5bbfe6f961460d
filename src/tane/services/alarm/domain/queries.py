"""Queries of alarms and their history: ``{"and": [{"=": {"state": "alarm"}}, …]}`` becomes a condition of SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, DateTime, and_, not_, or_

from tane.services.alarm.domain import inner
from tane.services.alarm.domain.alarms import CHANGES, FIELDS
from tane.services.alarm.tables import alarm, alarm_change
from tane.web.codec import moment
from tane.web.errors import BadRequest

ALARMS = {name: alarm.c["id" if name == "alarm_id" else name] for name in FIELDS}
HISTORY = {name: alarm_change.c[name] for name in CHANGES}
HISTORY_OF_READERS = {name: column for name, column in HISTORY.items() if name != "detail"}
"""Addresses of actions stand in the rest, and what one may look for one can guess letter by letter."""
MOST, DEEPEST, MOST_PATTERN, MOST_KEYS = 100, 12, 255, 10
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=~": lambda a, b: a.like(f"%{b}%"),
}


def parse(text: str | None, columns: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """:raises BadRequest:"""
    tree = _json(text, "filter")
    if tree in (None, {}):
        return []
    count = 0

    def build(node: Any, depth: int) -> ColumnElement[bool]:
        nonlocal count
        count += 1
        if count > MOST or depth > DEEPEST:
            raise BadRequest(f"A filter has at most {MOST} parts and {DEEPEST} levels")
        if not isinstance(node, dict) or len(node) != 1:
            raise BadRequest(f"Filter expression not valid: {str(node)[:200]}")
        [(word, inner)] = node.items()
        word = str(word).lower()
        if word in ("and", "or"):
            if not isinstance(inner, list) or len(inner) < 1:
                raise BadRequest("Filter expression not valid: a list is expected")
            parts = [build(one, depth + 1) for one in inner]
            return and_(*parts) if word == "and" else or_(*parts)
        if word == "not":
            return not_(build(inner, depth + 1))
        if not isinstance(inner, dict) or len(inner) != 1:
            raise BadRequest("Filter expression not valid: a field and its value are expected")
        [(field, value)] = inner.items()
        if field not in columns:
            raise BadRequest(f"Filter expression not valid: there is no field {field}")
        if word == "in":
            if not isinstance(value, list) or not 1 <= len(value) <= MOST:
                raise BadRequest("Filter expression not valid: a list is expected")
            found: ColumnElement[bool] = columns[field].in_([typed(columns[field], one) for one in value])
            return found
        if word not in OPERATORS:
            raise BadRequest(f"Filter expression not valid: there is no operator {word}")
        if isinstance(value, dict | list):
            raise BadRequest("Filter expression not valid: a value is expected")
        return compared(word, columns[field], value)

    return [build(tree, 0)]


def compared(word: str, column: Any, value: Any) -> ColumnElement[bool]:
    """A column compared with a value as it was sent. :raises BadRequest: they cannot be."""
    value = typed(column, value)
    if word not in ("=", "!=") and (value is None or isinstance(column.type, Boolean)):
        raise BadRequest(f"Filter expression not valid: {column.name} is only equal to that, or not (=, !=)")
    if word == "=~" and (not isinstance(value, str) or len(value) > MOST_PATTERN):
        raise BadRequest(
            f"Filter expression not valid: {column.name} is compared by =~ with texts of {MOST_PATTERN} characters"
        )
    found: ColumnElement[bool] = OPERATORS[word](column, value)
    return found


def typed(column: Any, value: Any) -> Any:
    """A value as its column has it. :raises BadRequest:"""
    if isinstance(column.type, Boolean):
        words = {"true": True, "1": True, "false": False, "0": False}
        if str(value).lower() not in words:
            raise BadRequest(f"Unable to convert the value {value} to the expected data type boolean.")
        return words[str(value).lower()]
    if isinstance(column.type, DateTime):
        found: datetime | None = moment(str(value))
        if found is None:
            raise BadRequest(f"Unable to convert the value {value} to the expected data type datetime.")
        return found
    return None if value is None else str(value)


def order(text: str | None, columns: Mapping[str, Any]) -> list[tuple[str, bool]]:
    told = _json(text, "orderby") or []
    if not isinstance(told, list) or len(told) > MOST_KEYS:
        raise BadRequest("Order-by expression not valid: a list is expected")
    keys: list[tuple[str, bool]] = []
    for one in told:
        if not isinstance(one, dict) or len(one) != 1:
            raise BadRequest("Order-by expression not valid")
        [(field, way)] = one.items()
        if field not in columns or str(way).lower() not in ("asc", "desc"):
            raise BadRequest(f"Order-by expression not valid: {field}")
        keys.append((field, str(way).lower() == "asc"))
    return keys


def _json(text: str | None, name: str) -> Any:
    return inner.value_of(text, name) if text else None
