"""Conditions of list queries, built from filters that the API has parsed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column


def contains(column: Column[Any], part: str) -> Any:
    return column.contains(part, autoescape=True)


def compare(column: Column[Any], operator: str, moment: datetime) -> Any:
    """``operator``: eq, neq, gt, gte, lt or lte."""
    return {
        "eq": column == moment,
        "neq": column != moment,
        "gt": column > moment,
        "gte": column >= moment,
        "lt": column < moment,
        "lte": column <= moment,
    }[operator]


def holds(column: Column[Any], pairs: Mapping[Any, Any]) -> list[Any]:
    """Each pair is in the JSON object of ``column``."""
    return [column[str(key)].as_string() == str(value) for key, value in pairs.items()]
