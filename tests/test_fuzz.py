"""A short round of fuzzing; ``fuzz/run`` makes longer ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fuzz.hunt import Hunt


def test_no_request_breaks_the_cloud_or_tells_of_another_project(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    hunt = Hunt(request.getfixturevalue(database_kind), tmp_path, random.Random(1))
    hunt.run(3000)
    assert not hunt.defects
    assert sum(times for status, times in hunt.statuses.items() if status < 300) > 500, "the valid requests are wrong"
