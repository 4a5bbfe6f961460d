"""A cloud that listens, and clients that are not ours, boto3, of several projects and of nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
from botocore import UNSIGNED
from botocore.config import Config

from tane.clock import SystemClock
from tests.api.s3_support import S3
from tests.api.test_s3_boto3 import MB, Session
from tests.support import ApiCloud, Caller
from tests.web.test_streams import served

PART = b"p" * (5 * MB)


class World:
    """A cloud that listens, with users of two projects. ``swift`` is mia's account, called by Swift's API."""

    def __init__(self, cloud: ApiCloud, port: int, mia: Caller, keys: S3, others: S3, manager: S3) -> None:
        self.cloud, self.port, self.mia = cloud, port, mia
        self.session = Session(port, keys)
        self.s3 = self.session.client()
        self.manager = Session(port, manager).client()
        self.others = others
        self.project = mia.project_id

    def foreign(self, *, signed: bool = True) -> Any:
        """A client of another project, or of nobody, for mia's buckets."""
        names = {"signature_version": UNSIGNED} if not signed else {}
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}/s3/AUTH_{self.project}",
            aws_access_key_id=self.others.access if signed else None,
            aws_secret_access_key=self.others.secret if signed else None,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **names),
        )

    def swift(self, method: str, path: str, expect: int, **more: Any) -> httpx.Response:
        headers = {"X-Auth-Token": self.mia.token, **more.pop("headers", {})}
        where = f"http://127.0.0.1:{self.port}/object-store/v1/AUTH_{self.project}{path}"
        found = httpx.request(method, where, headers=headers, timeout=30, **more)
        assert found.status_code == expect, f"{method} {path}: {found.status_code} {found.text}"
        return found

    @property
    def now(self) -> datetime:
        return self.cloud.core.clock.now().replace(tzinfo=UTC)

    def later(self, days: float) -> datetime:
        return self.now.replace(microsecond=0) + timedelta(days=days)

    def upload_parts(self, bucket: str, key: str, **more: Any) -> str:
        """A large object in two parts; returns its version."""
        begun = self.s3.create_multipart_upload(Bucket=bucket, Key=key, **more)["UploadId"]
        named = {"Bucket": bucket, "Key": key, "UploadId": begun}
        told = [
            {"PartNumber": number, "ETag": self.s3.upload_part(PartNumber=number, Body=body, **named)["ETag"]}
            for number, body in ((1, PART), (2, b"end"))
        ]
        done = self.s3.complete_multipart_upload(MultipartUpload={"Parts": told}, **named)
        return str(done.get("VersionId", ""))


def with_world(cloud: ApiCloud, work: Callable[[World], None]) -> None:
    """Run what clients do in a thread, while the cloud serves."""
    cloud.advance((SystemClock().now() - cloud.core.clock.now()).total_seconds())
    mia, keys = (caller := cloud.new_user("mia", "garden")), S3(caller)
    manager, others = S3(cloud.new_user("max", "garden", "manager")), S3(cloud.new_user("eve", "attic"))

    async def both() -> None:
        async with served(cloud) as port:
            await asyncio.to_thread(work, World(cloud, port, mia, keys, others, manager))

    cloud.wait(both())
