"""Whether a volume's exporter is there, asked before a running guest's QEMU connects to it: that stands still until the
exporter has answered, however long that takes. Source: NBD protocol, "Newstyle negotiation" (the server speaks first).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from tane.linux import netns as namespaces
from tane.wire.documents import VolumeConnection
from tane.wire.errors import HostError

SECONDS = 5.0
_GREETING = b"NBDMAGIC"


async def require_exporter(connection: VolumeConnection, netns: str | None) -> None:
    """:raises HostError: nobody answers there, for now, or somebody who exports nothing."""
    family = socket.AF_INET6 if ":" in connection.host else socket.AF_INET
    with namespaces.entered(netns) if netns else contextlib.nullcontext():
        opened = socket.socket(family)
    with contextlib.closing(opened):
        opened.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SECONDS):
                await loop.sock_connect(opened, (connection.host, connection.port))
                said = await loop.sock_recv(opened, len(_GREETING))
        except (OSError, TimeoutError) as error:
            raise HostError("the host of the volume does not answer", transient=True) from error
    if not said or not _GREETING.startswith(said):
        raise HostError("what answers for the volume exports nothing", transient=True)
