"""Connections to programs of this host over Unix sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")


async def connected(path: Path, uid: int) -> socket.socket:
    """A connection to the program that listens at ``path`` and runs as the user ``uid``.

    A program that may make files there could put a link to another program's socket in its place, and have this
    process speak to that one in its stead. Raises OSError, PermissionError when somebody else answers.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, str(path))
        _, found, _ = _CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if found != uid:
            raise PermissionError(f"another user answers at {path.name}")
    except BaseException:
        connection.close()
        raise
    return connection
