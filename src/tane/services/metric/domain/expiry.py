"""What the cloud measured of resources that ended, and what resources were, is kept for ``history_days``."""

from __future__ import annotations

from datetime import timedelta

from tane.core import Core
from tane.services.metric.domain import resources
from tane.services.metric.store import database
from tane.services.metric.store import resources as store

AT_ONCE = 200


def forget(core: Core) -> int:
    """One part of them; returns how many resources."""
    with database.of(core).read() as tx:
        before = tx.now - timedelta(days=core.config.history_days)
        gone, former = store.ended_before(tx, before, AT_ONCE), store.revisions_before(tx, before, AT_ONCE)
    if not gone and not former:
        return 0
    with database.of(core).write() as tx:
        store.remove_revisions(tx, former)
        return resources.remove(tx, gone)
