"""Clears what crashes and deletions leave: unfinished files, files that no row names, blobs of no object."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.object.domain import blobs, repair


async def sweep(core: Core) -> str | None:
    """One pass; a sentence that says what was removed."""
    drafts, unknown, dead, gone = await core.in_thread(blobs.sweep, core)
    if gone:
        repair.memory(core).gone += gone
        core.db.signals.notify(repair.TOPIC)
    told = {
        "unfinished uploads removed": drafts,
        "files removed that no object is made of": unknown,
        "files removed whose objects were deleted": dead,
    }
    return "; ".join(f"{count} {what}" for what, count in told.items() if count) or None


RECONCILER = Reconciler("object-blobs", sweep, interval=120.0, scope="host")
