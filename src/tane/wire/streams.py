"""Content that comes in chunks: from an open file, and into one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tane.wire.errors import HostError

CHUNK = 1 << 20


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


async def save(stream: AsyncIterator[bytes], target: Path, most: int) -> int:
    """Write a stream of at most ``most`` bytes to a new file that only its owner may read; returns its bytes.

    When the stream breaks off, so does this: the file holds a part of it then. :raises OSError: it cannot be written.
    :raises HostError: it goes on for longer.
    """
    size = 0
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with target.open("wb", buffering=0) as file:
        async for data in stream:
            size += len(data)
            if size > most:
                raise HostError(f"the host sends more than {most} bytes")
            await asyncio.to_thread(file.write, data)
    return size
