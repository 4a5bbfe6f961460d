"""Forgets servers that were deleted long ago: until then usage reports and the lists of administrators show them."""

from __future__ import annotations

from datetime import timedelta

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.compute.store import migrations, servers

MOST = 10_000
"""Deleted servers that a project's usage is told of: some 20 MB of rows."""


async def run(core: Core) -> str | None:
    """One pass; a sentence when rows went."""

    def forget() -> int:
        with core.db.write() as tx:
            forgotten = servers.forget_deleted(tx, tx.now - timedelta(days=core.config.history_days), MOST)
            if forgotten:
                migrations.forget(tx)
            return forgotten

    forgotten = 0
    while some := await core.in_thread(forget):
        forgotten += some
    return f"forgot {forgotten} servers that were deleted long ago" if forgotten else None


RECONCILER = Reconciler("compute.deleted", run, interval=600.0, scope="cloud")
