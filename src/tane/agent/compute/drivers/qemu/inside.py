"""Commands to the agent inside a guest. Source: "QEMU Guest Agent Protocol Reference".

What answers is in the hands of whoever has the guest: it is bounded in size and time, and believed in nothing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import structlog

from tane.agent.compute.drivers.qemu.record import GuestFolder
from tane.linux import confine, sockets
from tane.wire.errors import HostError, NotSupported
from tane.wire.grammar import as_reason

log = structlog.get_logger()

SECONDS = 20.0
"""How long an agent has for its answer."""
PING_SECONDS = 5.0
_LONGEST_ANSWER = 64 << 10
_SENTINEL = b"\xff"
_MOST_LEFT_OVER = 100


class Channel:
    """Whose turn it is to ask the agent of a guest."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._asked = False

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """In the block it is asked by nobody else. Who only looks whether it answers is waited for: that takes
        :data:`PING_SECONDS` at most.

        :raises HostError: it is asked for something else already.
        """
        if self._asked:
            raise HostError("the guest's agent is asked already")
        self._asked = True
        try:
            async with self._lock:
                yield
        finally:
            self._asked = False

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[bool]:
        """The same for who looks whether it answers; false, at once, where it is asked for anything now."""
        if self._asked or self._lock.locked():
            yield False
            return
        async with self._lock:
            yield True


async def try_to_set_time(folder: GuestFolder) -> None:
    """Set the guest's clock to now. A guest whose agent does not, does it by its own means in its own time."""
    try:
        await _ask(folder, "guest-set-time", lambda: {"time": time.time_ns()})
    except HostError as error:
        log.info("a guest's clock was not set", guest_id=folder.path.name, reason=str(error))


async def set_password(folder: GuestFolder, user: str, password: str) -> None:
    """:raises NotSupported: no agent answers. :raises HostError: it refuses."""
    given = {"username": user, "password": base64.b64encode(password.encode()).decode(), "crypted": False}
    await _ask(folder, "guest-set-user-password", lambda: given)


async def ping(folder: GuestFolder) -> None:
    """:raises NotSupported: no agent answers in time. :raises HostError: it refuses."""
    await _ask(folder, "guest-ping", dict, PING_SECONDS)


@contextlib.asynccontextmanager
async def quiet(folder: GuestFolder) -> AsyncIterator[None]:
    """In the block the guest's file systems are frozen; thereafter they are not, whatever happened.

    :raises HostError: they cannot be frozen.
    """
    try:
        try:
            await _ask(folder, "guest-fsfreeze-freeze", dict)
        except NotSupported as error:
            raise HostError(f"the image asks for snapshots of frozen file systems, but {error}") from error
        yield
    finally:
        await try_to_thaw(folder)


async def try_to_thaw(folder: GuestFolder) -> None:
    """Let the guest write again; one that is not frozen goes on as it does."""
    try:
        await _ask(folder, "guest-fsfreeze-thaw", dict)
    except HostError as error:
        log.warning("a guest's file systems were not thawed", guest_id=folder.path.name, reason=str(error))


async def _ask(
    folder: GuestFolder, command: str, arguments: Callable[[], Mapping[str, Any]], seconds: float | None = None
) -> Any:
    try:
        async with asyncio.timeout(SECONDS if seconds is None else seconds):
            connection = await sockets.connected(folder.agent, confine.uid(folder.owner))
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_LONGEST_ANSWER)
            try:
                await _begin(reader, writer)
                _send(writer, command, arguments())
                answer = _decoded(await reader.readuntil(b"\n"))
            finally:
                writer.close()
    except TimeoutError:
        raise NotSupported("the guest's agent does not answer") from None
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        raise NotSupported(f"the guest's agent cannot be spoken to: {error}") from error
    if "return" not in answer:
        told = answer.get("error")
        reason = as_reason(str(told.get("desc", "")), 200) if isinstance(told, dict) else "no reason given"
        raise HostError(f"the guest's agent refused: {reason}")
    return answer["return"]


async def _begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Skip what an earlier conversation left: the answer to this one's number comes behind a byte that JSON has not."""
    number = secrets.randbelow(1 << 31)
    writer.write(_SENTINEL)
    _send(writer, "guest-sync-delimited", {"id": number})
    for _ in range(_MOST_LEFT_OVER):
        await reader.readuntil(_SENTINEL)
        if _decoded(await reader.readuntil(b"\n")).get("return") == number:
            return
    raise NotSupported("the guest's agent does not answer what it is asked")


def _send(writer: asyncio.StreamWriter, command: str, arguments: Mapping[str, Any]) -> None:
    writer.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise NotSupported("the guest's agent talks nonsense") from None
    if not isinstance(answer, dict):
        raise NotSupported("the guest's agent talks nonsense")
    return answer
