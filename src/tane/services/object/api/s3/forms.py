"""Uploads by HTML forms: a signed policy says what may come.

Source: Amazon S3 API Reference, "Browser-based uploads using POST", for signatures of both versions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import falcon

from tane.services.object.api import headers as swift_headers
from tane.services.object.api.s3 import access, describing, xml
from tane.services.object.api.s3.calls import MOST_KEY, MOST_OBJECT, Call, admitted, identified, placed
from tane.services.object.api.s3.xml import element
from tane.services.object.domain import blobs
from tane.services.object.domain import objects as swift
from tane.services.object.domain.blobs import BrokenOff, TooMuch
from tane.services.object.domain.s3 import buckets, forms, objects
from tane.services.object.domain.s3.conditions import Expected
from tane.services.object.domain.s3.errors import S3Error
from tane.web import multipart
from tane.web.errors import ApiError, BadRequest
from tane.web.request import Request, Response

MOST_FIELD, MOST_FIELDS, MOST_BYTES = 32 << 10, 100, 64 << 10
MALFORMED = "The body of your POST request is not well-formed multipart/form-data."
KEPT = (
    "x-amz-storage-class",
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)


async def upload(request: Request) -> Response:
    """The file of a form, once its policy and signature were found right; what follows it is not looked at"""
    owner = placed(request)
    buckets.check_name(request.path["bucket"])
    fields: dict[str, str] = {}
    size = 0
    try:
        async for part in multipart.parts(request, MOST_FIELDS + 1, _gone):
            name = str(part.name or "").lower()
            if name == "file":
                return await _store(request, owner, fields, part)
            text = await _text(part)
            size += len(name) + len(text)
            if size > MOST_BYTES or len(fields) >= MOST_FIELDS:
                raise S3Error("InvalidRequest", "Your POST request fields preceding the upload file were too large.")
            if name in fields:
                raise S3Error("InvalidArgument", f"POST requires at most one argument of each name: {name[:100]}")
            fields[name] = text
    except (falcon.HTTPError, ValueError):
        raise S3Error("InvalidRequest", MALFORMED) from None
    raise S3Error("InvalidArgument", "POST requires exactly one file upload per request.")


def _gone(_: BadRequest) -> ApiError:
    return S3Error("IncompleteBody")


async def _text(part: Any) -> str:
    data = await part.stream.read(MOST_FIELD + 1)
    if len(data) > MOST_FIELD:
        raise S3Error("InvalidRequest", "A field of the form is too long.")
    try:
        return str(data.decode())
    except UnicodeDecodeError:
        raise S3Error("InvalidArgument", "A field of the form is no UTF-8.") from None


async def _store(request: Request, owner: str, fields: dict[str, str], part: Any) -> Response:
    core, bucket = request.core, request.path["bucket"]
    if "key" not in fields:
        raise S3Error("InvalidArgument", "Bucket POST must contain a field named 'key'.")
    proof = forms.proof(fields, core.clock.now())
    ctx, key = await core.in_thread(identified, request, proof)
    account = admitted(request, ctx, owner)
    policy = forms.checked(fields, bucket, core.clock.now())
    name = fields["key"].replace("${filename}", str(part.filename or "").rpartition("/")[2])
    if not name or "\0" in name:
        raise S3Error("UserKeyMustBeSpecified")
    if len(name.encode()) > MOST_KEY:
        raise S3Error("KeyTooLongError")
    given = {one: value for one, value in fields.items() if one in KEPT or one.startswith("x-amz-meta-")}
    given = {one: value.encode().decode("latin-1") for one, value in given.items()}
    if "acl" in fields:
        given["x-amz-acl"] = fields["acl"]
    call = Call(replace(request, headers=given, query=[], _first={}), proof, key, account, bucket, name)
    new = describing.described(call)
    await access.check(call)
    await core.in_thread(swift.allow_put, call.inner(), call.at, None)
    most = min(policy.most, MOST_OBJECT)
    try:
        received = await blobs.receive(core, multipart.PartStream(part), None, most, *call.place)
    except TooMuch:
        raise S3Error("EntityTooLarge", details={"MaxSizeAllowed": str(most)}) from None
    except BrokenOff:
        raise S3Error("IncompleteBody") from None
    if received.size < policy.least:
        await core.in_thread(received.abandon)
        told = {"ProposedSize": str(received.size), "MinSizeAllowed": str(policy.least)}
        raise S3Error("EntityTooSmall", details=told)
    written = await core.in_thread(objects.put, call.inner(), call.at, received, new, Expected())
    return _answer(call, fields, f'"{written.etag}"', written.version)


def _answer(call: Call, fields: dict[str, str], etag: str, version: str) -> Response:
    where = f"{call.request.base_url}{call.request.raw_path.rstrip('/')}/{quote(call.name)}"
    shown = {"ETag": etag, "Location": where, **describing.version(version)}
    target = fields.get("success_action_redirect") or fields.get("redirect", "")
    if target and _is_web(target):
        mark = "&" if "?" in target else "?"
        told = urlencode({"bucket": call.bucket, "key": call.name, "etag": etag})
        led = quote(f"{target}{mark}{told}", safe=":/?&=%#+,;@")
        return Response(None, 303, {**shown, "Location": led, "Content-Length": "0"}, swift_headers.HTML)
    status = fields.get("success_action_status", "")
    if status == "201":
        body = xml.DECLARATION + element(
            "PostResponse",
            element("Location", where),
            element("Bucket", call.bucket),
            element("Key", call.name),
            element("ETag", etag),
        )
        return Response(body.encode(), 201, shown, xml.TYPE)
    return Response(b"" if status == "200" else None, 200 if status == "200" else 204, shown, swift_headers.HTML)


def _is_web(target: str) -> bool:
    """Where a browser may be led: the policy's conditions have said so."""
    try:
        return target.isprintable() and urlsplit(target).scheme in ("http", "https")
    except ValueError:
        return False
