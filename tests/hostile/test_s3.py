"""Attacks on S3's side of object storage: other projects' things, Swift's controls, keys that may do less."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from tane.clock import SystemClock
from tane.db import Database
from tane.services.object.api.s3 import xml
from tane.services.object.domain.s3 import uploads
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import database
from tane.web.domains import SENT, SUBDOMAIN, Domain
from tests.api.object_support import Account
from tests.api.s3_support import S3, code, texts
from tests.support import ApiCloud, Caller

MB = 1 << 20


def of(cloud: ApiCloud, name: str, project: str, role: str = "member") -> S3:
    return S3(cloud.new_user(name, project, role))


def begin(s3: S3, key: str) -> str:
    return texts(s3.post(f"/{key}?uploads"), "UploadId")[0]


def test_names_are_each_projects_own(cloud: ApiCloud) -> None:
    mia, eve = of(cloud, "mia", "garden"), of(cloud, "eve", "elsewhere")
    mia.put("/photos")
    mia.put("/photos/cat", b"mia's")
    upload = begin(mia, "photos/dog")
    assert texts(eve.get("/"), "Buckets/Bucket/Name") == []
    for method, path in (
        ("GET", "/photos"),
        ("HEAD", "/photos"),
        ("DELETE", "/photos"),
        ("GET", "/photos/cat"),
        ("PUT", "/photos/cat"),
        ("DELETE", "/photos/cat"),
        ("GET", "/photos?uploads"),
        ("GET", "/photos?acl"),
        ("PUT", f"/photos/dog?partNumber=1&uploadId={upload}"),
        ("GET", f"/photos/dog?uploadId={upload}"),
        ("DELETE", f"/photos/dog?uploadId={upload}"),
    ):
        assert eve.call(method, path).status_code == 404, (method, path)
    eve.put("/photos")
    eve.put("/photos/cat", b"eve's")
    assert mia.get("/photos/cat").content == b"mia's"
    for path in (f"/photos/dog?partNumber=1&uploadId={upload}", f"/photos/dog?uploadId={upload}"):
        assert code(eve.call("PUT" if "part" in path else "GET", path, b"x")) == "NoSuchUpload"
    assert eve.refused("PUT", "/photos/stolen", x_amz_copy_source="/photos/dog") == (404, "NoSuchKey")
    assert eve.refused("GET", "/", x_amz_expected_bucket_owner=mia.caller.project_id) == (403, "AccessDenied")


def test_a_container_that_comes_in_anothers_place_has_none_of_its_uploads(cloud: ApiCloud) -> None:
    """SQLite gives the number of the newest row again when that is gone."""
    mia, eve = of(cloud, "mia", "garden"), of(cloud, "eve", "elsewhere")
    for remove in (lambda: mia.delete("/photos"), lambda: Account(mia.caller).call("DELETE", "/photos", 204)):
        mia.put("/photos")
        upload = begin(mia, "photos/dog")
        Account(mia.caller).call("DELETE", "/photos+segments", 204)
        remove()
        eve.put("/photos")
        assert texts(eve.get("/photos?uploads"), "Upload/Key") == []
        assert code(eve.call("GET", f"/photos/dog?uploadId={upload}")) == "NoSuchUpload"
        eve.delete("/photos")
        uploads.sweep(cloud.core)


def test_the_containers_of_parts_go_with_their_buckets(cloud: ApiCloud) -> None:
    mia = of(cloud, "mia", "garden")
    mia.put("/photos")
    upload = begin(mia, "photos/dog")
    mia.put(f"/photos/dog?partNumber=1&uploadId={upload}", b"x" * 100)
    mia.delete("/photos")
    uploads.sweep(cloud.core)
    assert Account(mia.caller).names("") == []


def test_swifts_controls_mean_nothing_here(cloud: ApiCloud) -> None:
    mia = of(cloud, "mia", "garden")
    mia.put("/photos")
    mia.put("/photos/secret", b"secret")
    swift = Account(mia.caller)
    mia.call(
        "PUT",
        "/photos/key?multipart-manifest=put&temp_url_sig=x&temp_url_expires=9999999999&extract-archive=tar",
        b"[]",
        expect=200,
        unsigned={
            "X-Object-Manifest": "photos/se",
            "X-Symlink-Target": "photos/secret",
            "X-Copy-From": "photos/secret",
            "X-Object-Meta-A": "1",
            "X-Delete-After": "1",
            "S3-Upload": "0/0/0/0",
        },
    )
    seen = swift.call("HEAD", "/photos/key", 200).headers
    assert seen["content-length"] == "2"
    for name in ("x-object-manifest", "x-symlink-target", "x-object-meta-a", "x-delete-at", "s3-upload"):
        assert name not in seen
    mia.call("PUT", "/photos?acl", expect=200, x_amz_acl="private", unsigned={"X-Container-Read": ".r:*"})
    assert "x-container-read" not in swift.call("HEAD", "/photos", 204).headers
    assert mia.get("/photos/key?multipart-manifest=get&part-number=1").content == b"[]"


def test_what_lies_among_the_parts_is_not_taken_for_one(cloud: ApiCloud) -> None:
    mia = of(cloud, "mia", "garden")
    mia.put("/photos")
    swift, upload = Account(mia.caller), begin(mia, "photos/dog")
    swift.put("/photos/plain", b"x")
    swift.put(f"/photos+segments/{upload}/00001", b"", X_Object_Manifest="photos/pl")
    swift.put(f"/photos+segments/{upload}/nonsense", b"x")
    link = {"X-Symlink-Target": "photos/plain"}
    swift.call("PUT", f"/photos+segments/{upload}/00002", 201, headers={**link, "Content-Length": "0"})
    assert "Part" not in texts(mia.get(f"/photos/dog?uploadId={upload}"), "Part/PartNumber")
    for number in (1, 2):
        body = (
            f"<CompleteMultipartUpload><Part><PartNumber>{number}</PartNumber>"
            "<ETag>d41d8cd98f00b204e9800998ecf8427e</ETag></Part></CompleteMultipartUpload>"
        )
        assert mia.refused("POST", f"/photos/dog?uploadId={upload}", body.encode()) == (400, "InvalidPart")


def become_reader(cloud: ApiCloud, caller: Caller) -> None:
    found = {role["name"]: role["id"] for role in cloud.admin.get("/identity/v3/roles").json()["roles"]}
    where = f"/identity/v3/projects/{caller.project_id}/users/{caller.user_id}/roles"
    cloud.admin.put(f"{where}/{found['reader']}", expect=204)
    cloud.admin.delete(f"{where}/{found['member']}")


def test_keys_may_do_what_their_user_may(cloud: ApiCloud) -> None:
    mia = of(cloud, "mia", "garden")
    mia.put("/photos")
    mia.put("/photos/cat", b"cat")
    reader = of(cloud, "rob", "garden")
    become_reader(cloud, reader.caller)
    assert reader.get("/photos/cat").content == b"cat"
    for method, path in (
        ("PUT", "/photos/x"),
        ("DELETE", "/photos/cat"),
        ("PUT", "/other"),
        ("POST", "/photos/x?uploads"),
    ):
        assert reader.refused(method, path) == (403, "AccessDenied"), (method, path)
    found = reader.post_sure("/photos?delete", b"<Delete><Object><Key>cat</Key></Object></Delete>")
    assert texts(found, "Error/Code") == ["AccessDenied"]
    assert S3(mia.caller, mia.access, "wrong").refused("GET", "/") == (403, "SignatureDoesNotMatch")
    assert S3(mia.caller, "nobody", mia.secret).refused("GET", "/") == (403, "InvalidAccessKeyId")
    path = f"/identity/v3/users/{mia.caller.user_id}/credentials/OS-EC2/{mia.access}"
    mia.caller.delete(path)
    assert mia.refused("GET", "/") == (403, "InvalidAccessKeyId"), "what is deleted is not remembered"
    cloud.admin.patch(f"/identity/v3/users/{reader.caller.user_id}", {"user": {"enabled": False}}, 200)
    assert reader.refused("GET", "/")[0] == 403


def app_key(caller: Caller, rules: list[dict[str, str]]) -> S3:
    """A key that an application credential with access rules has made."""
    body = {"application_credential": {"name": "a", "unrestricted": True, "access_rules": rules}}
    made = caller.post(f"/identity/v3/users/{caller.user_id}/application_credentials", body, 201).json()
    given = made["application_credential"]
    method = {
        "methods": ["application_credential"],
        "application_credential": {"id": given["id"], "secret": given["secret"]},
    }
    answer = caller.api.call("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": method}})
    token = answer.headers["x-subject-token"]
    return S3(Caller(caller.api, token, caller.project_id, caller.user_id))


def test_access_rules_hold_for_keys_too(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    S3(mia).put("/photos")
    make = {"service": "identity", "method": "POST", "path": "/v3/users/*/credentials/OS-EC2"}
    key = app_key(mia, [make, {"service": "s3", "method": "GET", "path": "/s3/photos"}])
    key.get("/photos")
    assert key.refused("PUT", "/photos/x", b"x") == (403, "AccessDenied")
    assert key.refused("GET", "/") == (403, "AccessDenied")


def test_old_and_altered_calls_are_refused(cloud: ApiCloud) -> None:
    mia = of(cloud, "mia", "garden")
    mia.put("/photos")
    mia.now = cloud.core.clock.now() - timedelta(minutes=16)
    assert mia.refused("GET", "/photos") == (403, "RequestTimeTooSkewed")
    mia.now = cloud.core.clock.now() + timedelta(minutes=16)
    assert mia.refused("GET", "/photos") == (403, "RequestTimeTooSkewed")
    mia.now = None
    for name in ("x-amz-copy-source", "x-amz-acl", "x-amz-meta-a"):
        assert mia.refused("PUT", "/photos/x", b"x", unsigned={name: "private"}) == (403, "AccessDenied")
    assert mia.refused("GET", "/photos", unsigned={"x-amz-date": "20000101T000000Z"}) == (403, "RequestTimeTooSkewed")
    assert mia.refused("GET", "/photos", unsigned={"host": "other.test"}) == (403, "SignatureDoesNotMatch")
    for answer in (cloud.call("GET", "/s3/photos"), cloud.call("GET", "/s3")):
        assert (answer.status_code, code(answer)) == (403, "AccessDenied")
    garbage = base64.b64encode(b"x" * 300).decode()
    for header in (
        "AWS4-HMAC-SHA256 " + "a=b," * 500,
        "AWS :",
        "AWS a:é",
        f"AWS4-HMAC-SHA256 Credential={garbage}",
        "Basic x",
    ):
        answer = cloud.call("GET", "/s3/photos", headers={b"Authorization": header.encode("latin-1")})
        assert answer.status_code in (400, 403), header[:50]


def test_documents_have_an_end() -> None:
    many = b"<a>" + b"<b/>" * xml.MOST_NODES + b"</a>"
    deep = b"<a>" * 10_000
    for data in (
        many,
        deep,
        b"<a>" + b"x" * 10 + b"&undefined;</a>",
        b"<?x y?><a/>",
        b'<?xml version="1.0" encoding="x"?><a/>',
    ):
        with pytest.raises(S3Error) as refused:
            xml.parsed(data, "a")
        assert refused.value.code == "MalformedXML"


def test_a_domain_of_its_own() -> None:
    domain = Domain("s3.example.org", "/s3")
    for host, path, wanted, before in (
        ("s3.example.org:8774", "/b/k%20", "/s3/b/k%20", ""),
        ("B.s3.example.org", "/k", "/s3/b/k", "b"),
        ("a.b.s3.example.org", "//k", "/s3/a.b//k", "a.b"),
        ("evil/../x.s3.example.org", "/k", "/k", None),
        ("xs3.example.org", "/k", "/k", None),
        ("s3.example.org.evil.org", "/k", "/k", None),
    ):
        scope: dict[str, Any] = {"headers": [(b"host", host.encode())], "path": path, "raw_path": path.encode()}
        domain.find(scope)
        assert (scope["raw_path"].decode(), scope.get(SUBDOMAIN)) == (wanted, before)
        assert scope.get(SENT, path.encode()) == path.encode()


def test_rows_of_the_release_before_get_a_place_for_uploads(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path / 'tane.db'}", clock=SystemClock(), readers=1, apart="objects")
    try:
        database.APART.prepare(opened)
        with opened.write() as tx:
            tx.execute(text("DROP TABLE upload"))
            tx.execute(text("UPDATE object_schema SET number = 2"))
        database.APART.prepare(opened)
        with opened.read() as tx:
            assert inspect(tx.connection).has_table("upload")
    finally:
        opened.close()
