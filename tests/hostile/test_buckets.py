"""What strangers, and a bucket's own users, tried against what its owner keeps: older versions, locks, logs, parts."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any
from xml.sax.saxutils import escape

import pytest
from sqlalchemy import update

from tane.services.object.domain import policies
from tane.services.object.store import database
from tane.services.object.tables import object_
from tests.api.object_support import Account
from tests.api.s3_support import S3
from tests.support import ApiCloud

VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"


@pytest.fixture
def mia(cloud: ApiCloud) -> S3:
    return S3(cloud.new_user("mia", "garden"))


@pytest.fixture
def eve(cloud: ApiCloud) -> S3:
    return S3(cloud.new_user("eve", "attic"))


def account(s3: S3) -> str:
    return f"AUTH_{s3.caller.project_id}"


def statement(effect: str, action: Any, where: str, **more: Any) -> bytes:
    given = {"Effect": effect, "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{where}", **more}
    return json.dumps({"Statement": [given]}).encode()


def test_an_older_version_of_what_all_read_is_copied_and_tagged_by_its_owner_only(mia: S3, eve: S3) -> None:
    mia.put("/open", x_amz_acl="public-read-write")
    mia.put("/open?versioning", VERSIONING)
    old = mia.put("/open/k", b"a secret", x_amz_tagging="of=old").headers["x-amz-version-id"]
    mia.put("/open/k", b"for all")
    eve.put("/own")
    named = f"/{account(mia)}/open/k"
    assert eve.call("PUT", "/own/k", x_amz_copy_source=named, expect=200) and eve.get("/own/k").content == b"for all"
    by_version = {"x_amz_copy_source": f"{named}?versionId={old}"}
    assert eve.refused("PUT", "/own/k", **by_version) == (403, "AccessDenied")
    begun = eve.post("/own/parts?uploads").text.partition("<UploadId>")[2].partition("<")[0]
    assert eve.refused("PUT", f"/own/parts?partNumber=1&uploadId={begun}", **by_version)[0] == 403
    for method, body in (("GET", b""), ("PUT", TAGS), ("DELETE", b"")):
        there = f"{named}?tagging&versionId={old}"
        assert eve.refused(method, there, body) == (403, "AccessDenied"), method
    swift = f"/v1/{account(eve)}/own/k"
    headers = {"X-Copy-From": "/open/k", "X-Copy-From-Account": account(mia), "Content-Length": "0"}
    assert eve.caller.request("PUT", swift, headers=headers).status_code == 201
    target = {"Destination": "/own/k", "Destination-Account": account(eve)}
    assert eve.caller.request("COPY", f"/v1/{account(mia)}/open/k?version-id={old}", headers=target).status_code == 403
    assert mia.call("PUT", "/open/again", x_amz_copy_source=f"/open/k?versionId={old}", expect=200)
    assert mia.get("/open/again").content == b"a secret"
    assert "<Key>of</Key>" in mia.get(f"/open/k?tagging&versionId={old}").text
    mia.put("/open?policy", statement("Deny", "s3:GetObjectVersion", "open/*"), 204)
    assert mia.refused("PUT", "/open/again", x_amz_copy_source=f"/open/k?versionId={old}")[0] == 403


def test_who_is_expected_to_own_the_source_is_the_source_s_project(mia: S3, eve: S3) -> None:
    mia.put("/open", x_amz_acl="public-read")
    mia.put("/open/k", b"x")
    eve.put("/own")
    for owner, status in ((mia.caller.project_id, 200), (eve.caller.project_id, 403)):
        more = {"x_amz_copy_source": f"/{account(mia)}/open/k", "x_amz_source_expected_bucket_owner": owner}
        assert eve.call("PUT", "/own/k", **more).status_code == status


def test_a_locked_large_object_keeps_its_segments_and_swift_s_are_not_locked(cloud: ApiCloud, mia: S3) -> None:
    mia.put("/vault", x_amz_bucket_object_lock_enabled="true")
    swift = Account(mia.caller)
    swift.put("/vault/part", b"bytes")
    part = {"path": "/vault/part", "etag": hashlib.md5(b"bytes").hexdigest(), "size_bytes": 5}
    body = json.dumps([part]).encode()
    made = swift.call("PUT", "/vault/big?multipart-manifest=put", 201, content=body)
    version = made.headers["x-object-version-id"]
    assert mia.refused("PUT", "/vault/big?legal-hold", b"<LegalHold><Status>ON</Status></LegalHold>") == (
        400,
        "InvalidRequest",
    )
    # As one that was locked before that was refused.
    with database.of(cloud.core).write() as tx:
        kept = {"s3-lock": "COMPLIANCE:9000000000"}
        tx.execute(update(object_).where(object_.c.name == "big").values(meta=json.dumps(kept)))
    for query in ("", f"&version-id={version}"):
        told = swift.call("DELETE", f"/vault/big?multipart-manifest=delete{query}", 200).text
        assert "403 Forbidden" in told and '"Number Deleted":0' in told
    assert swift.get(f"/vault/big?version-id={version}").content == b"bytes"
    for until, good in (("9999-12-31T23:59:59-23:59", False), ("9999-12-31", False), ("2090-01-01", True)):
        wanted = f"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>".encode()
        told = mia.call("PUT", "/vault/part?retention", wanted)
        assert (told.status_code == 200) is good and mia.get("/vault/part"), (until, told.text)
    rule = b"<DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention>"
    configuration = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>%s</Rule>"
    mia.put("/vault?object-lock", configuration % rule + b"</ObjectLockConfiguration>")
    assert "segments" in swift.call("PUT", "/vault/new?multipart-manifest=put", 409, content=body).text
    swift.put("/vault/new", b"", 409, X_Object_Manifest="vault/part")


def test_parts_are_not_open_to_all_with_their_bucket(mia: S3) -> None:
    mia.put("/open", x_amz_acl="public-read")
    begun = mia.post("/open/large?uploads").text.partition("<UploadId>")[2].partition("<")[0]
    etag = mia.put(f"/open/large?partNumber=1&uploadId={begun}", b"bytes").headers["etag"]
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>".encode()
    mia.post(f"/open/large?uploadId={begun}", b"<CompleteMultipartUpload>" + listed + b"</CompleteMultipartUpload>")
    swift, part = Account(mia.caller), f"/open%2Bsegments/{begun}/00001"
    assert swift.get(part).content == b"bytes"
    for again in ("public-read", "public-read-write", "public-read"):
        assert swift.anonymous("GET", "/open/large", 200).content == b"bytes"
        swift.anonymous("GET", part, 401)
        swift.anonymous("GET", "/open%2Bsegments", 401)
        mia.put("/open?acl", x_amz_acl=again)
    swift.call("POST", "/open", 204, headers={"X-Container-Read": ""})
    for path in ("/open/large", part, "/open%2Bsegments"):
        swift.anonymous("GET", path, 401)


def test_a_condition_of_a_deletion_is_about_the_version_that_it_names(mia: S3) -> None:
    mia.put("/kept")
    mia.put("/kept?versioning", VERSIONING)
    first, second = (mia.put("/kept/k", body).headers for body in (b"first", b"second"))
    named = f"/kept/k?versionId={first['x-amz-version-id']}"
    assert mia.refused("DELETE", named, if_match=second["etag"]) == (412, "PreconditionFailed")
    mia.delete("/kept/k")
    key = f"<Key>k</Key><VersionId>{first['x-amz-version-id']}</VersionId><ETag>%s</ETag>"
    for etag, told in ((second["etag"], "<Code>PreconditionFailed"), (first["etag"], "<Deleted>")):
        body = f"<Delete><Object>{key % escape(etag)}</Object></Delete>"
        assert told in mia.post_sure("/kept?delete", body.encode()).text
    assert mia.refused("DELETE", named, if_match=first["etag"])[0] == 404
    mia.delete(f"/kept/k?versionId={second['x-amz-version-id']}", if_match=second["etag"])


def test_a_policy_that_is_not_taken_any_more_keeps_all_out_and_is_replaced(mia: S3, monkeypatch: Any) -> None:
    mia.put("/old", x_amz_acl="public-read")
    mia.put("/old/k", b"x")
    costly = statement("Allow", "s3:GetObject", "old/*some*thing*")
    mia.put("/old?policy", costly, 204)
    monkeypatch.setattr(policies, "MOST_SOUGHT", 3)
    policies.parsed.cache_clear()
    assert mia.refused("GET", "/old/k") == (403, "AccessDenied") and mia.get("/old?policyStatus")
    assert mia.refused("PUT", "/old?policy", costly) == (400, "MalformedPolicy")
    mia.put("/old?policy", statement("Allow", "s3:GetObject", "old/*"), 204)
    assert mia.get("/old/k").content == b"x"


def test_forms_go_where_other_calls_go(mia: S3, eve: S3) -> None:
    mia.put("/open", x_amz_acl="public-read-write")
    mia.put("/closed")

    def post(by: S3, path: str, key: str = "k", **fields: str) -> int:
        until = f"{by.api.core.clock.now().year + 1}-01-01T00:00:00Z"
        conditions = [{"key": key}, *({name: value} for name, value in fields.items())]
        policy = b64encode(json.dumps({"expiration": until, "conditions": conditions}).encode()).decode()
        sign = b64encode(hmac.new(by.secret.encode(), policy.encode(), "sha1").digest()).decode()
        given = {"key": key, "policy": policy, "AWSAccessKeyId": by.access, "signature": sign, **fields}
        return by.api.call("POST", f"/s3{path}", data=given, files={"file": ("f", b"of a form")}).status_code

    assert post(eve, f"/{account(mia)}/open") == 204 and mia.get("/open/k").content == b"of a form"
    assert post(eve, f"/{account(mia)}/closed") == 403 and post(eve, "/open") == 404
    assert post(mia, "/open", "cold", **{"x-amz-storage-class": "GLACIER"}) == 501
    assert post(mia, "/open", "warm", **{"x-amz-storage-class": "STANDARD"}) == 204
    swift = Account(mia.caller)
    swift.container("open%2Bsegments")
    for path in ("/open+segments", f"/{account(mia)}", f"/{account(mia)}/open+segments"):
        assert post(mia, path) == 400, path
    assert swift.names("/open%2Bsegments") == []
