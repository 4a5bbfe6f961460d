"""Listings of objects, of their versions, and of buckets."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tane.services.object.api.s3 import xml
from tane.services.object.api.s3.calls import Call, number
from tane.services.object.api.s3.xml import Markup, element, optional
from tane.services.object.domain import reading
from tane.services.object.domain.s3 import buckets
from tane.services.object.domain.s3.conditions import etag
from tane.services.object.domain.s3.errors import S3Error
from tane.services.object.store import stamps
from tane.services.object.store.listing import Page, Wanted
from tane.web.request import Response

MOST = 1000
CLASS = "STANDARD"
VERSION = re.compile(r"(null|[0-9]{1,12}\.[0-9]{1,5})?\Z", re.ASCII)


def moment(stamp: int) -> str:
    """To the second, as ``Last-Modified`` says it: clients compare the two."""
    whole = -(-stamp // stamps.SECOND) * stamps.SECOND
    return stamps.moment(whole).isoformat(timespec="milliseconds") + "Z"


@dataclass
class Asked:
    """What every listing may say of itself."""

    prefix: str
    delimiter: str
    most: int
    encoded: bool

    def shown(self, text: str) -> str:
        return quote(text, safe="/") if self.encoded else text

    def head(self, bucket: str, *markers: Markup | None, blank: bool = False) -> list[Markup | None]:
        """In the order in which some clients' schemas want it. ``blank``: with a delimiter that is none."""
        return [
            element("Name", bucket),
            element("Prefix", self.shown(self.prefix)),
            *markers,
            element("MaxKeys", str(self.most)),
            element("Delimiter", self.shown(self.delimiter)) if blank or self.delimiter else None,
            element("EncodingType", "url") if self.encoded else None,
        ]

    def folder(self, text: str) -> Markup:
        return element("CommonPrefixes", element("Prefix", self.shown(text)))

    def wanted(self, marker: str) -> Wanted:
        """One more than are shown: whether there are more. One that stands for all below it is passed over whole."""
        return Wanted(self.most + 1, self.prefix, self.delimiter, marker)


def asked(call: Call, most: str = "max-keys") -> Asked:
    """:raises S3Error:"""
    encoding = call.param("encoding-type")
    if encoding not in (None, "", "url"):
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request")
    texts = [call.param(name) or "" for name in ("prefix", "delimiter")]
    if any(len(text) > 3072 for text in texts):
        raise S3Error("InvalidArgument", "prefix or delimiter is too long.")
    return Asked(texts[0], texts[1], number(call, most, MOST, MOST), encoding == "url")


def names(page: Page, most: int) -> tuple[list[Any], bool, str]:
    """What is shown of a page, whether there is more, and after what the next one begins."""
    shown = page.found[:most]
    more = len(page.found) > most and bool(most)
    last = shown[-1] if shown else ""
    return shown, more, last if isinstance(last, str) else str(last.name)


def contents(row: Any, ask: Asked, owner: Markup | None) -> Markup:
    # There are a thousand in a page.
    return Markup(
        f"<Contents><Key>{xml.text(ask.shown(row.name))}</Key><LastModified>{moment(row.stamp)}</LastModified>"
        f"<ETag>&quot;{etag(row.kind, row.etag)}&quot;</ETag><Size>{row.size}</Size>{owner or ''}"
        f"<StorageClass>{CLASS}</StorageClass></Contents>"
    )


async def objects(call: Call) -> Response:
    """List the objects of a bucket, version 1 and 2"""
    ask = asked(call)
    if call.param("list-type") not in (None, "1", "2"):
        raise S3Error("InvalidArgument", "Invalid List Type specified in Request")
    second = call.param("list-type") == "2"
    marker = _after(call) if second else call.param("marker") or ""
    _, page = await call.request.core.in_thread(buckets.listed, call.inner(), call.place, ask.wanted(marker))
    return Response(
        await call.request.core.in_thread(_second if second else _first, call, ask, page, marker), content_type=xml.TYPE
    )


def _after(call: Call) -> str:
    """Where a page of version 2 begins. :raises S3Error: the token is none."""
    token = call.param("continuation-token")
    if not token:
        return call.param("start-after") or ""
    try:
        found = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        found = ""
    if not found:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect")
    return found


def _entries(call: Call, ask: Asked, shown: list[Any], *, owner: bool) -> list[Markup]:
    own = call.owner() if owner else None
    return [contents(one, ask, own) for one in shown if not isinstance(one, str)] + [
        ask.folder(one) for one in shown if isinstance(one, str)
    ]


def _first(call: Call, ask: Asked, page: Page, marker: str) -> bytes:
    shown, more, last = names(page, ask.most)
    return xml.document(
        "ListBucketResult",
        *ask.head(
            call.bucket,
            element("Marker", ask.shown(marker)),
            element("NextMarker", ask.shown(last)) if more and ask.delimiter else None,
        ),
        element("IsTruncated", str(more).lower()),
        *_entries(call, ask, shown, owner=True),
    )


def _second(call: Call, ask: Asked, page: Page, _marker: str) -> bytes:
    shown, more, last = names(page, ask.most)
    token, start = base64.b64encode(last.encode(), altchars=b"-_").decode(), call.param("start-after")
    return xml.document(
        "ListBucketResult",
        *ask.head(
            call.bucket,
            element("NextContinuationToken", token) if more else None,
            optional("ContinuationToken", call.param("continuation-token")),
            None if start is None else element("StartAfter", ask.shown(start)),
            element("KeyCount", str(len(shown))),
        ),
        element("IsTruncated", str(more).lower()),
        *_entries(call, ask, shown, owner=call.param("fetch-owner") == "true"),
    )


async def versions(call: Call) -> Response:
    """List the versions of a bucket's objects"""
    ask = asked(call)
    marker, version = call.param("key-marker") or "", call.param("version-id-marker")
    if version is not None and "key-marker" in dict(call.request.query) and not VERSION.match(version):
        raise S3Error("InvalidArgument", "Invalid version id specified")
    if version and not marker:
        raise S3Error("InvalidArgument", "A version-id marker cannot be specified without a key marker.")
    page = await call.request.core.in_thread(
        buckets.listed_versions, call.inner(), call.place, ask.wanted(marker), version
    )
    return Response(
        await call.request.core.in_thread(_versions, call, ask, page, marker, version), content_type=xml.TYPE
    )


def _versions(call: Call, ask: Asked, page: Page, marker: str, version: str | None) -> bytes:
    shown, more, last = names(page, ask.most)
    final = shown[-1] if shown else ""
    owner = call.owner()
    return xml.document(
        "ListVersionsResult",
        *ask.head(
            call.bucket,
            element("KeyMarker", ask.shown(marker)),
            element("VersionIdMarker", version or ""),
            element("NextKeyMarker", ask.shown(last)) if more else None,
            element("NextVersionIdMarker", reading.version_id(final)) if more and not isinstance(final, str) else None,
            blank=call.param("delimiter") == "",
        ),
        element("IsTruncated", str(more).lower()),
        *(
            ask.folder(one) if isinstance(one, str) else _version(one, ask, owner, (one.name, one.stamp) in page.latest)
            for one in shown
        ),
    )


def _version(row: Any, ask: Asked, owner: Markup, latest: bool) -> Markup:
    head = (
        element("Key", ask.shown(row.name)),
        element("VersionId", reading.version_id(row)),
        element("IsLatest", str(latest).lower()),
        element("LastModified", moment(row.stamp)),
    )
    if row.kind == "marker":
        return element("DeleteMarker", *head, owner)
    return element(
        "Version",
        *head,
        element("ETag", f'"{etag(row.kind, row.etag)}"'),
        element("Size", str(row.size)),
        owner,
        element("StorageClass", CLASS),
    )


async def owned(call: Call) -> Response:
    """List the project's buckets"""
    most = number(call, "max-buckets", 10_000, 10_000, 1)
    prefix = call.param("prefix") or ""
    wanted = Wanted(most + 1, prefix, marker=_after(call))
    page = await call.request.core.in_thread(buckets.owned, call.inner(), call.account, wanted)
    shown, more, last = names(page, most)
    token = base64.b64encode(last.encode(), altchars=b"-_").decode()
    found = [
        element("Bucket", element("Name", row.name), element("CreationDate", moment(row.stamp)))
        for row in shown
        if buckets.KNOWN.match(row.name)
    ]
    body = xml.document(
        "ListAllMyBucketsResult",
        call.owner(),
        element("Buckets", *found),
        element("ContinuationToken", token) if more else None,
        optional("Prefix", prefix),
    )
    return Response(body, content_type=xml.TYPE)
