"""What stands behind a name: the bytes of an object, of the segments of a large one, of what a link points at."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.documents import load
from tane.services.object.domain import access, content
from tane.services.object.domain.access import Visit
from tane.services.object.domain.blobs import Piece
from tane.services.object.domain.errors import Conflicting, ObjectNotFound
from tane.services.object.domain.ranges import Range, parsed
from tane.services.object.store import listing, objects, places, stamps
from tane.web.errors import ApiError, BadRequest
from tane.web.request import Request

MOST_DEPTH = 10
MOST_LINKS = 2
MOST_LOOKS = 10_000
"""So many segments are looked up for one answer: manifests of manifests multiply."""


@dataclass
class Reading:
    """An object as it is answered. ``row``: its own. ``pieces``: None until they are asked for. ``target``: the path of
    what a link led to."""

    row: Row[Any]
    size: int
    etag: str
    quoted: bool
    visit: Visit
    target: str = ""
    marker: bool = False

    @property
    def manifest_etag(self) -> str:
        """Of an SLO, the MD5 of its manifest."""
        if self.row.kind != "slo":
            return ""
        return hashlib.md5(self.row.manifest.encode(), usedforsecurity=False).hexdigest()

    @property
    def meta(self) -> dict[str, str]:
        found: dict[str, str] = load(self.row.meta)
        return found


def find(request: Request, tx: Tx, visit: Visit, *, segment: bool = False) -> Reading:
    """The object (or the version that the query names) behind a visit, links followed. ``segment``: the query speaks of
    another object, the manifest.

    :raises NotFound: it is not there, or its time is over.
    """
    links = 0
    path = ""
    raw = request.param("symlink") == "get" and not segment
    while True:
        row = _row(request, tx, visit) if not links and not segment else visit.object
        named = not links and not segment and visit.signed is None and request.param("version-id") is not None
        if row.kind == "marker":
            raise ObjectNotFound("The resource could not be found.", {"X-Object-Version-Id": version_id(row)})
        if content.expired(row, tx) and not named:
            raise ObjectNotFound("The resource could not be found.")
        if row.kind != "symlink" or raw:
            return _reading(request, tx, visit, row, path)
        links += 1
        if links > MOST_LINKS:
            raise Conflicting(f"Too many levels of symbolic links, maximum allowed is {MOST_LINKS}")
        target = load(row.manifest)
        at = (target["account"] or visit.account, target["container"], target["object"])
        path = "/v1/" + "/".join(at)
        where = {"Content-Location": quote(path)}
        try:
            visit = _follow(request, tx, visit, at)
        except ObjectNotFound as error:
            raise ObjectNotFound(error.message, where) from None
        row = visit.object
        if target["etag"] and row.kind != "symlink":
            found = _reading(request, tx, visit, row, path)
            if target["etag"] not in (found.etag, found.manifest_etag):
                raise Conflicting("Object Etag does not match X-Symlink-Target-Etag header", where)


def _row(request: Request, tx: Tx, visit: Visit) -> Row[Any]:
    wanted = request.param("version-id")
    if wanted is None or visit.signed is not None:
        return _latest(tx, visit)
    return version(tx, visit, wanted)


def _latest(tx: Tx, visit: Visit) -> Row[Any]:
    row = visit.there
    if row.id is not None:
        return row
    if row.versions_mode in ("enabled", "suspended"):
        last = objects.newest_version(tx, row.container_id, visit.name)
        if last is not None and last.kind == "marker":
            raise ObjectNotFound("The resource could not be found.", {"X-Object-Version-Id": version_id(last)})
    raise ObjectNotFound("The resource could not be found.")


def version(tx: Tx, visit: Visit, wanted: str) -> Row[Any]:
    """A version by its id, current or older. :raises BadRequest: that is no id. :raises ObjectNotFound:"""
    row = visit.there
    if wanted == "null":
        if row.id is not None and not row.versioned:
            return row
        found = content.null_version(tx, visit)
    else:
        stamp = _stamp(wanted)
        if row.id is not None and row.stamp == stamp and row.versioned:
            return row
        found = objects.version_of(tx, row.container_id, visit.name, stamp)
        if found is not None and not found.versioned:
            found = None
    if found is None:
        raise ObjectNotFound("The resource could not be found.")
    return found


def _stamp(wanted: str) -> int:
    whole, point, part = wanted.partition(".")
    if not (whole.isascii() and whole.isdigit() and point and part.isascii() and part.isdigit() and len(wanted) < 20):
        raise BadRequest("Invalid version parameter")
    return int(whole) * stamps.SECOND + int(part[:5].ljust(5, "0"))


def version_id(row: Any) -> str:
    return content.text(row.stamp) if row.versioned else "null"


def _follow(request: Request, tx: Tx, visit: Visit, at: tuple[str, str, str]) -> Visit:
    """Where a link or a manifest leads: who reads must be let in there, too.

    :raises ObjectNotFound: :raises Forbidden: :raises Unauthorized:
    """
    if visit.signed is not None:
        same = at[0] == visit.account and (visit.signed.whole_account or at[1] == visit.container)
        if not same:
            raise access.refused(request)
        row = places.object_in(tx, *at)
        found = Visit(*at, row, False, visit.signed)
    else:
        found = access.admit(request, tx, "get_object", "read", at)
    if found.row is None or found.row.container_id is None or found.row.id is None:
        raise ObjectNotFound("The resource could not be found.")
    return found


def _reading(request: Request, tx: Tx, visit: Visit, row: Row[Any], path: str) -> Reading:
    found = Reading(row, row.size, row.etag, False, visit, path, row.kind == "marker")
    own = request.param("multipart-manifest") == "get"
    if row.kind == "slo":
        found.quoted = not own
        if own:
            data = row.manifest.encode()
            found.size, found.etag = len(data), hashlib.md5(data, usedforsecurity=False).hexdigest()
    elif row.kind == "dlo" and not own:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        for segment in dlo_segments(request, tx, visit, row):
            digest.update(segment.etag.encode())
            size += segment.size
        found.size, found.etag, found.quoted = size, digest.hexdigest(), True
    return found


def pieces(request: Request, tx: Tx, reading: Reading, wanted: Range) -> list[Piece]:
    """Where the bytes of a range lie. :raises Conflicting: a segment has changed or is gone."""
    row = reading.row
    own = request.param("multipart-manifest") == "get"
    if row.kind == "slo" and own:
        data = row.manifest.encode()
        return [Piece(wanted.first, wanted.length, data, None)]
    if row.kind == "slo":
        return list(_cut(_slo_pieces(request, tx, reading.visit, row, 0, [MOST_LOOKS]), wanted))
    if row.kind == "dlo" and not own:
        return list(_cut(_dlo_pieces(request, tx, reading.visit, row, [MOST_LOOKS]), wanted))
    return [Piece(wanted.first, wanted.length, row.data, row.blob_id)] if wanted.length else []


def _cut(found: Iterator[Piece], wanted: Range) -> Iterator[Piece]:
    """Of pieces that follow one another, those that a range covers."""
    position, end = 0, wanted.first + wanted.length
    for piece in found:
        begin = max(wanted.first - position, 0)
        length = min(position + piece.length, end) - position - begin
        position += piece.length
        if length > 0:
            yield replace(piece, offset=piece.offset + begin, length=length)
        if position >= end:
            return


def _slo_pieces(request: Request, tx: Tx, visit: Visit, row: Row[Any], depth: int, left: list[int]) -> Iterator[Piece]:
    """``left``: how many segments may still be looked up."""
    if depth > MOST_DEPTH:
        raise Conflicting("Max recursion depth exceeded")
    for segment in load(row.manifest):
        left[0] -= 1
        if left[0] < 0:
            raise Conflicting("Too many segments")
        if "data" in segment:
            data = b64decode(segment["data"])
            yield Piece(0, len(data), data, None)
            continue
        container, _, name = segment["name"].lstrip("/").partition("/")
        try:
            at = _follow(request, tx, visit, (visit.account, container, name))
            part = find(request, tx, at, segment=True)
        except ApiError as error:
            raise Conflicting(f"While processing manifest, {segment['name']} could not be read: {error}") from None
        if part.etag != segment["hash"] or part.size != segment["bytes"]:
            raise Conflicting(f"Object segment no longer valid: {segment['name']}")
        span = Range(0, part.size)
        if segment.get("range"):
            ranges = parsed(f"bytes={segment['range']}", part.size)
            if not ranges:
                raise Conflicting(f"Object segment no longer valid: {segment['name']}")
            span = ranges[0]
        yield from _cut(_whole(request, tx, part.visit, part.row, depth + 1, left), span)


def _dlo_pieces(request: Request, tx: Tx, visit: Visit, row: Row[Any], left: list[int]) -> Iterator[Piece]:
    container, _, _ = row.manifest.partition("/")
    for segment in dlo_segments(request, tx, visit, row):
        at = _follow(request, tx, visit, (visit.account, container, segment.name))
        yield from _whole(request, tx, at, at.object, 1, left)


def _whole(request: Request, tx: Tx, visit: Visit, row: Row[Any], depth: int, left: list[int]) -> Iterator[Piece]:
    if depth > MOST_DEPTH:
        raise Conflicting("Max recursion depth exceeded")
    if row.kind == "slo":
        yield from _slo_pieces(request, tx, visit, row, depth, left)
    elif row.kind == "symlink":
        target = load(row.manifest)
        at = _follow(request, tx, visit, (target["account"] or visit.account, target["container"], target["object"]))
        yield from _whole(request, tx, at, at.object, depth + 1, left)
    elif row.size:
        yield Piece(0, row.size, row.data, row.blob_id)


def dlo_segments(request: Request, tx: Tx, visit: Visit, row: Row[Any]) -> list[Row[Any]]:
    """The objects whose names begin as the manifest says; who reads must be let into their container."""
    container, _, prefix = row.manifest.partition("/")
    if visit.signed is not None:
        if not visit.signed.whole_account and container != visit.container:
            raise access.refused(request)
        place = places.place(tx, visit.account, container)
    else:
        place = access.admit(request, tx, "get_object", "read", (visit.account, container, "")).row
    if place is None or place.container_id is None:
        return []
    wanted = listing.Wanted(limit=10_000, prefix=prefix)
    found = listing.objects(tx, place.container_id, wanted).found
    return [segment for segment in found if not isinstance(segment, str)]
