"""Objects in three copies on three machines, one of which loses its power."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tane.cli import dev
from tane.cli.common import State
from tests.e2e.real import MARKS, RealCloud

pytestmark = [*MARKS, pytest.mark.nightly]
CONTENT = secrets.token_bytes(5 << 20)


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    cloud = RealCloud(tmp_path_factory.mktemp("kept"))
    State.of(cloud.folder).prepare()
    dev.prepare(State.of(cloud.folder))
    cloud.up()
    cloud.tane("dev", "hosts", "3")
    yield cloud
    cloud.tane("down", "--purge")


def test_with_one_machine_of_three_dead_objects_are_read_and_written(cloud: RealCloud, tmp_path: Path) -> None:
    admin = cloud.admin()
    base = f"/object-store/v1/AUTH_{admin.project_id}/c"
    sent = tmp_path / "sent"
    sent.write_bytes(CONTENT)
    admin._exchange("PUT", base, b"", {"X-Storage-Policy": "three"})
    admin.upload(f"{base}/before", sent)
    [machine, *_] = dev.every(State.of(cloud.folder))
    dev.kill(machine)
    admin.upload(f"{base}/after", sent)
    assert all(admin._exchange("GET", f"{base}/{name}", None, {})[1] == CONTENT for name in ("before", "after"))
    assert "1 copies of objects are missing" in cloud.tane("doctor", check=False)
    cloud.kill()
    cloud.up()
    assert "all copies are good" in cloud.tane("object", "repair", "--seconds", "90")
    lines = cloud.tane("object", "status").splitlines()
    assert [line.split()[2] for line in lines if line.startswith("machine-")] == ["2", "2", "2"], lines
    cloud.tane("object", "scrub")
    assert "all copies are good" in cloud.tane("object", "repair", "--seconds", "90")
    kept = [file for file in (machine.folder / "host" / "objects" / "blobs").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in kept] == [CONTENT] * 2
