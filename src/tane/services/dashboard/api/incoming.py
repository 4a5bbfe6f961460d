"""The body of a form: texts, and at most one file, which is read as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tane.web import codec, multipart
from tane.web.errors import BadRequest, TooLarge
from tane.web.request import BodyStream, Request

MOST = 2 << 20
"""Bytes of a form without its file: a template may have half a MiB."""
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data"
MOST_FIELDS, MOST_OF_STRANGER = 2000, 100
CHUNK = 1 << 16
QUICK = 16 << 10
"""Bytes of a form that is decoded at once; a longer one, in a thread, so that nobody waits for it."""


@dataclass
class Form:
    """What was sent. ``file`` is the last part: it is read while it comes."""

    values: dict[str, list[str]] = field(default_factory=dict)
    file: BodyStream | None = None
    file_name: str = ""
    file_type: str = ""

    def one(self, name: str) -> str:
        return next(iter(self.values.get(name, ())), "")


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def read_of_stranger(request: Request, into: Mapping[str, str] | None = None) -> Form:
    """A form of no more than any body that asks for no token. :raises BadRequest: :raises TooLarge:"""
    most = request.core.config.limits.anonymous_body
    if _kind(request) == PARTS:
        return await _parts(request, into or {}, most, MOST_OF_STRANGER)
    data = await _all(request, most)
    if _kind(request) != FORM:
        raise BadRequest("A form is expected.")
    return _texts(data)


async def read(request: Request, into: Mapping[str, str] | None = None) -> Form:
    """``into``: by the names of files those of the fields that hold their text, when there is any.

    :raises BadRequest: :raises TooLarge:
    """
    kind = _kind(request)
    if kind == PARTS:
        return await _parts(request, into or {}, MOST, MOST_FIELDS)
    if kind not in (FORM, ""):
        raise BadRequest("A form is expected.")
    data = await _all(request, MOST)
    return _texts(data) if len(data) <= QUICK else await request.core.in_thread(_texts, data)


def _texts(data: bytes) -> Form:
    try:
        found = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadRequest("The form cannot be read.") from None
    _refuse_nul(found)
    return Form(found)


def _refuse_nul(values: dict[str, list[str]]) -> None:
    for name, texts in values.items():
        if any("\0" in text for text in texts):
            raise BadRequest(f"{name[:100]}: a NUL character is not allowed.")


async def _all(request: Request, most: int) -> bytes:
    assert request.stream is not None
    found, buffer = bytearray(), memoryview(bytearray(CHUNK))
    while True:
        count = await request.stream.readinto(buffer)
        found += buffer[:count]
        if len(found) > most:
            raise TooLarge(f"Request is too large: at most {most} bytes are accepted.")
        if count < CHUNK:
            return bytes(found)


async def _parts(request: Request, into: Mapping[str, str], most: int, most_fields: int) -> Form:
    import falcon

    found, kept = Form(), 0
    texts: dict[str, list[str]] = {}
    try:
        async for part in multipart.parts(request, most_fields):
            name = _text(part.name or "")
            if part.filename and name not in into:
                found.file, found.file_name = multipart.PartStream(part), _text(part.filename)
                found.file_type = _text(part.content_type or "")
                break
            data = await part.stream.read(most - kept + 1)
            kept += len(data)
            if kept > most:
                raise TooLarge(f"Request is too large: at most {most} bytes are accepted.")
            if not part.filename:
                found.values.setdefault(name, []).append(data.decode())
            elif data:
                texts[into[name]] = [_of_file(into[name], data)]
    except (falcon.HTTPError, ValueError):
        raise BadRequest("The form cannot be read.") from None
    found.values |= texts
    _refuse_nul(found.values)
    return found


def _of_file(name: str, data: bytes) -> str:
    """:raises BadRequest: it is no text."""
    try:
        return data.decode("utf-8-sig")
    except ValueError:
        raise BadRequest(f"{name}: the file is not text in UTF-8.") from None


def _text(value: Any) -> str:
    """A name that Falcon decoded, by whatever encoding the client named. :raises BadRequest: it is no text."""
    text = str(value)
    codec.refuse_half(text)
    codec.refuse_nul("filename", text)
    return text
