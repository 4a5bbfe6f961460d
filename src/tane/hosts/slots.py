"""How much of what the cloud's jobs do one host may hold up."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator

from tane.shares import Full, Shares
from tane.wire.calls import TICKET, Line
from tane.wire.errors import HostError
from tane.wire.streams import Connection

LEAST = 4


class JobSlots:
    """A line to a host on which calls of jobs wait for an answer at so many places: a quarter of the jobs that run at a
    time. A host that takes everything and answers nothing stops its own jobs, which pause, and not all."""

    def __init__(self, line: Line, name: str, slots: int) -> None:
        """``slots``: of the cloud's runner of jobs."""
        self._line, self._name = line, name
        places = max(LEAST, slots // 4)
        self._places = Shares(places, places)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """:raises HostError: all are taken."""
        if TICKET.get() is None:
            yield
            return
        try:
            self._places.take(())
        except Full:
            raise HostError(f"host {self._name} has not yet answered all it was asked", transient=True) from None
        try:
            yield
        finally:
            self._places.give_back(())

    async def ask(self, call: bytes) -> bytes:
        with self._place():
            return await self._line.ask(call)

    async def stream(self, call: bytes) -> AsyncGenerator[bytes]:
        with self._place():
            async with contextlib.aclosing(self._line.stream(call)) as stream:
                async for data in stream:
                    yield data

    async def connect(self, call: bytes) -> Connection:
        with self._place():
            return await self._line.connect(call)
