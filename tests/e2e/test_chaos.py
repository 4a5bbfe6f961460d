"""The shortest form of chaos: half a minute of faults under load."""

from __future__ import annotations

import pytest

from chaos.__main__ import run, run_objects
from tests.e2e.real import MARKS

pytestmark = MARKS


def test_faults_under_load_lose_orphan_and_stick_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(minutes=0.5, seed=1)
    assert (found.lost, found.orphaned, found.stuck, found.twice) == ([], [], [], [])
    assert "0 lost, 0 orphaned, 0 stuck, 0 running twice" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.nightly
def test_no_object_is_lost_and_all_rot_found_whatever_becomes_of_its_hosts() -> None:
    found = run_objects(minutes=1.0, seed=1)
    assert (found.lost, found.orphaned, found.stuck) == ([], [], [])
