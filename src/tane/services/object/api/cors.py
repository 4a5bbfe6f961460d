"""Preflights: what pages of other origins may ask for.

Source: Swift's "CORS".
"""

from __future__ import annotations

from tane.services.object.api import headers
from tane.services.object.domain import cors
from tane.web.errors import Unauthorized
from tane.web.request import Request, Response

METHODS = {
    2: "GET, HEAD, POST, PUT, DELETE",
    3: "GET, HEAD, POST, PUT, DELETE",
    4: "GET, HEAD, POST, PUT, DELETE, COPY",
}


def options(request: Request) -> Response:
    """Whether a page of another origin may ask; without an origin, which methods there are"""
    allow = METHODS[1 + len(request.path)]
    origin, method = request.headers.get("origin"), request.headers.get("access-control-request-method")
    if origin is None or "container" not in request.path:
        return Response(None, 200, {"Allow": allow, "Content-Length": "0"}, headers.HTML)
    meta = cors.container_meta(request.core, request.path["account"], request.path.get("container", ""))
    allowed = (meta.get("x-container-meta-access-control-allow-origin") or "").split()
    if ("*" not in allowed and origin not in allowed) or (method or "") not in allow.split(", "):
        raise Unauthorized("This server could not verify that you are authorized to access the document you requested.")
    shown = {
        "Access-Control-Allow-Origin": "*" if "*" in allowed else origin,
        "Access-Control-Allow-Methods": allow,
        "Allow": allow,
        "Vary": "Origin, Access-Control-Request-Headers",
        "Content-Length": "0",
    }
    if asked := request.headers.get("access-control-request-headers"):
        shown["Access-Control-Allow-Headers"] = asked
    if age := meta.get("x-container-meta-access-control-max-age"):
        shown["Access-Control-Max-Age"] = age
    return Response(None, 200, shown, headers.HTML)
