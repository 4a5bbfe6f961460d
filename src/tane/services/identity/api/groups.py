"""Groups and their members (Identity API v3: "Groups")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given_with_extra, home_domain, listing, with_self
from tane.services.identity.api.users import view as user_view
from tane.services.identity.domain import groups
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "description": row.description,
    }
    return with_self(request, "groups", body)


def _listing(request: Request, found: list[Row[Any]]) -> dict[str, Any]:
    """A caller with a token of a domain sees the groups of that domain only."""
    own = request.ctx.domain_id
    return listing(request, "groups", (view(request, row) for row in found if not own or row.domain_id == own))


def index(request: Request) -> dict[str, Any]:
    return _listing(request, groups.index(request.core, filters(request, ("name", "domain_id"))))


def of_user(request: Request) -> dict[str, Any]:
    return _listing(request, groups.of_user(request.core, request.path["user_id"], filters(request, ("name",))))


def show(request: Request) -> dict[str, Any]:
    return {"group": view(request, groups.show(request.core, request.path["group_id"]))}


def create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "group", request.body.group)
    values["domain_id"] = values.get("domain_id") or home_domain(request.ctx)
    return {"group": view(request, groups.create(request.core, values))}


def update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "group", request.body.group)
    return {"group": view(request, groups.update(request.core, request.path["group_id"], values))}


def delete(request: Request) -> None:
    groups.delete(request.core, request.path["group_id"])


def members(request: Request) -> dict[str, Any]:
    wanted = filters(request, ("name", "domain_id"), ("enabled",))
    found, own = groups.members(request.core, request.path["group_id"], wanted), request.ctx.domain_id
    return listing(request, "users", (user_view(request, row) for row in found if not own or row.domain_id == own))


def add_member(request: Request) -> None:
    groups.add_member(request.core, request.path["group_id"], request.path["user_id"])


def check_member(request: Request) -> None:
    groups.check_member(request.core, request.path["group_id"], request.path["user_id"])


def remove_member(request: Request) -> None:
    groups.remove_member(request.core, request.path["group_id"], request.path["user_id"])
