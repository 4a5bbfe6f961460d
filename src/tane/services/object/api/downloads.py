"""Reading objects: conditions, ranges, streams."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import BinaryIO
from urllib.parse import quote

import structlog

from tane.core import Core
from tane.services.object.api import headers, staticweb
from tane.services.object.domain import blobs, copies, heavy, manifests, metadata, objects
from tane.services.object.domain.blobs import Piece
from tane.services.object.domain.errors import Failed, Unsatisfiable
from tane.services.object.domain.ranges import Range, parsed
from tane.services.object.domain.reading import Reading
from tane.services.object.drivers.hosts import BLOCK, Copied
from tane.services.object.drivers.hosts import Reading as BlobReading
from tane.services.object.store import stamps
from tane.web import codec
from tane.web.errors import BadRequest, Unavailable
from tane.web.request import FilePart, Request, Response

AT_ONCE, MOST_TOGETHER = 64 << 10, 500
"""Bytes, and pieces, that are sent together at least and at most."""
PIECE = 200
"""Bytes of memory that it takes to know where a piece is."""
HELD = 2 * BLOCK
"""Of what comes from hosts: the block that is on its way to the client, and as much of it where the network waits."""

log = structlog.get_logger()


class NotModified(Exception):
    """The client has it already."""


async def show(request: Request) -> Response:
    """Get an object; its headers by HEAD"""
    return await heavy.once_more(request, _show, request)


def _show(request: Request) -> Response:
    at = (request.path["account"], request.path["container"], request.path["object"])
    return staticweb.object_(request, at, got) if staticweb.is_visitor(request) else got(request, at)


def got(request: Request, at: objects.At) -> Response:
    """The object at a place, as the request's conditions and ranges have it."""
    chosen = Chosen(request)
    try:
        found, spans = objects.read(request, at, chosen)
    except NotModified:
        found, spans = chosen.found, []
    return answer(request, chosen, found, spans)


def answer(request: Request, chosen: Chosen, found: Reading, spans: list[tuple[Range, list[Piece]]]) -> Response:
    shown = headers.of_object(found)
    kind = _kind(request, found)
    _name(request, found, shown)
    if chosen.parts:
        shown["X-Parts-Count"] = str(chosen.parts)
    if chosen.not_modified:
        return headers.with_cors(request, found.visit, Response(None, 304, shown, kind))
    if request.param("multipart-manifest") == "get" and request.param("format") == "raw" and found.row.kind == "slo":
        body = codec.encode(manifests.as_put(found.row.manifest))
        shown["Etag"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return headers.with_cors(request, found.visit, Response(body, 200, shown, kind))
    if request.method == "HEAD":
        part = chosen.part
        shown["Content-Length"] = str(part.length if part else found.size)
        if part is not None:
            shown["Content-Range"] = f"bytes {part.first}-{part.last}/{found.size}"
        return headers.with_cors(request, found.visit, Response(None, 206 if part else 200, shown, kind))
    response = Response(None, 206 if chosen.partial else 200, shown, kind)
    if len(spans) > 1:
        _multipart(request, response, found, spans, kind)
    else:
        [(span, pieces)] = spans
        if chosen.partial:
            shown["Content-Range"] = f"bytes {span.first}-{span.last}/{found.size}"
        _body(request, response, pieces, span.length)
    return headers.with_cors(request, found.visit, response)


def _kind(request: Request, found: Reading) -> str:
    whole = request.param("multipart-manifest") != "get" or request.param("format") == "raw"
    if found.row.kind == "slo" and not whole:
        return "application/json; charset=utf-8"
    kind = str(found.row.content_type)
    return "application/octet-stream" if metadata.CONTROL.search(kind) else metadata.carried(kind)


def _name(request: Request, found: Reading, shown: dict[str, str]) -> None:
    """A signed address downloads a file, unless it says that it is to be shown."""
    signed = found.visit.signed
    if signed is None or request.method not in ("GET", "HEAD"):
        return
    shown.pop("content-disposition", None) if signed.filename else None
    name = signed.filename or found.visit.name.rstrip("/").rpartition("/")[2]
    plain = (
        name.replace('"', "_")
        .replace("\\", "_")
        .encode("ascii", "replace")
        .decode()
        .replace("\r", "")
        .replace("\n", "")
    )
    how = "inline" if signed.inline else "attachment"
    if signed.inline and not signed.filename:
        shown["Content-Disposition"] = "inline"
    elif "content-disposition" not in shown:
        shown["Content-Disposition"] = f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    shown["Expires"] = headers.http_second(signed.expires)


class Chosen:
    """Which ranges of an object are to be sent, when its headers are known and the conditions hold."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.partial = False
        self.not_modified = False
        self.part: Range | None = None
        self.parts = 0
        self.found: Reading

    def __call__(self, found: Reading) -> list[Range]:
        request = self._request
        self.found = found
        try:
            check(request, found)
        except NotModified:
            self.not_modified = True
            return []
        self._choose_part(found)
        if request.method == "HEAD":
            return []
        if self.part is not None:
            return [self.part]
        ranges = parsed(self._range(found), found.size)
        if ranges is None:
            return [Range(0, found.size)]
        if not ranges:
            told = {**headers.of_object(found), "Content-Range": f"bytes */{found.size}"}
            raise Unsatisfiable("The Range requested is not available.", told)
        if found.row.kind == "dlo" and len(ranges) > 1:
            # As the real service: several ranges of one are not offered.
            return [Range(0, found.size)]
        self.partial = True
        return ranges

    def _choose_part(self, found: Reading) -> None:
        """One segment of a static large object, by its number. :raises BadRequest: :raises Unsatisfiable:"""
        number = self._request.param("part-number")
        if number is None or found.row.kind != "slo":
            return
        spans = manifests.spans(found.row.manifest)
        self.parts = len(spans)
        if self._request.param("multipart-manifest") == "get":
            return
        if not (number.isascii() and number.isdigit() and int(number[:9])):
            raise BadRequest("Part number must be an integer greater than 0")
        if "range" in self._request.headers:
            raise BadRequest("Range requests are not supported with part number queries")
        if len(number) > 9 or int(number) > len(spans):
            told = {"X-Parts-Count": str(len(spans)), "Content-Range": f"bytes */{found.size}"}
            raise Unsatisfiable("The requested part number is not satisfiable", {**headers.of_object(found), **told})
        self.part, self.partial = spans[int(number) - 1], True

    def _range(self, found: Reading) -> str | None:
        """The header, unless the client wants it only of what it has already (RFC 9110, 13.1.5)."""
        only = self._request.headers.get("if-range")
        if only is not None and only.strip('"') != found.etag:
            told = headers.date(only)
            if told is None or told < _changed(found):
                return None
        return self._request.headers.get("range")


def check(request: Request, found: Reading) -> None:
    """:raises NotModified: :raises Failed: as the request's conditions say (RFC 9110, 13)."""
    given = request.headers
    if (wanted := given.get("if-match")) is not None and not _among(found.etag, wanted):
        raise Failed("A precondition for this request was not met.", headers.of_object(found))
    if (other := given.get("if-none-match")) is not None:
        if _among(found.etag, other):
            raise NotModified
    elif (since := headers.date(given.get("if-modified-since"))) is not None and _changed(found) <= since:
        raise NotModified
    before = headers.date(given.get("if-unmodified-since"))
    if before is not None and _changed(found) > before:
        raise Failed("A precondition for this request was not met.", headers.of_object(found))


def _among(etag: str, header: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or etag in tags


def _changed(found: Reading) -> datetime:
    return datetime.fromtimestamp(-(-found.row.stamp // stamps.SECOND), UTC)


# ---------------------------------------------------------------------------------------------------------- bodies


def _body(request: Request, response: Response, pieces: list[Piece], length: int) -> None:
    if not pieces:
        response.body = b""
        return
    if len(pieces) == 1 and pieces[0].data is not None:
        piece = pieces[0]
        response.body = piece.data[piece.offset : piece.offset + piece.length] if piece.data is not None else b""
        return
    if len(pieces) == 1 and pieces[0].filed:
        piece = pieces[0]
        try:
            file = blobs.opened(request.core, piece.blob_id or "")
        except (FileNotFoundError, ValueError):
            log.error("the bytes of an object are gone", blob=piece.blob_id)
            raise Unavailable("The object's data cannot be read.") from None
        if isinstance(file, Copied):
            _copied(request, response, file, piece)
        else:
            response.file = FilePart(file, piece.offset, piece.length)
        return
    response.stream, response.length = Stream(request, list(pieces)), length
    response.held = _held(request.core, pieces)


def _copied(request: Request, response: Response, found: Copied, piece: Piece) -> None:
    """:raises Unavailable: none of its hosts answers."""
    if not copies.links(request.core).reached() & {*found.hosts, *found.doubtful}:
        log.error("no host of an object's copies answers", blob=found.id)
        raise Unavailable("The object's data cannot be read.")
    response.stream, response.length = Stream(request, [piece]), piece.length
    response.held = HELD


def _held(core: Core, parts: Sequence[Piece | bytes]) -> int:
    """Bytes of memory; the same ones may be sent several times, and blocks of hosts come one at a time."""
    data = [part if isinstance(part, bytes) else part.data for part in parts]
    block = HELD if copies.links(core).reached() and any(map(_is_file, parts)) else 0
    return block + PIECE * len(parts) + sum({id(one): len(one) for one in data if one is not None}.values())


def _is_file(part: Piece | bytes) -> bool:
    return isinstance(part, Piece) and part.filed and part.data is None


class Stream:
    """Pieces one after another: parts of files go as such, so that the kernel sends them. One is open at a time."""

    def __init__(self, request: Request, parts: list[Piece | bytes]) -> None:
        self._core, self._owner = request.core, heavy.owner(request)
        self._parts = parts
        self._reading: tuple[str, BlobReading] | None = None
        self._open: BinaryIO | None = None

    async def __aiter__(self) -> AsyncIterator[bytes | FilePart]:
        for file, parts in groupby(self._parts, _is_file):
            if not file:
                async for data in self._together(parts):
                    yield data
                continue
            for part in parts:
                assert isinstance(part, Piece)
                if (way := await self._opened(part.blob_id or "")) is not None:
                    async for data in copies.parts(self._core, way, part.offset, part.length):
                        yield data
                    continue
                assert self._open is not None
                yield FilePart(self._open, part.offset, part.length)
                self._open.close()

    async def _opened(self, blob_id: str) -> BlobReading | None:
        """Of a blob that lies on hosts; the same as before if the next part is, too. Else its file is open."""
        if self._reading is not None and self._reading[0] == blob_id:
            return self._reading[1]
        self._reading = None
        found = await asyncio.to_thread(blobs.opened, self._core, blob_id)
        if not isinstance(found, Copied):
            self._open = found
            return None
        self._reading = (blob_id, copies.reading(self._core, found, self._owner))
        return self._reading[1]

    async def _together(self, parts: Iterator[Piece | bytes]) -> AsyncIterator[bytes]:
        """Small parts go together: each that is sent by itself costs a turn of the loop."""
        waiting, size = list[Piece | bytes](), 0
        for part in parts:
            waiting.append(part)
            size += len(part) if isinstance(part, bytes) else part.length
            if size >= AT_ONCE or len(waiting) >= MOST_TOGETHER:
                yield await asyncio.to_thread(blobs.joined, self._core, waiting)
                waiting, size = [], 0
        if waiting:
            yield await asyncio.to_thread(blobs.joined, self._core, waiting)

    async def close(self) -> None:
        if self._open is not None:
            self._open.close()


def _multipart(
    request: Request, response: Response, found: Reading, spans: list[tuple[Range, list[Piece]]], kind: str
) -> None:
    """Several ranges in one body (RFC 9110, 14.6)."""
    boundary = secrets.token_hex(16)
    parts: list[Piece | bytes] = []
    length = 0
    for span, pieces in spans:
        head = (
            f"--{boundary}\r\nContent-Type: {kind}\r\n"
            f"Content-Range: bytes {span.first}-{span.last}/{found.size}\r\n\r\n"
        ).encode("latin-1")
        parts += [head, *pieces, b"\r\n"]
        length += len(head) + span.length + 2
    end = f"--{boundary}--".encode()
    parts.append(end)
    response.content_type = f"multipart/byteranges;boundary={boundary}"
    response.stream, response.length = Stream(request, parts), length + len(end)
    response.held = _held(request.core, parts)
