"""Removes what the rules of buckets say: objects, older versions, and uploads that nobody finished."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.object.domain.s3 import lifecycle


async def sweep(core: Core) -> str | None:
    """One pass; a sentence that says what went."""
    expired, versions, uploads = await core.in_thread(lifecycle.sweep, core)
    told = {
        "objects expired by their bucket's rules": expired,
        "older versions removed by these": versions,
        "uploads given up by these": uploads,
    }
    return "; ".join(f"{count} {what}" for what, count in told.items() if count) or None


RECONCILER = Reconciler("object-lifecycle", sweep, interval=60.0, scope="cloud")
