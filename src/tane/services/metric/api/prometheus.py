"""Where a Prometheus reads: by a token, or by an application credential as user and password, which it can be given in
its settings and which does not end after an hour."""

from __future__ import annotations

import base64
import binascii

from tane.services.identity import interface as identity
from tane.services.metric.domain import exposition
from tane.web.access import permits_all
from tane.web.context import Context
from tane.web.errors import Forbidden, Unauthorized
from tane.web.request import Request, Response

TYPES = ("prometheus",)
UNKNOWN = "The request you have made requires authentication."
DENIED = "Policy doesn't allow prometheus:read to be performed."


def show(request: Request) -> Response:
    """What is measured of the caller's project, as Prometheus reads it; of everything for administrators"""
    request.ctx = _caller(request)
    request.admitted()
    if not request.ctx.project_id:
        raise Forbidden(DENIED)
    request.count_for(request.ctx.project_id)
    if request.allows("prometheus:read_cloud"):
        body = exposition.of_cloud(request.core)
    elif request.allows("prometheus:read"):
        body = exposition.of_project(request.core, request.ctx.project_id)
    else:
        raise Forbidden(DENIED)
    return Response(body, content_type=exposition.CONTENT_TYPE)


def _unknown() -> Unauthorized:
    found = Unauthorized(UNKNOWN)
    found.headers = {"WWW-Authenticate": 'Basic realm="tane"'}
    return found


def _caller(request: Request) -> Context:
    """:raises Unauthorized: nobody, or not by the credential's access rules."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    token = request.headers.get("x-auth-token", "")
    if kind.lower() == "bearer":
        token = given.strip()
    elif kind.lower() == "basic":
        token = identity.log_in(request.core, *_pair(given.strip()))
    if not token:
        raise _unknown()
    ctx = identity.authenticate(request.core, token, request.ctx.request_id)
    if not permits_all(ctx.access_rules, TYPES, request.method, request.url_path):
        raise _unknown()
    return ctx


def _pair(text: str) -> tuple[str, str]:
    """User and password (RFC 7617). :raises Unauthorized: there are none."""
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _unknown() from None
    if not (user and colon):
        raise _unknown()
    return user, password
