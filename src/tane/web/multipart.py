"""Bodies of ``multipart/form-data`` (RFC 7578), part by part as they come.

Falcon's parser reads them; what it would read in a time that is the square of what a stranger sent, is held short.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from tane.web.errors import BadRequest
from tane.web.request import BodyStream, Request

KIND = "multipart/form-data"
CHUNK = 64 << 10
LONGEST_TYPE = 1024
"""Characters of a Content-Type."""
PART_HEADERS, MOST_PARAMETERS = 2048, 16
"""Bytes of the headers of one part: a name, a file's name, its type; and what may follow its disposition."""
_BOUNDARY = re.compile(r"""; *boundary=(?:"([^"\\]{1,70})"|([!#-+\--:<-~]{1,70})) *(?:;|\Z)""", re.IGNORECASE)


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith(KIND)


def boundary(kind: str) -> str | None:
    """What stands between the parts, by the form's Content-Type; None when that is none or too long."""
    found = _BOUNDARY.search(kind) if len(kind) <= LONGEST_TYPE and kind.isascii() else None
    return (found[1] or found[2]) if found is not None else None


async def parts(
    request: Request, most: int, broken: Callable[[BadRequest], Exception] = lambda error: error
) -> AsyncIterator[Any]:
    """At most ``most`` parts, as Falcon gives them, which is loaded when the first form comes. ``broken``: what is
    raised when the client breaks off.

    :raises BadRequest: it is no such form. :raises falcon.HTTPError: a part is none.
    """
    from falcon.asgi.multipart import MultipartForm
    from falcon.asgi.reader import BufferedReader
    from falcon.media.multipart import MultipartParseOptions

    mark = boundary(request.headers.get("content-type", ""))
    if mark is None:
        raise BadRequest("invalid multipart form")
    assert request.stream is not None
    options = MultipartParseOptions()
    options.max_body_part_count = most
    options.max_body_part_headers_size = PART_HEADERS
    reader = BufferedReader(_chunks(request.stream, broken))
    async for part in MultipartForm(reader, mark.encode(), None, options):
        if part._headers.get(b"content-disposition", b"").count(b";") > MOST_PARAMETERS:
            raise BadRequest("invalid multipart form")
        yield part


async def _chunks(stream: BodyStream, broken: Callable[[BadRequest], Exception]) -> AsyncIterator[bytes]:
    buffer = memoryview(bytearray(CHUNK))
    while True:
        try:
            size = await stream.readinto(buffer)
        except BadRequest as error:
            raise broken(error) from None
        if size:
            yield bytes(buffer[:size])
        if size < CHUNK:
            return


class PartStream:
    """The bytes of one part, as a body of its own."""

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
