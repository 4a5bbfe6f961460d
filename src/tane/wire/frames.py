"""Messages on a byte stream between a cloud and its agents: a length, a kind, and the bytes.

What a peer may say before anybody knows who it is stays small: the reader names the most it takes.
"""

from __future__ import annotations

import asyncio
import struct
from typing import NamedTuple

from tane.wire.errors import HostError

HELLO, CALL, REPLY, DATA, END, FAILURE, OPEN, PING, PONG = range(9)
"""Kinds of frames. HELLO begins every connection; CALL and REPLY carry a call's number before its bytes where several
are on the way; DATA, END and FAILURE are a stream; OPEN asks an agent for a connection more."""
MOST = 64 << 20
"""Bytes of the largest frame: the whole network document of a large host has some megabytes."""
_HEAD = struct.Struct(">IB")
_NUMBER = struct.Struct(">Q")


PONG_FRAME = _HEAD.pack(0, PONG)


class Broken(HostError):
    """The connection ended, or what came is no frame."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the connection broke off: {why}", transient=True)


class Frame(NamedTuple):
    kind: int
    data: bytes


async def read(reader: asyncio.StreamReader, most: int = MOST) -> Frame:
    """The next frame of at most ``most`` bytes. :raises Broken: there is none."""
    try:
        size, kind = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if size > most:
            raise Broken(f"a frame of {size} bytes, and {most} are the most")
        return Frame(kind, await reader.readexactly(size))
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Broken(str(error) or type(error).__name__) from None


async def write(writer: asyncio.StreamWriter, kind: int, data: bytes = b"") -> None:
    """Send a frame, and wait while the peer is slow. :raises Broken: it is gone."""
    if len(data) > MOST:
        raise Broken(f"a frame of {len(data)} bytes, and {MOST} are the most")
    try:
        writer.writelines((_HEAD.pack(len(data), kind), data))
        await writer.drain()
    except (OSError, RuntimeError) as error:
        raise Broken(str(error) or type(error).__name__) from None


async def expect(reader: asyncio.StreamReader, kind: int, most: int = MOST) -> bytes:
    """The bytes of the next frame, which must be of this kind. :raises Broken: it is another."""
    frame = await read(reader, most)
    if frame.kind != kind:
        raise Broken(f"a frame of kind {frame.kind} where {kind} was expected")
    return frame.data


def numbered(number: int, data: bytes) -> bytes:
    return _NUMBER.pack(number) + data


def split(data: bytes) -> tuple[int, bytes]:
    """The number before the bytes, and these. :raises Broken: it is too short."""
    if len(data) < _NUMBER.size:
        raise Broken("a call without a number")
    return _NUMBER.unpack_from(data)[0], data[_NUMBER.size :]
