"""Headers that a library would read for as long as the square of their length, sent by who has no token."""

from __future__ import annotations

import time

import pytest

from tane.services.dashboard.api.visit import cookies
from tane.web import multipart
from tests.api.compute_support import project
from tests.api.s3_support import S3
from tests.support import ApiCloud

MOMENT = 1.0
"""Seconds of this process, all its threads: what is read once takes some thousandths, and what was read again and again
took two and more."""
FORMS = {
    "many parameters": 'multipart/form-data; a="' + ";" * 60_000,
    "quotes in the boundary": 'multipart/form-data; boundary="' + '\\";' * 20_000,
    "many spaces": "multipart/form-data;" + "; " * 30_000,
    "no boundary": "multipart/form-data; boundary=",
    "a long boundary": "multipart/form-data; boundary=" + "a" * 71,
}


@pytest.mark.parametrize("kind", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("path", ["/object-store/v1/AUTH_x/c/", "/dashboard/login"])
def test_a_form_of_any_type_is_refused_at_once(cloud: ApiCloud, kind: str, path: str) -> None:
    cloud.call("POST", path, headers={"Content-Type": "multipart/form-data; boundary=x"}, content=b"hello")
    before = time.process_time()
    answer = cloud.call("POST", path, headers={"Content-Type": kind}, content=b"hello")
    assert answer.status_code in (400, 401, 403, 404), answer.text
    assert time.process_time() - before < MOMENT


def test_the_headers_of_a_part_are_short(cloud: ApiCloud) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"' + b";" * 7000 + b"\r\n\r\nb\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    before = time.process_time()
    answer = cloud.call("POST", "/object-store/v1/AUTH_x/c/", headers=headers, content=part * 60 + b"--x--\r\n")
    assert answer.status_code == 400 and time.process_time() - before < MOMENT


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=abc", "abc"),
        ('multipart/form-data; charset=utf-8;boundary="a b:c"', "a b:c"),
        (
            "Multipart/Form-Data; Boundary=----WebKitFormBoundary7MA4; x=y",
            "----WebKitFormBoundary7MA4",
        ),
        ("multipart/form-data; xboundary=abc", None),
        ("multipart/form-data; boundary=a;b", "a"),
    ],
)
def test_the_boundary_of_a_form_is_found(kind: str, boundary: str | None) -> None:
    found = multipart.boundary(kind)
    assert found == boundary


def test_a_cookie_is_read_once(cloud: ApiCloud) -> None:
    before = time.process_time()
    for path in ("/dashboard/login", "/dashboard/compute/servers"):
        answer = cloud.call("GET", path, headers={"Cookie": 'a="' + "\\\\" * 4090 + '"'})
        assert answer.status_code in (200, 303, 401)
    assert time.process_time() - before < MOMENT


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("a=1; b=%20x=y", {"a": "1", "b": " x=y"}),
        ("a=1;a=2;  c = 3;;=;d", {"a": "1", "c ": " 3", "": ""}),
        ("", {}),
    ],
)
def test_cookies_are_pairs(sent: str, read: dict[str, str]) -> None:
    class Sent:
        headers = {"cookie": sent}

    assert cookies(Sent()) == read  # type: ignore[arg-type]


def test_a_header_is_signed_once(cloud: ApiCloud) -> None:
    """What is signed would be longer than all that was sent: before anybody knows whose key it is."""
    owner = S3(project(cloud).user)
    headers = {"x-amz-date": owner.moment, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "a": "x " * 30_000}
    names = "host;x-amz-date;x-amz-content-sha256;" + ";".join("a" for _ in range(2000))
    proof = f"Credential={owner.access}/{owner.scope}, SignedHeaders={names}, Signature={'0' * 64}"
    before = time.process_time()
    answer = cloud.call("GET", "/s3/b/k", headers={**headers, "authorization": f"AWS4-HMAC-SHA256 {proof}"})
    assert answer.status_code == 400 and "AuthorizationHeaderMalformed" in answer.text
    assert time.process_time() - before < MOMENT


@pytest.mark.parametrize("name", ["access", "secret", "trust_id", "app_cred_id", "access_token_id"])
@pytest.mark.parametrize("value", ["[1]", "{}", "1e30", '"\\ud800"', "true"])
def test_keys_are_made_of_texts(cloud: ApiCloud, name: str, value: str) -> None:
    """They are believed when they are used: what is no text would be looked for as it is."""
    user = project(cloud).user
    texts = {"access": '"an-access-key"', "secret": '"s"', name: value}
    blob = "{" + ",".join(f'"{key}":{text}' for key, text in texts.items()) + "}"
    body = {"type": "ec2", "blob": blob, "project_id": user.project_id, "user_id": user.user_id}
    answer = user.post("/identity/v3/credentials", {"credential": body}, expect=None)
    assert answer.status_code == 400, answer.text
