"""Archives, lists and manifests that mean much more than they bring: they cost neither memory nor others' time."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import tarfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tane.services.object.api import downloads
from tane.services.object.domain import blobs, bulk, manifests, reading, room
from tane.services.object.domain import objects as domain
from tane.services.object.store import database, listing, places
from tests.api.object_support import Account, account
from tests.support import ApiCloud

PACK: dict[str, Callable[[bytes], bytes]] = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress}


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    return found


def slo(mine: Account, name: str, segments: list[dict[str, Any]], expect: int = 201) -> Any:
    body = json.dumps(segments).encode()
    return mine.call("PUT", f"/c/{name}?multipart-manifest=put", expect, content=body)


# ---------------------------------------------------------------------------------------------------- archives


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


def extract(mine: Account, kind: str, archive: bytes) -> dict[str, Any]:
    path = f"/c?extract-archive={kind}"
    headers = {"Accept": "application/json"}
    found: dict[str, Any] = mine.call("PUT", path, 200, content=PACK[kind](archive), headers=headers).json()
    return found


LONG = {"gnu long name": b"L", "gnu long link": b"K", "pax": b"x", "pax for all": b"g", "solaris pax": b"X"}


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("head", LONG.values(), ids=LONG)
def test_headers_of_archives_are_not_taken_at_their_word(mine: Account, kind: str, head: bytes) -> None:
    size = 20 << 20
    archive = header(head, size) + bytes(size)
    tracemalloc.start()
    try:
        told = extract(mine, kind, archive)
        assert tracemalloc.get_traced_memory()[1] < size * 3  # The body that this test made, and its copy.
    finally:
        tracemalloc.stop()
    assert told["Response Status"] == "400 Bad Request" and told["Number Files Created"] == 0


@pytest.mark.parametrize("kind", PACK)
def test_only_headers_that_are_short_are_read(mine: Account, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = bulk._Unpacked.read

    def noted(self: Any, size: int = -1) -> bytes:
        asked.append(size)
        return read(self, size)

    monkeypatch.setattr(bulk._Unpacked, "read", noted)
    for head in LONG.values():
        extract(mine, kind, header(head, 2 << 20) + bytes(2 << 20))
    assert max(asked) <= bulk.MOST_HEADER


def test_many_headers_for_all_members_are_not_kept(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_HEADER", 1000)
    one = b"300 a=" + b"b" * 293 + b"\n"
    archive = b"".join(header(b"g", 300) + one + bytes(212) for _ in range(4))
    assert extract(mine, "tar", archive + header(b"0", 0, "o"))["Number Files Created"] == 0
    assert extract(mine, "tar", archive[:1024] + header(b"0", 0, "o") + bytes(1024))["Number Files Created"] == 1


def test_files_with_holes_are_refused(mine: Account) -> None:
    size = str(512 << 20)
    for archive in (
        header(b"S", 512) + bytes(512),
        _pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
        _pax({"GNU.sparse.map": "0,1", "GNU.sparse.size": size}),
        _pax({"GNU.sparse.size": size, "GNU.sparse.offset": "0", "GNU.sparse.numbytes": "1"}),
        _pax({"GNU.sparse.map": "0,1", "GNU.sparse.realsize": size}),
        _pax({"GNU.sparse.map": ",".join(["0", "1"] * 1000), "GNU.sparse.size": "9" * 11}),
    ):
        assert extract(mine, "tar", archive)["Number Files Created"] == 0


def test_a_member_that_is_more_than_the_account_may_have_is_not_written(
    mine: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "limit", lambda core, account, meta: "100000")
    monkeypatch.setattr(bulk.blobs, "written", lambda *given: pytest.fail("it was written"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo("o")
        info.size = 200_000
        archive.addfile(info, io.BytesIO(bytes(200_000)))
    assert "413" in str(extract(mine, "tar", packed.getvalue())["Errors"])


def _pax(more: dict[str, str]) -> bytes:
    info = tarfile.TarInfo("o")
    info.size, info.pax_headers = 512, more
    return info.tobuf(tarfile.PAX_FORMAT) + b"9" * 10 + b"\n" + bytes(501) + bytes(1024)


@pytest.mark.parametrize("kind", PACK)
def test_an_archive_unpacks_to_so_much_at_most(mine: Account, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_UNPACKED", 1 << 20)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for number in range(4):
            info = tarfile.TarInfo(f"o{number}")
            info.size = 400_000
            archive.addfile(info, io.BytesIO(bytes(400_000)))
    told = extract(mine, kind, packed.getvalue())
    assert told["Number Files Created"] == 2 and told["Response Status"] == "400 Bad Request"


def test_an_archive_of_folders_ends(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_OTHERS", 10)
    told = extract(mine, "tar.gz", header(b"5", 0, "folder/") * 20)
    assert told["Response Status"] == "400 Bad Request"


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_that_occur_are_unpacked(mine: Account, kind: str, form: int) -> None:
    """With long names, large files, and headers for all."""
    name = f"{'folder/' * (20 if form != tarfile.USTAR_FORMAT else 5)}{'ü' * 20}"
    packed, large = io.BytesIO(), bytes(range(256)) * 12_000
    with tarfile.open(fileobj=packed, mode="w", format=form, pax_headers={"comment": "x"}) as archive:
        for path, data in ((name, b"small"), ("large", large), ("empty", b"")):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert extract(mine, kind, packed.getvalue())["Number Files Created"] == 3
    assert mine.get("/c/large").content == large
    assert mine.get(f"/c/{name}").content == b"small"


# ------------------------------------------------------------------------------------------------ many deletions


@pytest.mark.parametrize("line", [b"%aa\n", b"\n", b"a\n"])
def test_long_lists_of_deletions_are_counted_off_the_loop(cloud: ApiCloud, mine: Account, line: bytes) -> None:
    body = line * (300_000 // len(line))
    threads: list[str] = []
    unquote = bulk.unquote

    def noted(text: str) -> str:
        threads.append(threading.current_thread().name)
        return unquote(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "unquote", noted)
        mine.call("POST", "?bulk-delete", 400, content=body)
    assert len(threads) <= bulk.MOST_DELETES + 1
    assert all(name.startswith("tane-slow") for name in threads)


def test_a_name_to_delete_that_is_too_long(mine: Account) -> None:
    mine.put("/c/o")
    mine.call("POST", "?bulk-delete", 400, content=b"/c/o\n/c/" + b"%41" * 5000)
    assert mine.names("/c") == ["o"]
    mine.call("POST", "?bulk-delete", 200, content=b"\n\n/c/%6f\n\n")
    assert mine.names("/c") == []


def test_unfinished_lists_of_deletions_are_not_kept_in_memory(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    receive = blobs.receive

    async def noted(*args: Any) -> Any:
        found = await receive(*args)
        kept.append(len(found.data or b""))
        return found

    monkeypatch.setattr(blobs, "receive", noted)
    mine.call("POST", "?bulk-delete", 200, content=b"/c/none\n" * 9000)
    assert kept == [0]


# ------------------------------------------------------------------------------------------------------ manifests


def inline(size: int) -> dict[str, str]:
    return {"data": base64.b64encode(b"i" * size).decode()}


def test_inline_data_of_a_manifest_has_an_end(mine: Account) -> None:
    mine.put("/c/seg")
    slo(mine, "most", [{"path": "/c/seg"}, inline(manifests.MAX_INLINE)])
    slo(mine, "more", [{"path": "/c/seg"}, inline(manifests.MAX_INLINE // 2), inline(manifests.MAX_INLINE)], 413)


def test_what_is_kept_of_a_manifest_has_an_end(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes of a manifest say much when what they name has long names and types."""
    monkeypatch.setattr(manifests, "MAX_MANIFEST_SIZE", 20_000)
    mine.put("/c/seg", Content_Type=f"text/{'x' * 900}")
    slo(mine, "m", [{"path": "/c/seg"}] * 10)
    slo(mine, "n", [{"path": "/c/seg"}] * 100, 413)


def test_an_object_is_looked_up_once_however_often_it_is_named(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.put("/c/seg", b"s")
    slo(mine, "s", [{"path": "/c/seg"}, inline(1000)])
    slo(mine, "m", [{"path": "/c/s"}] * 100)
    looked: list[str] = []
    outline = places.outline_in

    def noted(tx: Any, *at: str) -> Any:
        looked.append(at[-1])
        return outline(tx, *at)

    monkeypatch.setattr(places, "outline_in", noted)
    held: list[int] = []
    of = downloads._held
    monkeypatch.setattr(downloads, "_held", lambda *had: held.append(of(*had)) or of(*had))  # type: ignore[func-returns-value]
    assert mine.get("/c/m").content == (b"s" + b"i" * 1000) * 100
    assert sorted(looked) == ["s", "seg"]
    assert held == [200 * downloads.PIECE + 1001]


def test_files_of_the_clouds_own_are_no_large_answer(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    of = downloads._held
    monkeypatch.setattr(downloads, "_held", lambda *had: held.append(of(*had)) or of(*had))  # type: ignore[func-returns-value]
    monkeypatch.setattr(reading, "MOST_DATA", 0)
    mine.put("/c/seg", b"s" * (1 << 20))
    slo(mine, "m", [{"path": "/c/seg"}, {"path": "/c/seg"}])
    assert len(mine.get("/c/m").content) == 2 << 20
    assert held == [2 * downloads.PIECE]


def test_inline_data_of_one_answer_has_an_end(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_INLINE", 2500)
    mine.put("/c/seg", b"s")
    for number in range(3):
        slo(mine, f"s{number}", [{"path": "/c/seg"}, inline(1000)])
    slo(mine, "two", [{"path": "/c/s0"}, {"path": "/c/s1"}, {"path": "/c/s0"}])
    slo(mine, "three", [{"path": "/c/s0"}, {"path": "/c/s1"}, {"path": "/c/s2"}])
    assert len(mine.get("/c/two").content) == 3003
    mine.get("/c/three", 409)
    assert len(mine.get("/c/three", 206, Range="bytes=0-1500").content) == 1501


@pytest.mark.parametrize("most", [0, 30, 1 << 20])
def test_small_segments_are_fetched_when_it_is_their_turn(
    mine: Account, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_DATA", most)
    wanted = b""
    for number in range(10):
        mine.put(f"/c/p{number}", f"<small {number}>".encode() * (number + 1))
        wanted += f"<small {number}>".encode() * (number + 1)
    slo(mine, "m", [{"path": f"/c/p{number}"} for number in range(10)])
    mine.put("/c/d", b"", X_Object_Manifest="c/p")
    for name in ("m", "d"):
        assert mine.get(f"/c/{name}").content == wanted
        for first, last in ((0, 0), (5, 60), (100, 400), (len(wanted) - 1, len(wanted) - 1)):
            got = mine.get(f"/c/{name}", 206, Range=f"bytes={first}-{last}").content
            assert got == wanted[first : last + 1]
    mine.call("COPY", "/c/m", 201, headers={"Destination": "c/whole"})
    assert mine.get("/c/whole").content == wanted


def test_ranges_of_a_large_object_cost_what_they_cover(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    spend = reading.Looks.spend

    def noted(self: reading.Looks, count: int = 1) -> None:
        steps.append(count)
        spend(self, count)

    monkeypatch.setattr(reading.Looks, "spend", noted)
    mine.put("/c/seg", b"0123456789")
    slo(mine, "a", [{"path": "/c/seg", "range": "2-5"}] * 100)
    slo(mine, "b", [{"path": "/c/a"}] * 100)
    wanted = b"2345" * 10_000
    steps.clear()
    ranges = [(first, first + 2) for first in range(39_000, 39_000 + 50 * 6, 6)]
    header = "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)
    body = mine.get("/c/b", 206, Range=header).content
    for first, last in ranges:
        assert f"bytes {first}-{last}/40000\r\n\r\n".encode() + wanted[first : last + 1] + b"\r\n" in body
    assert sum(steps) < 50 * 6


def test_what_takes_long_runs_where_only_such_waits(
    cloud: ApiCloud, mine: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FEW_LOOKS", 10)
    ran: list[str] = []
    read = domain.read

    def noted(*args: Any) -> Any:
        ran.append(threading.current_thread().name.partition("_")[0])
        return read(*args)

    monkeypatch.setattr(domain, "read", noted)
    for number in range(20):
        mine.put(f"/c/p{number:02}", b"x")
    slo(mine, "m", [{"path": f"/c/p{number:02}"} for number in range(20)])
    slo(mine, "little", [{"path": "/c/p00"}])
    mine.put("/c/d", b"", X_Object_Manifest="c/p")
    for name, length, threads in (("m", 20, 2), ("d", 20, 2), ("little", 1, 1)):
        ran.clear()
        assert len(mine.get(f"/c/{name}").content) == length
        assert ran == ["tane", "tane-object"][:threads]
    mine.call("COPY", "/c/m", 201, headers={"Destination": "c/whole"})
    mine.call("COPY", "/c/m?multipart-manifest=get", 201, headers={"Destination": "c/again"})
    assert len(mine.get("/c/whole").content) == len(mine.get("/c/again").content) == 20


def test_dynamic_objects_in_a_manifest_are_counted(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would read a list of ten thousand names."""
    monkeypatch.setattr(reading, "NAMES_A_STEP", 1)
    for number in range(10):
        mine.put(f"/c/ppp{number}", b"x")
    for length in range(1, 4):
        mine.put(f"/c/d{length}", b"x", X_Object_Manifest=f"c/{'p' * length}")
    for most, status in ((33, 201), (32, 400)):
        monkeypatch.setattr(reading, "MOST_LOOKS", most)
        slo(mine, "m", [{"path": f"/c/d{length}"} for length in range(1, 4)], status)


def test_a_copy_is_checked_before_the_writer_is_held_up(
    cloud: ApiCloud, mine: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine.put("/c/seg")
    slo(mine, "m", [{"path": "/c/seg"}])
    check, writable = manifests.check, list[bool]()

    def noted(request: Any, tx: Any, visit: Any, body: bytes) -> Any:
        writable.append(bool(tx.writable))
        return check(request, tx, visit, body)

    monkeypatch.setattr(manifests, "check", noted)
    mine.call("COPY", "/c/m?multipart-manifest=get", 201, headers={"Destination": "c/n"})
    assert writable == [False]
    assert mine.get("/c/n").content == b"data"


def test_a_manifest_that_changes_while_it_is_copied_is_not(
    cloud: ApiCloud, mine: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine.put("/c/seg")
    mine.put("/c/other")
    slo(mine, "m", [{"path": "/c/seg"}])
    found = domain._check_copied
    monkeypatch.setattr(domain, "_check_copied", lambda *args: (*(found(*args) or ("",))[:1], "another"))
    mine.call("COPY", "/c/m?multipart-manifest=get", 409, headers={"Destination": "c/n"})


def test_deleting_a_manifest_reads_each_once(mine: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they name one another."""
    mine.put("/c/seg")
    slo(mine, "a", [{"path": "/c/seg"}] * 20)
    slo(mine, "b", [{"path": "/c/a"}] * 20)
    slo(mine, "a", [{"path": "/c/b"}] * 20)
    slo(mine, "top", [{"path": "/c/a"}, {"path": "/c/b"}, {"path": "/c/seg"}])
    read: list[int] = []
    manifest_of = places.manifest_of

    def noted(tx: Any, object_id: int) -> str:
        read.append(object_id)
        return manifest_of(tx, object_id)

    monkeypatch.setattr(places, "manifest_of", noted)
    mine.call("DELETE", "/c/top?multipart-manifest=delete", 200)
    assert len(read) == 3
    assert mine.names("/c") == []


def test_listings_read_no_manifests(cloud: ApiCloud, mine: Account) -> None:
    mine.put("/c/seg")
    slo(mine, "m", [{"path": "/c/seg"}, inline(100_000)])
    mine.put("/c/link", b"", X_Symlink_Target="c/seg")
    mine.call("POST", "/c", 204, headers={"X-Versions-Enabled": "true"})
    slo(mine, "m", [{"path": "/c/seg"}, inline(100_001)])
    with database.of(cloud.core).read() as tx:
        place = places.place(tx, mine.path.rpartition("/")[2], "c")
        assert place is not None
        found: Any = listing.objects(tx, place.container_id, listing.Wanted(100)).found
        assert max(len(str(tuple(row))) for row in found) < 1000
    for query in ("", "&versions"):
        shown = mine.call("GET", f"/c?format=json{query}", 200).json()
        [now, *before] = [entry for entry in shown if entry["name"] == "m"]
        assert now["hash"] == mine.call("HEAD", "/c/m").headers["x-manifest-etag"]
        assert len(before) == (1 if query else 0) and all(entry["hash"] != now["hash"] for entry in before)
        assert [entry["symlink_path"].endswith("/c/seg") for entry in shown if entry["name"] == "link"] == [True]


def test_silent_uploads_keep_little(cloud: ApiCloud) -> None:
    with blobs._Buffers("one") as buffers:
        assert [len(buffers.next()) for _ in range(2)] == [blobs.LITTLE] * 2
        assert [len(buffers.next()) for _ in range(4)] == [blobs.BATCH] * 4
        more = [blobs._Buffers("one").__enter__() for _ in range(30)]
        for one in more:
            for _ in range(3):
                last = one.next()
        assert len(last) == blobs.LITTLE
        assert sum(one._large for one in more) == 15
        for one in more:
            one.__exit__()
    assert not blobs._large._taken


def test_it_takes_little_time_to_find_out_that_there_is_too_much(mine: Account) -> None:
    mine.put("/c/byte", b"x")
    for level in range(1, 5):
        slo(mine, str(level), [{"path": f"/c/{'byte' if level == 1 else level - 1}", "range": "-1"}] * 1000)
    began = time.process_time()
    mine.get("/c/4", 206, Range="bytes=" + ",".join(f"{n}-{n}" for n in range(100, 200, 2)))
    assert time.process_time() - began < 10
