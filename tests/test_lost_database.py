"""A cloud whose database is gone does not begin anew beside what belongs to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tane import ids
from tane.app import make_core
from tane.cli.doctor import doctor
from tane.config import Config, ConfigError
from tane.db import DatabaseUnavailable
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


def test_the_doctor_tells_of_what_is_left_of_a_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tane.doctor.HOST_CHECKS", ())
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "066e3fa8").write_bytes(b"rose")
    for file in (tmp_path / "none", tmp_path / "tane.db"):
        file.touch()
        with pytest.raises(SystemExit) as ended:
            doctor(tmp_path)
        assert ended.value.code == 2
        found = capsys.readouterr().out
        assert "the database is empty, but" in found and "No cloud has used it yet" not in found


def test_a_first_start_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    for left in KEPT:
        (tmp_path / left / "incoming").mkdir(parents=True)
    make_core(Config(state_dir=tmp_path)).close()


@pytest.mark.parametrize("left", [ids.DATABASE, *(f"{name}/066e3fa8/spec.json" for name in ids.KEPT)])
def test_a_cloud_whose_ids_are_gone_gets_no_others(tmp_path: Path, left: str) -> None:
    """By others it would take its own guests for strangers', and the other way round."""
    before = ids.of(tmp_path)
    (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / left).write_bytes(b"rose")
    assert ids.of(tmp_path) == before
    (tmp_path / ids.FILE).unlink()
    for _ in range(2):
        with pytest.raises(ConfigError, match="is gone: bring it back from a backup"):
            ids.of(tmp_path)


@pytest.mark.parametrize("user", [0, 1000])
def test_the_ids_are_there_before_the_database_whoever_starts_the_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    monkeypatch.setattr(ids, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ids.hold(tmp_path) is None
    make_core(Config(state_dir=tmp_path)).close()
    assert ids.of(tmp_path) == ids.read(tmp_path)


def test_a_file_that_is_no_database_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tane.doctor.HOST_CHECKS", ())
    ids.of(tmp_path)
    (tmp_path / "tane.db").write_bytes(bytes(range(256)) * 32)
    with pytest.raises(DatabaseUnavailable, match="file is not a database"):
        make_core(Config(state_dir=tmp_path))
    with pytest.raises(SystemExit):
        doctor(tmp_path)
    assert "does not answer: file is not a database" in capsys.readouterr().out
