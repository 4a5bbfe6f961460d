"""What a guest writes to its serial console: QEMU holds the last of it, and a file of the agent's what was read."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from tane.agent.compute.drivers.qemu.command import CONSOLE_BYTES
from tane.linux.files import tail, write_private
from tane.linux.qmp import QmpSession

_MOST_BYTES = 1 << 20


class Console:
    """The log of one guest's console, since it was started."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._draining = asyncio.Lock()

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)

    async def drain(self, session: QmpSession) -> None:
        """Move what QEMU holds to the log, which keeps its last megabyte. A crash in between loses what was moved.

        Raises QmpError.
        """
        async with self._draining:
            wanted = {"device": "console", "size": CONSOLE_BYTES, "format": "base64"}
            fresh = base64.b64decode(await session.execute("ringbuf-read", wanted))
            if fresh:
                await asyncio.to_thread(self._keep, fresh)

    async def tail(self, max_bytes: int) -> bytes:
        """The end of what was read."""
        return await asyncio.to_thread(tail, self._file, max_bytes)

    def _keep(self, fresh: bytes) -> None:
        kept = self._file.read_bytes() if self._file.exists() else b""
        write_private(self._file, (kept + fresh)[-_MOST_BYTES:])
