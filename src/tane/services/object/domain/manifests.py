"""Static large objects: a manifest of segments, checked when it is put.

Source: Swift's "Static Large Objects".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from tane.db import Tx
from tane.db.documents import dump, load
from tane.services.object.domain import reading
from tane.services.object.domain.access import Visit
from tane.services.object.domain.ranges import Range, parsed
from tane.services.object.store import stamps
from tane.web.errors import ApiError, BadRequest, TooLarge
from tane.web.request import Request

MAX_SEGMENTS = 1000
MAX_MANIFEST_SIZE = 8 << 20
MAX_INLINE = 1 << 20
"""Bytes of all inline data of a manifest: it is kept in memory while the object is sent."""
MOST_SIZE = 1 << 60
"""Of what a manifest stands for; manifests of manifests multiply."""
KEYS = {"path", "etag", "size_bytes", "range", "data"}


@dataclass
class Checked:
    """What a manifest comes to. ``text``: as it is kept and shown by ``multipart-manifest=get``."""

    text: str
    size: int
    etag: str


def check(request: Request, tx: Tx, visit: Visit, body: bytes) -> Checked:
    """:raises BadRequest: with a line for each segment that is not as it says. :raises TooLarge: too many."""
    segments = _decoded(body)
    kept: list[dict[str, Any]] = []
    problems: list[tuple[str, str]] = []
    digest, size, inline, looks = hashlib.md5(usedforsecurity=False), 0, 0, reading.Looks(request, tx)
    for number, segment in enumerate(segments):
        if "data" in segment:
            data = _data(segment, number)
            digest.update(hashlib.md5(data, usedforsecurity=False).hexdigest().encode())
            size += len(data)
            inline += len(data)
            if inline > MAX_INLINE:
                raise TooLarge(f"Inline data must be <= {MAX_INLINE} bytes in all\n")
            kept.append({"data": base64.b64encode(data).decode()})
            continue
        found = _segment(request, tx, visit, segment, looks)
        if isinstance(found, str):
            problems.append((segment["path"], found))
            continue
        entry, length = found
        size += length
        mark = f"{entry['hash']}:{entry['range']};" if "range" in entry else entry["hash"]
        digest.update(mark.encode())
        kept.append(entry)
    if problems:
        lines = "".join(f"{quote(path)}, {reason}\n" for path, reason in problems)
        raise BadRequest(f"Errors:\n{lines}")
    if all("data" in entry for entry in kept):
        raise BadRequest("Inline data segments require at least one object-backed segment.")
    text = dump(kept)
    if len(text) > MAX_MANIFEST_SIZE:
        raise TooLarge(f"Manifest size must be <= {MAX_MANIFEST_SIZE} bytes\n")
    if size > MOST_SIZE:
        raise BadRequest("The object would be too large.\n")
    return Checked(text, size, digest.hexdigest())


def _decoded(body: bytes) -> list[dict[str, Any]]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("Manifest must be valid JSON.\n") from None
    if not isinstance(found, list):
        raise BadRequest("Manifest must be a list.\n")
    if not found:
        raise BadRequest("Manifest must contain at least one segment.\n")
    if len(found) > MAX_SEGMENTS:
        raise TooLarge(f"Number of object-backed segments must be <= {MAX_SEGMENTS}\n")
    for number, segment in enumerate(found):
        if not isinstance(segment, dict):
            raise BadRequest(f"Index {number}: not a JSON object\n")
        if extra := sorted(set(segment) - KEYS):
            raise BadRequest(f"Index {number}: extraneous keys {', '.join(repr(key)[:100] for key in extra)}\n")
        _check_segment(number, segment)
    return found


def _check_segment(number: int, segment: dict[str, Any]) -> None:
    if "data" in segment:
        if "path" in segment or "range" in segment:
            raise BadRequest(f'Index {number}: only one of "path" and "data" may be given\n')
        return
    path = segment.get("path")
    if not isinstance(path, str):
        raise BadRequest(f'Index {number}: expected keys to include one of "path" or "data"\n')
    container, slash, name = path.lstrip("/").partition("/")
    if not container or not slash or not name or "\0" in path or len(path) > 2000:
        raise BadRequest(
            f"Index {number}: path does not refer to an object. Path must be of the form /container/object.\n"
        )
    for key in ("etag", "range"):
        if segment.get(key) is not None and not isinstance(segment[key], str):
            raise BadRequest(f"Index {number}: {key} must be a string\n")
    size = segment.get("size_bytes")
    if size is not None and (isinstance(size, bool) or not _whole(size)):
        raise BadRequest(f"Index {number}: invalid size_bytes\n")


def _whole(size: Any) -> bool:
    return (isinstance(size, int) and size >= 0) or (isinstance(size, str) and size.isascii() and size.isdigit())


def _data(segment: dict[str, Any], number: int) -> bytes:
    try:
        data = base64.b64decode(segment["data"], validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadRequest(f"Index {number}: data must be valid base64\n") from None
    if not data:
        raise BadRequest(f"Index {number}: too small; data must be at least 1 byte\n")
    return data


def _segment(
    request: Request, tx: Tx, visit: Visit, segment: dict[str, Any], looks: reading.Looks
) -> tuple[dict[str, Any], int] | str:
    """The segment as it is kept and how many bytes of it count, or what is wrong with it."""
    container, _, name = segment["path"].lstrip("/").partition("/")
    if (container, name) == (visit.container, visit.name):
        return "Manifest may not reference itself"
    try:
        row = looks.checked((visit.account, container, name)).row
    except ApiError as error:
        return f"{error.status} {error.title}"
    if segment.get("etag") is not None and segment["etag"].strip('"') != row.etag:
        return "Etag Mismatch"
    if segment.get("size_bytes") is not None and int(segment["size_bytes"]) != row.size:
        return "Size Mismatch"
    entry: dict[str, Any] = {
        "name": f"/{container}/{name}",
        "bytes": row.size,
        "hash": row.etag,
        "content_type": row.content_type,
        "last_modified": stamps.moment(row.stamp).isoformat(timespec="microseconds"),
    }
    length = row.size
    if segment.get("range"):
        ranges = parsed(f"bytes={segment['range']}", row.size)
        if ranges is None or len(ranges) > 1:
            return "Invalid Range"
        if not ranges:
            return "Unsatisfiable Range"
        length = ranges[0].length
        if length != row.size:
            entry["range"] = f"{ranges[0].first}-{ranges[0].last}"
    if length == 0:
        return "Too Small; each segment must be at least 1 byte."
    if row.kind == "slo":
        entry["sub_slo"] = True
    return entry, length


def as_put(text: str) -> list[dict[str, Any]]:
    """A kept manifest in the form in which it may be put again (``format=raw``)."""
    shown: list[dict[str, Any]] = []
    for entry in load(text):
        if "data" in entry:
            shown.append({"data": entry["data"]})
            continue
        found = {"path": entry["name"], "etag": entry["hash"], "size_bytes": entry["bytes"]}
        if "range" in entry:
            found["range"] = entry["range"]
        shown.append(found)
    return shown


def spans(text: str) -> list[Range]:
    """Where each segment lies in the whole."""
    found: list[Range] = []
    begin = 0
    for entry in load(text):
        length = reading.length_of(entry)
        found.append(Range(begin, length))
        begin += length
    return found
