"""The version document (Identity API v3: "API version information")."""

from __future__ import annotations

from typing import Any

from tane.web.request import Request, Response


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": request.base_url + "/identity/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def index(request: Request) -> Response:
    return Response({"versions": {"values": [_version(request)]}}, status=300)


def show(request: Request) -> dict[str, Any]:
    return {"version": _version(request)}
