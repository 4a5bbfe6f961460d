"""Projects and domains. A domain must be disabled before it is deleted; deleting it deletes what is in it.

Disabling one ends every token issued before: of itself, and for a domain those of its users and projects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane import held
from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import (
    merged_options,
    new_id,
    refuse_duplicate,
    refuse_immutable,
    require,
    require_field,
)
from tane.services.identity.store import assignments, credentials, rows
from tane.services.identity.store import projects as store
from tane.services.identity.tables import group, project, role, user
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

DEFAULT_DOMAIN = "default"
DEEPEST = 5
"""Projects on top of each other, the domain not counted."""
DEEPEST_LIMITED = 2
"""The same where limits are enforced on two levels."""
MOST_TAGS = 80


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


def of_user(core: Core, user_id: str, filters: Mapping[str, Any]) -> list[Row[Any]]:
    """The projects that pass ``filters`` and on which a user has a role."""
    with core.db.read() as tx:
        ids = [row.id for row in assignments.targets_of(tx, user_id, domains=False)]
        return rows.find(tx, project, {**filters, "id": ids})


def above(core: Core, project_id: str) -> list[Row[Any]]:
    """The projects over one, the nearest first; the last one is the domain."""
    with core.db.read() as tx:
        return store.above(tx, project_id)


def below(core: Core, project_id: str) -> list[Row[Any]]:
    """The projects under one, parents before their children."""
    with core.db.read() as tx:
        return store.below(tx, project_id)


def create(core: Core, values: dict[str, Any], *, is_domain: bool = False) -> Row[Any]:
    """:raises BadRequest: unknown domain or parent. :raises Conflict: the name is taken in the domain."""
    require_field(values, "name")
    name = _stripped(values["name"])
    with core.db.write() as tx:
        domain_id = "" if is_domain else values.get("domain_id") or DEFAULT_DOMAIN
        parent_id = None if is_domain else values.get("parent_id") or domain_id
        if is_domain and (values.get("parent_id") or values.get("domain_id")):
            raise BadRequest("only root projects are allowed to act as domains.")
        if parent_id is not None:
            _check_parent(core, tx, domain_id, parent_id)
        refuse_duplicate(tx, project, kind_of(is_domain), name=name, domain_id=domain_id)
        project_id = values.get("id") or new_id()
        rows.add(
            tx,
            project,
            {
                "id": project_id,
                "name": name,
                "domain_id": domain_id,
                "parent_id": parent_id,
                "is_domain": is_domain,
                "description": values.get("description") or "",
                "enabled": values.get("enabled", True),
                "tags": list(dict.fromkeys(values.get("tags", []))),
                "options": merged_options({}, values.get("options", {})),
                "extra": values.get("extra", {}),
                "created_at": tx.now,
            },
        )
        audit.record(tx, "created", kind_of(is_domain), project_id)
        return require(tx, project, project_id, kind_of(is_domain))


def _stripped(name: str) -> str:
    stripped = name.strip()
    if not stripped:
        raise BadRequest("Invalid input for field/attribute name. The name must not be blank.")
    return stripped


def _check_parent(core: Core, tx: Tx, domain_id: str, parent_id: str) -> None:
    """Refuse a parent of another domain, a disabled branch, a tree that grows too deep."""
    if not rows.find(tx, project, {"id": domain_id, "is_domain": True}):
        raise BadRequest(f"Could not find domain: {domain_id}.")
    parent = rows.get(tx, project, parent_id)
    if parent is None:
        raise BadRequest(f"Could not find project: {parent_id}.")
    if parent.is_domain and parent.id != domain_id:
        raise BadRequest(
            f"Cannot create project, the parent ({parent_id}) is acting as a domain, but this project's domain id "
            f"({domain_id}) does not match the parent's id."
        )
    if not parent.is_domain and parent.domain_id != domain_id:
        raise BadRequest(
            f"Cannot create project, since it specifies its domain_id {domain_id}, but specifies a parent in a "
            f"different domain ({parent.domain_id})."
        )
    branch = [parent, *store.above(tx, parent_id)]
    for row in branch:
        if not row.enabled:
            raise BadRequest(f"cannot create a project in a branch containing a disabled project: {row.id}")
    if len(branch) > (DEEPEST_LIMITED if core.config.limit_model == "strict_two_level" else DEEPEST):
        raise Forbidden(f"Max hierarchy depth reached for {parent_id} branch.")


def update(core: Core, project_id: str, values: dict[str, Any], *, is_domain: bool = False) -> Row[Any]:
    """:raises Forbidden: immutable; another parent; enabled below a disabled parent, or disabled above enabled ones."""
    with core.db.write() as tx:
        return _change(tx, project_id, values, is_domain)


def _change(tx: Tx, project_id: str, values: Mapping[str, Any], is_domain: bool) -> Row[Any]:
    row = _require(tx, project_id, is_domain)
    refuse_immutable(row, kind_of(row.is_domain), "update", values)
    _check_fixed(row, values)
    wanted: dict[str, Any] = {name: values[name] for name in ("enabled", "tags") if name in values}
    if "name" in values:
        wanted["name"] = _stripped(values["name"])
        unique = {"name": wanted["name"], "domain_id": row.domain_id}
        refuse_duplicate(tx, project, kind_of(row.is_domain), project_id, **unique)
    if "description" in values:
        wanted["description"] = values["description"] or ""
    if "options" in values:
        wanted["options"] = merged_options(row.options, values["options"])
    ended = row.enabled and not wanted.get("enabled", True)
    if wanted.get("enabled", row.enabled) != row.enabled:
        _check_switch(tx, row, wanted["enabled"])
    if ended:
        wanted["token_epoch"] = row.token_epoch + 1
    wanted["extra"] = {**row.extra, **values.get("extra", {})}
    rows.change(tx, project, project_id, wanted)
    audit.record(tx, "updated", kind_of(row.is_domain), project_id, **({"tokens": "revoked"} if ended else {}))
    return require(tx, project, project_id, kind_of(is_domain))


def _check_fixed(row: Row[Any], values: Mapping[str, Any]) -> None:
    if (values.get("domain_id", row.domain_id) or "") != row.domain_id:
        raise BadRequest("Cannot change Domain ID")
    if values.get("parent_id", row.parent_id) != row.parent_id:
        raise Forbidden("Update of `parent_id` is not allowed.")
    if values.get("is_domain", row.is_domain) != row.is_domain:
        raise BadRequest("Update of `is_domain` is not allowed.")


def _check_switch(tx: Tx, row: Row[Any], enabled: bool) -> None:
    if enabled:
        if not all(parent.enabled for parent in store.above(tx, row.id)):
            raise Forbidden(f"Cannot enable project {row.id} since it has disabled parents")
    elif row.id == DEFAULT_DOMAIN:
        raise Forbidden("The default domain cannot be disabled.")
    elif not row.is_domain and any(child.enabled for child in store.below(tx, row.id)):
        raise Forbidden(f"Cannot disable project {row.id} since its subtree contains enabled projects.")


def set_tags(core: Core, project_id: str, tags: list[str]) -> list[str]:
    """Replace the tags of a project; returns them without repetitions."""
    return list(update(core, project_id, {"tags": list(dict.fromkeys(tags))}).tags)


def add_tag(core: Core, project_id: str, tag: str) -> None:
    """Repeatable. :raises BadRequest: there are as many as there may be."""
    with core.db.write() as tx:
        tags = _require(tx, project_id, is_domain=False).tags
        if tag in tags:
            return
        if len(tags) >= MOST_TAGS:
            raise BadRequest(f"A project has at most {MOST_TAGS} tags.")
        _change(tx, project_id, {"tags": [*tags, tag]}, is_domain=False)


def require_tag(core: Core, project_id: str, tag: str) -> None:
    """:raises NotFound: the project has no such tag."""
    with core.db.read() as tx:
        _tags_with(tx, project_id, tag)


def remove_tag(core: Core, project_id: str, tag: str) -> None:
    """:raises NotFound: the project has no such tag."""
    with core.db.write() as tx:
        kept = [other for other in _tags_with(tx, project_id, tag) if other != tag]
        _change(tx, project_id, {"tags": kept}, is_domain=False)


def _tags_with(tx: Tx, project_id: str, tag: str) -> list[str]:
    tags: list[str] = _require(tx, project_id, is_domain=False).tags
    if tag not in tags:
        raise NotFound(f"Could not find project tag: {tag}.")
    return tags


def delete(core: Core, ctx: Context, project_id: str, *, is_domain: bool = False) -> None:
    """:raises Forbidden: a domain that is enabled, a project that has others below it, an immutable one. :raises
    Conflict: the caller is no administrator of the cloud, and the project holds something.
    """
    apart = {} if ctx.is_admin else _held_apart(core, [project_id])
    with core.db.write() as tx:
        row = _require(tx, project_id, is_domain)
        refuse_immutable(row, kind_of(row.is_domain), "delete")
        if row.is_domain:
            if row.enabled:
                raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
            _empty_domain(tx, project_id)
        elif rows.find(tx, project, {"parent_id": project_id}):
            raise Forbidden(
                f"Cannot delete the project {project_id} since it is not a leaf in the hierarchy. Use the cascade "
                "option if you want to delete a whole subtree."
            )
        if not ctx.is_admin:
            _refuse_holding(core, tx, project_id, apart)
        _delete_project(tx, project_id)
        audit.record(tx, "deleted", kind_of(row.is_domain), project_id)


def _held_apart(core: Core, project_ids: Sequence[str]) -> dict[str, int]:
    asked = [service.holds_apart(core, project_ids) for service in core.services if service.holds_apart is not None]
    return {noun: count for counted in asked for noun, count in counted.items() if count}


def _refuse_holding(core: Core, tx: Tx, project_id: str, apart: Mapping[str, int]) -> None:
    """What is in a deleted project runs on, is in no quota, and only an administrator of the cloud can find it."""
    kinds = [kind for service in core.services for kind in service.holds]
    inside = [row.id for row in rows.find(tx, project, {"domain_id": project_id})]
    counted = held.of_projects(tx, kinds, [project_id, *inside])
    if counted or apart:
        raise Conflict(
            f"The project {project_id} cannot be deleted, since it holds {held.in_words({**counted, **apart})}: delete "
            "these first."
        )


def _delete_project(tx: Tx, project_id: str) -> None:
    assignments.forget_target(tx, project_id)
    for row in rows.find(tx, user, {"default_project_id": project_id}):
        rows.change(tx, user, row.id, {"default_project_id": None})
    credentials.forget_project(tx, project_id)
    rows.remove(tx, project, project_id)


def _empty_domain(tx: Tx, domain_id: str) -> None:
    for row in rows.find(tx, project, {"domain_id": domain_id}):
        _delete_project(tx, row.id)
    for table in (user, group):
        for row in rows.find(tx, table, {"domain_id": domain_id}):
            assignments.forget_actor(tx, row.id)
            credentials.forget_user(tx, row.id)
            rows.remove(tx, table, row.id)
    for row in rows.find(tx, role, {"domain_id": domain_id}):
        rows.remove(tx, role, row.id)
