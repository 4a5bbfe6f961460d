"""Loops that outlive the trouble of a round."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tane.jobs import forever


def test_a_round_that_fails_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tane.jobs.loops.AFTER_FAILURE_SECONDS", 0.0)
    rounds: list[int] = []
    third = asyncio.Event()

    async def once() -> None:
        rounds.append(len(rounds))
        if len(rounds) < 3:
            raise OSError("no space left on device")
        third.set()
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(forever("test", once))
        async with asyncio.timeout(10):
            await third.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert rounds == [0, 1, 2]
