"""What a policy rule of identity is checked against: whom and what a request is about, under Keystone's names."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity import tables
from tane.services.identity.api.common import home_domain
from tane.services.identity.domain import limits
from tane.services.identity.domain.ec2_tokens import EC2_METHOD
from tane.services.identity.store import rows
from tane.web import codec
from tane.web.errors import Forbidden
from tane.web.request import Request

IN_PATHS: dict[str, tuple[str, Any]] = {
    "user_id": ("user", tables.user),
    "group_id": ("group", tables.group),
    "project_id": ("project", tables.project),
    "role_id": ("role", tables.role),
}
CREATED = ("user", "group", "project")
OWNED = (
    "target.token.user_id",
    "target.trust.trustor_user_id",
    "target.trust.trustee_user_id",
    "target.credential.user_id",
)
"""Owners of what no path tells. The caller's own is asked about first; the handler asks again about another's."""


def target(request: Request) -> dict[str, Any]:
    """Attributes of what the path names and the body creates. What does not exist has none: only an administrator, who
    needs none, learns so.

    A list is about the domain of the token: what the list answers is restricted to it.

    :raises Forbidden: the caller's token was made of EC2 keys, which are for calls of other services: whoever is handed
        it to serve one could else make itself credentials that last.
    """
    if EC2_METHOD in request.ctx.methods:
        raise Forbidden("EC2 credential tokens cannot be used for authorization.")
    found: dict[str, Any] = dict(request.path)
    found |= dict.fromkeys(OWNED, request.path.get("user_id", request.ctx.user_id))
    if request.ctx.domain_id and not request.path and request.method in ("GET", "HEAD"):
        own = request.ctx.domain_id
        found |= {"target.domain_id": own, "target.group.domain_id": own, "target.domain.id": own}
    named = [(*IN_PATHS[name], value) for name, value in request.path.items() if name in IN_PATHS]
    if named:
        with request.core.db.read() as tx:
            for kind, table, row_id in named:
                row = rows.get(tx, table, row_id)
                if row is not None:
                    found |= _attributes(kind, row)
    if "domain_id" in request.path:
        found["target.domain.id"] = request.path["domain_id"]
    if "limit_id" in request.path:
        found |= limits.owner(request.core, request.path["limit_id"])
    if request.method == "POST":
        found |= _created(request)
    return found


def _attributes(kind: str, row: Row[Any]) -> dict[str, Any]:
    # Global roles have no domain, which Keystone's rules call None. Nor has a domain as a project: who manages what is
    # in a domain may not change the domain itself under this other name.
    domain_id = row.domain_id or None
    return {f"target.{kind}.{name}": value for name, value in (("id", row.id), ("name", row.name))} | {
        f"target.{kind}.domain_id": domain_id
    }


def _created(request: Request) -> dict[str, Any]:
    body = codec.parse(request.raw) if request.raw else None
    for kind in CREATED:
        part = body.get(kind) if isinstance(body, dict) else None
        if isinstance(part, dict) and not part.get("is_domain"):
            return {f"target.{kind}.domain_id": part.get("domain_id") or home_domain(request.ctx)}
    return {}
