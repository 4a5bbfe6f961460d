"""An action of an alarm: told once, and tried again while nobody answers."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from tane.jobs import Operation, Permanent, Retry, Run, Step
from tane.services.alarm.domain import actions
from tane.services.alarm.orders import NOTIFY, NotifyParams
from tane.shares import Full

log = structlog.get_logger()


LOOKS, LOOK_SECONDS = 100, 0.05


async def _in_turn(run: Run[NotifyParams]) -> None:
    """Most actions take a moment: wait that long for a thread of the project's. Raises Full when none comes free."""
    for _ in range(LOOKS):
        with contextlib.suppress(Full):
            return await run.core.in_slow_thread(run.params.project_id, actions.take, run.core, run.params)
        await asyncio.sleep(LOOK_SECONDS)
    return await run.core.in_slow_thread(run.params.project_id, actions.take, run.core, run.params)


async def tell(run: Run[NotifyParams]) -> None:
    try:
        await _in_turn(run)
    except Full as error:
        raise Retry(f"too many actions of the project are under way: {error}", 2.0) from None
    except actions.Again as error:
        raise Retry(str(error)) from None
    except actions.Never as error:
        raise Permanent(str(error)) from None


async def give_up(run: Run[NotifyParams], reason: str) -> None:
    log.warning("an action of an alarm is not taken", alarm=run.params.alarm_id, reason=reason)


OPERATION = Operation(NOTIFY, (Step("tell", tell),), give_up)
