"""Roles (Identity API v3: "Roles"). A role of a domain has rules of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given_with_extra, listing, require_allowed, with_self
from tane.services.identity.domain import roles
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id or None,
        "description": row.description,
        "options": row.options,
    }
    return with_self(request, "roles", body)


def _admit(request: Request, action: str, domain_id: str | None, kind: str = "role") -> None:
    """What concerns a role of a domain needs that rule too."""
    if domain_id:
        require_allowed(request, f"identity:{action}_domain_{kind}", {"target.role.domain_id": domain_id})


def _role(request: Request, action: str) -> str:
    """The id of the role in the path, whose rule the caller passes."""
    role_id = request.path["role_id"]
    _admit(request, action, roles.show(request.core, role_id).domain_id)
    return role_id


def index(request: Request) -> dict[str, Any]:
    wanted = {"domain_id": "", **filters(request, ("name", "domain_id"))}
    _admit(request, "list", wanted["domain_id"], "roles")
    return listing(request, "roles", (view(request, row) for row in roles.index(request.core, wanted)))


def show(request: Request) -> dict[str, Any]:
    return {"role": view(request, roles.show(request.core, _role(request, "get")))}


def create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "role", request.body.role)
    _admit(request, "create", values.get("domain_id"))
    return {"role": view(request, roles.create(request.core, values))}


def update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "role", request.body.role)
    return {"role": view(request, roles.update(request.core, _role(request, "update"), values))}


def delete(request: Request) -> None:
    roles.delete(request.core, _role(request, "delete"))
