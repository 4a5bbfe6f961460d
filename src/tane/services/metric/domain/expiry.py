"""What the cloud measured of resources that ended is kept for ``history_days``."""

from __future__ import annotations

from datetime import timedelta

from tane.core import Core
from tane.services.metric.domain import resources
from tane.services.metric.store import database
from tane.services.metric.store import resources as store

AT_ONCE = 200


def forget(core: Core) -> int:
    """One part of them; returns how many."""
    with database.of(core).read() as tx:
        gone = store.ended_before(tx, tx.now - timedelta(days=core.config.history_days), AT_ONCE)
    if not gone:
        return 0
    with database.of(core).write() as tx:
        return resources.remove(tx, gone)
