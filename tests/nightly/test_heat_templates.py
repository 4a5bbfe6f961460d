"""Stacks of OpenStack's own collection of templates on simulated hosts: each comes, or says why not, and goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance import heat_stacks
from conformance.cloud import own_cloud

pytestmark = [pytest.mark.nightly]

NAMED = "TANE_HEAT_TEMPLATES"
"""The variable that names a checkout of openstack/heat-templates: nothing fetches one."""
AT_LEAST = 20


@pytest.fixture
def folder() -> Path:
    found = Path(os.environ.get(NAMED) or "/nowhere")
    if not found.is_dir():
        reason = f"{NAMED} names no checkout of openstack/heat-templates"
        pytest.fail(reason) if os.environ.get("TANE_REQUIRE_ALL") else pytest.skip(reason)
    return found


def test_stacks_of_the_collection_are_made_and_deleted(folder: Path, tmp_path: Path) -> None:
    with own_cloud(simulated=True, keep=False) as cloud:
        found = heat_stacks.run(cloud, folder, tmp_path)
    whole = [one.name for one in found if one.outcome == "made" and one.gone]
    assert len(whole) >= AT_LEAST, heat_stacks.last_line(found)
    assert [heat_stacks.line(one) for one in found if not one.gone] == []
