"""A state folder is the same cloud wherever it lies."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from tane import ids


def test_a_moved_folder_keeps_its_ids(tmp_path: Path) -> None:
    before = ids.of(tmp_path / "here", "one")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert ids.of(tmp_path / "there", "another name") == before
    assert ids.of(tmp_path / "new", "one") != before


def test_a_folder_of_before_keeps_the_ids_that_its_database_knows(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    assert ids.of(tmp_path, "one") == ids.Ids(*derived(tmp_path))


def derived(folder: Path) -> tuple[str, str]:
    names = uuid.UUID("7a6e65ee-8f43-4d43-9b0a-74616e650001")
    return uuid.uuid5(names, str(folder)).hex[:6], str(uuid.uuid5(names, f"{folder}/one"))


def test_simulated_hosts_have_ids_of_their_own(tmp_path: Path) -> None:
    found = ids.of(tmp_path, "one").hosts("one", 12)
    assert len({host_id for host_id, _ in found}) == 12
    assert [name for _, name in found][:2] == ["one", "one-2"]
