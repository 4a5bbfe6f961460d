"""Folders that go whatever an engine in other hands left in them."""

from __future__ import annotations

import os
from pathlib import Path

from tane.linux.files import remove_tree


def test_a_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    deepest = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=deepest)
        deeper = os.open("d", os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = deeper
    os.close(deepest)
    remove_tree(folder)
    remove_tree(folder)
    assert not folder.exists() and kept.read_text() == "kept"
