"""Projects and domains. A domain must be disabled before it is deleted; deleting it deletes what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, refuse_duplicate, require, require_field
from tane.services.identity.store import assignments, rows
from tane.services.identity.tables import project, role, user
from tane.web.errors import BadRequest, Forbidden

DEFAULT_DOMAIN = "default"


def kind_of(is_domain: bool) -> str:
    return "domain" if is_domain else "project"


def show(core: Core, project_id: str, *, is_domain: bool = False) -> Row[Any]:
    with core.db.read() as tx:
        return _require(tx, project_id, is_domain)


def _require(tx: Tx, project_id: str, is_domain: bool) -> Row[Any]:
    """The row. A domain is a project too: it is found under both names, another project only under its own."""
    return require(tx, project, project_id, kind_of(is_domain), **({"is_domain": True} if is_domain else {}))


def index(core: Core, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, project, filters)


def create(core: Core, values: dict[str, Any], *, is_domain: bool = False) -> Row[Any]:
    """:raises BadRequest: unknown domain or parent. :raises Conflict: the name is taken in the domain."""
    require_field(values, "name")
    with core.db.write() as tx:
        domain_id = "" if is_domain else values.get("domain_id") or DEFAULT_DOMAIN
        parent_id = None if is_domain else values.get("parent_id") or domain_id
        if not is_domain:
            if not rows.find(tx, project, {"id": domain_id, "is_domain": True}):
                raise BadRequest(f"Invalid domain_id: {domain_id} is not a domain.")
            parent = rows.get(tx, project, str(parent_id))
            if parent is None or (parent.id if parent.is_domain else parent.domain_id) != domain_id:
                raise BadRequest(f"Invalid parent_id: {parent_id} is not in domain {domain_id}.")
        refuse_duplicate(tx, project, kind_of(is_domain), name=values["name"], domain_id=domain_id)
        project_id = values.get("id") or new_id()
        rows.add(
            tx,
            project,
            {
                "id": project_id,
                "name": values["name"],
                "domain_id": domain_id,
                "parent_id": parent_id,
                "is_domain": is_domain,
                "description": values.get("description") or "",
                "enabled": values.get("enabled", True),
                "tags": values.get("tags", []),
                "extra": values.get("extra", {}),
                "created_at": tx.now,
            },
        )
        audit.record(tx, "created", kind_of(is_domain), project_id)
        return require(tx, project, project_id, kind_of(is_domain))


def update(core: Core, project_id: str, values: dict[str, Any], *, is_domain: bool = False) -> Row[Any]:
    with core.db.write() as tx:
        row = _require(tx, project_id, is_domain)
        if "name" in values:
            refuse_duplicate(tx, project, kind_of(is_domain), project_id, name=values["name"], domain_id=row.domain_id)
        if values.get("domain_id", row.domain_id or project_id) not in (row.domain_id, project_id):
            raise BadRequest("Cannot change the domain_id of a project.")
        if values.get("parent_id", row.parent_id) != row.parent_id:
            raise Forbidden("Update of `parent_id` is not allowed.")
        if project_id == DEFAULT_DOMAIN and values.get("enabled") is False:
            raise Forbidden("The default domain cannot be disabled.")
        extra = {**row.extra, **values.pop("extra", {})}
        allowed: dict[str, Any] = {name: values[name] for name in ("name", "enabled", "tags") if name in values}
        if "description" in values:
            allowed["description"] = values["description"] or ""
        rows.change(tx, project, project_id, {**allowed, "extra": extra})
        audit.record(tx, "updated", kind_of(is_domain), project_id)
        return require(tx, project, project_id, kind_of(is_domain))


def set_tags(core: Core, project_id: str, tags: list[str]) -> list[str]:
    """Replace the tags of a project; returns them without repetitions."""
    return list(update(core, project_id, {"tags": list(dict.fromkeys(tags))}).tags)


def delete(core: Core, project_id: str, *, is_domain: bool = False) -> None:
    with core.db.write() as tx:
        row = _require(tx, project_id, is_domain)
        if row.is_domain:
            if row.enabled:
                raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
            _empty_domain(tx, project_id)
        elif rows.find(tx, project, {"parent_id": project_id}):
            raise Forbidden(f"Cannot delete the project {project_id} since it is not a leaf in the hierarchy.")
        _delete_project(tx, project_id)
        audit.record(tx, "deleted", kind_of(row.is_domain), project_id)


def _delete_project(tx: Tx, project_id: str) -> None:
    assignments.forget_target(tx, project_id)
    for row in rows.find(tx, user, {"default_project_id": project_id}):
        rows.change(tx, user, row.id, {"default_project_id": None})
    rows.remove(tx, project, project_id)


def _empty_domain(tx: Tx, domain_id: str) -> None:
    for row in rows.find(tx, project, {"domain_id": domain_id}):
        _delete_project(tx, row.id)
    for row in rows.find(tx, user, {"domain_id": domain_id}):
        assignments.forget_actor(tx, row.id)
        rows.remove(tx, user, row.id)
    for row in rows.find(tx, role, {"domain_id": domain_id}):
        rows.remove(tx, role, row.id)
