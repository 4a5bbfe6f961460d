"""Chunks of series as they are kept."""

from __future__ import annotations

import math
import random

import pytest

from tane.services.metric.domain import series


def drawn(seed: int) -> tuple[series.Columns, int]:
    draw = random.Random(seed)
    methods, count = draw.randint(1, 4), draw.randint(1, series.PERIODS)
    first = 256 + draw.randint(0, series.PERIODS - count)
    kinds = (
        lambda: 7.0,
        lambda: draw.gauss(0, 1e9),
        lambda: math.inf,
        lambda: -0.0,
        lambda: float(draw.getrandbits(60)),
    )
    columns = {first + place: [draw.choice(kinds)() for _ in range(methods)] for place in range(count)}
    if draw.random() < 0.3 and count > 2:
        del columns[first + draw.randint(1, count - 2)]
    return columns, methods


@pytest.mark.parametrize("pack", [True, False])
def test_what_is_kept_is_read_again_bit_by_bit(pack: bool) -> None:
    for seed in range(300):
        columns, methods = drawn(seed)
        data = series.encode(columns, methods, pack=pack)
        assert repr(series.decode(256, data)) == repr(dict(sorted(columns.items())))
        low = 256 + seed % series.PERIODS
        wanted = {period: row[methods - 1] for period, row in sorted(columns.items()) if period >= low}
        assert repr(series.column(256, data, methods - 1, low)) == repr(wanted)


def test_chunks_of_earlier_releases_are_read() -> None:
    columns = {256: [1.0, 2.0], 257: [3.0, 4.0]}
    gap = {256: [1.0, 2.0], 258: [3.0, 4.0]}
    packed = series.encode(gap, 2, pack=True)
    assert packed[:1] == series.PACKED and series.decode(256, packed) == gap
    assert series.encode(columns, 2, pack=True)[:1] == series.ALIKE


def test_what_does_not_change_takes_next_to_no_room() -> None:
    data = series.encode({256 + place: [512.5, 0.0] for place in range(series.PERIODS)}, 2, pack=True)
    assert len(data) < 60
