"""Accounts, containers, objects: what a user of object storage does all day."""

from __future__ import annotations

import hashlib

import pytest

from tests.api.object_support import Account, account
from tests.support import ApiCloud

BIG = bytes(range(256)) * 400
"""More than lies in a row."""


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    return found


@pytest.mark.parametrize("data", [b"", b"hello", b"x" * 16384, b"x" * 16385, BIG], ids=len)
def test_what_is_put_is_got(mine: Account, data: bytes) -> None:
    md5 = hashlib.md5(data).hexdigest()
    done = mine.put("/c/o", data, Content_Type="text/plain", X_Object_Meta_Colour="blå".encode())
    assert done.headers["etag"] == md5
    assert done.headers["x-trans-id"].startswith("tx") and done.headers["x-openstack-request-id"]
    got = mine.get("/c/o")
    assert got.content == data and got.headers["etag"] == md5 and got.headers["content-type"] == "text/plain"
    assert got.headers["content-length"] == str(len(data))
    assert dict(got.headers.raw)[b"x-object-meta-colour"].decode() == "blå"
    assert got.headers["x-content-type-options"] == "nosniff" and "sandbox" in got.headers["content-security-policy"]
    head = mine.call("HEAD", "/c/o", 200)
    assert head.headers["content-length"] == str(len(data)) and head.content == b""
    assert head.headers["x-timestamp"] == got.headers["x-timestamp"]
    shown = mine.call("HEAD", "/c", 204).headers
    assert (shown["x-container-object-count"], shown["x-container-bytes-used"]) == ("1", str(len(data)))
    shown = mine.call("HEAD", "", 204).headers
    assert (shown["x-account-container-count"], shown["x-account-object-count"]) == ("1", "1")
    assert shown["x-account-bytes-used"] == str(len(data))


def test_an_object_is_replaced_and_deleted(mine: Account) -> None:
    mine.put("/c/o", BIG, X_Object_Meta_A="1")
    mine.put("/c/o", b"short")
    got = mine.get("/c/o")
    assert got.content == b"short" and "x-object-meta-a" not in got.headers
    assert mine.call("HEAD", "/c").headers["x-container-bytes-used"] == "5"
    assert mine.call("DELETE", "/c", 409).status_code == 409
    mine.call("DELETE", "/c/o", 204)
    mine.get("/c/o", 404)
    mine.call("DELETE", "/c/o", 404)
    assert mine.call("HEAD", "/c").headers["x-container-object-count"] == "0"
    mine.call("DELETE", "/c", 204)
    mine.call("DELETE", "/c", 404)
    mine.put("/c/o", b"", 404)


def test_post_replaces_an_objects_metadata_and_merges_a_containers(mine: Account) -> None:
    mine.put("/c/o", b"x", X_Object_Meta_A="1", X_Object_Meta_B="2", Content_Type="text/plain", Content_Encoding="gzip")
    mine.call("POST", "/c/o", 202, headers={"X-Object-Meta-C": "3"})
    shown = mine.call("HEAD", "/c/o").headers
    assert shown["x-object-meta-c"] == "3" and "x-object-meta-a" not in shown and "content-encoding" not in shown
    assert shown["content-type"] == "text/plain" and shown["etag"] == hashlib.md5(b"x").hexdigest()
    mine.call("POST", "/c/o", 202, headers={"Content-Type": "image/png"})
    assert mine.call("HEAD", "/c/o").headers["content-type"] == "image/png"
    for kind, path in (("Container", "/c"), ("Account", "")):
        mine.call("POST", path, 204, headers={f"X-{kind}-Meta-A": "1", f"X-{kind}-Meta-B": "2"})
        mine.call("POST", path, 204, headers={f"X-Remove-{kind}-Meta-A": "x", f"X-{kind}-Meta-C": "3"})
        mine.call("POST", path, 204, headers={f"X-{kind}-Meta-B": ""})
        shown = mine.call("HEAD", path, 204).headers
        found = {name: value for name, value in shown.items() if "-meta-" in name}
        assert found == {f"x-{kind.lower()}-meta-c": "3"}
    mine.call("PUT", "/c", 202, headers={"X-Container-Meta-D": "4"})
    assert mine.call("HEAD", "/c").headers["x-container-meta-c"] == "3"


@pytest.mark.parametrize("name", ["a//b", "/lead", "trail/", "a/../b", "..", "sp ace", "ü/日本", "a%2Fb", "q?x#y", "+"])
def test_names_are_bytes_and_never_paths(mine: Account, name: str) -> None:
    path = "/c/" + name.replace("%", "%25").replace("?", "%3F").replace("#", "%23").replace("..", "%2E%2E")
    mine.put(path, b"here")
    assert mine.get(path).content == b"here"
    assert mine.names("/c") == [name]
    mine.call("DELETE", path, 204)
    assert mine.names("/c") == []


def test_an_encoded_slash_is_a_slash(mine: Account) -> None:
    mine.put("/c/a%2Fb", b"x")
    assert mine.get("/c/a/b").content == b"x"


def test_copies_keep_metadata_and_share_nothing_visible(mine: Account) -> None:
    mine.put("/c/o", BIG, X_Object_Meta_A="1", Content_Type="text/plain")
    mine.container("d")
    done = mine.call("COPY", "/c/o", 201, headers={"Destination": "/d/copy", "X-Object-Meta-B": "2"})
    assert done.headers["x-copied-from"] == "c/o"
    mine.call("DELETE", "/c/o", 204)
    got = mine.get("/d/copy")
    assert got.content == BIG and got.headers["content-type"] == "text/plain"
    assert (got.headers["x-object-meta-a"], got.headers["x-object-meta-b"]) == ("1", "2")
    mine.put("/d/fresh", b"", X_Copy_From="/d/copy", X_Fresh_Metadata="true")
    assert "x-object-meta-a" not in mine.call("HEAD", "/d/fresh", 200).headers
    mine.call("COPY", "/d/copy", 201, headers={"Destination": "/d/copy", "X-Object-Meta-A": "9"})
    assert mine.get("/d/copy").content == BIG
    assert mine.call("HEAD", "/d").headers["x-container-bytes-used"] == str(2 * len(BIG))
    mine.call("COPY", "/d/copy", 412)
    mine.call("COPY", "/d/none", 404, headers={"Destination": "/d/x"})


def test_listings_page_and_fold(mine: Account) -> None:
    for name in ("a/1", "a/2", "b", "c/1", "c/d/1", "e", "é"):
        mine.put(f"/c/{name}", name.encode())
    assert mine.names("/c") == ["a/1", "a/2", "b", "c/1", "c/d/1", "e", "é"]
    assert mine.names("/c?delimiter=/") == ["a/", "b", "c/", "e", "é"]
    assert mine.names("/c?delimiter=/&prefix=c/") == ["c/1", "c/d/"]
    assert mine.names("/c?delimiter=/&marker=a/") == ["b", "c/", "e", "é"]
    assert mine.names("/c?path=c") == ["c/1"]
    assert mine.names("/c?limit=2&marker=a/2") == ["b", "c/1"]
    assert mine.names("/c?end_marker=c") == ["a/1", "a/2", "b"]
    assert mine.names("/c?reverse=true&limit=3") == ["é", "e", "c/d/1"]
    assert mine.names("/c?reverse=true&delimiter=/") == ["é", "e", "c/", "b", "a/"]
    assert mine.names("/c?reverse=true&marker=c/1&end_marker=a/1") == ["b", "a/2"]
    assert mine.call("GET", "/c?limit=1", 200, headers={"Accept": "*/*"}).text == "a/1\n"
    xml = mine.call("GET", "/c?format=xml&prefix=b").text
    assert "<name>b</name>" in xml and '<container name="c">' in xml
    mine.call("GET", "/c?limit=10001", 412)
    mine.call("GET", "/c", 406, headers={"Accept": "image/png"})
    mine.container("other")
    assert mine.names("") == ["c", "other"] and mine.names("?prefix=o") == ["other"]


def test_many_folders_are_skipped_by_seeks(mine: Account) -> None:
    for folder in range(5):
        for number in range(40):
            mine.put(f"/c/{folder}/{number:03}", b"")
    assert mine.names("/c?delimiter=/") == [f"{folder}/" for folder in range(5)]
    assert mine.names("/c?delimiter=/&limit=2&marker=1/") == ["2/", "3/"]
    assert mine.names("/c?delimiter=/&reverse=1&limit=2") == ["4/", "3/"]


def test_ranges(mine: Account) -> None:
    for data in (b"0123456789", BIG):
        mine.put("/c/o", data)
        got = mine.get("/c/o", 206, Range="bytes=2-4")
        assert got.content == data[2:5] and got.headers["content-range"] == f"bytes 2-4/{len(data)}"
        assert mine.get("/c/o", 206, Range="bytes=-3").content == data[-3:]
        assert mine.get("/c/o", 206, Range=f"bytes={len(data) - 1}-").content == data[-1:]
        refused = mine.get("/c/o", 416, Range=f"bytes={len(data)}-")
        assert refused.headers["content-range"] == f"bytes */{len(data)}"
        assert mine.get("/c/o", Range="rows=1-2").content == data
        both = mine.get("/c/o", 206, Range="bytes=0-1,4-5")
        boundary = both.headers["content-type"].partition("boundary=")[2].encode()
        parts = both.content.split(b"--" + boundary)
        assert (
            data[:2] in parts[1] and data[4:6] in parts[2] and len(both.content) == int(both.headers["content-length"])
        )
        assert mine.get("/c/o", Range="bytes=0-1", If_Range='"other"').content == data


def test_conditions(mine: Account) -> None:
    etag = mine.put("/c/o", b"x").headers["etag"]
    when = mine.call("HEAD", "/c/o").headers["last-modified"]
    for headers, status in (
        ({"If-Match": etag}, 200),
        ({"If-Match": f'"{etag}"'}, 200),
        ({"If-Match": "other"}, 412),
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": "other"}, 200),
        ({"If-Modified-Since": when}, 304),
        ({"If-Modified-Since": "Thu, 01 Jan 1998 00:00:00 GMT"}, 200),
        ({"If-Unmodified-Since": "Thu, 01 Jan 1998 00:00:00 GMT"}, 412),
        ({"If-Unmodified-Since": when}, 200),
    ):
        assert mine.call("GET", "/c/o", status, headers=headers).status_code == status
        assert mine.call("HEAD", "/c/o", status, headers=headers).status_code == status
    mine.put("/c/o", b"y", 412, If_None_Match="*")
    mine.put("/c/new", b"y", 201, If_None_Match="*")
    mine.put("/c/new", b"y", 400, If_None_Match=etag)


def test_an_upload_that_is_not_what_it_says_leaves_nothing(mine: Account) -> None:
    for data in (b"x", BIG):
        mine.put("/c/o", data, 422, ETag="d41d8cd98f00b204e9800998ecf8427f")
        mine.get("/c/o", 404)
    blobs = mine.caller.api.core.config.state_dir / "objects"
    assert not [path for path in blobs.rglob("*") if path.is_file()]


def test_objects_for_a_time(cloud: ApiCloud, mine: Account) -> None:
    mine.put("/c/o", BIG, X_Delete_After="60")
    assert mine.call("HEAD", "/c/o").headers["x-delete-at"]
    cloud.advance(61)
    mine.get("/c/o", 404)
    from tane.services.object.reconcilers.expiry import expire

    assert cloud.wait(expire(cloud.core)) == "1 objects removed whose time was over"
    assert mine.names("/c") == [] and mine.call("HEAD", "/c").headers["x-container-bytes-used"] == "0"
    mine.put("/c/o", b"", 400, X_Delete_At="1")
    mine.put("/c/o", b"", 400, X_Delete_At="soon")


def test_what_is_on_is_told_at_the_root_too(cloud: ApiCloud) -> None:
    for path in ("/info", "/object-store/info"):
        told = cloud.call("GET", path).json()
        assert told["swift"]["max_file_size"] == 5368709122 and "slo" in told
    assert cloud.call("GET", "/healthcheck").text == "OK"
