"""What the doctor finds in the cloud's own rows."""

from __future__ import annotations

from itertools import islice
from typing import Any

from tane.finding import Finding
from tane.web.request import Request

MOST_OF_EACH = 50
"""Findings of one check; ``./tane doctor`` tells all of them."""


def index(request: Request) -> dict[str, Any]:
    """What is wrong by the checks of every service, why it matters and the command that mends it. What the doctor looks
    for on the machine itself is told by ``./tane doctor`` there."""
    found: list[Finding] = []
    with request.core.db.read() as tx:
        for service in request.core.services:
            for check in service.checks:
                found += islice(check(tx), MOST_OF_EACH)
    shown = [one for one in found if one.level != "note"]
    return {
        "findings": [
            {"id": number, "level": one.level, "what": one.what, "why": one.why, "mend": one.mend}
            for number, one in enumerate(shown)
        ]
    }
