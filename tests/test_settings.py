"""The settings file of a cloud."""

from __future__ import annotations

from pathlib import Path

from tane.cli.common import State
from tane.config import load


def test_flags_of_a_start_are_kept_beside_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "tane.toml").write_text('region = "Here"\n\n[image.stores.attic]\ntype = "file"\npath = "/attic"\n')
    State.of(tmp_path).remember(port=8123, mode="simulated")
    kept = load(tmp_path)
    assert (kept.port, kept.mode, kept.region) == (8123, "simulated", "Here")
    assert list(kept.image.stores) == ["attic"]


def test_the_last_flag_counts_in_every_later_command(tmp_path: Path) -> None:
    (tmp_path / "tane.toml").write_text("port = 8000\n")
    State.of(tmp_path).remember(port=8123)
    State.of(tmp_path).remember(port=8124, mode=None)
    assert load(tmp_path).port == 8124
