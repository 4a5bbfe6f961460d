"""Ends uploads in parts that nobody finishes, and removes parts that no object is made of any more."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.object.domain.s3 import uploads


async def sweep(core: Core) -> str | None:
    """One pass; a sentence that says what went."""
    old, cleared = await core.in_thread(uploads.sweep, core)
    told = {"uploads given up that nobody finished": old, "uploads whose parts were removed": cleared}
    return "; ".join(f"{count} {what}" for what, count in told.items() if count) or None


RECONCILER = Reconciler("object-uploads", sweep, interval=15.0, scope="cloud")
