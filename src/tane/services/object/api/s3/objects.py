"""Calls about objects."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tane.services.object.api import downloads, headers
from tane.services.object.api.s3 import access, attributes, buckets, copies, describing, forms, locks, pages, uploads
from tane.services.object.api.s3.calls import MOST_OBJECT, Body, Call, Table, answered, is_bucket, part_number, placed
from tane.services.object.domain import blobs, heavy, manifests, metadata
from tane.services.object.domain import locks as kept_locks
from tane.services.object.domain import objects as swift
from tane.services.object.domain.errors import ObjectNotFound, Unsatisfiable
from tane.services.object.domain.ranges import Range, parsed
from tane.services.object.domain.reading import Reading, version_id
from tane.services.object.domain.s3 import buckets as domain_buckets
from tane.services.object.domain.s3 import conditions, objects
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import stamps
from tane.web.errors import NotFound
from tane.web.request import Request, Response

OVERRIDES = {f"response-{name}": name for name in ("content-type", *describing.KEPT) if name != "x-robots-tag"}
CONDITIONS = ("size", "last-modified-time")
ONE_RANGE = re.compile(r"bytes=\s*(\d*-\d*)\s*\Z", re.ASCII)
SHOWN = ("accept-ranges", "last-modified", "content-range", "content-length", "content-disposition", "content-encoding")


# --------------------------------------------------------------------------------------------------------- writing


async def put(call: Call) -> Response:
    if "x-amz-copy-source" in call.headers:
        return await copies.copy(call)
    core, new, wanted = call.request.core, describing.described(call), describing.expected(call)
    await access.check(call)
    await locks.check(call, new.lock)
    body = Body(call, MOST_OBJECT)
    if new.lock is not None and not body.is_told:
        told = (
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
        )
        raise S3Error("InvalidRequest", told)
    if body.length is None or body.length > blobs.INLINE or "expect" in call.headers:
        inner = call.inner({"if-none-match": "*"} if wanted.none else {})
        await core.in_thread(swift.allow_put, inner, call.at, body.length)
    received = await body.receive()
    if body.algorithm:
        new.meta = {**new.meta, "s3-checksum": f"{body.algorithm}:{body.checksum}:FULL_OBJECT"}
    written = await core.in_thread(objects.put, call.inner(), call.at, received, new, wanted)
    shown = {"ETag": f'"{written.etag}"', **describing.version(written.version), **describing.checksum(new.meta)}
    return Response(None, 200, {**shown, "Content-Length": "0"}, headers.HTML)


# --------------------------------------------------------------------------------------------------------- reading


def reading(call: Call) -> Request:
    """The request as Swift's side reads objects: conditions and one range. :raises S3Error:"""
    given, query = call.headers, list[tuple[str, str]]()
    found = {name: given[name].replace('-N"', '"') for name in describing.CONDITIONS if name in given}
    if ONE_RANGE.match(given.get("range", "")):
        found["range"] = given["range"]
        if "if-range" in given:
            found["if-range"] = given["if-range"].replace('-N"', '"')
    if (wanted := call.param("versionId")) is not None:
        query.append(("version-id", wanted))
    if (part := call.param("partNumber")) is not None:
        if "range" in given:
            raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
        part_number(part)
        query.append(("part-number", part))
    return call.inner(found, query)


def check_part(call: Call, found: Reading) -> None:
    """What was put whole is its only part. :raises S3Error: there is no such part."""
    part = call.param("partNumber")
    if part is not None:
        count = len(manifests.spans(found.row.manifest)) if found.row.kind == "slo" else 1
        if int(part) > count:
            told = {"PartNumberRequested": part, "ActualPartCount": str(count)}
            raise S3Error("InvalidPartNumber", details=told)


async def show(call: Call) -> Response:
    """An object, or its headers"""
    inner = reading(call)
    overrides = overridden(call)
    return await heavy.once_more(inner, _shown, call, inner, overrides)


def overridden(call: Call) -> dict[str, str]:
    """Headers of the answer that the query sets. :raises S3Error: they are none."""
    found = {}
    for parameter, name in OVERRIDES.items():
        if (value := call.param(parameter)) is not None:
            if metadata.CONTROL.search(value) or len(value) > metadata.MAX_HEADER_SIZE:
                raise S3Error("InvalidArgument", details={"ArgumentName": parameter})
            found[name] = metadata.carried(value)
    return found


def _shown(call: Call, inner: Request, overrides: Mapping[str, str]) -> Response:
    chosen = downloads.Chosen(inner)

    def wanted(found: Reading) -> list[Range]:
        check_part(call, found)
        return chosen(found)

    try:
        found, spans = swift.read(inner, call.at, wanted)
    except ObjectNotFound as error:
        raise _absent(call, error) from None
    answer = downloads.answer(inner, chosen, found, spans)
    if call.request.method == "HEAD" and not chosen.not_modified and answer.status == 200:
        _head_of_range(inner, found, answer)
    given = {name.lower(): value for name, value in answer.headers.items()}
    shown = {name.title(): given[name] for name in SHOWN if name in given}
    if call.param("partNumber") is not None and found.row.kind != "slo" and answer.status == 200 and found.size:
        # All of it is its only part.
        answer.status = 206
        shown["Content-Range"] = f"bytes 0-{found.size - 1}/{found.size}"
    shown |= headers.SAFE
    shown["ETag"] = f'"{conditions.etag(found.row.kind, found.etag)}"'
    for name, value in found.meta.items():
        if name.startswith(describing.OWN_META):
            shown[describing.META + name.removeprefix(describing.OWN_META)] = metadata.carried(value)
        elif name in describing.KEPT:
            shown[name.title()] = metadata.carried(value)
    if found.visit.there.versions_mode in ("enabled", "suspended"):
        shown["x-amz-version-id"] = version_id(found.row)
    if found.row.delete_at is not None:
        expires = headers.http_date(found.row.delete_at * stamps.SECOND)
        shown["x-amz-expiration"] = f'expiry-date="{expires}", rule-id="swift-object-expiration"'
    if tags := access.tag_count(found.meta.get("s3-tags", "")):
        shown["x-amz-tagging-count"] = str(tags)
    shown |= locks.shown(kept_locks.of(found.meta))
    if chosen.parts and call.param("partNumber") is not None:
        shown["x-amz-mp-parts-count"] = str(chosen.parts)
    if call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED" and not chosen.partial:
        shown |= describing.checksum(found.meta)
    for name, value in overrides.items():
        if name == "content-type":
            answer.content_type = value
        else:
            shown[name.title()] = value
    meta = found.visit.container_meta
    answer.headers = {**shown, **pages.shown_to(call.request, meta, call.request.method, [])}
    return answer


def _head_of_range(inner: Request, found: Reading, answer: Response) -> None:
    """What a GET of the range would say: Swift's HEAD knows no ranges. :raises Unsatisfiable:"""
    spans = parsed(inner.headers.get("range"), found.size)
    if spans is None or len(spans) > 1:
        return
    if not spans:
        told = {"Content-Range": f"bytes */{found.size}"}
        raise Unsatisfiable("The Range requested is not available.", told)
    answer.status = 206
    answer.headers["Content-Length"] = str(spans[0].length)
    answer.headers["Content-Range"] = f"bytes {spans[0].first}-{spans[0].last}/{found.size}"


def _absent(call: Call, error: ObjectNotFound) -> S3Error | NotFound | ObjectNotFound:
    """A version that is a marker may not be read; nor is one there that is not."""
    marker = error.headers.get("X-Object-Version-Id")
    wanted = call.param("versionId")
    if wanted is None:
        return error
    if marker is None:
        return S3Error("NoSuchVersion", details={"Key": call.name, "VersionId": wanted[:100]})
    told = {"x-amz-delete-marker": "true", "x-amz-version-id": marker, "Allow": "DELETE"}
    return S3Error("MethodNotAllowed", headers=told)


# -------------------------------------------------------------------------------------------------------- deleting


async def remove(call: Call) -> Response:
    given = (call.headers.get(name, "") for name in ("if-match", *(f"x-amz-if-match-{one}" for one in CONDITIONS)))
    expected = describing.deletion(*given)
    found = await call.request.core.in_thread(
        objects.delete, call.inner(), call.at, call.param("versionId"), expected, bypass=locks.bypass(call)
    )
    shown = describing.version(found.version)
    if found.marker:
        shown["x-amz-delete-marker"] = "true"
    return Response(None, 204, shown)


async def options(request: Request) -> Response:
    """Whether a page of another origin may ask, by the bucket's rules"""
    owner = placed(request)
    origin, method = request.headers.get("origin"), request.headers.get("access-control-request-method")
    if not origin or not method:
        raise S3Error("InvalidRequest", "Insufficient information. Origin request header needed.")
    names = [name.strip() for name in request.headers.get("access-control-request-headers", "").split(",")]
    metas = await request.core.in_thread(domain_buckets.of_address, request, owner, request.path["bucket"])
    asked = [name for name in names if name]
    shown = next((found for meta in metas if (found := pages.shown_to(request, meta, method, asked))), {})
    if not shown:
        raise S3Error(
            "AccessDenied",
            "CORSResponse: This CORS request is not allowed. This is usually because the "
            "evalution of Origin, request method / Access-Control-Request-Method or "
            "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
        )
    return Response(b"", 200, shown)


GET: Table = {
    "acl": access.get_acl,
    "attributes": attributes.show,
    "legal-hold": locks.get_hold,
    "retention": locks.get_retention,
    "tagging": access.get_tags,
    "uploadId": uploads.parts,
    "": show,
}
PUT: Table = {
    "acl": access.put_object_acl,
    "legal-hold": locks.put_hold,
    "retention": locks.put_retention,
    "tagging": access.put_tags,
    "uploadId": uploads.put_part,
    "": put,
}
POST: Table = {"uploads": uploads.begin, "uploadId": uploads.complete}
DELETE: Table = {"tagging": access.delete_tags, "uploadId": uploads.give_up, "": remove}


async def get_object(request: Request) -> Response:
    """Get an object, its headers by HEAD; its `acl`, `attributes`, `legal-hold`, `retention`, `tagging`, parts"""
    return await answered(request, GET, buckets.GET, buckets.SERVICE)


async def put_object(request: Request) -> Response:
    """Put an object, a copy (`x-amz-copy-source`), a part (`uploadId`); `acl`, `legal-hold`, `retention`, `tagging`"""
    return await answered(request, PUT, buckets.PUT, buckets.SERVICE)


async def post_object(request: Request) -> Response:
    """Begin an upload in parts (`uploads`), complete it (`uploadId`)"""
    if buckets.is_form(request) and is_bucket(request):
        return await forms.upload(request)
    return await answered(request, POST, buckets.POST, buckets.SERVICE)


async def delete_object(request: Request) -> Response:
    """Delete an object or a version of it; give up an `uploadId`; remove its `tagging`"""
    return await answered(request, DELETE, buckets.DELETE, buckets.SERVICE)
