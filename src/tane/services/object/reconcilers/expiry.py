"""Deletes objects whose time (X-Delete-At) is over; they are not shown any more before it comes round."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.object.domain import expiry


async def expire(core: Core) -> str | None:
    """One pass; a sentence that says how many went."""
    count = await core.in_thread(expiry.run, core)
    return f"{count} objects removed whose time was over" if count else None


RECONCILER = Reconciler("object-expiry", expire, interval=30.0, scope="cloud")
