"""Requests of an enemy that cost more to answer than they are long: conditions, names, groups, searches of metrics."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.metric.domain import conditions, operations
from tane.web.errors import BadRequest


@pytest.mark.parametrize(
    "told",
    [
        {"=": [{"**": [9, 9]}, 1]},
        {"=": [{"^": 9}, 1]},
        {">": [{"*": [9, {"*": [9, True]}]}, 1]},
        {"<": 9},
    ],
)
def test_a_condition_counts_with_numbers_of_a_fixed_size_only(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers of Python's grow without bound: two operators on them stop the whole cloud."""
    seen: list[Any] = []
    for name, function in operations.BINARY.items():

        def counted(*given: float, function: Any = function) -> float:
            seen.extend(given)
            return float(function(*given))

        monkeypatch.setitem(operations.BINARY, name, counted)
    conditions.parse(told).meets(2.0)
    assert seen and all(type(number) is float for number in seen)


def test_a_number_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(BadRequest, match="too large"):
        conditions.parse({"=": [{"*": [10**400, 2]}, 1]})
