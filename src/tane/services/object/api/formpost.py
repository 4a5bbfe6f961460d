"""Uploads by a signed HTML form."""

from __future__ import annotations

from collections.abc import Sequence
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
from tane.web import multipart
from tane.web.errors import ApiError, BadRequest, TooLarge
from tane.web.request import Request, Response

MOST_FIELD = 4096
MOST_FIELDS, MOST_FILES = 50, 10_000


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
    count = texts = 0
    try:
        async for part in multipart.parts(request, MOST_FIELDS + MOST_FILES, _gone):
            if part.filename is None:
                texts += 1
                if texts > MOST_FIELDS:
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


def _gone(_: BadRequest) -> ClientDisconnect:
    return ClientDisconnect("The client was disconnected during request.")


async def _text(part: Any) -> str:
    data = await part.stream.read(MOST_FIELD + 1)
    if len(data) > MOST_FIELD:
        raise BadRequest("field too long")
    try:
        return str(data.decode())
    except UnicodeDecodeError:
        raise BadRequest("invalid multipart form") from None


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
        received = await blobs.receive(core, multipart.PartStream(part), None, most, at[0], at[1])
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
