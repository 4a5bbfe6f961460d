"""Projects and domains (Identity API v3: "Projects", "Domains")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given_with_extra, home_domain, listing, present, with_self
from tane.services.identity.api.limits import view as limit_view
from tane.services.identity.domain import assignments, limits, projects
from tane.web.errors import BadRequest
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    """A domain as a domain, any other project as a project."""
    return domain_view(request, row) if row.is_domain else project_view(request, row)


def domain_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    return with_self(request, "domains", _common(row))


def project_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    """A project; a domain, too, as the project it is."""
    owner = {"domain_id": row.domain_id or None, "parent_id": row.parent_id, "is_domain": row.is_domain}
    return with_self(request, "projects", {**_common(row), **owner})


def _common(row: Row[Any]) -> dict[str, Any]:
    return {
        **row.extra,
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "tags": row.tags,
        "options": row.options,
    }


def index(request: Request) -> dict[str, Any]:
    wanted = filters(request, ("name", "domain_id", "parent_id"), ("enabled",))
    found = projects.index(request.core, {**wanted, "is_domain": request.flag("is_domain")})
    own = request.ctx.domain_id
    found = [row for row in found if (not own or row.domain_id == own) and _tagged(request, row.tags)]
    return listing(request, "projects", (project_view(request, row) for row in found))


def _tagged(request: Request, tags: Iterable[str]) -> bool:
    """Whether tags pass the four filters of the API working group: all of, any of, not all of, none of."""
    present_tags = set(tags)

    def asked(name: str) -> set[str] | None:
        value = request.param(name)
        return None if value is None else set(value.split(","))

    every, some = asked("tags"), asked("tags-any")
    not_every, none_of = asked("not-tags"), asked("not-tags-any")
    return (
        (every is None or every <= present_tags)
        and (some is None or bool(some & present_tags))
        and (not_every is None or not not_every <= present_tags)
        and (none_of is None or not none_of & present_tags)
    )


def show(request: Request) -> dict[str, Any]:
    row = projects.show(request.core, request.path["project_id"])
    return {"project": {**project_view(request, row), **_relatives(request, row)}}


def _relatives(request: Request, row: Row[Any]) -> dict[str, Any]:
    """What is above and below a project, as far as the query asks. A list holds what the caller has a role on."""
    for kind in ("parents", "subtree"):
        if present(request, f"{kind}_as_list") and present(request, f"{kind}_as_ids"):
            raise BadRequest(f"Cannot use {kind}_as_list and {kind}_as_ids query params at the same time.")
    found: dict[str, Any] = {}
    if present(request, "parents_as_list") or present(request, "parents_as_ids"):
        above = projects.above(request.core, row.id)
        ids: dict[str, Any] | None = None
        for parent in reversed(above):
            ids = {parent.id: ids}
        found["parents"] = _known(request, above) if present(request, "parents_as_list") else ids
    if present(request, "subtree_as_list") or present(request, "subtree_as_ids"):
        below = projects.below(request.core, row.id)
        tree: dict[str, dict[str, Any]] = {row.id: {}}
        for child in below:
            tree[child.id] = tree[child.parent_id][child.id] = {}
        found["subtree"] = _known(request, below) if present(request, "subtree_as_list") else _leaves(tree[row.id])
    return found


def _known(request: Request, relatives: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    mine = {row.id for row in assignments.targets_of(request.core, request.ctx.user_id)}
    found = [{"project": project_view(request, row)} for row in relatives if row.id in mine]
    if present(request, "include_limits"):
        shown = {entry["project"]["id"]: entry["project"].setdefault("limits", []) for entry in found}
        for row in limits.index(request.core, {}):
            if row.project_id in shown:
                shown[row.project_id].append(limit_view(request, row))
    return found


def _leaves(tree: dict[str, Any]) -> dict[str, Any] | None:
    """Keystone writes null where nothing is below."""
    return {project_id: _leaves(below) for project_id, below in tree.items()} or None


def create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "project", request.body.project)
    is_domain = bool(values.pop("is_domain", False))
    if not is_domain:
        values["domain_id"] = values.get("domain_id") or home_domain(request.ctx)
    return {"project": project_view(request, projects.create(request.core, values, is_domain=is_domain))}


def update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "project", request.body.project)
    return {"project": project_view(request, projects.update(request.core, request.path["project_id"], values))}


def delete(request: Request) -> None:
    projects.delete(request.core, request.ctx, request.path["project_id"])


def of_user(request: Request) -> dict[str, Any]:
    """Projects on which a user has a role. Another's are shown to a domain as far as they are in it."""
    found = projects.of_user(
        request.core, request.path["user_id"], filters(request, ("name", "domain_id"), ("enabled",))
    )
    own = "" if request.path["user_id"] == request.ctx.user_id else request.ctx.domain_id
    kept = (row for row in found if not own or row.domain_id == own)
    return listing(request, "projects", (project_view(request, row) for row in kept))


def domain_index(request: Request) -> dict[str, Any]:
    """A caller with a token of a domain sees that one only."""
    found = projects.index(request.core, {**filters(request, ("name",), ("enabled",)), "is_domain": True})
    own = request.ctx.domain_id
    return listing(request, "domains", (domain_view(request, row) for row in found if not own or row.id == own))


def domain_show(request: Request) -> dict[str, Any]:
    return {"domain": domain_view(request, projects.show(request.core, request.path["domain_id"], is_domain=True))}


def domain_create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "domain", request.body.domain)
    return {"domain": domain_view(request, projects.create(request.core, values, is_domain=True))}


def domain_update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "domain", request.body.domain)
    row = projects.update(request.core, request.path["domain_id"], values, is_domain=True)
    return {"domain": domain_view(request, row)}


def domain_delete(request: Request) -> None:
    projects.delete(request.core, request.ctx, request.path["domain_id"], is_domain=True)
