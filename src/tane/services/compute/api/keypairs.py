"""Key pairs (Compute API: "Keypairs")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.compute.api.common import next_link, page_limit
from tane.services.compute.domain import keypairs
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import Request, Response
from tane.web.versions import trim

SINCE = {"type": "2.2"}


def _user(request: Request, verb: str, asked: str | None) -> str:
    """The user whose key pairs are meant: another one only for an administrator, since 2.10."""
    if asked is None or request.version < (2, 10):
        return request.ctx.user_id
    rule = f"os_compute_api:os-keypairs:{verb}"
    if asked != request.ctx.user_id and not request.allows(rule, {"user_id": asked}):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
    return asked


def _short(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {"name": row.name, "public_key": row.public_key, "fingerprint": row.fingerprint, "type": row.type}
    return trim(body, SINCE, request.version)


def index(request: Request) -> dict[str, Any]:
    paged = request.version >= (2, 35)
    limit = page_limit(request)
    rows = keypairs.index(
        request.core,
        _user(request, "index", request.param("user_id")),
        request.param("marker") if paged else None,
        limit if paged else None,
    )
    body: dict[str, Any] = {"keypairs": [{"keypair": _short(request, row)} for row in rows]}
    if paged and (more := next_link(request, "/os-keypairs", rows, limit, rows[-1].name if rows else "")):
        body["keypairs_links"] = more
    return body


def show(request: Request) -> dict[str, Any]:
    row = keypairs.show(request.core, _user(request, "show", request.param("user_id")), request.path["name"])
    return {
        "keypair": {
            **_short(request, row),
            "user_id": row.user_id,
            "id": row.id,
            "created_at": iso_micro(row.created_at),
            "updated_at": None,
            "deleted": False,
            "deleted_at": None,
        }
    }


def create(request: Request) -> Response:
    wanted = request.body.keypair
    if wanted.public_key is None and request.version >= (2, 92):
        raise BadRequest("Invalid input for field/attribute keypair. 'public_key' is a required property")
    row, private_key = keypairs.create(
        request.core,
        request.ctx,
        user_id=_user(request, "create", wanted.user_id),
        name=wanted.name,
        kind=wanted.type,
        public_key=wanted.public_key,
        extra_characters="@." if request.version >= (2, 92) else "",
    )
    body = {**_short(request, row), "user_id": row.user_id}
    if private_key is not None:
        body["private_key"] = private_key
    return Response({"keypair": body}, status=201 if request.version >= (2, 2) else 200)


def delete(request: Request) -> Response:
    keypairs.delete(request.core, _user(request, "delete", request.param("user_id")), request.path["name"])
    return Response(status=204 if request.version >= (2, 2) else 202)
