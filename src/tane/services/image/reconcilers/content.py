"""Keeps the image store and the database in agreement after crashes and deletions."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.image.domain import content


async def sweep(core: Core) -> str | None:
    """One pass; a sentence that says what was removed, and why nobody misses it."""
    swept = await core.in_thread(content.sweep, core)
    told = {
        "images wait for their data again, since their uploads broke off": swept.requeued,
        "files removed whose images were deleted": swept.data,
        "unfinished files removed that nobody writes any more": swept.parts,
        "copies removed from the cache that are of no image": swept.cached,
    }
    return "; ".join(f"{count} {what}" for what, count in told.items() if count) or None


RECONCILER = Reconciler("image-content", sweep, interval=60.0, topic=content.TOPIC, scope="host")
