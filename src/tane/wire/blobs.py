"""How a cloud writes and reads parts of blobs by a connection to a host (:meth:`tane.wire.duties.ObjectDuty.session`).

One question after another: CALL with what is wanted, and DATA where it is to be written; the answer is END or DATA, or
FAILURE. Each is at most 1 MiB, and begun when all of it is there: whoever is slow to send or to receive an object keeps
no host waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tane.wire import frames, lines
from tane.wire.calls import Failure, failed, raised
from tane.wire.documents import Amount, Document
from tane.wire.frames import CALL, DATA, END, FAILURE, Broken
from tane.wire.grammar import BlobId
from tane.wire.streams import CHUNK, Connection

MOST = 5 * (1 << 30) + 2
"""Bytes of one blob."""
MOST_WORDS = 4096


class Asked(Document):
    do: Literal["append", "read"]
    blob_id: BlobId
    offset: Annotated[int, Meta(ge=0, le=MOST)]
    length: Annotated[int, Meta(ge=1, le=CHUNK)]


async def append(connection: Connection, blob_id: str, offset: int, data: bytes | memoryview) -> None:
    """Write a part of a blob that is not finished, behind what is written of it. :raises HostError:"""
    await _ask(connection, Asked(do="append", blob_id=blob_id, offset=offset, length=len(data)))
    await frames.write(connection.writer, DATA, data)  # type: ignore[arg-type]  # Nobody keeps it.
    await _answered(connection, END, MOST_WORDS)


async def read(connection: Connection, blob_id: str, offset: int, length: int) -> bytes:
    """A part of a blob, or less where it ends. :raises HostError:"""
    await _ask(connection, Asked(do="read", blob_id=blob_id, offset=offset, length=length))
    return await _answered(connection, DATA, max(length, MOST_WORDS))


async def _ask(connection: Connection, asked: Asked) -> None:
    await frames.write(connection.writer, CALL, msgspec.json.encode(asked))


async def _answered(connection: Connection, kind: int, most: int) -> bytes:
    frame = await frames.read(connection.reader, most)
    if frame.kind == FAILURE:
        try:
            failure = msgspec.json.decode(frame.data, type=Failure)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Broken(f"a failure that cannot be read: {error}") from None
        raise raised(failure)
    if frame.kind != kind:
        raise Broken(f"a frame of kind {frame.kind} where {kind} was expected")
    return frame.data


class BlobSum(Document):
    """What a host finds a file to be: its bytes, and their CRC-32."""

    size: Amount
    crc: Amount


class BlobRoom(Document):
    """Bytes of the file system that blobs lie in, and those of them that may still be filled."""

    total_bytes: Amount
    free_bytes: Amount


Performer = Callable[[Asked, bytes], Awaitable[bytes]]
"""Does what is asked, with the bytes that came; returns those that are read."""


async def serve(connection: Connection, does: Performer) -> None:
    """Answer until the other end closes. What is no question ends the connection."""
    try:
        while True:
            asked = await _heard(connection)
            data = b""
            if asked.do == "append":
                data = await frames.expect(connection.reader, DATA, CHUNK)
                if len(data) != asked.length:
                    raise Broken(f"{len(data)} bytes where {asked.length} were announced")
            try:
                found = await does(asked, data)
            except Exception as error:
                # The boundary of the agent: whoever asked is told, the log has what nobody expects.
                await frames.write(connection.writer, FAILURE, msgspec.json.encode(failed(error)))
            else:
                await frames.write(connection.writer, DATA if asked.do == "read" else END, found)
    except Broken:
        pass
    finally:
        await lines.close(connection.writer)


async def _heard(connection: Connection) -> Asked:
    raw = await frames.expect(connection.reader, CALL, MOST_WORDS)
    try:
        return msgspec.json.decode(raw, type=Asked)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Broken(f"a question that cannot be read: {error}") from None
