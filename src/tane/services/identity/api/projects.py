"""Projects and domains (Identity API v3: "Projects", "Domains")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given_with_extra, listing, with_self
from tane.services.identity.domain import projects
from tane.services.identity.domain.tokens import require_own_or_admin
from tane.services.identity.store import assignments
from tane.web.errors import Forbidden
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    common = {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "tags": row.tags,
        "options": {},
    }
    if row.is_domain:
        return with_self(request, "domains", common)
    owner = {"domain_id": row.domain_id, "parent_id": row.parent_id, "is_domain": False}
    return with_self(request, "projects", {**common, **owner})


def index(request: Request) -> dict[str, Any]:
    wanted = filters(request, ("name", "domain_id", "parent_id"), ("enabled",))
    found = projects.index(request.core, {**wanted, "is_domain": request.flag("is_domain")})
    return listing(request, "projects", (view(request, row) for row in found))


def require_visible(request: Request, project_id: str, rule: str) -> None:
    """:raises Forbidden: unless it is the project of the caller's token, or the caller an administrator."""
    if not request.ctx.is_admin and request.ctx.project_id != project_id:
        raise Forbidden(f"You are not authorized to perform the requested action: {rule}.")


def show(request: Request) -> dict[str, Any]:
    project_id = request.path["project_id"]
    require_visible(request, project_id, "identity:get_project")
    return {"project": view(request, projects.show(request.core, project_id))}


def create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "project", request.body.project)
    is_domain = bool(values.pop("is_domain", False))
    return {"project": view(request, projects.create(request.core, values, is_domain=is_domain))}


def update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "project", request.body.project)
    values.pop("is_domain", None)
    return {"project": view(request, projects.update(request.core, request.path["project_id"], values))}


def delete(request: Request) -> None:
    projects.delete(request.core, request.path["project_id"])


def of_user(request: Request) -> dict[str, Any]:
    """Projects on which a user has a role."""
    user_id = request.path["user_id"]
    require_own_or_admin(request.ctx.user_id, request.ctx.is_admin, user_id, "identity:list_user_projects")
    with request.core.db.read() as tx:
        found = assignments.targets_of(tx, user_id, domains=False)
    return listing(request, "projects", (view(request, row) for row in found))


def domain_index(request: Request) -> dict[str, Any]:
    found = projects.index(request.core, {**filters(request, ("name",), ("enabled",)), "is_domain": True})
    return listing(request, "domains", (view(request, row) for row in found))


def domain_show(request: Request) -> dict[str, Any]:
    """Everybody sees the domain of the own project."""
    domain_id = request.path["domain_id"]
    if not request.ctx.is_admin and domain_id not in (request.ctx.domain_id, request.ctx.project_domain_id):
        raise Forbidden("You are not authorized to perform the requested action: identity:get_domain.")
    return {"domain": view(request, projects.show(request.core, domain_id, is_domain=True))}


def domain_create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "domain", request.body.domain)
    return {"domain": view(request, projects.create(request.core, values, is_domain=True))}


def domain_update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "domain", request.body.domain)
    return {"domain": view(request, projects.update(request.core, request.path["domain_id"], values, is_domain=True))}


def domain_delete(request: Request) -> None:
    projects.delete(request.core, request.path["domain_id"], is_domain=True)
