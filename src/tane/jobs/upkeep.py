"""What keeps the queue in order: debts are called in when their host is back, old history goes, lateness is told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tane.hosts import CONNECTED, HostUnreachable
from tane.hosts import store as hosts
from tane.jobs import store
from tane.jobs.reconcile import Reconciler

if TYPE_CHECKING:
    from tane.core import Core

TOLD = "jobs.overdue_told"
MOST_HISTORY = 500_000
"""Jobs in the history: a gigabyte with their events, however many are asked for."""


async def call_in_debts(core: Core) -> str | None:
    """One pass; a sentence when a host is back that owes something, or gone for good."""
    return await core.in_thread(_call_in, core)


def _call_in(core: Core) -> str | None:
    with core.db.read() as tx:
        owing = store.hosts_owing(tx)
        if not owing:
            return None
        gone = [host_id for host_id in owing if hosts.get(tx, host_id) is None]
        back = [host_id for host_id in owing if hosts.is_there(tx, host_id)]
    back = [host_id for host_id in back if _answers(core, host_id)]
    if not back and not gone:
        return None
    with core.db.write() as tx:
        called, remitted = store.call_in(tx, back), store.forget_debts(tx, gone)
    return f"called in {called} debts of hosts that are back, forgot {remitted} of hosts that are gone"


def _answers(core: Core, host_id: str) -> bool:
    try:
        core.hosts.agent(host_id)
    except HostUnreachable:
        return False
    return True


async def tell_overdue(core: Core) -> str | None:
    """One pass; a sentence that names the jobs which missed their deadline since the last one."""

    def look() -> list[str]:
        with core.db.read() as tx:
            rows = store.overdue(tx)
        late = {row.id: f"{row.operation} of {row.resource} (job {row.id}, {row.state})" for row in rows}
        told: set[int] = core.memory.get(TOLD, set())
        core.memory[TOLD] = set(late)
        return [text for job_id, text in late.items() if job_id not in told]

    late = await core.in_thread(look)
    return f"past their deadline: {', '.join(late)}" if late else None


async def prune(core: Core) -> str | None:
    """One pass; a sentence when finished jobs were forgotten."""

    def forget() -> int:
        with core.db.write() as tx:
            return store.prune(tx, tx.now - timedelta(days=core.config.history_days), MOST_HISTORY)

    forgotten = await core.in_thread(forget)
    return f"forgot {forgotten} jobs that ended long ago" if forgotten else None


RECONCILERS = (
    Reconciler("jobs.debts", call_in_debts, interval=10.0, topic=CONNECTED, scope="host"),
    Reconciler("jobs.overdue", tell_overdue, interval=60.0, scope="cloud"),
    Reconciler("jobs.history", prune, interval=3600.0, scope="cloud"),
)
