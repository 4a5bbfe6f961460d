"""Objects made of others: manifests, links, versions; many at once."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from tests.api.object_support import Account, account
from tests.support import ApiCloud

PARTS = (b"a" * 20_000, b"bcd", b"e" * 17_000)
WHOLE = b"".join(PARTS)


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    found.container("parts")
    for number, part in enumerate(PARTS):
        found.put(f"/parts/big/{number}", part)
    return found


def manifest(mine: Account, segments: list[dict[str, object]], expect: int = 201, path: str = "/c/big") -> str:
    body = json.dumps(segments).encode()
    return mine.call("PUT", f"{path}?multipart-manifest=put", expect, content=body).text


def segments() -> list[dict[str, object]]:
    return [
        {"path": f"/parts/big/{number}", "etag": hashlib.md5(part).hexdigest(), "size_bytes": len(part)}
        for number, part in enumerate(PARTS)
    ]


def test_a_static_large_object_is_one(mine: Account) -> None:
    manifest(mine, segments())
    etag = hashlib.md5("".join(hashlib.md5(part).hexdigest() for part in PARTS).encode()).hexdigest()
    got = mine.get("/c/big")
    assert got.content == WHOLE and got.headers["etag"] == f'"{etag}"'
    assert got.headers["x-static-large-object"] == "True" and got.headers["content-length"] == str(len(WHOLE))
    assert mine.get("/c/big", 206, Range="bytes=19998-20004").content == WHOLE[19998:20005]
    part = mine.get("/c/big?part-number=2", 206)
    assert part.content == b"bcd" and part.headers["content-range"] == f"bytes 20000-20002/{len(WHOLE)}"
    assert mine.call("HEAD", "/c/big?part-number=3", 206).headers["content-length"] == str(len(PARTS[2]))
    assert part.headers["x-parts-count"] == "3" and mine.get("/c/big?part-number=4", 416)
    for wrong in ("0", "-1", "x", "²"):
        mine.get(f"/c/big?part-number={wrong}", 400)
    both = mine.get("/c/big", 206, Range="bytes=0-1,20000-20002").content
    assert b"\r\n\r\naa\r\n" in both and b"\r\n\r\nbcd\r\n" in both
    [line] = mine.call("GET", "/c?format=json").json()
    assert line["bytes"] == len(WHOLE) and line["slo_etag"] == f'"{etag}"'
    shown = mine.get("/c/big?multipart-manifest=get")
    assert [entry["name"] for entry in shown.json()] == [f"/parts/big/{number}" for number in range(3)]
    mine.call("COPY", "/c/big", 201, headers={"Destination": "c/one"})
    one = mine.get("/c/one")
    assert one.content == WHOLE and one.headers["etag"] == hashlib.md5(WHOLE).hexdigest()
    manifest(mine, [{"path": "/c/big"}, {"data": "IQ=="}, {"path": "/parts/big/1", "range": "1-"}], path="/c/twice")
    assert mine.get("/c/twice").content == WHOLE + b"!" + b"cd"
    mine.call("DELETE", "/c/big?multipart-manifest=delete", 200)
    assert mine.names("/parts") == [] and mine.names("/c") == ["one", "twice"]
    mine.get("/c/twice", 409)


@pytest.mark.postgresql_by_night
@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [{"path": "/parts/none"}],
        [{"path": "/parts/big/0", "etag": "0" * 32}],
        [{"path": "/parts/big/0", "size_bytes": 1}],
        [{"path": "/parts/big/0", "range": "30000-"}],
        [{"path": "/parts/big/0", "range": "x"}],
        [{"path": "parts"}],
        [{"path": "/parts/\0"}],
        [{"path": 1}],
        [{"path": "/parts/big/0", "more": 1}],
        [{"data": "IQ=="}],
        [{"data": "?"}, {"path": "/parts/big/0"}],
        [{"path": "/c/big"}],
        ["text"],
        {"path": "/parts/big/0"},
    ],
    ids=str,
)
def test_a_manifest_that_is_wrong_is_refused_whole(mine: Account, wrong: list[dict[str, object]]) -> None:
    manifest(mine, wrong, 400)
    assert mine.names("/c") == []


def test_a_changed_segment_is_never_served(mine: Account) -> None:
    manifest(mine, segments())
    mine.put("/parts/big/1", b"xyz")
    mine.get("/c/big", 409)


def test_a_manifest_of_somebody_elses_segments(cloud: ApiCloud, mine: Account) -> None:
    """Neither whoever makes it nor whoever reads it gets more than he may read."""
    bob = Account(cloud.new_user("bob", "shed"))
    bob.container()
    mine.call("POST", "/c", 204, headers={"X-Container-Read": "*:*", "X-Container-Write": "*:*"})
    body = json.dumps(segments()).encode()
    mine.call("PUT", "/c/his?multipart-manifest=put", 400, by=bob.caller, content=body)
    manifest(mine, segments())
    mine.call("GET", "/c/big", 409, by=bob.caller)
    for headers in ({"X-Object-Manifest": "parts/big"}, {"X-Symlink-Target": "parts/big/0"}):
        mine.call("PUT", "/c/way", 201, by=bob.caller, headers=headers, content=b"")
        mine.call("GET", "/c/way", 403, by=bob.caller)
        assert mine.call("GET", "/c/way", 200).content in (WHOLE, PARTS[0])
    target = {"X-Symlink-Target": "parts/big/0", "X-Symlink-Target-Account": mine.path.rpartition("/")[2]}
    bob.call("PUT", "/c/link", 201, headers=target, content=b"")
    bob.call("GET", "/c/link", 403)
    copied = {"X-Copy-From": "/parts/big/0", "X-Copy-From-Account": mine.path.rpartition("/")[2]}
    bob.call("PUT", "/c/copy", 403, headers=copied, content=b"")


def test_a_dynamic_large_object_follows_its_parts(mine: Account) -> None:
    mine.put("/c/all", b"", X_Object_Manifest="parts/big/")
    got = mine.get("/c/all")
    assert got.content == WHOLE and got.headers["x-object-manifest"] == "parts/big/"
    mine.put("/parts/big/3", b"more")
    assert mine.get("/c/all").content == WHOLE + b"more"
    assert mine.get("/c/all", 206, Range="bytes=-4").content == b"more"
    for wrong in ("parts", "/x", "parts/", "parts/a?b"):
        mine.put("/c/all", b"", 400, X_Object_Manifest=wrong)


def test_links(mine: Account) -> None:
    mine.put("/c/link", b"", X_Symlink_Target="parts/big/1")
    got = mine.get("/c/link")
    assert got.content == b"bcd" and got.headers["content-location"].endswith("/parts/big/1")
    assert mine.get("/c/link?symlink=get").headers["x-symlink-target"] == "parts/big/1"
    mine.call("POST", "/c/link", 307)
    mine.put("/c/link", b"body", 400, X_Symlink_Target="parts/big/1")
    mine.put("/c/a", b"", X_Symlink_Target="c/b")
    mine.put("/c/b", b"", X_Symlink_Target="c/a")
    mine.get("/c/a", 409)
    mine.put("/c/s", b"", 409, X_Symlink_Target="parts/big/1", X_Symlink_Target_Etag="0" * 32)
    mine.put("/c/s", b"", X_Symlink_Target="parts/big/1", X_Symlink_Target_Etag=hashlib.md5(b"bcd").hexdigest())
    mine.put("/parts/big/1", b"changed")
    mine.get("/c/s", 409)


def test_versions(cloud: ApiCloud, mine: Account) -> None:
    mine.call("POST", "/c", 204, headers={"X-Versions-Enabled": "true"})
    ids = []
    for text in (b"one", b"two" * 9000):
        ids.append(mine.put("/c/o", text).headers["x-object-version-id"])
        cloud.advance(1)
    marker = mine.call("DELETE", "/c/o", 204).headers["x-object-version-id"]
    mine.get("/c/o", 404)
    assert mine.names("/c") == []
    assert mine.get(f"/c/o?version-id={ids[0]}").content == b"one"
    listed = mine.call("GET", "/c?versions&format=json").json()
    assert [entry["version_id"] for entry in listed] == [marker, ids[1], ids[0]]
    assert [entry["is_latest"] for entry in listed] == [True, False, False]
    mine.call("PUT", f"/c/o?version-id={ids[1]}", 201)
    assert mine.get("/c/o").content == b"two" * 9000
    mine.call("DELETE", f"/c/o?version-id={ids[0]}", 204)
    mine.get(f"/c/o?version-id={ids[0]}", 404)
    mine.get("/c/o?version-id=nonsense", 400)
    bob = cloud.new_user("bob", "shed")
    mine.call("POST", "/c", 204, headers={"X-Container-Read": "*:*"})
    mine.call("GET", f"/c/o?version-id={ids[1]}", 403, by=bob)
    mine.call("DELETE", "/c", 409)


@pytest.mark.parametrize("kind", ["Versions", "History"])
def test_the_older_forms_of_versions(cloud: ApiCloud, mine: Account, kind: str) -> None:
    mine.container("old")
    mine.call("POST", "/c", 204, headers={f"X-{kind}-Location": "old"})
    for text in (b"one", b"two"):
        mine.put("/c/o", text)
        cloud.advance(1)
    assert len(mine.names("/old?prefix=001o/")) == 1
    mine.call("DELETE", "/c/o", 204)
    if kind == "Versions":
        assert mine.get("/c/o").content == b"one" and mine.names("/old") == []
    else:
        mine.get("/c/o", 404)
        assert len(mine.names("/old")) == 3


def test_many_at_once(mine: Account) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, size in (("new/a", 3), ("new/../../etc/b", 20_000), ("/abs/c", 1), ("new/dir/", 0)):
            head = tarfile.TarInfo(name)
            head.size = size
            archive.addfile(head, io.BytesIO(b"x" * size))
    told = mine.call("PUT", "?extract-archive=tar.gz", 200, content=file.getvalue()).json()
    assert told["Number Files Created"] == 4 and told["Errors"] == []
    assert mine.names("/new") == ["../../etc/b", "a", "dir"] and mine.names("/abs") == ["c"]
    body = b"/new/a\nnew/..%2F../etc/b\n/new/dir\n/new\n/none/x\n/parts\n"
    told = mine.call("POST", "?bulk-delete", 200, content=body, headers={"Content-Type": "text/plain"}).json()
    assert (told["Number Deleted"], told["Number Not Found"]) == (4, 1)
    assert told["Errors"] == [["/parts", "409 Conflict"]] and told["Response Status"] == "400 Bad Request"
    assert mine.names("") == ["abs", "c", "parts"]
    told = mine.call("PUT", "?extract-archive=tar", 200, content=b"no archive").json()
    assert told["Response Status"] == "400 Bad Request"
