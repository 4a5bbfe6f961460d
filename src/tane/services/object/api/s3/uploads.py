"""Calls about uploads in parts."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db.documents import load
from tane.services.object.api.headers import HTML
from tane.services.object.api.s3 import access, copies, describing, locks, xml
from tane.services.object.api.s3.calls import MOST_OBJECT, Body, Call, document, must_be_there, number, part_number
from tane.services.object.api.s3.listings import CLASS, asked, moment, names
from tane.services.object.api.s3.xml import Node, element, optional
from tane.services.object.domain import heavy
from tane.services.object.domain.s3 import checksums, uploads
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.domain.s3.uploads import MOST_PARTS, Part
from tane.services.object.store.uploads import number as number_of
from tane.web.request import Response

MOST = 1000


def _id(call: Call) -> str:
    return call.param("uploadId") or ""


async def begin(call: Call) -> Response:
    """Begin an upload in parts"""

    core, new = call.request.core, describing.described(call)
    await access.check(call)
    await locks.check(call, new.lock)
    meta, shown = {**new.meta, **(new.lock.meta() if new.lock is not None else {})}, dict[str, str]()
    if said := call.headers.get("x-amz-checksum-algorithm"):
        algorithm = checksums.algorithm_of(said)
        kind = call.headers.get("x-amz-checksum-type", "")
        kind = kind.upper() or ("FULL_OBJECT" if algorithm in checksums.WHOLE_ONLY else "COMPOSITE")
        possible = ("FULL_OBJECT",) if algorithm in checksums.WHOLE_ONLY else ("COMPOSITE", "FULL_OBJECT")
        if kind not in possible or (kind == "FULL_OBJECT" and algorithm not in checksums.CRCS):
            raise S3Error("InvalidRequest", f"The {kind[:20]} checksum type cannot be used with {algorithm}.")
        meta |= {"s3-algorithm": algorithm, "s3-type": kind}
        shown = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    found = await core.in_thread(uploads.begin, call.inner(), call.at, new.content_type, meta)
    body = xml.document(
        "InitiateMultipartUploadResult",
        element("Bucket", call.bucket),
        element("Key", call.name),
        element("UploadId", found),
    )
    return Response(body, 200, shown, xml.TYPE)


async def put_part(call: Call) -> Response:
    """Put a part"""

    part = part_number(call.param("partNumber") or "")
    if "x-amz-copy-source" in call.headers:
        return await copies.copy_part(call, _id(call), part)
    core = call.request.core
    length = Body(call, MOST_OBJECT).length
    algorithm = await core.in_thread(uploads.allow_part, call.inner(), call.at, _id(call), part, length)
    body = Body(call, MOST_OBJECT, algorithm)
    if algorithm and body.algorithm != algorithm:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm}, "
            f"actual checksum Type: {body.algorithm}",
        )
    received = await body.receive()
    meta = {"s3-checksum": f"{body.algorithm}:{body.checksum}:FULL_OBJECT"} if body.algorithm else {}
    etag = await core.in_thread(uploads.put_part, call.inner(), call.at, _id(call), part, received, meta)
    shown = {name: value for name, value in describing.checksum(meta).items() if name != "x-amz-checksum-type"}
    return Response(None, 200, {"ETag": f'"{etag}"', **shown, "Content-Length": "0"}, HTML)


async def complete(call: Call) -> Response:
    """Make an object of the parts that the body names"""

    inner, condition = call.inner(), describing.expected(call)
    await must_be_there(call)
    wanted = await document(call, "CompleteMultipartUpload", _wanted, about_it=False)
    found = await heavy.once_more(
        inner,
        uploads.complete,
        inner,
        call.at,
        _id(call),
        wanted,
        checksums.said_of_whole(call.headers),
        condition,
    )
    algorithm, _, rest = found.checksum.partition(":")
    value, _, kind = rest.partition(":")
    body = xml.document(
        "CompleteMultipartUploadResult",
        element("Location", f"{call.request.base_url}{call.request.raw_path}"),
        element("Bucket", call.bucket),
        element("Key", call.name),
        element("ETag", f'"{found.etag}"'),
        element(f"Checksum{algorithm}", value) if algorithm else None,
        element("ChecksumType", kind) if algorithm else None,
    )
    return Response(body, 200, describing.version(found.version), xml.TYPE)


def _wanted(node: Node) -> list[Part]:
    found = node.all("Part")
    if not found:
        raise S3Error("MalformedXML")
    if len(found) > MOST_PARTS:
        raise S3Error("InvalidArgument", f"An object has at most {MOST_PARTS} parts.")
    return [_part(one) for one in found]


def _part(node: Node) -> Part:
    sums = {name: node.value(f"Checksum{name}") for name in checksums.LENGTHS if node.child(f"Checksum{name}")}
    return Part(part_number(node.value("PartNumber")), node.value("ETag"), sums)


async def give_up(call: Call) -> Response:
    """Give up an upload and remove its parts"""
    await call.request.core.in_thread(uploads.give_up, call.inner(), call.at, _id(call))
    return Response(None, 204, {"Content-Length": "0"}, HTML)


async def parts(call: Call) -> Response:
    """List the parts of an upload"""
    most, marker = number(call, "max-parts", MOST, MOST), number(call, "part-number-marker", 0, MOST_PARTS)
    row, found = await call.request.core.in_thread(uploads.parts, call.inner(), call.at, _id(call), marker, most + 1)
    shown, more = found[:most], len(found) > most and bool(most)
    meta = load(row.meta)
    who = (element("ID", row.user_id), element("DisplayName", row.user_id))
    body = xml.document(
        "ListPartsResult",
        element("Bucket", call.bucket),
        element("Key", call.name),
        element("UploadId", row.id),
        element("Initiator", *who),
        call.owner(),
        element("StorageClass", CLASS),
        element("PartNumberMarker", str(marker)),
        element("NextPartNumberMarker", str(number_of(shown[-1].name) if shown else 0)),
        element("MaxParts", str(most)),
        element("IsTruncated", str(more).lower()),
        optional("ChecksumAlgorithm", meta.get("s3-algorithm")),
        optional("ChecksumType", meta.get("s3-type")),
        *(_shown_part(part) for part in shown),
    )
    return Response(body, content_type=xml.TYPE)


def _shown_part(part: Row[Any]) -> xml.Markup:
    algorithm, _, rest = load(part.meta).get("s3-checksum", "").partition(":")
    return element(
        "Part",
        element("PartNumber", str(number_of(part.name))),
        element("LastModified", moment(part.stamp)),
        element("ETag", f'"{part.etag}"'),
        element("Size", str(part.size)),
        element(f"Checksum{algorithm}", rest.partition(":")[0]) if algorithm else None,
    )


async def under_way(call: Call) -> Response:
    """List the uploads of a bucket that are under way"""
    ask = asked(call, "max-uploads")
    marker, upload_marker = call.param("key-marker") or "", call.param("upload-id-marker") or ""
    page = await call.request.core.in_thread(
        uploads.under_way, call.inner(), call.place, ask.wanted(marker), upload_marker
    )
    shown, more, last = names(page, ask.most)
    final = shown[-1] if shown else ""
    owner = call.owner()
    body = xml.document(
        "ListMultipartUploadsResult",
        element("Bucket", call.bucket),
        element("KeyMarker", ask.shown(marker)),
        element("UploadIdMarker", upload_marker),
        element("NextKeyMarker", ask.shown(last)),
        element("NextUploadIdMarker", "" if isinstance(final, str) else final.id),
        optional("Delimiter", ask.shown(ask.delimiter)),
        element("Prefix", ask.shown(ask.prefix)),
        element("MaxUploads", str(ask.most)),
        element("EncodingType", "url") if ask.encoded else None,
        element("IsTruncated", str(more).lower()),
        *(
            ask.folder(one)
            if isinstance(one, str)
            else element(
                "Upload",
                element("Key", ask.shown(one.name)),
                element("UploadId", one.id),
                element("Initiator", element("ID", one.user_id), element("DisplayName", one.user_id)),
                owner,
                element("StorageClass", CLASS),
                element("Initiated", moment(one.stamp)),
            )
            for one in shown
        ),
    )
    return Response(body, content_type=xml.TYPE)
