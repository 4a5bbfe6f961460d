"""What stands behind a name: the bytes of an object, of the segments of a large one, of what a link points at."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.documents import load
from tane.services.object.domain import access, content, policies
from tane.services.object.domain.access import Visit
from tane.services.object.domain.blobs import Piece
from tane.services.object.domain.errors import TEXTS, Conflicting, ObjectNotFound
from tane.services.object.domain.locks import PART, UPLOAD
from tane.services.object.domain.ranges import Range
from tane.services.object.drivers.hosts import BLOCK
from tane.services.object.store import blobs as blob_rows
from tane.services.object.store import copies as copy_rows
from tane.services.object.store import listing, objects, places, stamps
from tane.shares import TakesLong
from tane.web.errors import ApiError, BadRequest
from tane.web.request import Request

MOST_DEPTH = 10
MOST_LINKS = 2
MOST_LOOKS, FEW_LOOKS = 10_500, 500
"""So many segments are looked up for one answer, and so many of them where all requests are answered."""
A_POLICY, A_QUESTION = 100, 4
"""Steps that a container's policy costs once, and for each object: the latter only where all requests are answered."""
NAMES_A_STEP, TEXT_A_STEP = 50, 4096
"""Names of a listing, and bytes of a manifest, that cost as much as a segment."""
MOST_TEXT = 16 << 20
"""Bytes of manifests that are kept while one answer is looked up."""
MOST_INLINE = 4 << 20
"""Inline data of one answer: more than one manifest may have."""
FEW_FILED, MOST_WASTE, SOME_IDS = 50, 64 << 20, 500
"""Pieces of files that one answer may have anyhow; bytes of hosts' blocks beside those that are asked for; blobs that
are looked up at a time."""
MOST_DATA = 256 << 10
"""Bytes of small objects that are kept for one answer; others are fetched when it is their turn."""


@dataclass
class Reading:
    """An object as it is answered. ``row``: its own. ``pieces``: None until they are asked for. ``target``: the path of
    what a link led to. ``moves``: a copy of it lies elsewhere."""

    row: Row[Any]
    size: int
    etag: str
    quoted: bool
    visit: Visit
    target: str = ""
    marker: bool = False
    moves: bool = False

    @property
    def manifest_etag(self) -> str:
        """Of an SLO, the MD5 of its manifest."""
        return str(self.row.manifest_etag) if self.row.kind == "slo" else ""

    @property
    def meta(self) -> dict[str, str]:
        found: dict[str, str] = load(self.row.meta)
        return found


def find(request: Request, tx: Tx, visit: Visit, *, segment: Looks | None = None) -> Reading:
    """The object (or the version that the query names) behind a visit, links followed. ``segment``: the query speaks of
    another object, the manifest, for which this is looked up.

    :raises NotFound: it is not there, or its time is over.
    """
    links = 0
    path = expected = ""
    raw = request.param("symlink") == "get" and not segment
    while True:
        row = _row(request, tx, visit) if not links and not segment else visit.object
        named = not links and not segment and visit.signed is None and request.param("version-id") is not None
        if row.kind == "marker":
            told = {"X-Object-Version-Id": version_id(row)}
            raise ObjectNotFound("The resource could not be found.", told, row.content_type)
        if content.expired(row, tx) and not named:
            raise ObjectNotFound("The resource could not be found.")
        if expected:
            check_link(row, expected, path, kept=True)
        if row.kind != "symlink" or raw:
            return _reading(request, tx, visit, row, path, segment)
        links += 1
        if links > MOST_LINKS:
            raise Conflicting(f"Too many levels of symbolic links, maximum allowed is {MOST_LINKS}")
        target = load(row.manifest)
        at = (target["account"] or visit.account, target["container"], target["object"])
        path = "/v1/" + "/".join(at)
        where = {"Content-Location": quote(path)}
        try:
            visit = _follow(request, tx, visit, at, outline=segment is not None)
        except ObjectNotFound as error:
            raise ObjectNotFound(error.message, where) from None
        expected = target["etag"]


def check_link(row: Row[Any], expected: str, path: str, *, kept: bool = False) -> None:
    """Whether a static link that names an ETag leads to what it named. It speaks of what lies at ``path`` itself: of a
    link, and of a manifest as it was put. ``kept``: links that are there may name the whole of a large object, too.

    :raises Conflicting:
    """
    own = row.manifest_etag if row.kind == "slo" else row.etag
    if row.kind == "symlink":
        own = load(row.manifest)["etag"] or own
    if expected != own and not (kept and row.kind == "slo" and expected == row.etag):
        told = f"Object Etag {own!r} does not match X-Symlink-Target-Etag header {expected!r}"
        raise Conflicting(told, {"Content-Location": quote(path)})


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
    digits = all(text.isascii() and text.isdigit() for text in (whole, part))
    if not (point and digits and len(whole) <= 12 and len(wanted) < 20):
        raise BadRequest("Invalid version parameter")
    return int(whole) * stamps.SECOND + int(part[:5].ljust(5, "0"))


def version_id(row: Any) -> str:
    return content.text(row.stamp) if row.versioned else "null"


def _follow(request: Request, tx: Tx, visit: Visit, at: tuple[str, str, str], *, outline: bool = False) -> Visit:
    """Where a link or a manifest leads: who reads must be let in there, too.

    :raises ObjectNotFound: :raises Forbidden: :raises Unauthorized:
    """
    if visit.signed is not None:
        same = at[0] == visit.account and (visit.signed.whole_account or at[1] == visit.container)
        if not same:
            raise access.refused(request)
        row = (places.outline_in if outline else places.object_in)(tx, *at)
        found = Visit(*at, row, False, visit.signed)
        access.refuse_denied(request, tx, found)
    else:
        found = access.admit(request, tx, "get_object", "read", at, outline=outline)
    if found.row is None or found.row.container_id is None or found.row.id is None:
        raise ObjectNotFound("The resource could not be found.")
    return found


def _reading(request: Request, tx: Tx, visit: Visit, row: Row[Any], path: str, looks: Looks | None) -> Reading:
    found = Reading(row, row.size, row.etag, False, visit, path, row.kind == "marker")
    own = request.param("multipart-manifest") == "get" and looks is None
    if row.kind == "slo":
        found.quoted = not own
        if own:
            data = row.manifest.encode()
            found.size, found.etag = len(data), found.manifest_etag
    elif row.kind == "dlo" and not own:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        for segment in (looks or Looks(request, tx)).named(visit, row):
            digest.update(segment.etag.encode())
            size += segment.size
        found.size, found.etag, found.quoted = size, digest.hexdigest(), True
    return found


# ------------------------------------------------------------------------------------------------- large objects


@dataclass
class _Manifest:
    """``begins``: where each segment begins in the whole, and where the last one ends."""

    segments: list[dict[str, Any]]
    begins: list[int]


def length_of(segment: Mapping[str, Any]) -> int:
    """Bytes of a kept manifest's segment that count."""
    if "data" in segment:
        text: str = segment["data"]
        return len(text) // 4 * 3 - text.endswith("=") - text.endswith("==")
    if "range" in segment:
        first, _, last = segment["range"].partition("-")
        return int(last) - int(first) + 1
    return int(segment["bytes"])


class Looks:
    """What is looked up for one answer: each object and each manifest once, and only what the answer needs.

    Manifests of manifests multiply, and whoever writes them need not send much for that: steps, and bytes that are kept
    for the answer, are counted over all of it.
    """

    def __init__(self, request: Request, tx: Tx) -> None:
        self._request, self._tx = request, tx
        self._left = MOST_LOOKS
        self._free = MOST_LOOKS if request.may_take_long else FEW_LOOKS
        self._manifests: dict[int, _Manifest] = {}
        self._text_left = MOST_TEXT
        self._found: dict[tuple[str, str, str], Reading] = {}
        self._named: dict[tuple[str, str], list[Row[Any]]] = {}
        self._inline_left = MOST_INLINE
        self._data_left = MOST_DATA
        self._data: dict[str | None, bytes | None] = {}
        self._filed, self._waste_left = 0, MOST_WASTE
        self._fetched: tuple[str | None, int] = (None, -1)
        self._ruled: set[int] = set()
        self.parts_in: int | None = None
        """The container of the parts of what an upload of S3 made: who is let in to the object reads them."""

    def spend(self, steps: int = 1) -> None:
        """:raises TakesLong: for where this runs. :raises Conflicting: for any place."""
        self._left -= steps
        self._free -= steps
        if self._left < 0:
            raise Conflicting("Too many segments")
        if self._free < 0:
            raise TakesLong

    def segment(self, visit: Visit, at: tuple[str, str, str]) -> Reading:
        """An object that a manifest names."""
        found = self._found.get(at)
        if found is None:
            follow = self._part(visit, at)
            if follow is None:
                follow = _follow(self._request, self._tx, visit, at, outline=True)
                self._ask(follow)
            found = self._found[at] = find(self._request, self._tx, follow, segment=self)
        return found

    def _ask(self, visit: Visit) -> None:
        """Count what the policy of a container costs: to read it, once for all, and to ask it of each object."""
        row = visit.row
        if row is None or row.container_id is None or policies.FLAG not in row.container_meta:
            return
        if row.container_id not in self._ruled:
            self._ruled.add(row.container_id)
            self.spend(A_POLICY)
        self._free -= A_QUESTION

    def _part(self, visit: Visit, at: tuple[str, str, str]) -> Visit | None:
        if self.parts_in is None or not PART.match(at[2]):
            return None
        row = places.outline_in(self._tx, *at)
        own = row is not None and row.container_id == self.parts_in and row.id is not None
        return Visit(*at, row, False, visit.signed) if own else None

    def checked(self, at: tuple[str, str, str]) -> Reading:
        """An object that a manifest is to name: who writes that must be let in there."""
        self.spend()
        found = self._found.get(at)
        if found is None:
            visit = access.admit(self._request, self._tx, "get_object", "read", at, outline=True)
            self._ask(visit)
            found = self._found[at] = find(self._request, self._tx, visit, segment=self)
        return found

    def named(self, visit: Visit, row: Row[Any]) -> list[Row[Any]]:
        """The objects whose names begin as a manifest says; who reads must be let into their container."""
        container, _, prefix = row.manifest.partition("/")
        found = self._named.get((container, prefix))
        if found is None:
            found = self._named[container, prefix] = _named(self._request, self._tx, visit, container, prefix)
            self.spend(len(found) // NAMES_A_STEP)
        return found

    def manifest(self, row: Row[Any], text: str | None = None) -> _Manifest:
        found = self._manifests.get(row.id)
        if found is None:
            text = places.manifest_of(self._tx, row.id) if text is None else text
            self.spend(len(text) // TEXT_A_STEP)
            segments = load(text)
            found = _Manifest(segments, [0, *accumulate(length_of(segment) for segment in segments)])
            if self._text_left >= len(text):
                self._text_left -= len(text)
                self._manifests[row.id] = found
        return found

    def names(self, object_id: int) -> list[tuple[str, str]]:
        """(container, name) of the objects that a manifest names."""
        return self.listed(places.manifest_of(self._tx, object_id))

    def listed(self, text: str) -> list[tuple[str, str]]:
        """The same of the text of a manifest."""
        self.spend(len(text) // TEXT_A_STEP)
        paths = (segment["name"].lstrip("/").partition("/") for segment in load(text) if "name" in segment)
        return [(container, name) for container, _, name in paths]

    def inline(self, segment: dict[str, Any]) -> bytes:
        """:raises Conflicting: it is too much for one answer."""
        if isinstance(segment["data"], str):
            data = b64decode(segment["data"])
            self._inline_left -= len(data)
            if self._inline_left < 0:
                raise Conflicting("Too many bytes of inline data")
            segment["data"] = data
        found: bytes = segment["data"]
        return found

    def fetch(self, pieces: list[Piece]) -> None:
        """:raises Conflicting: hosts, who give whole blocks, would give far more than is asked for."""
        filed = [piece for piece in pieces if piece.filed and piece.data is None and piece.blob_id]
        self._filed += len(filed)
        if self._filed <= FEW_FILED:
            return
        ids = sorted({str(piece.blob_id) for piece in filed})
        sizes: dict[str, int] = {}
        for begin in range(0, len(ids), SOME_IDS):
            sizes |= copy_rows.sizes(self._tx, ids[begin : begin + SOME_IDS])
        for piece in filed:
            if (size := sizes.get(str(piece.blob_id))) is None:
                continue
            first, last = piece.offset // BLOCK, (piece.offset + piece.length - 1) // BLOCK
            given = min((last + 1) * BLOCK, size) - first * BLOCK
            if self._fetched == (piece.blob_id, first):
                given -= min((first + 1) * BLOCK, size) - first * BLOCK
            self._waste_left -= max(given - piece.length, 0)
            self._fetched = (piece.blob_id, last)
        if self._waste_left < 0:
            raise Conflicting("Too many small parts of objects in three copies")

    def plain(self, row: Any) -> Piece:
        """All of an object of few bytes or of a file. Some bytes are kept, others are fetched when they are sent."""
        data = self._data.get(row.blob_id)
        if data is None and not row.filed and self._data_left >= row.size:
            self._data_left -= row.size
            data = self._data[row.blob_id] = blob_rows.data_of(self._tx, row.blob_id)
        return Piece(0, row.size, data, row.blob_id, bool(row.filed))


def pieces(request: Request, tx: Tx, reading: Reading, wanted: Range, looks: Looks) -> list[Piece]:
    """Where the bytes of a range lie. :raises Conflicting: a segment has changed or is gone. :raises TakesLong:"""
    found = _pieces(request, reading, wanted, looks)
    looks.fetch(found)
    return found


def _pieces(request: Request, reading: Reading, wanted: Range, looks: Looks) -> list[Piece]:
    row = reading.row
    own = request.param("multipart-manifest") == "get"
    if row.kind == "slo" and own:
        data = row.manifest.encode()
        return [Piece(wanted.first, wanted.length, data, None)]
    if row.kind == "slo":
        if kept := (reading.meta.get(UPLOAD, "") if UPLOAD in row.meta else ""):
            looks.parts_in = int(kept.rpartition("/")[2])
        return list(_of_static(looks, reading.visit, looks.manifest(row, row.manifest), wanted, 0))
    if row.kind == "dlo" and not own:
        return list(_of_dynamic(looks, reading.visit, row, wanted))
    return [Piece(wanted.first, wanted.length, row.data, row.blob_id)] if wanted.length else []


def _part(piece: Piece, begin: int, wanted: Range) -> Piece:
    """Of a piece that begins there what a range covers."""
    first = max(wanted.first - begin, 0)
    end = min(wanted.first + wanted.length - begin, piece.length)
    if first == 0 and end == piece.length:
        return piece
    return replace(piece, offset=piece.offset + first, length=end - first)


def _of_static(looks: Looks, visit: Visit, manifest: _Manifest, wanted: Range, depth: int) -> Iterator[Piece]:
    if depth >= MOST_DEPTH:
        raise Conflicting(TEXTS[409])
    end, number = wanted.first + wanted.length, max(bisect_right(manifest.begins, wanted.first) - 1, 0)
    while number < len(manifest.segments) and manifest.begins[number] < end:
        segment, begin = manifest.segments[number], manifest.begins[number]
        looks.spend()
        number += 1
        if "data" in segment:
            data = looks.inline(segment)
            yield _part(Piece(0, len(data), data, None), begin, wanted)
            continue
        part, first = _segment(looks, visit, segment)
        covered = _part(Piece(first, length_of(segment), None, None), begin, wanted)
        yield from _whole(looks, part, Range(covered.offset, covered.length), depth + 1)


def _segment(looks: Looks, visit: Visit, segment: dict[str, Any]) -> tuple[Reading, int]:
    """The object that a manifest names, as it was then, and where the segment begins in it."""
    container, _, name = segment["name"].lstrip("/").partition("/")
    try:
        part = looks.segment(visit, (visit.account, container, name))
    except ApiError as error:
        raise Conflicting(f"While processing manifest, {segment['name']} could not be read: {error}") from None
    if part.etag != segment["hash"] or part.size != segment["bytes"]:
        raise Conflicting(f"Object segment no longer valid: {segment['name']}")
    return part, int(segment["range"].partition("-")[0]) if "range" in segment else 0


def _whole(looks: Looks, part: Reading, wanted: Range, depth: int) -> Iterator[Piece]:
    """A range of what a manifest names."""
    if part.row.kind == "slo":
        yield from _of_static(looks, part.visit, looks.manifest(part.row), wanted, depth)
    elif part.row.size:
        yield _part(looks.plain(part.row), 0, wanted)


def _of_dynamic(looks: Looks, visit: Visit, row: Row[Any], wanted: Range) -> Iterator[Piece]:
    container, _, _ = row.manifest.partition("/")
    begin, end = 0, wanted.first + wanted.length
    for segment in looks.named(visit, row):
        if begin >= end:
            return
        following = begin + segment.size
        if following > wanted.first and segment.size:
            looks.spend()
            if segment.kind:
                part = looks.segment(visit, (visit.account, container, segment.name))
                inside = _part(Piece(0, segment.size, None, None), begin, wanted)
                yield from _whole(looks, part, Range(inside.offset, inside.length), 1)
            else:
                yield _part(looks.plain(segment), begin, wanted)
        begin = following


def _named(request: Request, tx: Tx, visit: Visit, container: str, prefix: str) -> list[Row[Any]]:
    if visit.signed is not None:
        if not visit.signed.whole_account and container != visit.container:
            raise access.refused(request)
        place = places.place(tx, visit.account, container)
        access.refuse_denied(request, tx, Visit(visit.account, container, "", place, False, visit.signed))
    else:
        place = access.admit(request, tx, "get_object", "read", (visit.account, container, "")).row
    if place is None or place.container_id is None:
        return []
    return listing.segments(tx, place.container_id, prefix, 10_000)
