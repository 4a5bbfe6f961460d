"""Deletes what is no longer needed (old audit events, revocations of expired tokens) and rotates keys when due."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.identity.domain import audit, keys, tokens


async def run(core: Core) -> str:
    """One pass; returns what it did."""
    trimmed = await core.in_thread(audit.trim, core)
    forgotten = await core.in_thread(tokens.forget_revocations, core)
    rotated = await core.in_thread(keys.keep, core)
    if not (trimmed or forgotten or rotated):
        return ""
    return f"deleted {trimmed} audit events and {forgotten} revocations{', changed keys' if rotated else ''}"


HOUSEKEEPING = Reconciler("identity-housekeeping", run, interval=3600.0)
