"""Time-outs of stacks and of resources that wait; and stacks that were deleted long ago."""

from __future__ import annotations

from datetime import timedelta

from tane import jobs
from tane.core import Core
from tane.jobs import Reconciler
from tane.services.orchestration.domain import ahead, engine
from tane.services.orchestration.store import resources, stacks
from tane.services.orchestration.template import TemplateError
from tane.web.errors import ApiError


async def look(core: Core) -> str | None:
    """End the actions of stacks whose time is over; let resources look at whether theirs is."""
    late, expired = await core.in_thread(_due, core)
    if not late and not expired:
        return None
    await core.in_thread(_wake, core, expired)
    failed: Exception | None = None
    for stack_id in late:
        try:
            await ahead.in_turn(core, lambda: "deadlines", _end, core, stack_id)
        except (ApiError, TemplateError) as error:
            await core.in_thread(_halt, core, stack_id, str(error))
        except Exception as error:
            # One stack does not keep the others from their end.
            failed = error
    if failed is not None:
        raise failed
    return f"{len(late)} stacks timed out, {len(expired)} resources were looked at"


def _due(core: Core) -> tuple[list[str], list[str]]:
    with core.db.read() as tx:
        return stacks.overdue(tx, tx.now), resources.expired(tx, tx.now)


@ahead.writes
def _end(core: Core, stack_id: str) -> None:
    with core.db.write() as tx:
        engine.expire(tx, core, stack_id)


def _halt(core: Core, stack_id: str, why: str) -> None:
    """The end of a stack that cannot be told what to do next."""
    with core.db.write() as tx:
        engine.halt(tx, core, stack_id, f"The action timed out, and the stack is left as it is: {why}")


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
