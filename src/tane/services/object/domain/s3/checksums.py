"""Checksums of what is uploaded: said before it or after it, compared, and kept with the object.

Source: Amazon S3 User Guide, "Checking object integrity for data uploads".
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tane.services.object.domain.s3 import crc
from tane.services.object.domain.s3.errors import S3Error
from tane.web.request import BodyStream

FEW = 16 << 10
"""So many bytes are hashed where all requests are answered."""
PREFIX = "x-amz-checksum-"
LENGTHS = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
KNOWN = {*(name.lower() for name in LENGTHS), "algorithm", "mode", "type"}
"""What follows the prefix in headers."""
CRCS = {"CRC32": crc.CRC32, "CRC32C": crc.CRC32C, "CRC64NVME": crc.CRC64NVME}
WHOLE_ONLY = ("CRC64NVME",)


class Sum(Protocol):
    def update(self, data: memoryview) -> None: ...

    def digest(self) -> bytes: ...


class _Zlib:
    def __init__(self) -> None:
        self._crc = 0

    def update(self, data: memoryview) -> None:
        self._crc = zlib.crc32(data, self._crc)

    def digest(self) -> bytes:
        return self._crc.to_bytes(4, "big")


class _Crc:
    def __init__(self, of: crc.Crc) -> None:
        self._of, self._crc = of, 0

    def update(self, data: memoryview) -> None:
        self._crc = self._of.update(data, self._crc)

    def digest(self) -> bytes:
        return self._crc.to_bytes(self._of.width // 8, "big")


def new(algorithm: str) -> Sum:
    if algorithm == "CRC32":
        return _Zlib()
    if algorithm in CRCS:
        return _Crc(CRCS[algorithm])
    found: Any = hashlib.new(algorithm.lower(), usedforsecurity=False)
    return found  # type: ignore[no-any-return]


def algorithm_of(name: str) -> str:
    """:raises S3Error: there is no such one."""
    found = name.strip().upper()
    if found not in LENGTHS:
        raise S3Error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the "
            f"valid types: [{', '.join(LENGTHS)}]",
        )
    return found


def text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def decoded(value: str, length: int) -> bytes:
    """:raises S3Error: it is no checksum of that many bytes."""
    try:
        found = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise S3Error("InvalidDigest") from None
    # One whose last bits are not zero would be the same bytes under another name.
    if len(found) != length or text(found) != value.strip():
        raise S3Error("InvalidDigest")
    return found


def given(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The algorithm and the value that the headers of an upload have, None without one.

    :raises S3Error: there are several, or it is none.
    """
    for name in headers:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in KNOWN:
            raise S3Error("InvalidRequest", f"The algorithm type you specified in {PREFIX} header is invalid.")
    found = [
        (name.removeprefix(PREFIX).upper(), value)
        for name, value in headers.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).upper() in LENGTHS
    ]
    if len(found) > 1:
        raise S3Error(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if not found:
        return None
    algorithm, value = found[0]
    check_value(algorithm, value, "header")
    return algorithm, value.strip()


def check_value(algorithm: str, value: str, where: str) -> None:
    """:raises S3Error: it is no checksum of that kind."""
    try:
        decoded(value, LENGTHS[algorithm])
    except S3Error:
        raise S3Error("InvalidRequest", f"Value for {PREFIX}{algorithm.lower()} {where} is invalid.") from None


def trailer(text: str, told: tuple[str, str] | None) -> str:
    """The algorithm of the checksum that is to follow the body, "" for none. ``told``: what the headers have.

    :raises S3Error: there are several.
    """
    names = [name.strip().lower() for name in text[:1000].rstrip(", ").split(",")] if text.strip() else []
    found = [name.removeprefix(PREFIX).upper() for name in names]
    if any(not name.startswith(PREFIX) or name.removeprefix(PREFIX).upper() not in LENGTHS for name in names):
        raise S3Error("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    if len(found) > 1:
        raise S3Error(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if found and told is not None:
        raise S3Error("InvalidRequest", "Expecting a single x-amz-checksum- header")
    return found[0] if found else ""


def said_of_whole(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The checksum of an object that is made of parts, where a header says one; it may say how many parts there are."""
    for name, value in headers.items():
        algorithm = name.removeprefix(PREFIX).upper()
        if name.startswith(PREFIX) and algorithm in LENGTHS:
            return algorithm, value.strip()
    return None


class Summed:
    """A body that is summed up while it is read: its SHA-256 where that is said, and one checksum more."""

    def __init__(self, stream: BodyStream, sha256: str, algorithm: str) -> None:
        self._stream = stream
        self._sha256, self.algorithm = sha256, algorithm
        self._sums: list[Sum] = []
        self._hash: Sum | None = None
        self._checksum: Sum | None = None
        if sha256:
            self._hash = new("SHA256")
            self._sums.append(self._hash)
        if algorithm == "SHA256" and self._hash is not None:
            self._checksum = self._hash
        elif algorithm:
            self._checksum = new(algorithm)
            self._sums.append(self._checksum)

    async def readinto(self, buffer: memoryview) -> int:
        size = await self._stream.readinto(buffer)
        if size and self._sums:
            if size <= FEW:
                self._take(buffer[:size])
            else:
                await asyncio.to_thread(self._take, buffer[:size])
        return size

    def _take(self, part: memoryview) -> None:
        for one in self._sums:
            one.update(part)

    @property
    def checksum(self) -> str:
        """In base 64; "" when none was asked for."""
        return text(self._checksum.digest()) if self._checksum is not None else ""

    def check(self) -> None:
        """:raises S3Error: it is not the SHA-256 that was said."""
        if self._hash is not None and self._hash.digest().hex() != self._sha256.lower():
            computed = {"S3ComputedContentSHA256": self._hash.digest().hex()}
            raise S3Error(
                "XAmzContentSHA256Mismatch", details={"ClientComputedContentSHA256": self._sha256, **computed}
            )


def of_parts(algorithm: str, parts: Sequence[tuple[str, int]], *, whole: bool) -> str:
    """The checksum of an object of parts, of each of which the checksum and the size are given: of the whole, or of the
    checksums of the parts."""
    if not whole:
        total = new(algorithm)
        for value, _ in parts:
            total.update(memoryview(base64.b64decode(value)))
        return f"{text(total.digest())}-{len(parts)}"
    kind, found = CRCS[algorithm], 0
    for value, size in parts:
        found = kind.combine(found, int.from_bytes(base64.b64decode(value), "big"), size)
    return text(found.to_bytes(kind.width // 8, "big"))
