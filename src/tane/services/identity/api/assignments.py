"""Role assignments (Identity API v3: "Roles", "System Role Assignments", "OS-INHERIT")."""

from __future__ import annotations

from typing import Any

from tane.services.identity.api.common import listing, present, require_allowed
from tane.services.identity.api.roles import view as role_view
from tane.services.identity.domain import assignments, projects
from tane.services.identity.domain.assignments import Assignment, Search
from tane.services.identity.store.assignments import Place
from tane.web.errors import BadRequest
from tane.web.request import Request

Names = dict[str, dict[str, Any]]


def _place(request: Request) -> Place:
    """Whom and what the path names."""
    path = request.path
    actor_type = "group" if "group_id" in path else "user"
    target_type = next((kind for kind in ("project", "domain") if f"{kind}_id" in path), "system")
    target_id = path.get(f"{target_type}_id", "all")
    inherited = "/OS-INHERIT/" in request.url_path
    return Place(path[f"{actor_type}_id"], target_type, target_id, inherited, actor_type)


def assigned(request: Request) -> dict[str, Any]:
    found = assignments.assigned(request.core, _place(request))
    return listing(request, "roles", (role_view(request, row) for row in found))


def check(request: Request) -> None:
    assignments.check(request.core, _place(request), request.path["role_id"])


def grant(request: Request) -> None:
    assignments.grant(request.core, _place(request), request.path["role_id"])


def revoke(request: Request) -> None:
    assignments.revoke(request.core, _place(request), request.path["role_id"])


def index(request: Request) -> dict[str, Any]:
    wanted = _search(request)
    found = assignments.search(request.core, wanted)
    names = assignments.names(request.core, found) if present(request, "include_names") else None
    return listing(request, "role_assignments", (view(request, entry, names) for entry in found))


REFUSED_PAIRS = (
    ("scope.domain.id", "scope.project.id", "Specify a domain or project, not both"),
    ("scope.domain.id", "scope.system", "Specify system or domain, not both"),
    ("scope.project.id", "scope.system", "Specify system or project, not both"),
    ("user.id", "group.id", "Specify a user or group, not both"),
)


def _search(request: Request) -> Search:
    """:raises BadRequest: filters that exclude each other, or that would always find nothing."""
    subtree, effective = present(request, "include_subtree"), present(request, "effective")
    project_id = request.param("scope.project.id") or ""
    if subtree and not project_id:
        raise BadRequest("scope.project.id must be specified if include_subtree is also specified")
    domain_id = request.ctx.domain_id
    if subtree:
        row = projects.show(request.core, project_id)
        target = {"target.domain_id": row.domain_id, "target.project.id": row.id}
        require_allowed(request, "identity:list_role_assignments_for_tree", target)
    for one, other, message in REFUSED_PAIRS:
        if request.param(one) and request.param(other):
            raise BadRequest(message)
    inherited = request.param("scope.OS-INHERIT:inherited_to")
    if effective and request.param("group.id"):
        raise BadRequest("Combining effective and group filter will always result in an empty list.")
    if effective and inherited and request.param("scope.domain.id"):
        raise BadRequest("Combining effective, domain and inherited filters will always result in an empty list.")
    target_type = next((kind for kind in ("project", "domain") if request.param(f"scope.{kind}.id")), "")
    target_id = (request.param(f"scope.{target_type}.id") or "") if target_type else ""
    return Search(
        user_id=request.param("user.id") or "",
        group_id=request.param("group.id") or "",
        role_id=request.param("role.id") or "",
        target_type="system" if request.param("scope.system") else target_type,
        target_id=target_id,
        inherited=None if inherited is None else inherited == "projects",
        effective=effective,
        subtree=subtree,
        domain_id=domain_id,
    )


def view(request: Request, entry: Assignment, names: Names | None) -> dict[str, Any]:
    scope: dict[str, Any] = {"system": {"all": True}}
    if entry.target_type != "system":
        scope = {entry.target_type: _named(entry.target_id, names)}
    kind, target_id = entry.inherited_from or (entry.target_type, entry.target_id)
    where = "/system" if kind == "system" else f"/{kind}s/{target_id}"
    whom = f"/groups/{entry.group_id}" if entry.group_id else f"/{entry.actor_type}s/{entry.actor_id}"
    path = f"{where}{whom}/roles/{entry.prior_id or entry.role_id}"
    if entry.inherited or entry.inherited_from:
        scope["OS-INHERIT:inherited_to"] = "projects"
        path = f"/OS-INHERIT{path}/inherited_to_projects"
    links = {"assignment": _link(request, path)}
    if entry.group_id:
        links["membership"] = _link(request, f"/groups/{entry.group_id}/users/{entry.actor_id}")
    if entry.prior_id:
        links["prior_role"] = _link(request, f"/prior_role/{entry.role_id}/implies/{entry.prior_id}")
    actor = {entry.actor_type: _named(entry.actor_id, names)}
    return {**actor, "role": _named(entry.role_id, names), "scope": scope, "links": links}


def _link(request: Request, path: str) -> str:
    return request.link(f"/v3{path}")


def _named(row_id: str, names: Names | None) -> dict[str, Any]:
    body: dict[str, Any] = {"id": row_id}
    if names is not None and row_id in names:
        known = names[row_id]
        body["name"] = known["name"]
        if known["domain_id"]:
            owner = names.get(known["domain_id"], {"name": None})
            body["domain"] = {"id": known["domain_id"], "name": owner["name"]}
    return body
