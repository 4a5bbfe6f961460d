"""Unified limits: what a service registers as a default, and what single projects and domains may use instead.

The cloud only keeps them; the services that registered them enforce them. Source: Identity API v3, "Unified Limits".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit, plain
from tane.services.identity.domain.common import new_id, require
from tane.services.identity.domain.plain import Kind
from tane.services.identity.store import limits as store
from tane.services.identity.store import projects as project_store
from tane.services.identity.store import rows
from tane.services.identity.tables import limit, project, region, registered_limit, service
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

REGISTERED = Kind("registered_limit", registered_limit, (), {"region_id": None, "description": None})
MODELS = {
    "flat": "Limit enforcement and validation does not take project hierarchy into consideration.",
    "strict_two_level": "This model requires project hierarchy never exceeds a depth of two",
}
UNIQUE = ("service_id", "region_id", "resource_name")
Values = Mapping[str, Any]


def model(core: Core) -> dict[str, str]:
    return {"name": core.config.limit_model, "description": MODELS[core.config.limit_model]}


def registered(core: Core, filters: Values) -> list[Row[Any]]:
    return plain.index(core, REGISTERED, filters)


def show_registered(core: Core, limit_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return _require_registered(tx, limit_id)


def _require_registered(tx: Tx, limit_id: str) -> Row[Any]:
    row = rows.get(tx, registered_limit, limit_id)
    if row is None:
        raise NotFound(f"Could not find registered limit for {limit_id}.")
    return row


def register(core: Core, wanted: list[dict[str, Any]]) -> list[Row[Any]]:
    """Register limits, all or none. :raises BadRequest: unknown service or region. :raises Conflict: one is there."""
    made = []
    with core.db.write() as tx:
        for values in wanted:
            _check_registered(tx, values, None)
            made.append(plain.add(tx, REGISTERED, values))
    return made


def _check_registered(tx: Tx, values: Values, own_id: str | None) -> None:
    _check_parties(tx, values, "registered_limit", {"service_id": service, "region_id": region})
    if any(row.id != own_id for row in store.registered(tx, {name: values.get(name) for name in UNIQUE})):
        raise Conflict("Conflict occurred attempting to store registered_limit - Duplicate entry.")


def _check_parties(tx: Tx, values: Values, target: str, tables: Mapping[str, Any]) -> None:
    for name, table in tables.items():
        if values.get(name) is not None:
            row = rows.get(tx, table, values[name])
            if row is None or (name == "domain_id" and not row.is_domain):
                raise BadRequest(f"Expecting to find {name} in {target}.")


def update_registered(core: Core, limit_id: str, values: Values) -> Row[Any]:
    """:raises Forbidden: limits of projects or domains stand on it."""
    with core.db.write() as tx:
        row = _require_registered(tx, limit_id)
        _refuse_used(tx, limit_id)
        _check_registered(tx, {**{name: getattr(row, name) for name in UNIQUE}, **values}, limit_id)
        return plain.change(tx, REGISTERED, limit_id, values)


def delete_registered(core: Core, limit_id: str) -> None:
    """:raises Forbidden: limits of projects or domains stand on it."""
    with core.db.write() as tx:
        _require_registered(tx, limit_id)
        _refuse_used(tx, limit_id)
        plain.remove(tx, REGISTERED, limit_id)


def _refuse_used(tx: Tx, limit_id: str) -> None:
    if rows.find(tx, limit, {"registered_limit_id": limit_id}):
        raise Forbidden(
            f"Unable to update or delete registered limit {limit_id} because there are project limits "
            "associated with it."
        )


def index(core: Core, filters: Values, *, project_id: str = "", domain_id: str = "") -> list[Row[Any]]:
    """Limits that pass ``filters``, of one project, or of one domain and its projects, when these are given."""
    with core.db.read() as tx:
        found = store.limits(tx, filters)
        if project_id:
            return [row for row in found if row.project_id == project_id]
        if domain_id:
            within = {row.id for row in rows.find(tx, project, {"domain_id": domain_id})}
            return [row for row in found if row.domain_id == domain_id or row.project_id in within]
        return found


def show(core: Core, limit_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return _require(tx, limit_id)


def owner(core: Core, limit_id: str) -> dict[str, Any]:
    """Whose limit it is, as its policy rule names it; empty when there is no such limit."""
    with core.db.read() as tx:
        for row in store.limits(tx, {"id": limit_id}):
            if row.domain_id:
                return {"target.limit.domain.id": row.domain_id, "target.limit.project_id": None}
            of_project = require(tx, project, row.project_id, "project")
            return {"target.limit.project_id": row.project_id, "target.limit.project.domain_id": of_project.domain_id}
    return {}


def _require(tx: Tx, limit_id: str) -> Row[Any]:
    for row in store.limits(tx, {"id": limit_id}):
        return row
    raise NotFound(f"Could not find limit for {limit_id}.")


def create(core: Core, wanted: list[dict[str, Any]]) -> list[Row[Any]]:
    """Set limits, all or none.

    :raises Forbidden: nothing of the kind is registered, or the tree of projects does not allow the value.
    :raises Conflict: the project or domain has such a limit.
    """
    made = []
    with core.db.write() as tx:
        for values in wanted:
            made.append(_add(core, tx, values))
        if core.config.limit_model == "strict_two_level":
            for limit_id in made:
                _check_tree(tx, _require(tx, limit_id))
        return [_require(tx, limit_id) for limit_id in made]


def _add(core: Core, tx: Tx, values: dict[str, Any]) -> str:
    named = values.get("project_id")
    row = rows.get(tx, project, named) if named else None
    if row is not None and row.is_domain:
        # A domain under its other name.
        values = {**values, "domain_id": named, "project_id": None}
    parties = {"service_id": service, "region_id": region, "project_id": project, "domain_id": project}
    _check_parties(tx, values, "limit", parties)
    found = store.registered(tx, {name: values.get(name) for name in UNIQUE})
    if not found:
        raise Forbidden("Unable to create a limit that has no corresponding registered limit.")
    whose = {name: values.get(name) for name in ("project_id", "domain_id")}
    if store.limits(tx, {**whose, "registered_limit_id": found[0].id}):
        raise Conflict("Conflict occurred attempting to store limit - Duplicate entry.")
    limit_id = new_id()
    stored = {name: values.get(name) for name in ("resource_limit", "description")}
    stored |= {"id": limit_id, "registered_limit_id": found[0].id, "created_at": tx.now}
    rows.add(tx, limit, {**whose, **stored})
    audit.record(tx, "created", "limit", limit_id)
    return limit_id


def update(core: Core, limit_id: str, values: Values) -> Row[Any]:
    with core.db.write() as tx:
        _require(tx, limit_id)
        rows.change(tx, limit, limit_id, values)
        row = _require(tx, limit_id)
        if core.config.limit_model == "strict_two_level":
            _check_tree(tx, row)
        audit.record(tx, "updated", "limit", limit_id)
        return row


def delete(core: Core, limit_id: str) -> None:
    with core.db.write() as tx:
        _require(tx, limit_id)
        rows.remove(tx, limit, limit_id)
        audit.record(tx, "deleted", "limit", limit_id)


def _check_tree(tx: Tx, row: Row[Any]) -> None:
    """:raises Forbidden: a project may use more than its domain."""
    same = store.limits(tx, {"registered_limit_id": row.registered_limit_id})
    if row.domain_id:
        below = {child.id for child in project_store.below(tx, row.domain_id)}
        fits = all(other.resource_limit <= row.resource_limit for other in same if other.project_id in below)
    else:
        parent_id = require(tx, project, row.project_id, "project").parent_id
        default = _require_registered(tx, row.registered_limit_id).default_limit
        most = next((other.resource_limit for other in same if other.domain_id == parent_id), default)
        fits = row.resource_limit <= most
    if not fits:
        level = f"domain_id: {row.domain_id}" if row.domain_id else f"project_id: {row.project_id}"
        raise Forbidden(
            f"Invalid resource limit: The resource limit ({level}, resource_name: {row.resource_name}, "
            f"resource_limit: {row.resource_limit}, service_id: {row.service_id}, region_id: {row.region_id}) doesn't "
            "satisfy current hierarchy model.."
        )
