"""Policies of buckets, as documents of JSON."""

from __future__ import annotations

from tane.services.object.api.s3 import xml
from tane.services.object.api.s3.calls import Body, Call
from tane.services.object.api.s3.xml import element
from tane.services.object.domain import policies
from tane.services.object.domain.s3 import buckets
from tane.services.object.domain.s3.errors import S3Error
from tane.web.request import Response


async def show(call: Call) -> Response:
    """The bucket's policy"""
    text = await call.request.core.in_thread(buckets.policy, call.inner(), call.place)
    return Response(text.encode(), content_type="application/json")


async def status(call: Call) -> Response:
    """Whether the bucket's policy lets everybody in"""
    text = await call.request.core.in_thread(buckets.policy, call.inner(), call.place)
    public = policies.is_public(policies.kept(text, call.bucket))
    return Response(xml.document("PolicyStatus", element("IsPublic", str(public).lower())), content_type=xml.TYPE)


async def put(call: Call) -> Response:
    """Set the bucket's policy"""
    try:
        text = (await Body(call, policies.MOST_BYTES).whole()).decode()
    except UnicodeDecodeError:
        raise S3Error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'") from None
    if not text.startswith("{"):
        raise S3Error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
    await call.request.core.in_thread(buckets.set_policy, call.inner(), call.place, text)
    return Response(None, 204)


async def remove(call: Call) -> Response:
    """Remove the bucket's policy"""
    await call.request.core.in_thread(buckets.set_policy, call.inner(), call.place, "")
    return Response(None, 204)
