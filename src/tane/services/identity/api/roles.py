"""Roles and role assignments (Identity API v3: "Roles", "System Role Assignments")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given, listing, with_self
from tane.services.identity.domain import roles
from tane.web.errors import BadRequest
from tane.web.request import Request

ASSIGNMENT_FILTERS = {
    "user.id": "actor_id",
    "role.id": "role_id",
    "scope.project.id": "target_id",
    "scope.domain.id": "target_id",
}


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {"id": row.id, "name": row.name, "domain_id": row.domain_id or None, "description": row.description}
    return with_self(request, "roles", {**body, "options": {}})


def index(request: Request) -> dict[str, Any]:
    wanted = {"domain_id": "", **filters(request, ("name", "domain_id"))}
    return listing(request, "roles", (view(request, row) for row in roles.index(request.core, wanted)))


def show(request: Request) -> dict[str, Any]:
    return {"role": view(request, roles.show(request.core, request.path["role_id"]))}


def create(request: Request) -> dict[str, Any]:
    return {"role": view(request, roles.create(request.core, given(request.body.role)))}


def update(request: Request) -> dict[str, Any]:
    return {"role": view(request, roles.update(request.core, request.path["role_id"], given(request.body.role)))}


def delete(request: Request) -> None:
    roles.delete(request.core, request.path["role_id"])


def _target(request: Request) -> tuple[str, str]:
    for kind in ("project", "domain"):
        if f"{kind}_id" in request.path:
            return kind, request.path[f"{kind}_id"]
    return "system", "all"


def assigned(request: Request) -> dict[str, Any]:
    found = roles.assigned(request.core, request.path["user_id"], *_target(request))
    return listing(request, "roles", (view(request, row) for row in found))


def check(request: Request) -> None:
    roles.check(request.core, request.path["user_id"], *_target(request), request.path["role_id"])


def grant(request: Request) -> None:
    roles.grant(request.core, request.path["user_id"], *_target(request), request.path["role_id"])


def revoke(request: Request) -> None:
    roles.revoke(request.core, request.path["user_id"], *_target(request), request.path["role_id"])


def assignment_index(request: Request) -> dict[str, Any]:
    wanted = {column: str(request.param(name)) for name, column in ASSIGNMENT_FILTERS.items() if request.param(name)}
    if request.param("scope.project.id") and request.param("scope.domain.id"):
        raise BadRequest("Specify a domain or project, not both")
    if request.param("scope.project.id"):
        wanted["target_type"] = "project"
    if request.param("scope.domain.id"):
        wanted["target_type"] = "domain"
    if request.param("scope.system"):
        wanted["target_type"] = "system"
    entries = (
        []
        if request.param("group.id")
        else roles.all_assignments(request.core, wanted, effective=_present(request, "effective"))
    )
    names = roles.names(request.core, entries) if _present(request, "include_names") else None
    return listing(request, "role_assignments", (_assignment(request, entry, names) for entry in entries))


def _present(request: Request, name: str) -> bool:
    return request.param(name) is not None and str(request.param(name)).lower() not in ("0", "false")


def _assignment(request: Request, entry: dict[str, Any], names: dict[str, dict[str, Any]] | None) -> dict[str, Any]:
    def named(row_id: str) -> dict[str, Any]:
        body: dict[str, Any] = {"id": row_id}
        if names is not None and row_id in names:
            known = names[row_id]
            body["name"] = known["name"]
            if known["domain_id"]:
                owner = names.get(known["domain_id"], {"name": None})
                body["domain"] = {"id": known["domain_id"], "name": owner["name"]}
        return body

    kind, target = entry["target_type"], entry["target_id"]
    scope = {"system": {"all": True}} if kind == "system" else {kind: named(target)}
    where = "system" if kind == "system" else f"{kind}s/{target}"
    link = request.link(f"/{where}/users/{entry['actor_id']}/roles/{entry['role_id']}")
    return {
        "user": named(entry["actor_id"]),
        "role": named(entry["role_id"]),
        "scope": scope,
        "links": {"assignment": link},
    }
