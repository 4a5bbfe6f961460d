"""Implied roles (Identity API v3: "Roles", implied roles and role inferences)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import own_link, with_self
from tane.services.identity.domain import implied_roles
from tane.web.request import Request


def _role(request: Request, row: Row[Any]) -> dict[str, Any]:
    return with_self(request, "roles", {"id": row.id, "name": row.name})


def _inference(request: Request, prior: Row[Any], implies: Any) -> dict[str, Any]:
    return {"prior_role": _role(request, prior), "implies": implies}


def rules(request: Request) -> dict[str, Any]:
    found = [
        _inference(request, prior, [_role(request, row) for row in implied])
        for prior, implied in implied_roles.rules(request.core)
    ]
    return {"role_inferences": found, "links": own_link(request)}


def index(request: Request) -> dict[str, Any]:
    prior, implied = implied_roles.of_prior(request.core, request.path["role_id"])
    body = _inference(request, prior, [_role(request, row) for row in implied])
    return {"role_inference": body, "links": own_link(request)}


def show(request: Request) -> dict[str, Any]:
    prior, implied = implied_roles.show(request.core, request.path["role_id"], request.path["implied_role_id"])
    return {"role_inference": _inference(request, prior, _role(request, implied)), "links": own_link(request)}


def check(request: Request) -> None:
    implied_roles.show(request.core, request.path["role_id"], request.path["implied_role_id"])


def create(request: Request) -> dict[str, Any]:
    implied_roles.create(request.core, request.path["role_id"], request.path["implied_role_id"])
    return show(request)


def delete(request: Request) -> None:
    implied_roles.delete(request.core, request.path["role_id"], request.path["implied_role_id"])
