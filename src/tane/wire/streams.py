"""Content that comes in chunks: from an open file, and into one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tane.wire.errors import HostError

CHUNK = 1 << 20
ZEROS = bytes(CHUNK)


class Connection(NamedTuple):
    """A stream each way, to something that listens on a host."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    """What an open file holds, in chunks of at most 1 MiB; it is closed at the end."""
    try:
        while data := await asyncio.to_thread(file.read, CHUNK):
            yield data
    finally:
        file.close()


async def save(stream: AsyncIterator[bytes], target: Path, most: int, look: Callable[[], None] | None = None) -> int:
    """Write a stream of at most ``most`` bytes to a new file with holes, that only its owner may read; returns its
    bytes. ``look`` is called in a thread before each part is written, and ends it by what it raises.

    When the stream breaks off, so does this: the file holds a part of it then. :raises OSError: it cannot be written.
    :raises HostError: it goes on for longer.
    """
    size = 0
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with target.open("r+b", buffering=0) as file:

        def write(data: bytes) -> None:
            if look is not None:
                look()
            if ZEROS.startswith(data):
                file.seek(len(data), os.SEEK_CUR)
                return
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]

        async for data in stream:
            size += len(data)
            if size > most:
                raise HostError(f"the host sends more than {most} bytes")
            await asyncio.to_thread(write, data)
        file.truncate(size)
    return size
