"""Time-outs of stacks and of resources that wait; and stacks that were deleted long ago."""

from __future__ import annotations

import asyncio
import time
import traceback
from datetime import timedelta

import structlog

from tane import jobs
from tane.core import Core
from tane.jobs import Reconciler
from tane.services.orchestration.domain import ahead, engine
from tane.services.orchestration.store import resources, stacks
from tane.shares import Full
from tane.web.errors import Unavailable

PATIENCE = 10.0
"""So long a stack waits for its turn where that takes long."""
SECONDS = 2.0
"""After so long the other late stacks of a project wait for the next look: nobody's stacks keep others waiting."""
log = structlog.get_logger()


async def look(core: Core) -> str | None:
    """End the actions of stacks whose time is over; let resources look at whether theirs is."""
    late, expired = await core.in_thread(_due, core)
    if not late and not expired:
        return None
    await core.in_thread(_wake, core, expired)
    count = sum(await asyncio.gather(*(_end_all(core, *one) for one in late.items())))
    return f"{count} stacks timed out, {len(expired)} resources were looked at"


def _due(core: Core) -> tuple[dict[str, list[str]], list[str]]:
    """Late stacks by project, and resources whose time is over."""
    late: dict[str, list[str]] = {}
    with core.db.read() as tx:
        for row in stacks.overdue(tx, tx.now):
            late.setdefault(row.project_id, []).append(row.id)
        return late, resources.expired(tx, tx.now)


async def _end_all(core: Core, project_id: str, late: list[str]) -> int:
    """End what is late of one project. What cannot be ended as it should ends no other's turn."""
    until, count = time.monotonic() + SECONDS, 0
    for stack_id in late:
        try:
            await _end_one(core, project_id, stack_id)
            count += 1
        except Exception:
            log.error("a late stack could not be ended", stack=stack_id, error=traceback.format_exc())
        if time.monotonic() > until:
            break
    return count


async def _end_one(core: Core, project_id: str, stack_id: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await ahead.in_turn(core, lambda: project_id, _end, core, stack_id)
    except (Full, TimeoutError, Unavailable) as error:
        log.warning("a late stack waits", stack=stack_id, reason=str(error) or "its turn did not come")
    except Exception:
        log.error("a late stack ends without more ado", stack=stack_id, error=traceback.format_exc())
        await core.in_thread(_halt, core, stack_id)


def _halt(core: Core, stack_id: str) -> None:
    with core.db.write() as tx:
        engine.halt(tx, core, stack_id, "The action timed out, and the stack is left as it is")


@ahead.writes
def _end(core: Core, stack_id: str) -> None:
    with core.db.write() as tx:
        engine.expire(tx, core, stack_id)


def _wake(core: Core, expired: list[str]) -> None:
    with core.db.write() as tx:
        for resource_id in expired:
            resources.change(tx, resource_id, expires_at=None)
            jobs.wake(tx, engine.job_of(resource_id))


async def forget(core: Core) -> str | None:
    """Forget stacks that were deleted longer ago than the history of jobs is kept."""

    def work() -> int:
        with core.db.write() as tx:
            return stacks.forget(tx, tx.now - timedelta(days=core.config.history_days))

    gone = await core.in_thread(work)
    return f"forgot {gone} deleted stacks" if gone else None


RECONCILER = Reconciler("orchestration.deadlines", look, interval=2.0, scope="cloud")
FORGET = Reconciler("orchestration.forget", forget, interval=3600.0, scope="cloud")
