"""What there is to know of an object, in one answer.

Source: Amazon S3 API Reference, "GetObjectAttributes".
"""

from __future__ import annotations

from tane.db.documents import load
from tane.services.object.api import headers as swift
from tane.services.object.api.s3 import describing, xml
from tane.services.object.api.s3.calls import Call, whole
from tane.services.object.api.s3.listings import CLASS
from tane.services.object.api.s3.xml import Markup, element
from tane.services.object.domain import objects as domain
from tane.services.object.domain.reading import Reading, version_id
from tane.services.object.domain.s3 import conditions
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.domain.s3.uploads import MOST_PARTS
from tane.web.request import Response

NAMES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
MOST = 1000


async def show(call: Call) -> Response:
    """What the header `x-amz-object-attributes` asks of an object"""
    asked = [one.strip() for one in call.headers.get("x-amz-object-attributes", "").split(",") if one.strip()]
    if not asked or any(one not in NAMES for one in asked):
        raise S3Error("InvalidArgument", f"x-amz-object-attributes names some of {', '.join(NAMES)}.")
    version = call.param("versionId")
    inner = call.inner({}, [] if version is None else [("version-id", version)])
    found, _ = await call.request.core.in_thread(domain.read, inner, call.at, lambda _: [])
    most = whole(call.headers.get("x-amz-max-parts"), "x-amz-max-parts", MOST, MOST)
    after = whole(call.headers.get("x-amz-part-number-marker"), "x-amz-part-number-marker", 0, MOST_PARTS)
    algorithm, _, rest = found.meta.get("s3-checksum", "").partition(":")
    value, _, kind = rest.partition(":")
    told = {
        "ETag": element("ETag", conditions.etag(found.row.kind, found.etag)),
        "Checksum": element("Checksum", element(f"Checksum{algorithm}", value), element("ChecksumType", kind))
        if algorithm
        else None,
        "ObjectParts": _parts(found, after, most),
        "StorageClass": element("StorageClass", CLASS),
        "ObjectSize": element("ObjectSize", str(found.size)),
    }
    shown = {"Last-Modified": swift.http_date(found.row.stamp)}
    if found.visit.there.versions_mode in ("enabled", "suspended"):
        shown |= describing.version(version_id(found.row))
    body = xml.document("GetObjectAttributesResponse", *(told[one] for one in NAMES if one in asked))
    return Response(body, 200, shown, xml.TYPE)


def _parts(found: Reading, after: int, most: int) -> Markup | None:
    """Of what came in parts."""
    if found.row.kind != "slo":
        return None
    segments = load(found.row.manifest)
    shown = segments[after : after + most]
    last = after + len(shown)
    return element(
        "ObjectParts",
        element("PartsCount", str(len(segments))),
        element("PartNumberMarker", str(after)),
        element("NextPartNumberMarker", str(last)),
        element("MaxParts", str(most)),
        element("IsTruncated", str(last < len(segments)).lower()),
        *(
            element("Part", element("PartNumber", str(after + number)), element("Size", str(segment.get("bytes", 0))))
            for number, segment in enumerate(shown, 1)
        ),
    )
