"""Saves a guest's memory to a file and restores it.

The stream goes through a Unix socket and this process: handing QEMU a file descriptor is not possible on every event
loop, and letting it run a program is not what its sandbox allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from typing import BinaryIO

from tane.agent.compute.drivers.qemu.command import INSIDE
from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.linux import confine, sockets
from tane.linux.qmp import QmpError, QmpSession
from tane.wire.errors import HostError

CAPABILITIES = ("pause-before-switchover", "auto-converge")
"""Of a guest that goes to another host: QEMU counts one down that converges badly, and stops before the last of it."""
NO_CAPABILITIES = [{"capability": name, "state": False} for name in CAPABILITIES]
_CHUNK = 1 << 20
_UNLIMITED = 1 << 42
_SECONDS_BESIDE, _LEAST_MB_A_SECOND = 60, 10
_BESIDE_MEMORY = 512 << 20
"""The state of devices, video memory, and the stream's own words."""


async def save(qmp: QmpSession, folder: GuestFolder, memory_mb: int) -> None:
    """Stop the guest, which has ``memory_mb``, and write its memory and device state; a failure lets the guest go on
    and leaves no file."""
    most_bytes = (memory_mb << 20) * 5 // 4 + _BESIDE_MEMORY
    part = folder.memory.with_name(".memory.part")
    folder.memory_listener.unlink(missing_ok=True)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _copy_to_file(reader, out, most_bytes)
        except OSError as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        finally:
            writer.close()

    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as out:
            # In the agent's own folder, where QEMU can put nothing else in its place.
            server = await asyncio.start_unix_server(receive, str(folder.memory_listener), limit=_CHUNK)
            if folder.owner is not None:
                os.chown(folder.memory_listener, folder.owner.uid, folder.owner.gid, follow_symlinks=False)
            try:
                # Of a journey to another host: it would stop before the last of it.
                await qmp.execute("migrate-set-capabilities", {"capabilities": NO_CAPABILITIES})
                await qmp.execute("stop")
                await qmp.execute("migrate-set-parameters", {"max-bandwidth": _UNLIMITED})
                await qmp.execute("migrate", {"uri": f"unix:{INSIDE.memory_listener}"})
                async with asyncio.timeout(_SECONDS_BESIDE + memory_mb / _LEAST_MB_A_SECOND):
                    await _wait_for_migration(qmp)
                    await done
                await asyncio.to_thread(os.fsync, out.fileno())
            finally:
                server.close()
        part.replace(folder.memory)
    except BaseException:
        if qmp.connected:
            with contextlib.suppress(QmpError):  # The reason counts more.
                await qmp.execute("cont")
        if done.done() and not done.cancelled() and (reason := done.exception()):
            raise reason from None
        raise
    finally:
        part.unlink(missing_ok=True)
        folder.memory_listener.unlink(missing_ok=True)


async def restore(qmp: QmpSession, folder: GuestFolder) -> None:
    """Feed the saved memory to a QEMU that waits for it, and let the guest go on."""
    connection = await sockets.connected(folder.memory_socket, confine.uid(folder.owner))
    _, writer = await asyncio.open_unix_connection(sock=connection)
    seconds = _SECONDS_BESIDE + (folder.memory.stat().st_size >> 20) / _LEAST_MB_A_SECOND
    async with asyncio.timeout(seconds):
        with folder.memory.open("rb") as source:
            while chunk := await asyncio.to_thread(source.read, _CHUNK):
                writer.write(chunk)
                await writer.drain()
    writer.close()
    await writer.wait_closed()
    while (await qmp.execute("query-status"))["status"] == "inmigrate":  # noqa: ASYNC110 (QEMU tells, no event of ours)
        await asyncio.sleep(0.02)
    await qmp.execute("cont")


async def _copy_to_file(reader: asyncio.StreamReader, out: BinaryIO, most_bytes: int) -> None:
    size = 0
    while chunk := await reader.read(_CHUNK):
        size += len(chunk)
        if size > most_bytes:
            raise OSError(errno.EFBIG, "QEMU sends more than the guest's memory can hold")
        await asyncio.to_thread(out.write, chunk)


async def _wait_for_migration(qmp: QmpSession) -> None:
    while True:
        about = await qmp.execute("query-migrate")
        match about.get("status"):
            case "completed":
                return
            case "failed" | "cancelled":
                raise HostError(f"saving the memory failed: {about.get('error-desc', 'QEMU gave no reason')}")
        await asyncio.sleep(0.05)
