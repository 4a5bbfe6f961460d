"""Sessions with QMP servers that end in the worst moment."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest

from tane.linux.qmp import QmpSession

GREETING = b'{"QMP": {"version": {"qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""}, "capabilities": []}}\n'


@pytest.mark.parametrize("yields", range(8))
def test_a_session_closed_while_it_is_lost_leaves_no_exception_behind(tmp_path: Path, yields: int) -> None:
    path = tmp_path / "qmp"
    lost: list[dict[str, Any]] = []

    async def scene() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(GREETING)
            asked = json.loads(await reader.read(4096))
            writer.write(json.dumps({"return": {}, "id": asked.get("id")}).encode() + b"\n")
            await writer.drain()

        server = await asyncio.start_unix_server(serve, str(path))
        async with server:
            session = QmpSession(path)
            await session.connect()
            # Half a message: the reader ends with an error of its own.
            writers[0].write(b'{"half": ')
            writers[0].close()
            while session.connected:  # noqa: ASYNC110  # Nobody tells us.
                await asyncio.sleep(0)
            for _ in range(yields):
                await asyncio.sleep(0)
            await session.close()
            del session
            await writers[0].wait_closed()
            gc.collect()
            await asyncio.sleep(0)

    asyncio.run(scene())
    gc.collect()
    assert lost == []
