"""The version document (Identity API v3: "API version information")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tane.services.identity.api import json_home
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


def document_of(paths: Callable[[], Iterable[str]]) -> Callable[[Request], dict[str, Any] | Response]:
    """The handler of the version document, which is the home document of ``paths`` for who asks for that."""

    def show(request: Request) -> dict[str, Any] | Response:
        if json_home.CONTENT_TYPE in request.headers.get("accept", ""):
            home = json_home.document(paths())
            return Response(home, content_type=json_home.CONTENT_TYPE, headers={"Vary": "Accept"})
        return {"version": _version(request)}

    return show
