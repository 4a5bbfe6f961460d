"""What has ended tokens of late, as other services may want to know it: read from the audit trail.

No check of a token here needs it: what a token stands for is looked up whenever something has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tane.core import Core
from tane.services.identity.store import audit

ATTRIBUTES = {
    "revoked.token": "audit_id",
    "deleted.user": "user_id",
    "updated.user": "user_id",
    "updated.project": "project_id",
    "updated.domain": "domain_id",
    "deleted.project": "project_id",
    "deleted.domain": "domain_id",
    "deleted.role": "role_id",
    "deleted.trust": "OS-TRUST:trust_id",
    "deleted.access_token": "OS-OAUTH1:access_token_id",
    "deleted.consumer": "OS-OAUTH1:consumer_id",
    "deleted.application_credential": "application_credential_id",
}


@dataclass(frozen=True)
class Revocation:
    """All tokens with ``value`` under ``attribute`` that were issued before a moment."""

    issued_before: datetime
    attribute: str
    value: str


def index(core: Core, since: datetime | None = None) -> list[Revocation]:
    """The revocations that tokens may still be touched by, oldest first."""
    with core.db.read() as tx:
        oldest = tx.now - timedelta(seconds=core.config.token_ttl + core.config.allow_expired_window)
        found = audit.events_of(tx, list(ATTRIBUTES), max(oldest, since) if since else oldest)
    return [
        Revocation(row.event_time, ATTRIBUTES[row.action], row.target_id)
        for row in found
        if not row.action.startswith("updated.") or row.target.get("tokens") == "revoked"
    ]
