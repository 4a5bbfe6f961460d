"""Evaluates alarms when what they look at has new values, and all of them once an interval."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.alarm.domain import evaluation
from tane.services.alarm.domain.alarms import TOPIC
from tane.services.alarm.store import alarms

REST_SECONDS = 1.0


async def evaluate(core: Core) -> str | None:
    """One pass; a sentence when an alarm changed its state."""

    def work() -> tuple[int, int]:
        turned = evaluation.evaluate(core)
        with core.db.read() as tx:
            before = tx.now - timedelta(days=core.config.history_days)
            old = alarms.has_changes_before(tx, before)
        if not old:
            return turned, 0
        with core.db.write() as tx:
            return turned, alarms.forget_changes(tx, before)

    turned, forgotten = await core.in_thread(work)
    if evaluation.watch(core).has_news:
        await asyncio.sleep(REST_SECONDS)
        core.db.signals.notify(TOPIC)
    said = [f"{turned} alarms changed their state"] if turned else []
    said += [f"forgot {forgotten} entries of their history"] if forgotten else []
    return "; ".join(said) or None


RECONCILER = Reconciler("alarm.evaluate", evaluate, interval=15.0, topic=TOPIC, scope="cloud")
