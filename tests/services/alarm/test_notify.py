"""Telling an alarm holds under all that may happen to a job, and says of each answer whether it is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tane.core import Core
from tane.jobs import enqueue, testing
from tane.jobs.testing import Scenario
from tane.services.alarm.domain import actions
from tane.services.alarm.operations import notify
from tane.services.alarm.orders import NOTIFY, NotifyParams
from tane.web import outside

HOOK = NotifyParams("a1", "garden", "https://hooks.example.com/in", {"current": "alarm"})


@pytest.mark.parametrize(
    "harness",
    [
        testing.fails_at_each_step,
        testing.repeats_each_step,
        testing.killed_between_writes,
        testing.killed_while_unwinding,
    ],
    ids=lambda harness: harness.__name__,
)
def test_an_action_is_taken_whatever_happens_to_its_job(
    harness: Any, new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def post(url: str, *more: Any) -> int:
        heard.append(url)
        return 200

    monkeypatch.setattr(outside, "post", post)

    async def start() -> Core:
        core = new_core()
        heard.clear()
        with core.db.write() as tx:
            enqueue(tx, NOTIFY, HOOK, resource="alarm:a1")
        return core

    def done(core: Core) -> None:
        assert heard and set(heard) == {HOOK.action}

    asyncio.run(harness(Scenario(notify.OPERATION, start, done, done)))


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (OSError("nobody"), actions.Again),
        (503, actions.Again),
        (429, actions.Again),
        (302, actions.Never),
        (404, actions.Never),
        (outside.Refused("inside"), actions.Never),
    ],
)
def test_what_may_go_better_later_is_tried_again(
    answer: Any, raised: type[Exception], new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(*more: Any) -> int:
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    monkeypatch.setattr(outside, "post", post)
    with pytest.raises(raised):
        actions.take(new_core(), HOOK)
