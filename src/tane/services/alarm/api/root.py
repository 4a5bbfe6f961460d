"""Where clients begin."""

from __future__ import annotations

from typing import Any

from tane.web.request import Request

ALARMS = ("query:simple", "query:complex", "history:query:simple", "history:query:complex")


def versions(request: Request) -> dict[str, Any]:
    link = {"rel": "self", "href": request.link("/v2")}
    # Aodh names both, and answers JSON to all.
    kinds = [
        {"base": f"application/{form}", "type": f"application/vnd.openstack.telemetry-v2+{form}"}
        for form in ("json", "xml")
    ]
    found = {"id": "v2", "links": [link], "media-types": kinds, "status": "stable", "updated": "2013-02-13T00:00:00Z"}
    return {"versions": {"values": [found]}}


def index(request: Request) -> dict[str, Any]:
    return {
        "links": [{"rel": part, "href": request.link(f"/v2/{part}")} for part in ("alarms", "query", "capabilities")]
    }


def capabilities(request: Request) -> dict[str, Any]:
    return {
        "api": {f"alarms:{name}": True for name in ALARMS},
        "alarm_storage": {"storage:production_ready": True},
    }


def metrics(request: Request) -> dict[str, Any]:
    """Counters of evaluations, which Aodh keeps only where its setting says so: as there without it, there are none."""
    return {"evaluation_results": []}
