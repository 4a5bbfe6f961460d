"""What somebody may do with a form or an address that the owner signed: that, and nothing beside it."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from tane.services.object.store import stamps
from tests.api.object_support import Account, account
from tests.api.test_object_access import signed
from tests.support import ApiCloud


@pytest.fixture
def mine(cloud: ApiCloud) -> Account:
    found = account(cloud)
    found.container()
    found.call("POST", "", 204, headers={"X-Account-Meta-Temp-URL-Key": "k"})
    return found


def form(mine: Account, place: str, to: str, filename: str, kind: str = "text/plain", redirect: str = "") -> Any:
    """Post a form that was signed for ``place`` to ``to``, both below the account."""
    fields = {
        "redirect": redirect,
        "max_file_size": "1000",
        "max_file_count": "1",
        "expires": str(stamps.of(mine.caller.api.core.clock.now()) // stamps.SECOND + 60),
    }
    text = "\n".join([mine.path.removeprefix("/object-store") + place, *fields.values()])
    fields["signature"] = hmac.new(b"k", text.encode(), hashlib.sha256).hexdigest()
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    parts.append(
        f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\nEVIL'
    )
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return mine.anonymous("POST", to, content=body.encode(), headers=headers)


@pytest.mark.parametrize("to", ["https://evil.test/", "http://[", "//[x", "http://℀.x/"])
def test_a_form_that_nobody_signed_leads_nowhere(mine: Account, to: str) -> None:
    body = f'--b\r\nContent-Disposition: form-data; name="redirect"\r\n\r\n{to}\r\n--b\r\n'
    body += 'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\nEVIL\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = mine.anonymous("POST", "/c", content=body.encode(), headers=headers)
    assert answer.status_code == 401 and "location" not in answer.headers


@pytest.mark.parametrize("to", ["http://[", "https://shop.test/done"])
def test_a_signed_form_leads_to_where_it_was_signed_for(mine: Account, to: str) -> None:
    answer = form(mine, "/c/", "/c/", "f", redirect=to)
    if to == "http://[":
        assert answer.status_code == 201
    else:
        assert answer.status_code == 303 and answer.headers["location"].startswith(to)


@pytest.mark.parametrize(
    ("place", "to", "filename", "status"),
    [
        ("/c", "/c", "f", 201),
        ("/c/", "/c", "f", 201),
        ("/c/", "/c/", "f", 201),
        ("/c/user1/", "/c/user1/", "f", 201),
        ("/c/user1", "/c/user1", "-f", 201),
        ("/c/user1/", "/c/user1", "0/report", 401),
        ("/c/user1/", "/c/user1", "/report", 401),
        ("/c/user1", "/c/user1/", "f", 401),
        ("/c/user1/", "/c", "user10/report", 401),
        ("/c/user1/", "/c/user10/", "report", 401),
        ("/c/user1/", "/c//user1/", "f", 401),
    ],
)
def test_a_form_writes_where_it_was_signed_for(mine: Account, place: str, to: str, filename: str, status: int) -> None:
    mine.put("/c/user10/report", b"ours")
    assert form(mine, place, to, filename).status_code == status
    assert mine.get("/c/user10/report").content == b"ours"
    assert len(mine.names("/c")) == (2 if status == 201 else 1)


@pytest.mark.parametrize("mark", ["\n", "\r", "\0", "\x0b", "\x7f", "\x1b"])
def test_a_form_says_no_content_type_that_cannot_be_told(mine: Account, mark: str) -> None:
    assert form(mine, "/c", "/c", "f", f"text/html{mark}X-Injected: 1").status_code == 400
    assert mine.names("/c") == []


@pytest.mark.parametrize("kind", ["text/html\vx", "text/" + "x" * 1100])
def test_no_content_type_is_longer_or_other_than_headers_are(mine: Account, kind: str) -> None:
    mine.put("/c/o")
    for method, path in (("PUT", "/c/n"), ("POST", "/c/o"), ("COPY", "/c/o")):
        headers = {"Content-Type": kind, "Destination": "c/n"}
        mine.call(method, path, 400, headers=headers)
    assert mine.names("/c") == ["o"]
    assert "x" * 9 not in mine.get("/c/o").headers["content-type"]


@pytest.mark.parametrize("prefix", ["", "user1/"])
@pytest.mark.parametrize("header", ["X-Copy-From", "X-Symlink-Target", "X-Object-Manifest"])
def test_who_may_write_by_an_address_reads_nothing_by_it(mine: Account, prefix: str, header: str) -> None:
    mine.put("/c/user1/secret", b"ours", X_Object_Meta_Note="private")
    address = signed(mine, "PUT", "/c/user1/mine", prefix=prefix)
    answer = mine.anonymous("PUT", address, 400, headers={header: "c/user1/secret", "Content-Length": "0"})
    assert "private" not in str(answer.headers)
    assert mine.names("/c") == ["user1/secret"]
    mine.anonymous("PUT", address, 201, content=b"theirs")
