"""Who may do what with containers: the owner's project, access lists, signed addresses, quotas, browsers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from tane.services.object.store import stamps
from tests.api.object_support import Account, account
from tests.support import ApiCloud

CALLS = (
    ("GET", "", {}),
    ("POST", "", {"X-Account-Meta-A": "1"}),
    ("PUT", "/new", {}),
    ("GET", "/c", {}),
    ("POST", "/c", {"X-Container-Read": ".r:*"}),
    ("DELETE", "/c", {}),
    ("GET", "/c/o", {}),
    ("PUT", "/c/n", {}),
    ("POST", "/c/o", {"X-Object-Meta-A": "1"}),
    ("COPY", "/c/o", {"Destination": "c/n"}),
    ("DELETE", "/c/o", {}),
)


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    found.put("/c/o", b"secret")
    return found


@pytest.mark.parametrize(("method", "path", "headers"), CALLS)
def test_another_project_and_strangers_get_nothing(
    cloud: ApiCloud, mine: Account, method: str, path: str, headers: dict[str, str]
) -> None:
    bob = cloud.new_user("bob", "shed")
    assert mine.call(method, path, 403, by=bob, headers=headers).content.find(b"secret") < 0
    mine.anonymous(method, path, 401, headers=headers)
    mine.anonymous(method, path, 401, headers={**headers, "X-Auth-Token": "no-token"})
    if method == "PUT":
        # Nor does anybody learn what he did wrong.
        mine.call(method, path, 403, by=bob, headers={**headers, "X-Object-Meta-": "x", "X-Delete-At": "soon"})


def test_a_reader_reads(cloud: ApiCloud, mine: Account) -> None:
    reader = cloud.new_user("rita", "garden", "reader")
    assert mine.call("GET", "/c/o", 200, by=reader).content == b"secret"
    mine.call("PUT", "/c/n", 403, by=reader, content=b"")
    mine.call("DELETE", "/c/o", 403, by=reader)


def test_access_lists(cloud: ApiCloud, mine: Account) -> None:
    bob = cloud.new_user("bob", "shed")
    for entry in (f"{bob.project_id}:{bob.user_id}", f"*:{bob.user_id}", f"{bob.project_id}:*", "shed:bob", "*:*"):
        mine.call("POST", "/c", 204, headers={"X-Container-Read": entry})
        assert mine.call("GET", "/c/o", 200, by=bob).content == b"secret"
        assert mine.call("GET", "/c?format=plain", 200, by=bob).text == "o\n"
        mine.call("PUT", "/c/n", 403, by=bob, content=b"")
        assert "x-container-read" not in mine.call("HEAD", "/c", 204, by=bob).headers
    mine.call("POST", "/c", 204, headers={"X-Container-Read": f"{mine.caller.project_id}:{bob.user_id}"})
    mine.call("GET", "/c/o", 403, by=bob)
    mine.call("POST", "/c", 204, headers={"X-Container-Write": f"*:{bob.user_id}", "X-Container-Read": ""})
    mine.call("PUT", "/c/n", 201, by=bob, content=b"")
    mine.call("GET", "/c/n", 403, by=bob)
    mine.call("POST", "/c", 403, by=bob, headers={"X-Container-Read": "*:*"})
    mine.call("POST", "/c", 204, headers={"X-Remove-Container-Write": "x"})
    mine.call("PUT", "/c/n", 403, by=bob, content=b"")


def test_public_containers(mine: Account) -> None:
    mine.call("POST", "/c", 204, headers={"X-Container-Read": ".r:*"})
    assert mine.anonymous("GET", "/c/o", 200).content == b"secret"
    mine.anonymous("GET", "/c", 401)
    mine.call("POST", "/c", 204, headers={"X-Container-Read": ".r:*,.rlistings"})
    assert mine.anonymous("GET", "/c", 200, headers={"Accept": "*/*"}).text == "o\n"
    mine.call("POST", "/c", 204, headers={"X-Container-Read": ".r:.example.com,.r:-bad.example.com"})
    mine.anonymous("GET", "/c/o", 200, headers={"Referer": "http://good.example.com/page"})
    mine.anonymous("GET", "/c/o", 401, headers={"Referer": "http://bad.example.com/"})
    mine.anonymous("GET", "/c/o", 401)
    for wrong in (".x:*", ".r:", ".r:*."[:3]):
        mine.call("POST", "/c", 400, headers={"X-Container-Read": wrong})
    mine.call("POST", "/c", 400, headers={"X-Container-Write": ".r:*"})


def signed(mine: Account, method: str, path: str, key: str = "k", expires: int = 0, prefix: str = "") -> str:
    """``path``: below the account."""
    until = expires or stamps.of(mine.caller.api.core.clock.now()) // stamps.SECOND + 60
    where = mine.path.removeprefix("/object-store") + (f"/c/{prefix}" if prefix else path)
    text = f"{method}\n{until}\n{'prefix:' if prefix else ''}{where}"
    signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    more = f"&temp_url_prefix={prefix}" if prefix else ""
    return f"{path}?temp_url_sig={signature}&temp_url_expires={until}{more}"


def test_signed_addresses(cloud: ApiCloud, mine: Account) -> None:
    mine.call("POST", "", 204, headers={"X-Account-Meta-Temp-URL-Key": "k"})
    address = signed(mine, "GET", "/c/o")
    got = mine.anonymous("GET", address, 200)
    assert got.content == b"secret" and 'attachment; filename="o"' in got.headers["content-disposition"]
    mine.anonymous("HEAD", address, 200)
    assert mine.anonymous("GET", f"{address}&inline", 200).headers["content-disposition"] == "inline"
    assert 'filename="a.txt"' in mine.anonymous("GET", f"{address}&filename=a.txt").headers["content-disposition"]
    for wrong in (
        address.replace("/c/o?", "/c/other?"),
        signed(mine, "GET", "/c/o", key="other"),
        signed(mine, "PUT", "/c/o"),
        signed(mine, "GET", "/c/o", expires=1),
        signed(mine, "GET", "/c/o", prefix="x"),
        "/c/o?temp_url_sig=&temp_url_expires=",
        "/c/o?temp_url_sig=" + "0" * 64,
    ):
        mine.anonymous("GET", wrong, 401)
    assert mine.anonymous("GET", signed(mine, "GET", "/c/o", prefix="o"), 200).content == b"secret"
    mine.anonymous("PUT", signed(mine, "PUT", "/c/up"), 201, content=b"up")
    for header in ("X-Object-Manifest", "X-Symlink-Target", "X-Copy-From"):
        status = mine.anonymous("PUT", signed(mine, "PUT", "/c/up"), headers={header: "c/o"}, content=b"").status_code
        assert status in (400, 401), header
    mine.anonymous("GET", signed(mine, "GET", "/c/o", expires=99_999_999_999_999), 200)
    cloud.advance(61)
    mine.anonymous("GET", address, 401)


def test_a_signed_address_says_nothing_of_versions(mine: Account) -> None:
    mine.call("POST", "", 204, headers={"X-Account-Meta-Temp-URL-Key": "k", "X-Container-Meta-A": "1"})
    mine.call("POST", "/c", 204, headers={"X-Versions-Enabled": "true"})
    old = mine.put("/c/v", b"old").headers["x-object-version-id"]
    mine.put("/c/v", b"new")
    assert mine.anonymous("GET", f"{signed(mine, 'GET', '/c/v')}&version-id={old}", 200).content == b"new"
    for method in ("PUT", "DELETE"):
        mine.anonymous(method, f"{signed(mine, method, '/c/v')}&version-id={old}", 401, content=b"")
    assert mine.get(f"/c/v?version-id={old}").content == b"old" and mine.get("/c/v").content == b"new"


def test_a_containers_key_opens_no_other_container(mine: Account) -> None:
    mine.container("other")
    mine.put("/other/o", b"hidden")
    mine.call("POST", "/c", 204, headers={"X-Container-Meta-Temp-URL-Key": "k"})
    mine.put("/c/link", b"", X_Symlink_Target="other/o")
    mine.put("/c/all", b"", X_Object_Manifest="other/o")
    for name in ("link", "all"):
        mine.anonymous("GET", signed(mine, "GET", f"/c/{name}"), 401)
    mine.anonymous("GET", signed(mine, "GET", "/c/o"), 200)


def test_quotas(cloud: ApiCloud, mine: Account) -> None:
    mine.call("POST", "/c", 204, headers={"X-Container-Meta-Quota-Bytes": "10", "X-Container-Meta-Quota-Count": "2"})
    mine.put("/c/n", b"12345", 413)
    mine.put("/c/n", b"1234")
    mine.put("/c/o", b"123456", 201)
    mine.put("/c/third", b"", 413)
    mine.call("POST", "/c", 400, headers={"X-Container-Meta-Quota-Bytes": "many"})
    mine.call("POST", "", 403, headers={"X-Account-Meta-Quota-Bytes": "1"})
    mine.call("POST", "", 204, by=cloud.admin, headers={"X-Account-Meta-Quota-Bytes": "12"})
    mine.container("d")
    mine.put("/d/o", b"123", 413)
    mine.put("/d/o", b"12")
    assert mine.call("HEAD", "").headers["x-account-quota-bytes"] == "12"


def test_browsers_of_other_origins(mine: Account) -> None:
    ask: dict[str, Any] = {"Origin": "http://a.example", "Access-Control-Request-Method": "GET"}
    mine.anonymous("OPTIONS", "/c/o", 401, headers=ask)
    mine.call("POST", "/c", 204, headers={"X-Container-Meta-Access-Control-Allow-Origin": "http://a.example"})
    told = mine.anonymous("OPTIONS", "/c/o", 200, headers=ask).headers
    assert told["access-control-allow-origin"] == "http://a.example"
    assert mine.get("/c/o", Origin="http://a.example").headers["access-control-allow-origin"] == "http://a.example"
    assert "access-control-allow-origin" not in mine.get("/c/o", Origin="http://b.example").headers


def test_sites(mine: Account) -> None:
    meta = {"Web-Index": "index.html", "Web-Listings": "true", "Web-Error": "oops", "Web-Listings-CSS": "l.css"}
    headers = {f"X-Container-Meta-{name}": value for name, value in meta.items()}
    mine.call("POST", "/c", 204, headers={**headers, "X-Container-Read": ".r:*,.rlistings"})
    mine.put("/c/a/<b>", b"x")
    assert mine.anonymous("GET", "/c", 301).headers["location"].endswith("/c/")
    page = mine.anonymous("GET", "/c/", 200).text
    assert '<a href="./a/">' in page and 'href="l.css"' in page
    page = mine.anonymous("GET", "/c/a/", 200).text
    assert "&lt;b&gt;" in page and "<b>" not in page
    mine.put("/c/index.html", b"front")
    assert mine.anonymous("GET", "/c/", 200).text == "front"
    mine.put("/c/404oops", b"sorry")
    assert mine.anonymous("GET", "/c/none", 404).text == "sorry"
