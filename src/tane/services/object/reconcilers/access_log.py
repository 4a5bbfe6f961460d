"""Puts the lines of access logs that wait as objects."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.object.domain import access_log


async def deliver(core: Core) -> str | None:
    """One pass; a sentence that says how many were written."""
    count = await core.in_thread(access_log.deliver, core)
    return f"{count} access logs written" if count else None


RECONCILER = Reconciler("object-access-log", deliver, interval=60.0, scope="host")
