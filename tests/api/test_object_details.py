"""What clients of Swift rely on in links, versions, manifests and listings beyond the calls themselves."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.api.object_support import Account, account
from tests.support import ApiCloud

EMPTY = hashlib.md5(b"").hexdigest()


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    return found


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def large(mine: Account, name: str = "large", **query: str) -> str:
    """A large object of two segments; the ETag of its manifest."""
    for number, data in enumerate((b"ab", b"cd")):
        mine.put(f"/c/part{number}", data)
    manifest = json.dumps([{"path": "/c/part0"}, {"path": "/c/part1"}]).encode()
    mine.put(f"/c/{name}?multipart-manifest=put", manifest)
    return mine.call("HEAD", f"/c/{name}", 200).headers["x-manifest-etag"]


def entry(mine: Account, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = mine.get("/c?format=json").json()
    return next(one for one in found if one["name"] == name)


def test_a_static_link_names_what_it_points_at_itself(mine: Account) -> None:
    mine.put("/c/o", b"data", Content_Type="text/x-mine")
    mine.put("/c/loose", b"", X_Symlink_Target="c/o")
    # A link by the ETag that a link has, and one by that of what the first link names.
    mine.put("/c/fixed", b"", X_Symlink_Target="c/loose", X_Symlink_Target_Etag=EMPTY)
    mine.put("/c/exact", b"", X_Symlink_Target="c/o", X_Symlink_Target_Etag=md5(b"data"))
    mine.put("/c/twice", b"", X_Symlink_Target="c/exact", X_Symlink_Target_Etag=md5(b"data"))
    for name in ("fixed", "exact", "twice"):
        assert mine.get(f"/c/{name}").content == b"data"
    mine.put("/c/wrong", b"", 409, X_Symlink_Target="c/loose", X_Symlink_Target_Etag=md5(b"data"))
    failed = mine.get("/c/exact", 412, If_Match="other")
    assert failed.headers["content-location"].endswith("/c/o")
    mine.put("/c/o", b"new")
    assert mine.get("/c/fixed").content == b"new"
    mine.get("/c/exact", 409)


def test_a_static_link_to_a_large_object_names_its_manifest(mine: Account) -> None:
    manifest = large(mine)
    whole = mine.call("HEAD", "/c/large", 200).headers["etag"]
    mine.put("/c/link", b"", 409, X_Symlink_Target="c/large", X_Symlink_Target_Etag=whole.strip('"'))
    mine.put("/c/link", b"", X_Symlink_Target="c/large", X_Symlink_Target_Etag=manifest)
    assert mine.get("/c/link").content == b"abcd"
    shown = entry(mine, "link")
    assert (shown["slo_etag"], shown["symlink_etag"], shown["symlink_bytes"]) == (whole, manifest, 4)


def test_metadata_of_a_link_is_the_links_own(mine: Account) -> None:
    mine.put("/c/o", b"data")
    mine.put("/c/link", b"", X_Symlink_Target="c/o", X_Symlink_Target_Etag=md5(b"data"))
    headers = {"X-Object-Meta-Colour": "blue", "Content-Type": "text/x-mine"}
    elsewhere = mine.call("POST", "/c/link", 307, headers=headers).headers
    assert elsewhere["location"].endswith("/c/o") and elsewhere["x-symlink-target-etag"] == md5(b"data")
    assert mine.get("/c/link?symlink=get").headers["x-object-meta-colour"] == "blue"
    assert entry(mine, "link")["content_type"] == "text/x-mine"
    assert "x-object-meta-colour" not in mine.get("/c/o").headers


def test_a_manifest_as_it_may_be_put_again(mine: Account) -> None:
    large(mine)
    raw = mine.get("/c/large?multipart-manifest=get&format=raw")
    assert raw.headers["etag"] == md5(raw.content) and raw.headers["content-type"] == "application/octet-stream"
    gone = mine.call("HEAD", "/c/large?part-number=3", 416).headers
    assert (gone["content-length"], gone["x-parts-count"], gone["content-range"]) == ("0", "2", "bytes */4")


def test_versions_are_told_in_listings_and_errors(mine: Account) -> None:
    mine.call("POST", "/c", 204, headers={"X-Versions-Enabled": "true"})
    large(mine)
    shown = entry(mine, "large")
    version = shown["symlink_path"].partition("?version-id=")[2]
    assert shown["version_symlink"] and version
    answer = mine.get(f"/c/large?version-id={version}&part-number=9", 416)
    assert answer.headers["x-object-version-id"] == version
    for asked in ("format=xml", "format=plain"):
        mine.get(f"/c?versions&{asked}", 406)
    mine.get("/c?versions", 406, Accept="text/plain")
    assert mine.get("/c?versions", Accept="application/json, text/plain").json()
    marker = mine.call("DELETE", "/c/large", 204).headers["x-object-version-id"]
    told = mine.get(f"/c/large?version-id={marker}", 404).headers
    assert told["content-type"] == "application/x-deleted;swift_versions_deleted=1"
    # What the manifest names goes with its version.
    answer = mine.call(
        "DELETE",
        f"/c/large?multipart-manifest=delete&version-id={version}",
        200,
        headers={"Accept": "application/json"},
    )
    assert answer.json()["Number Deleted"] == 3
    assert mine.names("/c") == []
    mine.get(f"/c/large?version-id={version}", 404)


def test_deleting_the_null_version_deletes_what_is_there(cloud: ApiCloud, mine: Account) -> None:
    mine.call("POST", "/c", 204, headers={"X-Versions-Enabled": "true"})
    version = mine.put("/c/o", b"one").headers["x-object-version-id"]
    mine.call("DELETE", "/c/o?version-id=null", 204)
    mine.get("/c/o", 404)
    assert mine.get(f"/c/o?version-id={version}").content == b"one"
    mine.container("stack")
    mine.container("live", **{"X-Versions-Location": "stack"})
    for text in (b"one", b"two"):
        mine.put("/live/o", text)
        cloud.advance(1)
    mine.call("DELETE", "/live/o?version-id=null", 204)
    assert mine.get("/live/o").content == b"one"


def test_a_container_that_changes_from_markers_to_a_stack(cloud: ApiCloud, mine: Account) -> None:
    mine.container("old")
    mine.container("live", **{"X-History-Location": "old"})
    for text in (b"one", b"two"):
        mine.put("/live/o", text)
        cloud.advance(1)
    mine.call("DELETE", "/live/o", 204)
    cloud.advance(1)
    mine.call("DELETE", "/live/o", 404)
    assert len(mine.names("/old")) == 4, "each deletion leaves a marker"
    mine.call("POST", "/live", 204, headers={"X-Versions-Location": "old"})
    mine.call("DELETE", "/live/o", 204)
    mine.get("/live/o", 404)
    mine.call("DELETE", "/live/o", 204)
    assert mine.get("/live/o").content == b"two" and len(mine.names("/old")) == 1


def test_a_signed_prefix_opens_a_sites_pages_below_it(cloud: ApiCloud, mine: Account) -> None:
    mine.call(
        "POST", "/c", 204, headers={"X-Container-Meta-Web-Listings": "true", "X-Container-Meta-Temp-URL-Key": "k"}
    )
    for name in ("a/one", "a/b/two", "secret/three"):
        mine.put(f"/c/{name}")
    where = mine.path.removeprefix("/object-store")

    def page(path: str, prefix: str, expect: int, signed: str = "GET", method: str = "GET") -> str:
        text = f"{signed}\n9999999999\nprefix:{where}/c/{prefix}"
        signature = hmac.new(b"k", text.encode(), hashlib.sha256).hexdigest()
        query = f"temp_url_prefix={prefix}&temp_url_expires=9999999999&temp_url_sig={signature}"
        return mine.anonymous(method, f"/c/{path}?{query}", expect).text

    shown = page("a/", "a/", 200)
    assert '<a href="./one?temp_url_prefix=a/&amp;temp_url_expires=9999999999&amp;temp_url_sig=' in shown
    assert 'href="../' not in shown, "what lies above the prefix is not signed"
    assert 'href="../?temp_url_prefix=a/' in page("a/b/", "a/", 200)
    assert "secret" in page("", "", 200)
    page("a/", "a/", 401, signed="PUT")
    page("a/", "a/", 401, signed="PUT", method="HEAD")
    for path in ("", "secret/"):
        page(path, "a/", 401)
    mine.call("POST", "/c", 204, headers={"X-Container-Meta-Web-Listings": "false"})
    page("", "", 401)
    page("a/", "a/", 404)
