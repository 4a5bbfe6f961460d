"""Version documents (Image API: "Versions")."""

from __future__ import annotations

from typing import Any

from tane.web.request import Request, Response

NEWEST = 18
"""Of a Glance with several stores and a cache."""


def _list(request: Request) -> dict[str, Any]:
    links = [{"rel": "self", "href": request.link("/v2/")}]
    return {
        "versions": [
            {"id": f"v2.{minor}", "status": "CURRENT" if minor == NEWEST else "SUPPORTED", "links": links}
            for minor in range(NEWEST, -1, -1)
        ]
    }


def index(request: Request) -> Response:
    return Response(_list(request), status=300)


def explicit(request: Request) -> dict[str, Any]:
    return _list(request)
