"""Copies of objects, whole or as parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from tane.services.object.api import downloads
from tane.services.object.api.s3 import access, describing, locks, xml
from tane.services.object.api.s3.calls import ACCOUNT, MOST_OBJECT, Call
from tane.services.object.api.s3.listings import moment
from tane.services.object.api.s3.xml import element
from tane.services.object.domain import blobs, heavy, metadata
from tane.services.object.domain import objects as swift
from tane.services.object.domain.access import project_of
from tane.services.object.domain.blobs import Content, Piece
from tane.services.object.domain.content import New
from tane.services.object.domain.errors import Failed
from tane.services.object.domain.objects import At
from tane.services.object.domain.reading import Reading, version_id
from tane.services.object.domain.s3 import buckets, conditions
from tane.services.object.domain.s3 import objects as domain
from tane.services.object.domain.s3 import uploads as domain_uploads
from tane.services.object.domain.s3.errors import S3Error, known
from tane.web.errors import ApiError
from tane.web.request import Request, Response

RANGE = re.compile(r"bytes=\d{1,15}-\d{1,15}\Z", re.ASCII)
CONDITIONS = {f"x-amz-copy-source-{name}": name for name in describing.CONDITIONS}


def source(call: Call) -> tuple[At, str | None]:
    """What is to be copied, and which version of it. :raises S3Error:"""
    text, asks, query = call.headers["x-amz-copy-source"].encode("latin-1", "replace").partition(b"?")
    if asks and (not query.startswith(b"versionId=") or b"&" in query):
        raise S3Error("InvalidArgument", "Unsupported copy source parameter.")
    query = query.removeprefix(b"versionId=")
    try:
        path = unquote_to_bytes(text).decode().removeprefix("/")
        version = unquote_to_bytes(query).decode() if query else None
    except UnicodeDecodeError:
        raise S3Error("InvalidArgument", "x-amz-copy-source is no UTF-8.") from None
    bucket, slash, name = path.partition("/")
    if not slash or not bucket or not name or "\0" in path or len(name.encode()) > 1024:
        raise S3Error(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            details={"ArgumentName": "x-amz-copy-source"},
        )
    account = call.account
    if ACCOUNT.match(bucket):
        # Of another project.
        account, (bucket, _, name) = bucket, name.partition("/")
    project_id = project_of(account)
    if call.headers.get("x-amz-source-expected-bucket-owner", project_id) != project_id:
        raise S3Error("AccessDenied")
    buckets.check_name(bucket)
    return (account, bucket, name), version


async def found_source(call: Call, target: At, span: str = "") -> tuple[At, Request, Reading, list[Piece]]:
    """The object that is to be copied, when the conditions hold. :raises S3Error:"""
    at, version = source(call)
    inner = call.inner({"range": span} if span else {}, [("version-id", version)] if version else [])
    try:
        found, pieces = await heavy.once_more(inner, swift.source, inner, at, target)
    except ApiError as error:
        raise await call.request.core.in_thread(_absent, call, at, error) from None
    _check(call, found)
    return at, inner, found, pieces


def _absent(call: Call, at: At, error: ApiError) -> ApiError:
    if error.status != 404:
        return known(error)
    if not buckets.is_there(call.inner(), at[:2]):
        return S3Error("NoSuchBucket", details={"BucketName": at[1]})
    return S3Error("NoSuchKey", details={"Key": at[2]})


def _check(call: Call, found: Reading) -> None:
    given = {
        name: call.headers[header].replace('-N"', '"') for header, name in CONDITIONS.items() if header in call.headers
    }
    try:
        downloads.check(call.inner(given), found)
    except (downloads.NotModified, Failed):
        raise S3Error("PreconditionFailed") from None


async def assembled(call: Call, request: Request, found: Reading, pieces: list[Piece], target: At) -> Content | None:
    """The bytes of a copy that is made anew; None where it shares those of its source. :raises S3Error:"""
    if not swift.is_assembled(request, found):
        return None
    size = sum(piece.length for piece in pieces)
    if size > MOST_OBJECT:
        raise S3Error(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size for a copy source: {MOST_OBJECT}",
        )
    core = call.request.core
    await core.in_thread(swift.allow_put, call.inner(), target, size)
    return await core.in_slow_thread(call.request.ctx.project_id, blobs.assemble, core, pieces, target[:2])


async def copy(call: Call) -> Response:
    """Copy an object to this one"""
    directive = call.headers.get("x-amz-metadata-directive", "COPY")
    tagging = call.headers.get("x-amz-tagging-directive", "COPY")
    if directive not in ("COPY", "REPLACE") or tagging not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", "Unknown metadata directive.")
    if call.headers.get("content-length", "0") not in ("", "0"):
        raise S3Error("InvalidRequest", "A copy has no body.")
    await access.check(call)
    new, wanted = describing.described(call), describing.expected(call)
    await locks.check(call, new.lock)
    at, inner, found, pieces = await found_source(call, call.at)
    if at == call.at and directive == "COPY" and tagging == "COPY" and not inner.query:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    received = await assembled(call, inner, found, pieces, call.at)

    def finish(read: Reading) -> New:
        kept = merged(read.meta, new.meta, directive == "REPLACE", tagging == "REPLACE", whole=received is None)
        kind = new.content_type if directive == "REPLACE" else read.row.content_type
        return New(kind, meta=kept, lock=new.lock)

    written = await heavy.once_more(inner, domain.copy, inner, at, call.at, finish, received, wanted)
    etag = conditions.etag("", written.etag.strip('"'))
    body = xml.document(
        "CopyObjectResult", element("LastModified", moment(written.stamp)), element("ETag", f'"{etag}"')
    )
    shown = describing.version(written.version)
    if found.visit.there.versions_mode in ("enabled", "suspended"):
        shown["x-amz-copy-source-version-id"] = version_id(found.row)
    return Response(body, 200, shown, xml.TYPE)


def merged(
    old: Mapping[str, str], new: Mapping[str, str], replace: bool, retag: bool, *, whole: bool
) -> dict[str, str]:
    """What a copy has beside its bytes. What was known of the source's checksum holds while it is the same bytes in the
    same parts."""
    kept = dict(new) if replace else metadata.without_own(old)
    kept.pop("s3-tags", None)
    tags = new.get("s3-tags", "") if retag else old.get("s3-tags", "")
    if tags:
        kept["s3-tags"] = tags
    if whole and "s3-checksum" in old:
        kept["s3-checksum"] = old["s3-checksum"]
    return kept


async def copy_part(call: Call, upload_id: str, number: int) -> Response:
    """Put a part that is another object, or some of its bytes"""
    core = call.request.core
    span = call.headers.get("x-amz-copy-source-range", "")
    if span and not RANGE.match(span):
        raise S3Error("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last")
    at, inner, found, pieces = await found_source(call, call.at, span)
    if span and int(span.partition("-")[2]) >= found.size:
        raise S3Error("InvalidRange", f"Range specified is not valid for source object of size: {found.size}")
    target = domain_uploads.where(call.at, upload_id, number)
    algorithm = await core.in_thread(domain_uploads.allow_part, call.inner(), call.at, upload_id, number, found.size)
    received = await assembled(call, inner, found, pieces, target)
    check = domain_uploads.joining(call.at, upload_id)
    kept = {"s3-checksum": found.meta["s3-checksum"]} if received is None and "s3-checksum" in found.meta else {}
    if not kept.get("s3-checksum", "").startswith(f"{algorithm}:"):
        kept = {}

    def finish(_read: Reading) -> New:
        return New("application/octet-stream", meta=kept)

    written = await heavy.once_more(inner, swift.copy, inner, at, target, finish, received, check)
    body = xml.document(
        "CopyPartResult", element("LastModified", moment(written.stamp)), element("ETag", f'"{written.etag}"')
    )
    return Response(body, 200, {}, xml.TYPE)
