"""Deletes what is no longer needed (old audit events, revocations of expired tokens, expired tokens
of OAuth) and rotates keys when due."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.identity.domain import audit, keys, oauth, tokens


async def run(core: Core) -> str:
    """One pass; returns what it did."""
    trimmed = await core.in_thread(audit.trim, core)
    forgotten = await core.in_thread(tokens.forget_revocations, core)
    expired = await core.in_thread(oauth.forget_expired, core)
    rotated = await core.in_thread(keys.keep, core)
    if not (trimmed or forgotten or expired or rotated):
        return ""
    deleted = f"deleted {trimmed} audit events, {forgotten} revocations and {expired} OAuth tokens"
    return f"{deleted}{', changed keys' if rotated else ''}"


HOUSEKEEPING = Reconciler("identity-housekeeping", run, interval=3600.0, scope="cloud")
