"""What several people do at a guest's serial console."""

from __future__ import annotations

import asyncio

from tane.agent.compute.drivers.qemu import QemuCompute
from tane.agent.compute.drivers.qemu.command import INSIDE
from tests.host.tools import until

SOCKET = {"type": "unix", "data": {"path": str(INSIDE.serial)}}


async def together(compute: QemuCompute, guest_id: str) -> None:
    """Two type and see what the other does; the log has it, and what comes when they are gone."""
    await compute.has_serial(guest_id)
    one, other = [await compute.serial(guest_id) for _ in range(2)]
    async with asyncio.timeout(60):
        one.writer.write(b"echo first $((40 + 2))\r")
        await one.reader.readuntil(b"first 42")
        await other.reader.readuntil(b"first 42")
        one.writer.close()
        other.writer.write(b"echo second $((40 + 3))\r")
        await other.reader.readuntil(b"second 43")
    assert b"first 42" in await compute.console_log(guest_id)
    other.writer.close()
    again = await compute.serial(guest_id)
    async with asyncio.timeout(60):
        await again.reader.readuntil(b"second 43")
        again.writer.write(b"(sleep 1; echo third $((40 + 4))) &\r")
        await again.reader.readuntil(b"&")
    again.writer.close()
    await said(compute, guest_id, b"third 44")


async def after_a_crash(compute: QemuCompute, guest_id: str) -> None:
    """The socket of an agent that ended while somebody typed gives way to the ring, and to who types next."""
    session = await compute._machines[guest_id].qmp()
    backend = {"type": "socket", "data": {"addr": SOCKET, "server": True, "wait": False}}
    await session.execute("chardev-change", {"id": "console", "backend": backend})
    assert b"third 44" in await compute.console_log(guest_id)
    found = await compute.serial(guest_id)
    async with asyncio.timeout(60):
        found.writer.write(b"echo fourth $((40 + 5))\r")
        await found.reader.readuntil(b"fourth 45")
    found.writer.close()
    await said(compute, guest_id, b"fourth 45")


async def said(compute: QemuCompute, guest_id: str, text: bytes) -> None:
    async def kept() -> bool:
        return text in await compute.console_log(guest_id)

    await until(kept, f"{text.decode()} in the log")
