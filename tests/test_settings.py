"""The settings file of a cloud."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tane.cli.common import State
from tane.config import Config, ConfigError, LimitSettings, PrometheusSettings, load
from tane.services.host.domain import settings
from tane.web import limits


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


def test_the_limits_of_the_file_are_those_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "tane.toml").write_text("[limits]\nheaders = 7\nbody_seconds = 2\nconnections = 1_000_000_000\n")
    found = limits.of(load(tmp_path))
    assert (found.headers, found.body_seconds) == (7, 2.0)
    assert 0 < found.connections <= limits.MOST_DESCRIPTORS, "no more than the process may have files"
    unset = msgspec.structs.asdict(limits.of(Config()))
    expected = msgspec.structs.asdict(LimitSettings())
    assert {name for name in expected if unset[name] != expected[name]} <= {"connections"}
    (tmp_path / "tane.toml").write_text("[limits]\nheader = 7\n")
    with pytest.raises(ConfigError, match="header"):
        load(tmp_path)


def test_a_password_in_an_address_is_not_told() -> None:
    """A mistaken operator writes it there; hosted services take a token in the query."""
    given = Config(
        public_url="https://u:hunter2@cloud.example",
        prometheus=PrometheusSettings(remote_write_url="https://u:hunter2@prom.example/api/v1/write?token=abc"),
    )
    told = {one.name: one.value for one in settings.every(given)}
    assert told["prometheus.remote_write_url"] == "https://prom.example/api/v1/write?…"
    assert told["public_url"] == "https://cloud.example" and told["prometheus.query_url"] == ""
    assert "hunter2" not in str(told)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"port = ", None])
def test_a_file_of_settings_that_cannot_be_read_is_told_by_its_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tane.toml"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"tane\.toml: "):
        load(tmp_path)


@pytest.mark.parametrize("wrong", ["port = [", "hots = 1"])
def test_a_cloud_is_ended_whatever_has_become_of_its_settings(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "tane.toml").write_text(wrong)
    state = State.of(tmp_path)
    with pytest.raises(ConfigError):
        state.config()
    assert state.config_to_end().state_dir == tmp_path


def test_a_setting_that_there_is_not_is_told_with_the_nearest_that_there_is(tmp_path: Path) -> None:
    for wrong, meant in (("hots = 1", "host"), ("[object]\nfree_percnt = 3", "free_percent")):
        (tmp_path / "tane.toml").write_text(wrong)
        with pytest.raises(ConfigError, match=f"did you mean {meant}"):
            State.of(tmp_path).config()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("handler_threads = 0", "handler_threads"),
        ("job_slots = -5", "job_slots"),
        ('[image]\ndefault_store = "attic"', "no store attic takes data: local, second"),
        ('[image]\ndefault_store = "web"', "no store web takes data: local, second"),
    ],
)
def test_settings_that_cannot_be_are_told_before_anything_starts(tmp_path: Path, said: str, told: str) -> None:
    stores = '[image.stores.web]\ntype = "http"\n[image.stores.second]\npath = "/second"\n'
    (tmp_path / "tane.toml").write_text(f"{said}\n{stores}")
    with pytest.raises(ConfigError, match=told):
        load(tmp_path)
