"""Version documents."""

from __future__ import annotations

from typing import Any

from tane.web.request import Request, Response


def _document(request: Request) -> dict[str, Any]:
    href = f"{request.base_url}/orchestration/v1/"
    version = {"id": "v1.0", "status": "CURRENT", "links": [{"rel": "self", "href": href}]}
    return {"versions": [version]}


def index(request: Request) -> Response:
    return Response(_document(request), status=300)


def show(request: Request) -> dict[str, Any]:
    return _document(request)
