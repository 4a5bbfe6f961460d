"""A cloud whose database is gone does not begin anew beside what belongs to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tane import ids
from tane.app import make_core
from tane.config import Config, ConfigError
from tane.db.migrate import OtherSchema
from tane.schema import KEPT


@pytest.mark.parametrize("left", KEPT)
def test_what_belongs_to_a_database_that_is_gone_is_not_swept_away(tmp_path: Path, left: str) -> None:
    make_core(Config(state_dir=tmp_path)).close()
    file = tmp_path / left / "066e3fa8"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"rose")
    make_core(Config(state_dir=tmp_path)).close()
    for database in tmp_path.glob("tane.db*"):
        database.unlink()
    for _ in range(2):
        with pytest.raises(OtherSchema, match=r"the database is empty, but .* bring a backup back with `tane restore"):
            make_core(Config(state_dir=tmp_path))
    assert file.read_bytes() == b"rose"


def test_a_first_start_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    for left in KEPT:
        (tmp_path / left / "incoming").mkdir(parents=True)
    make_core(Config(state_dir=tmp_path)).close()


def test_a_cloud_whose_ids_are_gone_gets_no_others(tmp_path: Path) -> None:
    """By others it would take its own guests for strangers', and the other way round."""
    before = ids.of(tmp_path)
    make_core(Config(state_dir=tmp_path)).close()
    assert ids.of(tmp_path) == before
    (tmp_path / ids.FILE).unlink()
    for _ in range(2):
        with pytest.raises(ConfigError, match="is gone: bring it back from a backup"):
            ids.of(tmp_path)
