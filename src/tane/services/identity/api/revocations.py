"""Revocation events (Identity API v3 extension OS-REVOKE)."""

from __future__ import annotations

from typing import Any

from tane.services.identity.api.common import moment, own_link
from tane.services.identity.domain import revocations
from tane.web.codec import iso_micro
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    since = moment("since", request.param("since"))
    events = [
        {"issued_before": f"{iso_micro(event.issued_before)}Z", event.attribute: event.value}
        for event in revocations.index(request.core, since)
    ]
    return {"events": events, "links": {**own_link(request), "next": None, "previous": None}}
