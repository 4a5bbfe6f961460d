"""Passes connections on: run in one network namespace, it brings what lies in another within reach.

``python relay.py LISTEN TARGET``; each is ``HOST:PORT`` or the path of a socket. What is served under a path is reached
from every namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def passed_on(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    host, _, port = target.rpartition(":")
    try:
        if host:
            other_reader, other_writer = await asyncio.open_connection(host, int(port))
        else:
            other_reader, other_writer = await asyncio.open_unix_connection(target)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))
    writer.close()
    other_writer.close()


async def main(listen: str, target: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await passed_on(target, reader, writer)

    host, _, port = listen.rpartition(":")
    server = (
        await asyncio.start_server(serve, host, int(port)) if host else await asyncio.start_unix_server(serve, listen)
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
