"""What the headers of a write say of an object to be, and those of an answer of one that is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC

from tane.services.object.api.s3 import access, locks
from tane.services.object.api.s3.calls import Call
from tane.services.object.domain import metadata
from tane.services.object.domain.content import New
from tane.services.object.domain.s3 import signature
from tane.services.object.domain.s3.conditions import Expected
from tane.services.object.domain.s3.errors import S3Error

TYPE = "binary/octet-stream"
KEPT = metadata.KEPT
META = "x-amz-meta-"
OWN_META = "x-object-meta-"
MOST_META = 2048
"""Bytes of all names and values of an object's metadata."""
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,128}\Z")
CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


def described(call: Call) -> New:
    """What the headers say of an object to be. :raises S3Error:"""
    new = New(_said(call, "content-type") or TYPE, meta=meta_of(call))
    metadata.check_type(new.content_type)
    if call.headers.get("x-amz-storage-class", "STANDARD") != "STANDARD":
        raise S3Error("NotImplemented", "There is one storage class: STANDARD.")
    new.lock = locks.asked(call)
    return new


def meta_of(call: Call) -> dict[str, str]:
    """All that is kept beside the bytes. :raises S3Error: it is too much."""
    found, size = dict[str, str](), 0
    for name, value in call.headers.items():
        if not name.startswith(META):
            continue
        own, text = name.removeprefix(META), metadata.decoded(value)
        if not NAME.match(own) or metadata.CONTROL.search(text):
            raise S3Error("InvalidArgument", "A name or a value of the metadata is not allowed.")
        size += len(own) + len(text.encode())
        if text:
            found[OWN_META + own] = text
    if size > MOST_META or len(found) > metadata.MAX_META_COUNT:
        raise S3Error("MetadataTooLarge", details={"MaxSizeAllowed": str(MOST_META), "Size": str(size)})
    for name in KEPT:
        if value := _said(call, name):
            if len(value) > metadata.MAX_HEADER_SIZE or metadata.CONTROL.search(value):
                raise S3Error("InvalidArgument", f"The value of {name} is not allowed.")
            found[name] = value
    codings = [one.strip() for one in found.get("content-encoding", "").split(",")]
    if call.proof.payload in signature.STREAMS and "aws-chunked" in codings:
        # It is how the body came, not what it is.
        found["content-encoding"] = ", ".join(one for one in codings if one != "aws-chunked")
    if tags := access.tags_in(call.headers.get("x-amz-tagging", "")):
        found["s3-tags"] = tags
    return {name: value for name, value in found.items() if value}


def _said(call: Call, name: str) -> str:
    return metadata.decoded(call.headers.get(name, ""))


def expected(call: Call) -> Expected:
    """The conditions of a write. :raises S3Error: one that writes do not know."""
    none, match = call.headers.get("if-none-match"), call.headers.get("if-match")
    if none is not None and none.strip() != "*":
        raise S3Error("NotImplemented", "If-None-Match of a write only supports *.")
    if none is not None and match is not None:
        raise S3Error("NotImplemented", "If-Match and If-None-Match together are not implemented.")
    return Expected((match or "").strip(), none is not None)


def deletion(etag: str, size: str, modified: str) -> Expected:
    """The conditions of a deletion: by ETag, bytes, and the time of the last change. :raises S3Error:"""
    if size and not (size.isascii() and size.isdigit() and len(size) < 19):
        raise S3Error("InvalidArgument", "The size of a condition must be a whole number.")
    return Expected(etag.strip(), False, int(size) if size else None, _seconds(modified) if modified else None)


def _seconds(text: str) -> int:
    """Since 1970, of a time as HTTP or ISO 8601 has it. :raises S3Error:"""
    found = signature.http_date(text)
    return locks.moment(text) if found is None else int(found.replace(tzinfo=UTC).timestamp())


def version(given: str) -> dict[str, str]:
    return {"x-amz-version-id": given} if given else {}


def checksum(meta: Mapping[str, str]) -> dict[str, str]:
    """The headers of what is kept of a checksum."""
    algorithm, _, rest = meta.get("s3-checksum", "").partition(":")
    value, _, kind = rest.partition(":")
    if not algorithm:
        return {}
    return {f"x-amz-checksum-{algorithm.lower()}": value, "x-amz-checksum-type": kind}
