"""Where the access log of a bucket goes.

Source: Amazon S3 API Reference, "PutBucketLogging".
"""

from __future__ import annotations

from tane.services.object.api.s3 import xml
from tane.services.object.api.s3.calls import Call, document
from tane.services.object.api.s3.xml import Node, element
from tane.services.object.domain.s3 import buckets
from tane.services.object.domain.s3.errors import S3Error
from tane.web.request import Response

MOST_PREFIX = 512


async def show(call: Call) -> Response:
    """Where the bucket's access log goes"""
    found = await call.request.core.in_thread(buckets.logging, call.inner(), call.place)
    inner = None
    if found is not None:
        inner = element("LoggingEnabled", element("TargetBucket", found[0]), element("TargetPrefix", found[1]))
    return Response(xml.document("BucketLoggingStatus", inner), content_type=xml.TYPE)


async def put(call: Call) -> Response:
    """Have the bucket's calls written to another one, or to none"""
    wanted = await document(call, "BucketLoggingStatus", _wanted)
    await call.request.core.in_thread(buckets.set_logging, call.inner(), call.place, wanted)
    return Response(b"")


def _wanted(node: Node) -> tuple[str, str] | None:
    held = node.child("LoggingEnabled")
    if held is None:
        return None
    if held.child("TargetGrants") or held.child("TargetObjectKeyFormat"):
        raise S3Error("NotImplemented", "Grants and formats of keys of access logs are not implemented.")
    bucket, prefix = held.value("TargetBucket"), held.value("TargetPrefix", "")
    buckets.check_name(bucket)
    if len(prefix.encode()) > MOST_PREFIX or "\0" in prefix:
        raise S3Error("InvalidArgument", f"The maximum size of a prefix is {MOST_PREFIX}.")
    return bucket, prefix
