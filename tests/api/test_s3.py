"""S3's calls, and what they and Swift's see of one another."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from datetime import timedelta
from urllib.parse import quote

import pytest

from tane.services.object.domain.s3 import uploads
from tane.services.object.store import database, places
from tests.api.object_support import Account
from tests.api.s3_support import S3, code, framed, sha256, texts
from tests.support import ApiCloud

MB = 1 << 20
COMPLETE = "<CompleteMultipartUpload>{}</CompleteMultipartUpload>"


@pytest.fixture
def s3(cloud: ApiCloud) -> S3:
    found = S3(cloud.new_user("mia", "garden"))
    found.put("/bucket")
    return found


def swift(s3: S3) -> Account:
    return Account(s3.caller)


def begin(s3: S3, key: str, **headers: str) -> str:
    [found] = texts(s3.post(f"/{key}?uploads", **headers), "UploadId")
    return found


def part(s3: S3, key: str, upload: str, number: int, data: bytes, **headers: str) -> str:
    return s3.put(f"/{key}?partNumber={number}&uploadId={upload}", data, **headers).headers["etag"]


def listed(parts: dict[int, str]) -> bytes:
    return COMPLETE.format(
        "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts.items())
    ).encode()


def put_parts(s3: S3, key: str, *data: bytes) -> str:
    upload = begin(s3, key)
    etags = {number: part(s3, key, upload, number, one) for number, one in enumerate(data, 1)}
    return texts(s3.post(f"/{key}?uploadId={upload}", listed(etags)), "ETag")[0].strip('"')


# --------------------------------------------------------------------------------------------------------- buckets


def test_buckets_are_containers(s3: S3) -> None:
    assert swift(s3).names("") == ["bucket"]
    swift(s3).container("from-swift")
    assert texts(s3.get("/"), "Buckets/Bucket/Name") == ["bucket", "from-swift"]
    assert s3.refused("PUT", "/bucket") == (409, "BucketAlreadyOwnedByYou")
    s3.put("/bucket/key", b"x")
    assert s3.refused("DELETE", "/bucket") == (409, "BucketNotEmpty")
    s3.delete("/bucket/key")
    s3.delete("/bucket")
    assert s3.refused("GET", "/bucket") == (404, "NoSuchBucket")
    assert s3.call("HEAD", "/bucket").status_code == 404


NO_NAMES = (
    *(
        "ab",
        "a" * 64,
        "Bucket",
        "a_b",
        "-ab",
        "ab-",
        "a..b",
        "a.-b",
        "192.168.5.4",
        "xn--a",
        "a+b",
        "a b",
        "ab-s3alias",
    ),
)


def test_names_that_no_bucket_may_have(s3: S3) -> None:
    for name in NO_NAMES:
        assert s3.refused("PUT", f"/{name}") == (400, "InvalidBucketName"), name
    for name in ("ab%00c", "ab%FFc"):
        assert s3.api.call("PUT", f"/s3/{name}").status_code == 400
    assert s3.refused("PUT", f"/bucket/{'k' * 1025}", b"x") == (400, "KeyTooLongError")
    s3.put(f"/bucket/{'k' * 1024}", b"x")


def test_listings(s3: S3) -> None:
    keys = ["a/1", "a/2", "b", "c d+é", "e&<"]
    for key in keys:
        s3.put(f"/bucket/{key}", b"x")
    assert texts(s3.get("/bucket"), "Contents/Key") == keys
    first = s3.get("/bucket?list-type=2&delimiter=%2F&max-keys=2")
    assert (texts(first, "CommonPrefixes/Prefix"), texts(first, "Contents/Key")) == (["a/"], ["b"])
    [token] = texts(first, "NextContinuationToken")
    second = s3.get(f"/bucket?list-type=2&delimiter=%2F&continuation-token={quote(token)}&encoding-type=url")
    assert texts(second, "Contents/Key") == ["c%20d%2B%C3%A9", "e%26%3C"]
    assert texts(second, "IsTruncated") == ["false"]
    page = s3.get("/bucket?delimiter=%2F&max-keys=1")
    assert texts(page, "NextMarker") == ["a/"]
    assert texts(s3.get("/bucket?delimiter=%2F&marker=a%2F"), "Contents/Key") == keys[2:]
    assert texts(s3.get("/bucket?list-type=2&start-after=b&prefix=c"), "Contents/Key") == ["c d+é"]
    assert texts(s3.get("/bucket?max-keys=0"), "IsTruncated") == ["false"]
    for query in ("max-keys=-1", "max-keys=x", "list-type=2&continuation-token=%21", "encoding-type=x"):
        assert s3.refused("GET", f"/bucket?{query}") == (400, "InvalidArgument")


def test_what_is_not_done_says_so(s3: S3) -> None:
    for query in ("website", "replication", "inventory&id=1", "encryption", "notification"):
        for method in ("GET", "PUT"):
            assert s3.refused(method, f"/bucket?{query}", b"<x/>") == (501, "NotImplemented")
    assert s3.refused("GET", "/bucket?object-lock") == (404, "ObjectLockConfigurationNotFoundError")
    assert s3.refused("PUT", "/bucket/key", b"x", x_amz_server_side_encryption="AES256") == (501, "NotImplemented")


def test_access_lists_are_those_of_the_container(s3: S3) -> None:
    for canned, read, grants in (
        ("public-read", ".r:*,.rlistings", ["FULL_CONTROL", "READ"]),
        ("authenticated-read", "*:*", ["FULL_CONTROL", "READ"]),
        ("public-read-write", ".r:*,.rlistings", ["FULL_CONTROL", "READ", "WRITE"]),
        ("private", None, ["FULL_CONTROL"]),
    ):
        s3.put("/bucket?acl", x_amz_acl=canned)
        shown = s3.get("/bucket?acl")
        assert texts(shown, "AccessControlList/Grant/Permission") == grants
        assert swift(s3).call("HEAD", "/bucket", 204).headers.get("x-container-read") == read
        s3.put("/bucket?acl", shown.content)
        assert swift(s3).call("HEAD", "/bucket", 204).headers.get("x-container-read") == read
    s3.put("/bucket/key", b"seen")
    assert s3.refused("PUT", "/bucket/key?acl", x_amz_acl="public-read") == (501, "NotImplemented")
    s3.put("/bucket?acl", x_amz_acl="public-read")
    s3.put("/bucket/key?acl", x_amz_acl="public-read")
    assert swift(s3).anonymous("GET", "/bucket/key", 200).content == b"seen"


def test_rules_for_pages_of_other_origins(s3: S3) -> None:
    assert s3.refused("GET", "/bucket?cors") == (404, "NoSuchCORSConfiguration")
    rule = (
        "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.org</AllowedOrigin><AllowedMethod>GET"
        "</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>etag</ExposeHeader><MaxAgeSeconds>60"
        "</MaxAgeSeconds></CORSRule></CORSConfiguration>"
    )
    s3.put("/bucket?cors", rule.encode())
    assert texts(s3.get("/bucket?cors"), "CORSRule/AllowedOrigin") == ["https://*.example.org"]
    s3.put("/bucket/key", b"x")
    seen = s3.get("/bucket/key", origin="https://www.example.org")
    assert seen.headers["access-control-allow-origin"] == "https://www.example.org"
    assert "access-control-allow-origin" not in s3.get("/bucket/key", origin="https://evil.org").headers
    address = f"/s3/bucket/key?X-Amz-Credential={s3.access}/20260101/x/s3/aws4_request"
    asks = {"Origin": "https://www.example.org", "Access-Control-Request-Method": "GET"}
    assert s3.api.call("OPTIONS", address, headers=asks).headers["access-control-max-age"] == "60"
    for name, value in (("Access-Control-Request-Method", "PUT"), ("Origin", "https://example.com")):
        assert s3.api.call("OPTIONS", address, headers={**asks, name: value}).status_code == 403
    s3.delete("/bucket?cors")
    assert s3.refused("GET", "/bucket?cors") == (404, "NoSuchCORSConfiguration")


# --------------------------------------------------------------------------------------------------------- objects


def test_an_object_by_both_apis(s3: S3) -> None:
    s3.put("/bucket/a//b c+é", b"hello", x_amz_meta_colour="red", content_type="text/plain", cache_control="no-cache")
    seen = swift(s3).get("/bucket/a//b c+é")
    assert (seen.content, seen.headers["x-object-meta-colour"]) == (b"hello", "red")
    assert (seen.headers["content-type"], seen.headers["cache-control"]) == ("text/plain", "no-cache")
    swift(s3).put("/bucket/two", b"world", X_Object_Meta_Size="big", Content_Type="image/png")
    back = s3.get("/bucket/two")
    assert (back.content, back.headers["x-amz-meta-size"]) == (b"world", "big")
    assert (back.headers["content-type"], back.headers["etag"]) == (
        "image/png",
        f'"{hashlib.md5(b"world").hexdigest()}"',
    )
    assert not [name for name in back.headers if name.startswith("x-object") or name == "x-timestamp"]
    assert s3.refused("GET", "/bucket/none") == (404, "NoSuchKey")


def test_ranges_conditions_and_what_a_query_overrides(s3: S3) -> None:
    etag = s3.put("/bucket/key", b"0123456789").headers["etag"]
    answer = s3.get("/bucket/key", 206, range="bytes=2-4")
    assert (answer.content, answer.headers["content-range"]) == (b"234", "bytes 2-4/10")
    assert s3.refused("GET", "/bucket/key", range="bytes=10-") == (416, "InvalidRange")
    assert s3.get("/bucket/key", range="bytes=0-1,3-4").content == b"0123456789"
    assert s3.get("/bucket/key", 206, range="bytes=-3").content == b"789"
    assert s3.get("/bucket/key", if_match=etag).content == b"0123456789"
    assert s3.refused("GET", "/bucket/key", if_match='"x"') == (412, "PreconditionFailed")
    assert s3.get("/bucket/key", 304, if_none_match=etag).content == b""
    shown = s3.get("/bucket/key?response-content-type=text%2Fx&response-content-disposition=attachment")
    assert (shown.headers["content-type"], shown.headers["content-disposition"]) == ("text/x", "attachment")
    assert s3.refused("GET", "/bucket/key?response-expires=a%0D%0Ab")[0] == 400
    assert s3.get("/bucket/key?partNumber=1", 206).content == b"0123456789"
    assert s3.refused("GET", "/bucket/key?partNumber=2") == (416, "InvalidPartNumber")


def test_writes_on_a_condition(s3: S3) -> None:
    etag = s3.put("/bucket/key", b"1", if_none_match="*").headers["etag"]
    assert s3.refused("PUT", "/bucket/key", b"2", if_none_match="*") == (412, "PreconditionFailed")
    assert s3.refused("PUT", "/bucket/key", b"2", if_match='"x"') == (412, "PreconditionFailed")
    assert s3.refused("PUT", "/bucket/none", b"2", if_match="*") == (404, "NoSuchKey")
    s3.put("/bucket/key", b"2", if_match=etag)
    assert s3.get("/bucket/key").content == b"2"


def test_bytes_that_are_not_what_is_said_leave_nothing(s3: S3) -> None:
    crc = base64.b64encode(zlib.crc32(b"data").to_bytes(4, "big")).decode()
    wrong = base64.b64encode(b"0123").decode()
    for data in (b"data", b"data" * 20_000):
        cases = {
            "XAmzContentSHA256Mismatch": {"payload": sha256(b"other")},
            "BadDigest": {"content_md5": base64.b64encode(hashlib.md5(b"other").digest()).decode()},
            "InvalidDigest": {"content_md5": "nonsense"},
            "InvalidRequest": {"x_amz_checksum_crc32": "x", "x_amz_checksum_sha1": "y"},
        }
        for wanted, headers in cases.items():
            assert s3.refused("PUT", "/bucket/key", data, **headers)[1] == wanted
        for name, value in (("crc32", wrong), ("crc32c", wrong), ("crc64nvme", base64.b64encode(b"01234567").decode())):
            assert s3.refused("PUT", "/bucket/key", data, **{f"x-amz-checksum-{name}": value}) == (400, "BadDigest")
    assert s3.call("HEAD", "/bucket/key").status_code == 404
    assert list((s3.api.core.config.state_dir / "objects" / "incoming").iterdir()) == []
    s3.put("/bucket/key", b"data", x_amz_checksum_crc32=crc)
    assert s3.get("/bucket/key", x_amz_checksum_mode="ENABLED").headers["x-amz-checksum-crc32"] == crc
    assert "x-amz-checksum-crc32" not in s3.get("/bucket/key").headers


def test_a_body_in_signed_pieces(s3: S3) -> None:
    parts = [b"a" * 70_000, b"b" * 9000, b"c" * 10]
    said = {"x-amz-decoded-content-length": str(sum(map(len, parts))), "content-encoding": "aws-chunked,x-own"}
    payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    headers = {**said, "host": "cloud.test", "x-amz-date": s3.moment, "x-amz-content-sha256": payload}
    _, seed = s3.sign("PUT", "/s3/bucket/key", headers, payload)
    body = framed(s3, parts, seed)
    s3.put("/bucket/key", body, payload=payload, **said)
    answer = s3.get("/bucket/key")
    assert (answer.content, answer.headers["content-encoding"]) == (b"".join(parts), "x-own")
    s3.delete("/bucket/key")
    for lie in (body.replace(b"aaaa", b"aaab", 1), body[:-200], body + b"more"):
        assert s3.call("PUT", "/bucket/key", lie, payload=payload, **said).status_code in (400, 403)
    short = {**said, "x-amz-decoded-content-length": "12"}
    assert s3.call("PUT", "/bucket/key", body, payload=payload, **short).status_code in (400, 403)
    assert s3.call("HEAD", "/bucket/key").status_code == 404


def test_a_body_with_a_checksum_behind_it(s3: S3) -> None:
    """As clients send it by themselves: the framing is never stored."""
    data = b"d" * 20_000
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    said = {"x-amz-decoded-content-length": "20000", "x-amz-trailer": "x-amz-checksum-crc32"}
    payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    body = b"4e20\r\n" + data + f"\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n".encode()
    s3.put("/bucket/key", body, payload=payload, **said)
    assert s3.get("/bucket/key").content == data
    wrong = body.replace(crc.encode(), base64.b64encode(b"0123"))
    assert s3.refused("PUT", "/bucket/other", wrong, payload=payload, **said) == (400, "BadDigest")
    without = body.replace(f"x-amz-checksum-crc32:{crc}\r\n".encode(), b"")
    assert s3.refused("PUT", "/bucket/other", without, payload=payload, **said) == (400, "MalformedTrailerError")
    assert s3.call("HEAD", "/bucket/other").status_code == 404


def test_copies(s3: S3) -> None:
    s3.put("/bucket/a b", b"data", x_amz_meta_n="1", content_type="text/plain", x_amz_tagging="k=v")
    s3.put("/bucket/copy", x_amz_copy_source="/bucket/a%20b")
    seen = s3.get("/bucket/copy")
    assert (seen.content, seen.headers["x-amz-meta-n"], seen.headers["x-amz-tagging-count"]) == (b"data", "1", "1")
    s3.put("/bucket/copy", x_amz_copy_source="bucket/a%20b", x_amz_metadata_directive="REPLACE", x_amz_meta_m="2")
    seen = s3.get("/bucket/copy")
    assert ("x-amz-meta-n" in seen.headers, seen.headers["x-amz-meta-m"]) == (False, "2")
    assert s3.refused("PUT", "/bucket/copy", x_amz_copy_source="/bucket/copy") == (400, "InvalidRequest")
    assert s3.refused("PUT", "/bucket/copy", x_amz_copy_source="/other/x") == (404, "NoSuchBucket")
    assert s3.refused("PUT", "/bucket/copy", x_amz_copy_source="/bucket/x") == (404, "NoSuchKey")
    assert s3.refused("PUT", "/bucket/copy", x_amz_copy_source="bucket") == (400, "InvalidArgument")
    assert s3.refused("PUT", "/bucket/c", x_amz_copy_source="/bucket/copy", x_amz_copy_source_if_match='"x"') == (
        412,
        "PreconditionFailed",
    )


def test_tags(s3: S3) -> None:
    s3.put("/bucket/key", b"x")
    tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b&amp;c</Value></Tag></TagSet></Tagging>"
    s3.put("/bucket/key?tagging", tags)
    assert texts(s3.get("/bucket/key?tagging"), "TagSet/Tag/Value") == ["b&c"]
    swift(s3).call("POST", "/bucket/key", 202, headers={"X-Object-Meta-A": "1"})
    assert texts(s3.get("/bucket/key?tagging"), "TagSet/Tag/Key") == ["a"]
    s3.delete("/bucket/key?tagging")
    assert texts(s3.get("/bucket/key?tagging"), "TagSet/Tag") == []
    assert s3.refused("GET", "/bucket?tagging") == (404, "NoSuchTagSet")
    s3.put("/bucket?tagging", tags, 204)
    assert texts(s3.get("/bucket?tagging"), "TagSet/Tag/Key") == ["a"]
    many = "".join(f"<Tag><Key>{n}</Key><Value/></Tag>" for n in range(11))
    assert s3.refused("PUT", "/bucket/key?tagging", f"<Tagging><TagSet>{many}</TagSet></Tagging>".encode()) == (
        400,
        "InvalidTag",
    )


def test_many_are_deleted_at_once(s3: S3) -> None:
    for key in ("a", "b<", "c"):
        s3.put(f"/bucket/{key}", b"x")
    named = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("a", "b&lt;", "none"))
    body = f"<Delete>{named}{{}}</Delete>"
    answer = s3.post_sure("/bucket?delete", body.format("").encode())
    assert texts(answer, "Deleted/Key") == ["a", "b<", "none"]
    quiet = s3.post_sure("/bucket?delete", body.format("<Quiet>true</Quiet>").encode())
    assert texts(quiet, "Deleted/Key") == []
    assert texts(s3.get("/bucket"), "Contents/Key") == ["c"]


NO_DOCUMENTS = (
    b"<Delete>",
    b"<Delete/>",
    b"<Other/>",
    b'<!DOCTYPE d [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><Delete><Object><Key>a</Key></Object></Delete>',
    b"<Delete>" + b"<a>" * 20 + b"</a>" * 20 + b"</Delete>",
    b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>",
    b"\xff\xfe<",
)


def test_documents_that_are_none_are_refused(s3: S3) -> None:
    assert s3.refused("POST", "/bucket?delete", b"<Delete/>") == (400, "InvalidRequest"), (
        "nothing says that it is whole"
    )
    for body in (b"", *NO_DOCUMENTS):
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        wanted = "MalformedXML" if body else "MissingRequestBodyError"
        assert s3.refused("POST", "/bucket?delete", body, content_md5=md5) == (400, wanted), body[:100]


# -------------------------------------------------------------------------------------------------------- versions


def test_versions_by_both_apis(s3: S3) -> None:
    old = s3.put("/bucket/key", b"null")
    assert "x-amz-version-id" not in old.headers
    s3.put("/bucket?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    assert swift(s3).call("HEAD", "/bucket", 204).headers["x-versions-enabled"] == "True"
    first = s3.put("/bucket/key", b"one").headers["x-amz-version-id"]
    second = swift(s3).put("/bucket/key", b"two").headers["x-object-version-id"]
    marker = s3.delete("/bucket/key").headers["x-amz-version-id"]
    shown = s3.get("/bucket?versions")
    assert texts(shown, "Version/VersionId") == [second, first, "null"]
    assert (texts(shown, "DeleteMarker/VersionId"), texts(shown, "DeleteMarker/IsLatest")) == ([marker], ["true"])
    gone = s3.call("GET", "/bucket/key", expect=404)
    assert (code(gone), gone.headers["x-amz-delete-marker"]) == ("NoSuchKey", "true")
    assert s3.refused("GET", f"/bucket/key?versionId={marker}") == (405, "MethodNotAllowed")
    assert s3.refused("GET", "/bucket/key?versionId=0000000001.00000") == (404, "NoSuchVersion")
    for version, content in ((first, b"one"), (second, b"two"), ("null", b"null")):
        assert s3.get(f"/bucket/key?versionId={version}").content == content
        assert swift(s3).get(f"/bucket/key?version-id={version}").content == content
    s3.delete(f"/bucket/key?versionId={marker}")
    assert s3.get("/bucket/key").content == b"two", "what was before the marker is there again"
    s3.delete(f"/bucket/key?versionId={second}")
    assert s3.get("/bucket/key").content == b"one"
    pages, key, version = [], "", ""
    while True:
        page = s3.get(f"/bucket?versions&max-keys=1&key-marker={key}&version-id-marker={version}")
        pages += texts(page, "Version/VersionId")
        if texts(page, "IsTruncated") == ["false"]:
            break
        [key], [version] = texts(page, "NextKeyMarker"), texts(page, "NextVersionIdMarker")
    assert pages == [first, "null"]


def test_versions_that_are_suspended(s3: S3) -> None:
    for status in ("Enabled", "Suspended"):
        body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
        s3.put("/bucket?versioning", body.encode())
        assert texts(s3.get("/bucket?versioning"), "Status") == [status]
        s3.put("/bucket/key", status.encode())
    s3.put("/bucket/key", b"again")
    assert len(texts(s3.get("/bucket?versions"), "Version/Key")) == 2
    gone = s3.delete("/bucket/key")
    assert (gone.headers["x-amz-version-id"], gone.headers["x-amz-delete-marker"]) == ("null", "true")
    shown = s3.get("/bucket?versions")
    assert (len(texts(shown, "Version/Key")), texts(shown, "DeleteMarker/VersionId")) == (1, ["null"])
    s3.put("/bucket/key", b"new")
    assert texts(s3.get("/bucket?versions"), "DeleteMarker/VersionId") == []


def test_a_bucket_whose_versions_were_never_on_may_suspend_them(s3: S3) -> None:
    s3.put("/bucket?versioning", b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
    assert texts(s3.get("/bucket?versioning"), "Status") == ["Suspended"]


def test_the_head_of_a_range_is_that_of_the_range(s3: S3) -> None:
    s3.put("/bucket/key", b"abcdefghij", x_robots_tag="noindex")
    head = s3.call("HEAD", "/bucket/key", expect=206, range="bytes=1-5").headers
    assert (head["content-length"], head["content-range"]) == ("5", "bytes 1-5/10")
    assert head["x-robots-tag"] == "noindex"
    assert s3.call("HEAD", "/bucket/key", expect=416, range="bytes=90-").headers["content-length"] == "0"
    for name in ("bucket/key?nonsense", "bucket/key?versionId=null&nonsense"):
        assert s3.refused("PUT", "/bucket/copy", x_amz_copy_source=name) == (400, "InvalidArgument")


def test_that_a_bucket_is_not_there_is_said_before_its_body_is_read(s3: S3) -> None:
    assert s3.refused("POST", "/nobucket/key?uploadId=x") == (404, "NoSuchBucket")
    assert s3.refused("POST", "/nobucket?delete") == (404, "NoSuchBucket")
    body = b"<Delete><Object><Key></Key></Object></Delete>"
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    assert s3.refused("POST", "/bucket?delete", body, content_md5=digest) == (400, "UserKeyMustBeSpecified")


def test_a_wrong_signature_is_told_with_all_that_was_to_be_signed(s3: S3) -> None:
    said = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    body = b"4;chunk-signature=bad\r\ndata\r\n0;chunk-signature=bad\r\n\r\n"
    told = s3.call("PUT", "/bucket/key", body, payload=said, expect=403, x_amz_decoded_content_length="4").text
    for name in ("AWSAccessKeyId", "StringToSign", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes"):
        assert f"<{name}>" in told


# --------------------------------------------------------------------------------------------------------- uploads


def test_parts_become_an_object_that_swift_reads_as_a_large_one(s3: S3) -> None:
    data = [b"a" * 5 * MB, b"b" * 100]
    upload = begin(s3, "bucket/big", content_type="text/big", x_amz_meta_n="1")
    assert texts(s3.get("/bucket?uploads"), "Upload/Key") == ["big"]
    etags = {number: part(s3, "bucket/big", upload, number, one) for number, one in enumerate(data, 1)}
    part(s3, "bucket/big", upload, 7, b"not wanted")
    assert texts(s3.get(f"/bucket/big?uploadId={upload}"), "Part/PartNumber") == ["1", "2", "7"]
    assert s3.call("HEAD", "/bucket/big").status_code == 404
    [etag] = texts(s3.post(f"/bucket/big?uploadId={upload}", listed(etags)), "ETag")
    digests = b"".join(hashlib.md5(one).digest() for one in data)
    assert etag == f'"{hashlib.md5(digests).hexdigest()}-2"'
    again = s3.post(f"/bucket/big?uploadId={upload}", listed(etags))
    assert texts(again, "ETag") == [etag], "an answer that was lost can be asked for again"
    assert texts(s3.get("/bucket"), "Contents/ETag") == [etag]
    assert s3.get("/bucket/big?partNumber=2", 206).content == data[1]
    assert s3.get("/bucket/big", 206, range=f"bytes={5 * MB - 2}-{5 * MB + 1}").content == b"aabb"
    seen = swift(s3).get("/bucket/big")
    assert (seen.content, seen.headers["x-static-large-object"]) == (b"".join(data), "True")
    assert (seen.headers["content-type"], seen.headers["x-object-meta-n"]) == ("text/big", "1")
    assert len(swift(s3).names("/bucket+segments")) == 2, "the part that is not in it is gone"
    assert texts(s3.get("/"), "Buckets/Bucket/Name") == ["bucket"]
    s3.put("/bucket/copy", x_amz_copy_source="/bucket/big")
    assert s3.get("/bucket/copy").headers["etag"] == f'"{hashlib.md5(b"".join(data)).hexdigest()}"'
    s3.delete("/bucket/big")
    uploads.sweep(s3.api.core)
    assert swift(s3).names("/bucket+segments") == []


def test_a_large_object_of_swift_is_read(s3: S3) -> None:
    swift(s3).put("/bucket/p1", b"one")
    swift(s3).put("/bucket/p2", b"two")
    manifest = json.dumps([{"path": "/bucket/p1"}, {"path": "/bucket/p2"}])
    swift(s3).call("PUT", "/bucket/slo?multipart-manifest=put", 201, content=manifest)
    swift(s3).put("/bucket/dlo", b"", X_Object_Manifest="bucket/p")
    for name in ("slo", "dlo"):
        seen = s3.get(f"/bucket/{name}")
        assert (seen.content, seen.headers["etag"][-3:]) == (b"onetwo", '-N"')
        assert s3.get(f"/bucket/{name}", 304, if_none_match=seen.headers["etag"]).content == b""


def test_parts_that_do_not_make_an_object(s3: S3) -> None:
    upload = begin(s3, "bucket/key")
    where = f"/bucket/key?uploadId={upload}"
    small = {n: part(s3, "bucket/key", upload, n, b"x") for n in (1, 2)}
    assert s3.refused("POST", where, listed(small)) == (400, "EntityTooSmall")
    assert s3.refused("POST", where, listed({1: '"' + "0" * 32 + '"'})) == (400, "InvalidPart")
    assert s3.refused("POST", where, listed({3: small[1]})) == (400, "InvalidPart")
    assert s3.refused("POST", where, listed(dict(reversed(small.items())))) == (400, "InvalidPartOrder")
    assert s3.refused("POST", where, COMPLETE.format("").encode()) == (400, "MalformedXML")
    for number in (0, 10_001, "x"):
        assert s3.refused("PUT", f"{where}&partNumber={number}", b"x") == (400, "InvalidArgument")
    for other in ("/bucket/other", "/bucket/key/"):
        assert s3.refused("POST", f"{other}?uploadId={upload}", listed({1: small[1]})) == (404, "NoSuchUpload")
    assert s3.refused("PUT", f"/bucket/key?partNumber=1&uploadId={'0' * 32}", b"x") == (404, "NoSuchUpload")
    s3.delete(where)
    assert s3.refused("PUT", f"{where}&partNumber=1", b"x") == (404, "NoSuchUpload")
    assert swift(s3).names("/bucket+segments") == []
    assert s3.call("HEAD", "/bucket/key").status_code == 404


def test_parts_that_are_copied(s3: S3) -> None:
    s3.put("/bucket/source", b"s" * 6 * MB)
    upload = begin(s3, "bucket/key")
    target = f"/bucket/key?uploadId={upload}&partNumber="
    [whole] = texts(s3.put(f"{target}1", x_amz_copy_source="/bucket/source"), "ETag")
    [some] = texts(
        s3.put(f"{target}2", x_amz_copy_source="/bucket/source", x_amz_copy_source_range="bytes=0-9"), "ETag"
    )
    beyond = {"x_amz_copy_source": "/bucket/source", "x_amz_copy_source_range": f"bytes=0-{6 * MB}"}
    assert s3.refused("PUT", f"{target}3", **beyond) == (416, "InvalidRange")
    s3.post(f"/bucket/key?uploadId={upload}", listed({1: whole, 2: some}))
    assert s3.get("/bucket/key").content == b"s" * (6 * MB + 10)


def test_parts_count_for_the_quota_and_are_given_up_after_a_week(s3: S3) -> None:
    upload = begin(s3, "bucket/key")
    part(s3, "bucket/key", upload, 1, b"x" * 100_000)
    assert int(swift(s3).call("HEAD", "", 204).headers["x-account-bytes-used"]) == 100_000
    assert uploads.sweep(s3.api.core) == (0, 0)
    s3.api.advance(timedelta(days=8).total_seconds())
    assert uploads.sweep(s3.api.core)[0] == 1
    uploads.sweep(s3.api.core)
    with database.of(s3.api.core).read() as tx:
        assert places.measured(tx)[0].bytes == 0


def test_checksums_of_parts(s3: S3) -> None:
    data = [b"a" * 5 * MB, b"b" * 9]
    for kind in ("COMPOSITE", "FULL_OBJECT"):
        upload = begin(s3, "bucket/key", x_amz_checksum_algorithm="CRC32", x_amz_checksum_type=kind)
        sums = [zlib.crc32(one).to_bytes(4, "big") for one in data]
        etags = {}
        for number, one in enumerate(data, 1):
            answer = s3.put(f"/bucket/key?partNumber={number}&uploadId={upload}", one)
            assert answer.headers["x-amz-checksum-crc32"] == base64.b64encode(sums[number - 1]).decode()
            etags[number] = answer.headers["etag"]
        [told] = texts(s3.post(f"/bucket/key?uploadId={upload}", listed(etags)), "ChecksumCRC32")
        whole = zlib.crc32(b"".join(data)) if kind == "FULL_OBJECT" else zlib.crc32(b"".join(sums))
        end = "" if kind == "FULL_OBJECT" else "-2"
        assert told == base64.b64encode(whole.to_bytes(4, "big")).decode() + end
        shown = s3.call("HEAD", "/bucket/key", x_amz_checksum_mode="ENABLED").headers
        assert (shown["x-amz-checksum-crc32"], shown["x-amz-checksum-type"]) == (told, kind)
