"""Conditions on the values of a series: ``{"and": [{"≥": 5}, {"<": 10}]}``; ``{"=": [{"*": 2}, 6]}`` counts first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tane.services.metric.domain import operations
from tane.web.errors import BadRequest

DEEPEST, MOST = 20, 200
Condition = Callable[[float], Any]


def parse(tree: Any) -> Condition:
    """:raises BadRequest:"""
    count = 0

    def build(node: Any, depth: int) -> Condition:
        nonlocal count
        count += 1
        if count > MOST or depth > DEEPEST:
            raise BadRequest(f"A condition has at most {MOST} parts and {DEEPEST} levels")
        if isinstance(node, int | float):
            return lambda value: node
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
        return lambda value: safe(value, inner)

    return build(tree, 0)
