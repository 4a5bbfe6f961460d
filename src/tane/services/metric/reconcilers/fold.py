"""Folds samples that wait into the chunks of their metrics, and forgets what ended long ago."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.metric.domain import expiry, measures
from tane.services.metric.store import database


async def fold(core: Core) -> str | None:
    """One pass; a sentence when there was something to do."""

    def work() -> tuple[int, int]:
        if not database.exists(core):
            return 0, 0
        return measures.fold(core) if measures.is_due(core) else 0, expiry.forget(core)

    samples, resources = await core.in_thread(work)
    said = [f"folded {samples} samples"] if samples else []
    said += [f"forgot {resources} resources that ended long ago"] if resources else []
    return "; ".join(said) or None


RECONCILER = Reconciler("metric.fold", fold, interval=30.0, scope="cloud")
