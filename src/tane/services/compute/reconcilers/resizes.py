"""Confirms resizes that nobody has reverted for a while, where the settings say so (``resize_confirm_window``)."""

from __future__ import annotations

from datetime import timedelta

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.compute.domain import moves


async def run(core: Core) -> str | None:
    """One pass; a sentence when something was confirmed."""
    window = core.config.resize_confirm_window
    if not window:
        return None

    def confirm() -> int:
        with core.db.write() as tx:
            return moves.confirm_older(tx, tx.now - timedelta(seconds=window))

    confirmed = await core.in_thread(confirm)
    return f"confirmed {confirmed} resizes that nobody reverted" if confirmed else None


RECONCILER = Reconciler("compute.resizes", run, interval=60.0, scope="cloud")
