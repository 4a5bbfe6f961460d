"""Users (Identity API v3: "Users")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given_with_extra, listing, with_self
from tane.services.identity.domain import users
from tane.services.identity.domain.tokens import require_own_or_admin
from tane.web.codec import iso_micro
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "domain_id": row.domain_id,
        "enabled": row.enabled,
        "options": row.options,
        "password_expires_at": iso_micro(row.password_expires_at),
    }
    if row.default_project_id is not None:
        body["default_project_id"] = row.default_project_id
    if row.description is not None:
        body["description"] = row.description
    return with_self(request, "users", body)


def index(request: Request) -> dict[str, Any]:
    found = users.index(request.core, filters(request, ("name", "domain_id"), ("enabled",)))
    return listing(request, "users", (view(request, row) for row in found))


def show(request: Request) -> dict[str, Any]:
    user_id = request.path["user_id"]
    require_own_or_admin(request.ctx.user_id, request.ctx.is_admin, user_id, "identity:get_user")
    return {"user": view(request, users.show(request.core, user_id))}


def create(request: Request) -> dict[str, Any]:
    return {"user": view(request, users.create(request.core, given_with_extra(request, "user", request.body.user)))}


def update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "user", request.body.user)
    return {"user": view(request, users.update(request.core, request.path["user_id"], values))}


def change_password(request: Request) -> None:
    asked = request.body.user
    users.change_password(request.core, request.path["user_id"], asked.original_password, asked.password)


def delete(request: Request) -> None:
    users.delete(request.core, request.path["user_id"])
