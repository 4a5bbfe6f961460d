"""Conditions on the values of a series: ``{"and": [{"≥": 5}, {"<": 10}]}``; ``{"=": [{"*": 2}, 6]}`` counts first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tane.services.metric.domain import operations
from tane.web.errors import BadRequest

DEEPEST, MOST = 20, 200
Part = Callable[[float], Any]


@dataclass(frozen=True)
class Condition:
    """``parts``: how many of them each value is compared with."""

    meets: Part
    parts: int


def parse(tree: Any) -> Condition:
    """:raises BadRequest:"""
    count = 0

    def build(node: Any, depth: int) -> Part:
        nonlocal count
        count += 1
        if count > MOST or depth > DEEPEST:
            raise BadRequest(f"A condition has at most {MOST} parts and {DEEPEST} levels")
        if isinstance(node, int | float):
            constant = _number(node)
            return lambda value: constant
        if not isinstance(node, dict) or len(node) != 1:
            raise BadRequest("Invalid input: a dictionary with one operator is expected")
        [(name, inner)] = node.items()
        if name in ("and", "∧", "or", "∨", "not"):
            parts = [build(one, depth + 1) for one in (inner if isinstance(inner, list) else [inner])]
            if name == "not":
                return lambda value: not all(part(value) for part in parts)
            gather = all if name in ("and", "∧") else any
            return lambda value: gather(part(value) for part in parts)
        function = operations.BINARY.get(name)
        if function is None:
            raise BadRequest(f"Unknown operator {name}")
        safe = operations.safe(function)
        if isinstance(inner, list):
            if len(inner) != 2:
                raise BadRequest(f"Binary operator {name} needs 2 arguments, {len(inner)} given")
            first, second = (build(one, depth + 1) for one in inner)
            return lambda value: safe(first(value), second(value))
        if isinstance(inner, bool) or not isinstance(inner, int | float):
            raise BadRequest("Invalid input: a number is expected")
        number = _number(inner)
        return lambda value: safe(value, number)

    meets = build(tree, 0)
    return Condition(meets, count)


def _number(told: float) -> float:
    """As a processor has it: a whole number of Python's grows without bound by ``**``."""
    try:
        return float(told)
    except OverflowError:
        raise BadRequest("Invalid input: the number is too large") from None
