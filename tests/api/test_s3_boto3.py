"""A client that is not ours, boto3, against a cloud that listens."""

from __future__ import annotations

import asyncio
import io
import random
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from tane.clock import SystemClock
from tests.api.s3_support import S3
from tests.support import ApiCloud
from tests.web.test_streams import served

MB = 1 << 20
BYTES = random.Random(5).randbytes(11 * MB)


class Session:
    """The clients of a credential."""

    def __init__(self, port: int, keys: S3) -> None:
        self._port, self._keys = port, keys

    def client(self, secret: str = "", **config: Any) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self._port}/s3",
            aws_access_key_id=self._keys.access,
            aws_secret_access_key=secret or self._keys.secret,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config),
        )


def with_client(cloud: ApiCloud, work: Callable[[Session], None]) -> None:
    """Run what a client does in a thread, while the cloud serves."""
    cloud.advance((SystemClock().now() - cloud.core.clock.now()).total_seconds())
    keys = S3(cloud.new_user("mia", "garden"))

    async def both() -> None:
        async with served(cloud) as port:
            await asyncio.to_thread(work, Session(port, keys))

    cloud.wait(both())


def code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        found: bytes = answer.read()
    return found


def test_buckets_objects_and_who_may(cloud: ApiCloud) -> None:
    def work(session: Session) -> None:
        s3 = session.client()
        s3.create_bucket(Bucket="bucket")
        assert code(s3.create_bucket, Bucket="bucket") == "BucketAlreadyOwnedByYou"
        assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["bucket"]
        key = "a/b c+é//x"
        said = {"Metadata": {"n": "1"}, "ContentType": "text/plain", "CacheControl": "no-store"}
        put = s3.put_object(Bucket="bucket", Key=key, Body=b"hello", **said)
        got = s3.get_object(Bucket="bucket", Key=key)
        assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"hello", {"n": "1"}, "text/plain")
        assert (got["CacheControl"], got["ETag"]) == ("no-store", put["ETag"])
        part = s3.get_object(Bucket="bucket", Key=key, Range="bytes=1-3")
        assert (part["Body"].read(), part["ContentRange"]) == (b"ell", "bytes 1-3/5")
        assert [one["Key"] for one in s3.list_objects_v2(Bucket="bucket")["Contents"]] == [key]
        assert s3.list_objects(Bucket="bucket", Delimiter="/")["CommonPrefixes"] == [{"Prefix": "a/"}]
        assert code(s3.get_object, Bucket="bucket", Key="none") == "NoSuchKey"
        assert code(s3.get_object, Bucket="nothing", Key="none") == "NoSuchBucket"
        assert code(session.client("wrong").list_buckets) == "SignatureDoesNotMatch"
        assert code(s3.get_bucket_policy, Bucket="bucket") == "NoSuchBucketPolicy"
        assert code(s3.delete_bucket, Bucket="bucket") == "BucketNotEmpty"
        old = session.client(signature_version="s3")
        old.put_object(Bucket="bucket", Key="old", Body=b"by version 2")
        assert old.list_objects(Bucket="bucket", Prefix="o")["Contents"][0]["Key"] == "old"
        named = {"Bucket": "bucket", "Key": "old"}
        new = session.client(signature_version="s3v4")
        for client in (new, old):
            assert fetched(client.generate_presigned_url("get_object", named, ExpiresIn=60)) == b"by version 2"
        address = new.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "by-address"})
        urllib.request.urlopen(urllib.request.Request(address, b"put", method="PUT"), timeout=30).close()
        assert s3.get_object(Bucket="bucket", Key="by-address")["Body"].read() == b"put"
        deleted = s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key}, {"Key": "old"}]})
        assert len(deleted["Deleted"]) == 2
        s3.put_bucket_acl(Bucket="bucket", ACL="public-read")
        assert s3.get_bucket_acl(Bucket="bucket")["Grants"][1]["Permission"] == "READ"

    with_client(cloud, work)


def test_what_is_checked_and_what_is_kept(cloud: ApiCloud) -> None:
    def work(session: Session) -> None:
        s3 = session.client()
        s3.create_bucket(Bucket="bucket")
        for wrong in ({"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, {"ChecksumCRC32": "AAAAAA=="}):
            assert code(s3.put_object, Bucket="bucket", Key="k", Body=b"a", **wrong) == "BadDigest"
        for name in ("CRC32", "SHA1", "SHA256"):
            put = s3.put_object(Bucket="bucket", Key="k", Body=BYTES[:200_000], ChecksumAlgorithm=name)
            got = s3.get_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
            assert (got["Body"].read(), got[f"Checksum{name}"]) == (BYTES[:200_000], put[f"Checksum{name}"])
        assert code(s3.put_object, Bucket="bucket", Key="k", Body=b"a", IfNoneMatch="*") == "PreconditionFailed"
        s3.put_object(Bucket="bucket", Key="k", Body=b"the next call on the same connection")
        s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
        first, second = (s3.put_object(Bucket="bucket", Key="k", Body=body)["VersionId"] for body in (b"1", b"2"))
        marker = s3.delete_object(Bucket="bucket", Key="k")["VersionId"]
        assert code(s3.get_object, Bucket="bucket", Key="k") == "NoSuchKey"
        assert s3.get_object(Bucket="bucket", Key="k", VersionId=first)["Body"].read() == b"1"
        s3.delete_object(Bucket="bucket", Key="k", VersionId=marker)
        assert s3.get_object(Bucket="bucket", Key="k")["VersionId"] == second
        versions = s3.list_object_versions(Bucket="bucket")["Versions"]
        assert [one["VersionId"] for one in versions] == [second, first, "null"]
        assert [one["IsLatest"] for one in versions] == [True, False, False]

    with_client(cloud, work)


def test_large_objects(cloud: ApiCloud) -> None:
    def work(session: Session) -> None:
        s3 = session.client()
        s3.create_bucket(Bucket="bucket")
        parts = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB)
        s3.upload_fileobj(io.BytesIO(BYTES), "bucket", "big", Config=parts)
        head = s3.head_object(Bucket="bucket", Key="big", PartNumber=3)
        assert (head["ETag"][-3:], head["PartsCount"], head["ContentLength"]) == ('-3"', 3, MB)
        into = io.BytesIO()
        s3.download_fileobj("bucket", "big", into)
        assert into.getvalue() == BYTES
        s3.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "big"})
        assert s3.get_object(Bucket="bucket", Key="copy")["Body"].read() == BYTES
        source = {"Bucket": "bucket", "Key": "big"}
        upload = s3.create_multipart_upload(Bucket="bucket", Key="again")["UploadId"]
        this = {"Bucket": "bucket", "Key": "again", "UploadId": upload}
        copied = s3.upload_part_copy(**this, PartNumber=1, CopySource=source, CopySourceRange="bytes=5-14")
        etag = copied["CopyPartResult"]["ETag"]
        assert [one["Size"] for one in s3.list_parts(**this)["Parts"]] == [10]
        s3.complete_multipart_upload(**this, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        assert s3.get_object(Bucket="bucket", Key="again")["Body"].read() == BYTES[5:15]
        upload = s3.create_multipart_upload(Bucket="bucket", Key="never")["UploadId"]
        assert [one["Key"] for one in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == ["never"]
        s3.abort_multipart_upload(Bucket="bucket", Key="never", UploadId=upload)
        assert code(s3.list_parts, Bucket="bucket", Key="never", UploadId=upload) == "NoSuchUpload"

    with_client(cloud, work)
