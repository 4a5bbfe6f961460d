"""A state folder is the same cloud wherever it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

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
