"""Users (Identity API v3: "Users")."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tane.services.identity.api.common import filters, given_with_extra, home_domain, listing, with_self
from tane.services.identity.domain import users
from tane.services.identity.drivers import User
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request

NOT_KEPT = ("federated", "original_password")
"""Attributes that clients send with a user and that are none to be shown again."""
COMPARISONS = ("lt", "lte", "gt", "gte", "eq", "neq")


def view(request: Request, user: User) -> dict[str, Any]:
    body = {
        **user.extra,
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "options": user.options,
        "federated": [],
        "password_expires_at": iso_micro(user.password_expires_at),
    }
    if user.default_project_id is not None:
        body["default_project_id"] = user.default_project_id
    if user.description is not None:
        body["description"] = user.description
    return with_self(request, "users", body)


def index(request: Request) -> dict[str, Any]:
    """A caller with a token of a domain sees the users of that domain only."""
    wanted = filters(request, ("name", "domain_id"), ("enabled",))
    expiry = [_comparison(value) for value in request.params("password_expires_at")]
    if expiry:
        wanted["password_expires_at"] = expiry
    found, own = users.index(request.core, wanted), request.ctx.domain_id
    return listing(request, "users", (view(request, user) for user in found if not own or user.domain_id == own))


def _comparison(text: str) -> tuple[str, datetime]:
    """``lt:2026-01-31T12:00:00Z`` → the comparison and the moment; without a comparison it is equality."""
    word, _, rest = text.partition(":")
    comparison, moment = (word, rest) if word in COMPARISONS else ("eq", text)
    try:
        return comparison, datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise BadRequest(
            f"Invalid value '{text}' for query parameter 'password_expires_at': a comparison "
            f"({', '.join(COMPARISONS)}), a colon and a time as 2026-01-31T12:00:00Z are expected."
        ) from None


def show(request: Request) -> dict[str, Any]:
    return {"user": view(request, users.show(request.core, request.path["user_id"]))}


def create(request: Request) -> dict[str, Any]:
    values = _values(request)
    values["domain_id"] = values.get("domain_id") or home_domain(request.ctx)
    return {"user": view(request, users.create(request.core, values))}


def update(request: Request) -> dict[str, Any]:
    return {"user": view(request, users.update(request.core, request.path["user_id"], _values(request)))}


def _values(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "user", request.body.user)
    for name in NOT_KEPT:
        values["extra"].pop(name, None)
    return values


def change_password(request: Request) -> None:
    asked = request.body.user
    users.change_password(request.core, request.path["user_id"], asked.original_password, asked.password)


def delete(request: Request) -> None:
    users.delete(request.core, request.path["user_id"])
