"""Registered limits and limits (Identity API v3: "Unified Limits")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given, listing, with_self
from tane.services.identity.domain import limits
from tane.web.request import Request

COMMON = ("service_id", "region_id", "resource_name")


def registered_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    names = ("id", *COMMON, "default_limit", "description")
    return with_self(request, "registered_limits", {name: getattr(row, name) for name in names})


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    names = ("id", "project_id", "domain_id", *COMMON, "resource_limit", "description")
    return with_self(request, "limits", {name: getattr(row, name) for name in names})


def registered_index(request: Request) -> dict[str, Any]:
    found = limits.registered(request.core, filters(request, COMMON))
    return listing(request, "registered_limits", (registered_view(request, row) for row in found))


def registered_show(request: Request) -> dict[str, Any]:
    row = limits.show_registered(request.core, request.path["registered_limit_id"])
    return {"registered_limit": registered_view(request, row)}


def registered_create(request: Request) -> dict[str, Any]:
    made = limits.register(request.core, [given(part) for part in request.body.registered_limits])
    return {"registered_limits": [registered_view(request, row) for row in made]}


def registered_update(request: Request) -> dict[str, Any]:
    values = given(request.body.registered_limit)
    row = limits.update_registered(request.core, request.path["registered_limit_id"], values)
    return {"registered_limit": registered_view(request, row)}


def registered_delete(request: Request) -> None:
    limits.delete_registered(request.core, request.path["registered_limit_id"])


def index(request: Request) -> dict[str, Any]:
    """A project sees its own limits, a domain those in it; administrators, services and the system see all."""
    ctx = request.ctx
    names = (*COMMON, "project_id", "domain_id")
    wanted = {name: request.param(name) for name in names if request.param(name) is not None}
    if ctx.system_scope or ctx.is_admin or "service" in ctx.roles:
        found = limits.index(request.core, wanted)
    elif ctx.domain_id or ctx.project_id:
        found = limits.index(request.core, wanted, project_id=ctx.project_id, domain_id=ctx.domain_id)
    else:
        found = []
    return listing(request, "limits", (view(request, row) for row in found))


def model(request: Request) -> dict[str, Any]:
    return {"model": limits.model(request.core)}


def show(request: Request) -> dict[str, Any]:
    return {"limit": view(request, limits.show(request.core, request.path["limit_id"]))}


def create(request: Request) -> dict[str, Any]:
    made = limits.create(request.core, [given(part) for part in request.body.limits])
    return {"limits": [view(request, row) for row in made]}


def update(request: Request) -> dict[str, Any]:
    return {"limit": view(request, limits.update(request.core, request.path["limit_id"], given(request.body.limit)))}


def delete(request: Request) -> None:
    limits.delete(request.core, request.path["limit_id"])
