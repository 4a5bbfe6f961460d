"""Deletes sessions whose token has expired."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler


async def run(core: Core) -> str | None:
    """One pass; a sentence when some ended."""
    from tane.services.dashboard.domain import sessions

    ended = await core.in_thread(sessions.forget_expired, core)
    return f"ended {ended} sessions of the portal" if ended else None


RECONCILER = Reconciler("dashboard.sessions", run, interval=300.0, scope="cloud")
