"""Bodies in pieces ("aws-chunked"): what frames them is taken off, and the signatures between them are checked.

Sources: Amazon S3 API Reference, "Signature calculations for the authorization header: transferring payload in multiple
chunks" and "… including trailing headers".
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tane.services.identity import interface as identity
from tane.services.object.domain.s3.checksums import FEW
from tane.services.object.domain.s3.errors import TERMINATED, S3Error
from tane.services.object.domain.s3.signature import mismatch
from tane.web.errors import BadRequest
from tane.web.request import BodyStream

BUFFER = 64 << 10
LEAST = 8192
"""Bytes of each piece but the last: what frames each costs time, and shorter ones are refused by S3, too."""
MOST = 5 << 30
MOST_LINE, MOST_LINES = 1024, 10
HEADER = re.compile(rb"([0-9A-Fa-f]{1,16})(?:\s*;\s*chunk-signature\s*=\s*([!-~]{1,200}))?\s*\Z")
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass
class Seal:
    """How pieces are signed: each signature covers the one before. ``last`` begins as that of the request.
    ``signer``: see :class:`Proof`."""

    key: bytes
    moment: str
    scope: str
    last: str
    signer: Mapping[str, str] = field(default_factory=dict)

    def check(self, kind: str, lines: tuple[str, ...], given: str) -> None:
        """:raises S3Error:"""
        text = "\n".join((f"AWS4-HMAC-SHA256-{kind}", self.moment, self.scope, self.last, *lines))
        if not identity.same_signature(given, identity.sign(self.key, text.encode("latin-1"))):
            raise mismatch(text, given, self.signer)
        self.last = given


class Pieces:
    """The bytes that are in the pieces of a body, ``length`` in all. ``seal`` None: they are not signed. ``trailing``:
    lines follow.

    Each signature is checked when its piece was read: until :meth:`finish` returns, nothing of it is sure.
    """

    def __init__(self, stream: BodyStream, seal: Seal | None, length: int, *, trailing: bool) -> None:
        self._stream, self._seal, self._trailing = stream, seal, trailing
        self._wanted, self._begun = length, 0
        self._kept = memoryview(bytearray(BUFFER))
        self._begin = self._end = 0
        self._left = 0
        self._length, self._number = LEAST, 0
        self._signature = ""
        self._hash = hashlib.sha256()
        self._over = False
        self._ended = False
        self.trailers: dict[str, str] = {}

    async def readinto(self, buffer: memoryview) -> int:
        """:raises S3Error: the framing, or a signature, is wrong. :raises BadRequest: the client broke off."""
        filled = 0
        while filled < len(buffer):
            if not self._left:
                if self._over or not await self._next():
                    break
                continue
            filled += await self._take(buffer[filled : filled + self._left])
            if not self._left:
                await self._close()
        return filled

    async def finish(self) -> None:
        """What follows the last byte: nothing but the end, and the lines after it. :raises S3Error:"""
        if not self._over and (self._left or await self._next()):
            raise self._incomplete()

    def _incomplete(self) -> S3Error:
        """The pieces are not as many bytes as was said."""
        told = {"NumberBytesExpected": str(self._wanted), "NumberBytesProvided": str(self._begun)}
        return S3Error("IncompleteBody", details=told)

    async def _take(self, free: memoryview) -> int:
        """Some bytes of the piece."""
        size = min(self._end - self._begin, len(free))
        if size:
            free[:size] = self._kept[self._begin : self._begin + size]
            self._begin += size
        elif len(free) >= BUFFER:
            size = await self._stream.readinto(free)
        else:
            await self._more()
            return 0
        if not size:
            raise BadRequest("The body ends within a chunk.")
        if self._seal is not None:
            if size <= FEW:
                self._hash.update(free[:size])
            else:
                await asyncio.to_thread(self._hash.update, free[:size])
        self._left -= size
        return size

    async def _more(self) -> None:
        """Fill the buffer up. :raises BadRequest: there is no more."""
        rest = bytes(self._kept[self._begin : self._end])
        self._kept[: len(rest)] = rest
        self._begin, self._end = 0, len(rest)
        size = 0 if self._ended else await self._stream.readinto(self._kept[self._end :])
        self._ended |= size < len(self._kept) - self._end
        if not size:
            raise BadRequest("The body ends before its last chunk.")
        self._end += size

    async def _line(self) -> bytes | None:
        """Up to the end of a line; None where the body ends instead."""
        while True:
            kept = bytes(self._kept[self._begin : min(self._end, self._begin + MOST_LINE + 2)])
            at = kept.find(b"\r\n")
            if at >= 0:
                self._begin += at + 2
                return kept[:at]
            if len(kept) > MOST_LINE:
                raise S3Error("IncompleteBody", TERMINATED)
            if self._ended:
                if kept:
                    raise S3Error("IncompleteBody", TERMINATED)
                return None
            try:
                await self._more()
            except BadRequest:
                if self._begin < self._end:
                    raise
                return None

    async def _next(self) -> bool:
        """Begin the next piece; False when there is none. :raises S3Error:"""
        line = await self._line()
        found = HEADER.match(line) if line is not None else None
        if line is None:
            raise S3Error("IncompleteBody", TERMINATED)
        if found is None or (found[2] is None) != (self._seal is None):
            raise S3Error("IncompleteBody", TERMINATED)
        size = int(found[1], 16)
        self._signature = (found[2] or b"").decode()
        if size and self._length < LEAST:
            sizes = {"Chunk": str(self._number + 1), "BadChunkSize": str(self._length)}
            raise S3Error("InvalidChunkSizeError", details=sizes)
        if size > MOST:
            raise S3Error("EntityTooLarge")
        self._left = self._length = size
        self._number += 1
        self._begun += size
        if size:
            return True
        if self._begun != self._wanted:
            raise self._incomplete()
        self._check()
        await self._read_trailers()
        self._over = True
        return False

    async def _close(self) -> None:
        if await self._line() != b"":
            raise S3Error("IncompleteBody", TERMINATED)
        self._check()

    def _check(self) -> None:
        if self._seal is not None:
            self._seal.check("PAYLOAD", (EMPTY, self._hash.hexdigest()), self._signature)
            self._hash = hashlib.sha256()

    async def _read_trailers(self) -> None:
        lines: list[tuple[str, str]] = []
        signature = ""
        while line := await self._line():
            name, colon, value = line.decode("latin-1").partition(":")
            name = name.strip().lower()
            if not colon or not self._trailing or len(lines) >= MOST_LINES:
                raise S3Error("MalformedTrailerError")
            if name == "x-amz-trailer-signature":
                signature = value.strip()
            else:
                lines.append((name, value.strip()))
        if self._begin < self._end or (not self._ended and await self._stream.readinto(self._kept[:1])):
            # What follows the lines is not looked at, as in the real service.
            if self._trailing and not lines:
                raise S3Error("MalformedTrailerError")
            if not lines:
                raise S3Error("IncompleteBody")
        if self._seal is not None and self._trailing:
            told = "".join(f"{name}:{value}\n" for name, value in lines)
            if not signature:
                raise S3Error("IncompleteBody", TERMINATED)
            digest = hashlib.sha256(told.encode("latin-1")).hexdigest()
            self._seal.check("TRAILER", (digest,), signature)
        self.trailers = dict(lines)
