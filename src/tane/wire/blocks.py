"""A disk as a stream of those of its blocks that are not empty: each its number, then its bytes, by growing numbers.

What a disk does not have takes no time and no place: blocks that are only zeros are not sent. Either side bounds what
it takes: a number that is not after the last one, or beyond the disk, ends the stream.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from tane.wire.errors import HostError

BLOCK = 1 << 20
"""Bytes of a block; a volume has a whole number of them."""
ZEROS = bytes(BLOCK)
_NUMBER = struct.Struct(">I")
_RECORD = _NUMBER.size + BLOCK


def record(number: int, block: bytes) -> bytes:
    """A block as it is sent."""
    return _NUMBER.pack(number) + block


class Records:
    """Cuts a stream, which comes in any pieces, into its blocks. ``blocks``: how many the disk has.

    At most a block and what came last is kept.
    """

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._next = 0
        self._kept = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The blocks that are whole now. :raises HostError: the stream is none of this disk."""
        self._kept += data
        while len(self._kept) >= _RECORD:
            [number] = _NUMBER.unpack_from(self._kept)
            if not self._next <= number < self._blocks:
                raise HostError(f"block {number} of a disk of {self._blocks} came where {self._next} was the next")
            block = bytes(self._kept[_NUMBER.size : _RECORD])
            del self._kept[:_RECORD]
            self._next = number + 1
            yield number, block

    def end(self) -> None:
        """:raises HostError: the last block is not whole."""
        if self._kept:
            raise HostError("what a disk holds was broken off in the middle of a block")


async def sent(file: BinaryIO) -> AsyncIterator[bytes]:
    """The blocks of an open file, which is closed at the end."""
    number = 0
    try:
        while (found := await asyncio.to_thread(_following, file, number)) is not None:
            number = found[0] + 1
            yield record(*found)
    finally:
        file.close()


def _following(file: BinaryIO, number: int) -> tuple[int, bytes] | None:
    """The first block from ``number`` on that is not empty; holes are not read."""
    while True:
        try:
            number = os.lseek(file.fileno(), number * BLOCK, os.SEEK_DATA) // BLOCK
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise
        block = os.pread(file.fileno(), BLOCK, number * BLOCK).ljust(BLOCK, b"\0")
        if block != ZEROS:
            return number, block
        number += 1


async def save(stream: AsyncIterator[bytes], target: Path, size_bytes: int) -> None:
    """Write the blocks of a stream to a new file of ``size_bytes`` with holes, which only its owner may read.

    :raises HostError: the stream is none of such a disk. :raises OSError: it cannot be written.
    """
    records = Records(size_bytes // BLOCK)
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with target.open("r+b", buffering=0) as file:
        file.truncate(size_bytes)

        def write(data: bytes) -> None:
            for number, block in records.feed(data):
                file.seek(number * BLOCK)
                file.write(block)

        async for data in stream:
            await asyncio.to_thread(write, data)
        records.end()
