"""A host that takes what it is asked and answers nothing stops its own jobs, and no others."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from tane.hosts.slots import JobSlots
from tane.wire.calls import TICKET, Distant, Ticket
from tane.wire.duties import ComputeDuty
from tane.wire.errors import HostError
from tane.wire.streams import Connection

GUEST = "0b5d1c6e-3f1f-4d0a-8b1c-5d8a2f9c7e01"


class Silent:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, call: bytes) -> bytes:
        self.asked += 1
        await asyncio.Event().wait()
        return b""

    async def stream(self, call: bytes) -> AsyncGenerator[bytes]:
        yield await self.ask(call)

    async def connect(self, call: bytes) -> Connection:
        raise AssertionError


def by_job(job_id: int) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(TICKET.set, Ticket(job_id, 1))
    return context


async def save(compute: ComputeDuty) -> None:
    async for _ in compute.snapshot(GUEST):
        pass


def test_a_host_that_never_answers_holds_a_quarter_of_the_jobs_and_no_more() -> None:
    silent = Silent()
    compute = cast(ComputeDuty, Distant(ComputeDuty, "compute", JobSlots(silent, "beta", 32)))

    async def scene() -> None:
        asking = [asyncio.create_task(compute.destroy(GUEST), context=by_job(number)) for number in range(7)]
        asking.append(asyncio.create_task(save(compute), context=by_job(7)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for work in (compute.destroy(GUEST), save(compute)):
            with pytest.raises(HostError, match="beta has not yet answered") as refused:
                await asyncio.create_task(work, context=by_job(9))
            assert refused.value.transient, "the job pauses, and another has its place"
        assert silent.asked == 8
        # What no job waits for is asked all the same.
        asking.append(asyncio.create_task(compute.states()))
        await asyncio.sleep(0)
        assert silent.asked == 9
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        again = asyncio.create_task(compute.destroy(GUEST), context=by_job(10))
        await asyncio.sleep(0)
        again.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await again
        assert silent.asked == 10

    asyncio.run(scene())
