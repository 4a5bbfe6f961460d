"""A state folder is the same cloud wherever it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tane import ids


def test_a_moved_folder_keeps_its_ids(tmp_path: Path) -> None:
    before = ids.of(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert ids.of(tmp_path / "there") == before
    assert ids.of(tmp_path / "new") != before


def test_simulated_hosts_have_ids_of_their_own(tmp_path: Path) -> None:
    found = ids.of(tmp_path).hosts("one", 12)
    assert len({host_id for host_id, _ in found}) == 12
    assert [name for _, name in found][:2] == ["one", "one-2"]


@pytest.mark.root
def test_of_a_cloud_and_its_copy_one_runs_on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "LOCKS", tmp_path / "locks")
    cloud, copy = tmp_path / "cloud", tmp_path / "copy"
    cloud.mkdir()
    ids.of(cloud)
    shutil.copytree(cloud, copy)
    assert ids.copy_running(copy) is None
    assert ids.hold(cloud) is None
    assert ids.copy_running(cloud) is None, "it is no copy of itself"
    assert ids.copy_running(copy) == cloud and ids.hold(copy) == cloud
