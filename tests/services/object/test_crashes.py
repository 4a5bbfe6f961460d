"""What a crash leaves of uploads and deletions, and how it goes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.apart import OtherSchema
from tane.services.object.domain import blobs, room
from tane.services.object.reconcilers.blobs import sweep
from tane.services.object.store import database
from tests.api.object_support import Account, account, lose_rows
from tests.support import ApiCloud

BIG = b"b" * 50_000


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    return found


@pytest.fixture
def files(cloud: ApiCloud) -> Iterator[Any]:
    folder = cloud.core.config.state_dir / "objects"
    yield lambda: sorted(path for path in folder.rglob("*") if path.is_file())


def age(paths: list[Path]) -> None:
    long_ago = time.time() - blobs.GRACE_SECONDS - 1
    for path in paths:
        os.utime(path, (long_ago, long_ago))


def test_files_are_private_and_bear_drawn_names(mine: Account, files: Any) -> None:
    mine.put("/c/some-name", BIG)
    [path] = files()
    assert "some-name" not in str(path) and path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_upload_that_never_committed_is_not_there_and_its_file_goes(
    cloud: ApiCloud, mine: Account, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine.put("/c/o", b"old")
    opened = database.of(cloud.core)
    monkeypatch.setattr(blobs.Content, "abandon", lambda self: None)

    def stop() -> None:
        raise RuntimeError("the process ends here")

    opened.before_write = stop
    mine.put("/c/o", BIG, 500)
    opened.before_write = None
    assert mine.get("/c/o").content == b"old" and len(files()) == 1
    assert cloud.wait(sweep(cloud.core)) is None, "an upload may still be about to commit"
    age(files())
    assert cloud.wait(sweep(cloud.core)) == "1 files removed that no object is made of"
    assert files() == [] and mine.get("/c/o").content == b"old"


def test_an_unfinished_file_goes(cloud: ApiCloud, mine: Account, files: Any) -> None:
    mine.put("/c/kept", BIG)
    draft = room.place(cloud.core).draft()
    draft.write(memoryview(b"half"))
    assert cloud.wait(sweep(cloud.core)) is None
    age(files())
    assert cloud.wait(sweep(cloud.core)) == "1 unfinished uploads removed"
    assert mine.get("/c/kept").content == BIG


def test_what_was_deleted_goes_after_a_grace_and_what_is_shared_stays(
    cloud: ApiCloud, mine: Account, files: Any
) -> None:
    mine.put("/c/a", BIG)
    mine.call("COPY", "/c/a", 201, headers={"Destination": "c/b"})
    assert len(files()) == 1
    mine.call("DELETE", "/c/a", 204)
    cloud.advance(blobs.GRACE_SECONDS + 1)
    assert cloud.wait(sweep(cloud.core)) is None and mine.get("/c/b").content == BIG
    mine.put("/c/b", b"new")
    assert cloud.wait(sweep(cloud.core)) is None, "a download may be about to open it"
    cloud.advance(blobs.GRACE_SECONDS + 1)
    assert cloud.wait(sweep(cloud.core)) == "1 files removed whose objects were deleted"
    assert files() == []


def test_a_full_disk_is_told_and_leaves_nothing(mine: Account, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tane.linux.blob_files import FileDraft

    def full(self: FileDraft, part: memoryview) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileDraft, "write", full)
    mine.put("/c/o", BIG, 507)
    mine.get("/c/o", 404)
    assert files() == []


def test_bytes_that_are_gone_are_told(mine: Account, files: Any) -> None:
    mine.put("/c/o", BIG)
    files()[0].unlink()
    mine.get("/c/o", 503)
    mine.call("DELETE", "/c/o", 204)


def test_rows_of_a_newer_release_are_left_alone(cloud: ApiCloud, mine: Account) -> None:
    from sqlalchemy import text

    with database.of(cloud.core).write() as tx:
        tx.execute(text(f"UPDATE {database.APART.schema_table} SET number = 99"))
    with pytest.raises(OtherSchema):
        database.APART.prepare(database.of(cloud.core))


@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize("left", database.APART.beside)
def test_what_belongs_to_rows_that_are_gone_is_not_swept_away(
    cloud: ApiCloud, mine: Account, left: str, file: bool
) -> None:
    mine.put("/c/o", BIG)
    folder = cloud.core.config.state_dir
    if left != "objects":
        (folder / left).parent.mkdir(parents=True, exist_ok=True)
        (folder / "objects").rename(folder / left)
    lose_rows(cloud.core, file=file)
    kept = sorted(path for path in (folder / left).rglob("*") if path.is_file())
    age(kept)
    for _ in range(2):
        assert "tane doctor" in mine.get("/c/o", 503).text
        mine.put("/c/p", BIG, 503)
        if database.exists(cloud.core):
            with pytest.raises(OtherSchema):
                blobs.sweep(cloud.core)
        else:
            assert blobs.sweep(cloud.core) == blobs.Swept(0, 0, 0, [])
    assert kept and all(path.exists() for path in kept)
    (folder / left).rename(folder / "away")
    cloud.core.memory.pop(room.PLACE, None)
    mine.container()
    assert mine.names("/c") == []
