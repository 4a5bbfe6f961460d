"""The query language of resources: ``{"and": [{"=": {"type": "instance"}}, …]}`` becomes a condition of SQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, true
from sqlalchemy.sql.expression import Subquery

from tane.services.metric.domain import access, timespans
from tane.services.metric.domain.errors import invalid
from tane.services.metric.store import resources as store
from tane.web.errors import BadRequest

MOST_NODES, MOST_PATTERN = 200, 255
TEXTS = ("original_resource_id", "type", "creator", "project_id", "user_id")
TIMES = ("started_at", "ended_at", "revision_start", "revision_end")

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("=", "==", "eq"), lambda a, b: a == b),
    **dict.fromkeys(("<", "lt"), lambda a, b: a < b),
    **dict.fromkeys((">", "gt"), lambda a, b: a > b),
    **dict.fromkeys(("<=", "≤", "le"), lambda a, b: a <= b),
    **dict.fromkeys((">=", "≥", "ge"), lambda a, b: a >= b),
    **dict.fromkeys(("!=", "≠", "ne"), lambda a, b: a != b),
}
EQUAL, DIFFERENT = ("=", "==", "eq"), ("!=", "≠", "ne")


class Conditions:
    """``attributes``: those of the resource type that is looked through."""

    def __init__(self, shown: Subquery, type_name: str, attributes: Mapping[str, Any], now: float, who: str) -> None:
        self._shown = shown
        self._type = type_name
        self._attributes = attributes
        self._now = now
        self._who = who
        self._nodes = 0

    @property
    def count(self) -> int:
        """How many conditions each row is compared with."""
        return self._nodes

    def of(self, tree: Any) -> ColumnElement[bool]:
        """:raises BadRequest: no query."""
        self._count(1)
        if not isinstance(tree, dict) or len(tree) > 1:
            raise invalid(
                "expected a dictionary" if not isinstance(tree, dict) else "length of value must be at most 1"
            )
        if not tree:
            return true()
        [(operator, operand)] = tree.items()
        # Gnocchi takes ∧ for "or" in its schema and for "and" in its meaning; the meaning is what counts.
        if operator in ("and", "∧", "or", "∨"):
            if not isinstance(operand, list) or not operand:
                raise invalid("expected a list", operator)
            parts = [self.of(one) for one in operand]
            return and_(*parts) if operator in ("and", "∧") else or_(*parts)
        if operator == "not":
            return not_(self.of(operand))
        if operator not in BINARY and operator not in ("in", "like"):
            raise invalid("extra keys not allowed", str(operator))
        if not isinstance(operand, dict) or len(operand) != 1:
            raise invalid("expected a dictionary", operator)
        [(field, value)] = operand.items()
        return self._compare(operator, field, value)

    def _count(self, more: int) -> None:
        self._nodes += more
        if self._nodes > MOST_NODES:
            raise BadRequest(f"A query has at most {MOST_NODES} conditions, each value of a list among them")

    def _compare(self, operator: str, field: str, value: Any) -> ColumnElement[bool]:
        if operator == "in":
            if not isinstance(value, list) or not value:
                raise invalid(
                    "expected a list" if not isinstance(value, list) else "length of value must be at least 1",
                    operator,
                    field,
                )
            self._count(len(value))
            return or_(*(self._compare("=", field, one) for one in value))
        if isinstance(value, dict | list):
            raise invalid("expected str", operator, field)
        if operator == "like" and isinstance(value, str) and len(value) > MOST_PATTERN:
            raise invalid(f"length of value must be at most {MOST_PATTERN}", operator, field)
        if field in ("created_by_user_id", "created_by_project_id"):
            return self._made_by(operator, field, value)
        if field == "lifespan":
            return self._lifespan(operator, value)
        column, value = self._typed(field, value)
        if operator == "like":
            if not isinstance(value, str):
                raise invalid("expected str", operator, field)
            liked: ColumnElement[bool] = column.like(value)
            return liked
        if value is None:
            none: ColumnElement[bool] = column.is_(None)
            if operator in EQUAL:
                return none
            return not_(none) if operator in DIFFERENT else false()
        if isinstance(value, bool) and operator not in (*EQUAL, *DIFFERENT):
            raise self._wrong(field, value)
        found: ColumnElement[bool] = BINARY[operator](column, value)
        return or_(column.is_(None), found) if operator in DIFFERENT else found

    def _typed(self, field: str, value: Any) -> tuple[Any, Any]:
        columns = self._shown.c
        if field == "id":
            return columns.id, None if value is None else access.resource_id(value, self._who)[1]
        if field in TEXTS:
            return columns[field], None if value is None else str(value)
        if field in TIMES:
            return columns[field], None if value is None else self._moment(field, value)
        declared = self._attributes.get(field)
        if declared is None:
            raise BadRequest(f"Resource type {self._type} has no {field} attribute")
        inner = columns.attributes[field]
        if declared["type"] == "number":
            return inner.as_float(), None if value is None else self._number(field, value)
        if declared["type"] == "bool":
            return inner.as_boolean(), value if isinstance(value, bool) or value is None else bool(value)
        if declared["type"] == "uuid" and value is not None:
            try:
                value = str(uuid.UUID(str(value)))
            except ValueError:
                raise self._wrong(field, value) from None
        if declared["type"] == "datetime" and value is not None:
            value = timespans.iso(self._moment(field, value))
        return inner.as_string(), None if value is None else str(value)

    def _moment(self, field: str, value: Any) -> Any:
        try:
            return timespans.naive(timespans.moment(value, self._now))
        except ValueError:
            raise self._wrong(field, value) from None

    def _number(self, field: str, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise self._wrong(field, value) from None

    def _wrong(self, field: str, value: Any) -> BadRequest:
        return BadRequest(f"Invalid value: `{value}' for field `{field}'")

    def _made_by(self, operator: str, field: str, value: Any) -> ColumnElement[bool]:
        if operator not in (*EQUAL, *DIFFERENT, "like"):
            raise self._wrong(field, value)
        columns = self._shown.c
        if field == "created_by_project_id":
            found = columns.created_by_project_id == str(value)
        else:
            start = f"{value}:"
            found = func.substr(columns.creator, 1, len(start)) == start
        return not_(found) if operator in DIFFERENT else found

    def _lifespan(self, operator: str, value: Any) -> ColumnElement[bool]:
        try:
            seconds = timespans.span(value) / timespans.SECOND
        except ValueError:
            raise self._wrong("lifespan", value) from None
        if operator == "like":
            raise self._wrong("lifespan", value)
        columns = self._shown.c
        found: ColumnElement[bool] = BINARY[operator](store.Lifespan(columns.started_at, columns.ended_at), seconds)
        return and_(columns.ended_at.is_not(None), found)
