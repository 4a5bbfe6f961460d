"""Deletes messages to users that were kept long enough."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.volume.domain import messages


async def run(core: Core) -> str:
    """One pass; a sentence when something was deleted."""
    forgotten = await core.in_thread(messages.forget_expired, core)
    return f"deleted {forgotten} expired messages" if forgotten else ""


RECONCILER = Reconciler("volume.messages", run, interval=3600.0, scope="cloud")
