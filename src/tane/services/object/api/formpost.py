"""Uploads by a signed HTML form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import falcon

from tane.services.object.api import headers
from tane.services.object.domain import blobs, formpost, metadata
from tane.services.object.domain import objects as domain
from tane.services.object.domain.blobs import BrokenOff, TooMuch
from tane.services.object.domain.content import New, guessed
from tane.services.object.domain.errors import ClientDisconnect, SeeOther
from tane.services.object.domain.tempurl import Signed
from tane.web.errors import ApiError, BadRequest, TooLarge
from tane.web.request import BodyStream, Request, Response

CHUNK = 64 << 10
MOST_FIELD = 4096
MOST_FIELDS = 50


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def upload(request: Request, at: tuple[str, str, str]) -> Response:
    """Objects of a form's files: what ``at`` names, followed by each file's name."""
    fields: dict[str, str] = {}
    signed: list[str] = []
    try:
        count = await _take(request, at, fields, signed)
        if not count:
            raise BadRequest("no files to process")
    except ApiError as error:
        return _answer(signed, error.status, error.title, error.message)
    return _answer(signed, 201, "Created", "")


async def _take(request: Request, at: tuple[str, str, str], fields: dict[str, str], redirects: list[str]) -> int:
    """How many files came. ``redirects``: where signatures said that the browser may be led."""
    count = 0
    try:
        async for part in _form(request):
            if part.filename is None:
                if len(fields) >= MOST_FIELDS:
                    raise BadRequest("too many fields")
                fields[str(part.name)] = await _text(part)
                continue
            count += 1
            signed = await request.core.in_thread(formpost.check, request, at, fields)
            redirects.append(fields.get("redirect", ""))
            await _store(request, at, fields, part, count, signed)
    except (falcon.HTTPError, ValueError):
        raise BadRequest("invalid multipart form") from None
    return count


def _form(request: Request) -> Any:
    """The parts of the body, as Falcon's parser reads them; loaded when the first form comes."""
    from falcon.asgi.multipart import MultipartForm
    from falcon.asgi.reader import BufferedReader
    from falcon.media.multipart import MultipartParseOptions

    boundary = falcon.parse_header(request.headers["content-type"])[1].get("boundary", "")
    if not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise BadRequest("invalid multipart form")
    assert request.stream is not None
    options = MultipartParseOptions()
    options.max_body_part_count = MOST_FIELDS + 10_000
    return MultipartForm(BufferedReader(_chunks(request.stream)), boundary.encode(), None, options)


async def _chunks(stream: BodyStream) -> AsyncIterator[bytes]:
    buffer = memoryview(bytearray(CHUNK))
    while True:
        try:
            size = await stream.readinto(buffer)
        except BadRequest:
            raise ClientDisconnect("The client was disconnected during request.") from None
        if size:
            yield bytes(buffer[:size])
        if size < CHUNK:
            return


async def _text(part: Any) -> str:
    data = await part.stream.read(MOST_FIELD + 1)
    if len(data) > MOST_FIELD:
        raise BadRequest("field too long")
    try:
        return str(data.decode())
    except UnicodeDecodeError:
        raise BadRequest("invalid multipart form") from None


class _File:
    """The bytes of one part, as a body."""

    def __init__(self, part: Any) -> None:
        self._stream = part.stream

    async def readinto(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            data = await self._stream.read(len(buffer) - filled)
            if not data:
                break
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        return filled


async def _store(
    request: Request, at: tuple[str, str, str], fields: dict[str, str], part: Any, count: int, signed: Signed
) -> None:
    core = request.core
    if count > formpost.whole(fields, "max_file_count"):
        raise BadRequest("max_file_count exceeded")
    most = min(formpost.whole(fields, "max_file_size"), metadata.MAX_FILE_SIZE)
    name = at[2] + str(part.filename)
    if not part.filename or "\0" in name:
        raise BadRequest("invalid file name")
    domain.check_name(name)
    kind = str(part.content_type if "content-type" in _names(part) else guessed(name))
    metadata.check_type(kind)
    try:
        received = await blobs.receive(core, _File(part), None, most, at[0])
    except TooMuch:
        raise TooLarge("max_file_size exceeded") from None
    except BrokenOff:
        raise ClientDisconnect("The client was disconnected during request.") from None
    until = formpost.whole(fields, "x_delete_at") if fields.get("x_delete_at") else None
    if fields.get("x_delete_after"):
        until = headers.after_now(core, fields["x_delete_after"])
    new = New(kind, delete_at=until)
    await core.in_thread(domain.put, request, (at[0], at[1], name), received, new, signed)


def _names(part: Any) -> set[str]:
    return {name.decode("latin-1").lower() for name in part._headers}


def _is_web(target: str) -> bool:
    try:
        return target.isprintable() and urlsplit(target).scheme in ("http", "https", "")
    except ValueError:
        return False


def _answer(signed: Sequence[str], status: int, title: str, message: str) -> Response:
    """Only what was signed says where to: nobody else leads browsers elsewhere from the cloud's address."""
    target = signed[-1] if signed else ""
    if target and _is_web(target):
        mark = "&" if "?" in target else "?"
        where = quote(f"{target}{mark}status={status}&message={quote(message)}", safe=":/?&=%#+,;@")
        page = f'<html><body><p><a href="{where}">Click to continue...</a></p></body></html>'
        return Response(page.encode(), SeeOther.status, {"Location": where}, headers.HTML)
    return Response(f"{status} {title}\n{message}".encode(), status, {}, "text/plain; charset=UTF-8")
