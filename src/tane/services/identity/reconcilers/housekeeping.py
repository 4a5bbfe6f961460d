"""Deletes what is no longer needed: old audit events."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.identity.domain import audit


async def run(core: Core) -> str:
    """One pass; returns what it did."""
    trimmed = await core.in_thread(audit.trim, core)
    return f"deleted {trimmed} audit events" if trimmed else ""


HOUSEKEEPING = Reconciler("identity-housekeeping", run, interval=3600.0)
