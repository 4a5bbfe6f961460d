"""The ways to copies of objects: by threads, by a host's line, by what is no question."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tane.agent.objects import ObjectFiles
from tane.cli import objects as objects_cli
from tane.db import Database
from tane.hosts import HostAgent
from tane.linux.blob_files import BlobFiles
from tane.services.host.domain import hosts
from tane.services.object import checks
from tane.services.object.domain import copies
from tane.services.object.domain.inside import Shelf, find, put
from tane.services.object.store import copies as copy_rows
from tane.services.object.store import database
from tane.wire import blobs, frames, lines
from tane.wire.blobs import Asked
from tane.wire.errors import HostError, NotOnHost
from tests import joined
from tests.services.object.three import BIG, THREE, World
from tests.support import ApiCloud

BLOB = "0123456789abcdef" * 2


def test_what_is_written_by_threads_has_three_copies_too(cloud: ApiCloud, tmp_path: Path) -> None:
    world = World(cloud, tmp_path)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("in/it")
        member.size = len(BIG)
        tar.addfile(member, io.BytesIO(BIG))
    world.mine.call("PUT", "/c?extract-archive=tar", 200, content=archive.getvalue())
    assert world.mine.get("/c/in/it").content == BIG and world.states == ["good"] * 3

    manifest = json.dumps([{"path": "/c/in/it"}, {"path": "/c/in/it", "range": "5-1500000"}]).encode()
    world.mine.call("PUT", "/c/large?multipart-manifest=put", 201, content=manifest)
    assert world.mine.get("/c/large").content == BIG + BIG[5:1_500_001]
    world.mine.call("PUT", "/c/whole", 201, headers={"X-Copy-From": "/c/large"})
    assert world.mine.get("/c/whole").content == BIG + BIG[5:1_500_001] and world.states == ["good"] * 6

    shelf = Shelf(world.mine.caller.project_id, "c")

    async def inside() -> bytes:
        parts = [BIG[begin : begin + (1 << 20)] for begin in range(0, len(BIG), 1 << 20)]
        await cloud.core.in_slow_thread(None, put, cloud.core, shelf, "backup", parts)
        read = lambda: b"".join(find(cloud.core, shelf, "backup").parts())  # noqa: E731
        return await cloud.core.in_slow_thread(None, read)

    assert cloud.wait(inside()) == BIG and world.states == ["good"] * 9
    world.close()


def test_a_host_that_joined_keeps_copies_by_its_line(cloud: ApiCloud, tmp_path: Path) -> None:
    world = World(cloud, tmp_path / "own", 2)
    agent = joined.Agent(tmp_path / "far", "far", roles=("object",))

    async def scene() -> None:
        async with joined.listening(cloud):
            await agent.join(await joined.new_token(cloud, roles=["object"]))
            async with agent.connected():
                headers = {"X-Auth-Token": world.mine.caller.token}
                client, base = cloud._client, world.mine.path
                assert (await client.put(f"{base}/c", headers={**headers, **THREE})).status_code == 201
                assert (await client.put(f"{base}/c/o", headers=headers, content=BIG)).status_code == 201
                for host in world.hosts:
                    cloud.core.hosts.remove(host.id)
                got = await client.get(f"{base}/c/o", headers=headers)
                assert got.content == BIG
                assert (await client.delete(f"{base}/c/o", headers=headers)).status_code == 204
            await copies.links(cloud.core).close()

    cloud.wait(scene())
    kept = [path for path in (agent.folder / "objects").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in kept] == [BIG] and kept[0].stat().st_mode & 0o777 == 0o600
    world.close()
    cloud.wait(agent.objects.close())


def test_the_doctor_and_the_operator_see_what_is_missing(cloud: ApiCloud, tmp_path: Path) -> None:
    def told() -> list[tuple[str, str]]:
        found = list[tuple[str, str]]()
        for opened in checks.opened(cloud.core.config):
            with cloud.core.db.read() as tx, opened.read() as objects:
                found += [(each.level, each.what) for each in checks.copies(tx, objects)]
                seen = {host.name: dict(host.copies) for host in checks.by_host(tx, objects)}
        assert "host-1" not in seen
        return [*found, *((name, str(copies)) for name, copies in sorted(seen.items()))]

    assert not [*checks.opened(cloud.core.config)] or not cloud.core.db.embedded
    world = World(cloud, tmp_path)
    world.mine.put("/c/o", BIG)
    world.mine.put("/c/o", BIG)
    good = [(f"store-{number}", "{'good': 1}") for number in range(3)]
    assert told() == good
    world.away(world.hosts[2])
    world.mine.put("/c/more", BIG)
    assert ("warning", "1 copies of objects are missing, 0 have rotted.") in told()
    world.back(world.hosts[2])
    world.healed()
    for opened in checks.opened(cloud.core.config):
        with opened.write() as tx:
            assert copy_rows.check(tx, "", 1)
            assert not copy_rows.check(tx, "", 5)
    assert world.states == ["check"] * 6
    assert world.mine.get("/c/o").content == BIG
    assert world.heal() == "6 copies verified"
    assert world.states == ["good"] * 6
    for host in world.hosts:
        for blob in {path.name for path in host.files}:  # What was replaced is not counted.
            copies.damaged(cloud.core, blob, host.id)
    assert ("problem", "Of 2 objects' bytes no host has a good copy.") in told()
    world.close()


@pytest.mark.parametrize("how", ["cut off", "dead"])
def test_copies_of_a_host_that_is_cut_off_or_dead_do_not_count(
    cloud: ApiCloud, tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(cloud, tmp_path)
    world.mine.put("/c/o", BIG)
    world.away(world.hosts[0])
    if how == "dead":
        world.change(world.hosts[0], forced_down=True)
    else:
        cloud.wait(hosts.cut_off(cloud.core, "store-0"))

    def seen() -> dict[str, dict[str, int]]:
        with cloud.core.db.read() as tx, database.of(cloud.core).read() as objects:
            return {host.name: {**host.copies} for host in checks.by_host(tx, objects)}

    def found() -> list[str]:
        with cloud.core.db.read() as tx, database.of(cloud.core).read() as objects:
            return [each.what for each in checks.copies(tx, objects)]

    assert seen()["store-0"] == {"gone": 1} and seen()["store-1"] == {"good": 1}
    assert "1 copies of objects are on hosts that are cut off, dead or removed: store-0." in found()

    @contextmanager
    def opened(_state: object) -> Iterator[tuple[Database, Database]]:
        yield cloud.core.db, database.of(cloud.core)

    monkeypatch.setattr(objects_cli, "_databases", opened)
    with pytest.raises(SystemExit, match=r"store-0 .*: 1 gone; hosts that take copies: 2 of 3; another"):
        objects_cli.repair(seconds=0)
    objects_cli.status()
    assert "store-0  down" in capsys.readouterr().out.replace("store-0   ", "store-0  ")
    world.add("fourth")
    world.healed()
    assert seen()["fourth"] == {"good": 1} and not seen()["store-0"]
    objects_cli.repair(seconds=0)
    assert "all copies are good" in capsys.readouterr().out and not found()
    for host in world.hosts[1:]:
        world.change(host, forced_down=True)
    assert "Of 1 objects' bytes no host has a good copy." in found()
    world.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        {"blob_id": "../../etc/passwd"},
        {"blob_id": BLOB.upper()},
        {"offset": -1},
        {"offset": blobs.MOST + 1},
        {"length": 0},
        {"length": (1 << 20) + 1},
        {"do": "remove"},
        None,
    ],
    ids=str,
)
def test_what_is_no_question_ends_a_session(tmp_path: Path, nonsense: dict[str, object] | None) -> None:
    asked = {"do": "read", "blob_id": BLOB, "offset": 0, "length": 1, **(nonsense or {})}
    raw = b"\xff" if nonsense is None else msgspec.json.encode(asked)

    async def scene() -> None:
        duty = ObjectFiles(tmp_path)
        session = await duty.session()
        await frames.write(session.writer, frames.CALL, raw)
        assert await session.reader.read() == b""
        await lines.close(session.writer)
        await duty.close()

    asyncio.run(scene())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_host_refuses_ids_that_are_none_and_sizes_that_do_not_fit(tmp_path: Path) -> None:
    async def scene() -> None:
        files = ObjectFiles(tmp_path)
        duty = HostAgent("h", "h", objects=files).calls.objects
        assert duty is not None
        session = await duty.session()
        for blob_id in ("../x", "x" * 32, BLOB[:-1]):
            with pytest.raises(HostError, match=r"nonsense|is no id of a blob"):
                await duty.finish(blob_id, 1)
            with pytest.raises(HostError, match=r"nonsense|is no id of a blob"):
                await duty.remove([blob_id])
        with pytest.raises(HostError, match="before these"):
            await blobs.append(session, BLOB, 5, b"x")
        with pytest.raises(HostError, match="more than"):
            await files._does(Asked(do="append", blob_id=BLOB, offset=blobs.MOST, length=1), b"x")
        for _ in range(2):
            await blobs.append(session, BLOB, 0, b"some")
            await blobs.append(session, BLOB, 4, b"thing")
        with pytest.raises(HostError, match="9 bytes, not 8"):
            await duty.finish(BLOB, 8)
        with pytest.raises(NotOnHost):
            await duty.verify(BLOB)
        for _ in range(2):
            await duty.finish(BLOB, 9)
        with pytest.raises(HostError, match="9 bytes, not 8"):
            await duty.finish(BLOB, 8)
        with pytest.raises(NotOnHost):
            await duty.finish("0" * 32, 1)
        assert (await duty.verify(BLOB)).size == 9 and await blobs.read(session, BLOB, 4, 100) == b"thing"
        assert (await duty.room()).free_bytes > 0
        assert await duty.older_than(-1.0, "", 500) == [BLOB] and await duty.older_than(600.0, "", 500) == []
        assert await duty.older_than(-1.0, BLOB, 500) == []
        await duty.remove([BLOB, "0" * 32])
        assert await duty.older_than(-1.0, "", 500) == []
        await lines.close(session.writer)
        await files.close()

    asyncio.run(scene())


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlobFiles, "free", lambda self: 0.01)

    async def scene() -> None:
        files = ObjectFiles(tmp_path)
        session = await files.session()
        with pytest.raises(HostError, match="no space"):
            await blobs.append(session, BLOB, 0, b"x")
        await lines.close(session.writer)
        await files.close()

    asyncio.run(scene())


def test_ids_come_in_pages(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path)
    ids = sorted(f"{number * 7919 % 65536:04x}" * 8 for number in range(40))
    for blob_id in ids:
        files.append(blob_id, 0, b"x")
        files.finish(blob_id, 1)
    found, after = list[str](), ""
    while page := files.page(-1.0, after, 7):
        assert len(page) <= 7
        found, after = found + page, page[-1]
    assert found == ids
