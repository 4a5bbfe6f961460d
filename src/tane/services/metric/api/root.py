"""Where clients begin: versions, what there is, how it goes."""

from __future__ import annotations

from typing import Any

from tane.services.metric.api import common
from tane.services.metric.domain import measures
from tane.services.metric.domain.series import METHODS
from tane.web.request import Request

PARTS = (
    *("aggregates", "aggregation", "archive_policy", "archive_policy_rule", "batch", "capabilities", "metric"),
    *("resource", "resource_type", "search", "status"),
)


def versions(request: Request) -> dict[str, Any]:
    link = {"rel": "self", "href": request.link("/v1/")}
    return {
        "build": "4.7.1",
        "versions": [{"status": "CURRENT", "links": [link], "id": "v1.0", "updated": "2015-03-19"}],
    }


def index(request: Request) -> dict[str, Any]:
    links = [{"rel": part, "href": request.link(f"/v1/{part}")} for part in PARTS]
    return {"version": "1.0", "links": [{"rel": "self", "href": request.link("/v1")}, *links]}


def capabilities(request: Request) -> dict[str, Any]:
    return {"aggregation_methods": sorted(METHODS)}


def status(request: Request) -> dict[str, Any]:
    told = measures.waiting(request.core)
    shown: dict[str, Any] = {"summary": {"metrics": told["metrics"], "measures": told["measures"]}}
    if request.param("details") is None or common.flag(request, "details"):
        shown["measures_to_process"] = {}
    return {"storage": shown, "metricd": {"processors": [], "statistics": {}}}
