"""What there is of orchestration in this cloud."""

from __future__ import annotations

from typing import Any

import tane
from tane.services.orchestration.api.common import own_project
from tane.services.orchestration.domain import engines
from tane.web.codec import iso
from tane.web.request import Request


def services(request: Request) -> dict[str, Any]:
    """One row: the engine is the cloud's process."""
    own_project(request)
    one = engines.this(request.core)
    return {
        "services": [
            {
                "binary": "heat-engine",
                "host": one.host,
                "hostname": one.host,
                "engine_id": one.id,
                "topic": "engine",
                "status": "up",
                "report_interval": 60,
                "created_at": iso(one.since),
                "updated_at": iso(one.now),
                "deleted_at": None,
            }
        ]
    }


def build_info(request: Request) -> dict[str, Any]:
    own_project(request)
    revision = {"revision": tane.__version__}
    return {"api": revision, "engine": revision}
