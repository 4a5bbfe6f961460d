"""Roles and their assignment to users on projects, domains and the system."""

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
from tane.web.errors import NotFound


def show(core: Core, role_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, role, role_id, "role")


def index(core: Core, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, role, filters)


def create(core: Core, values: dict[str, Any]) -> Row[Any]:
    require_field(values, "name")
    with core.db.write() as tx:
        domain_id = values.get("domain_id") or ""
        refuse_duplicate(tx, role, "role", name=values["name"], domain_id=domain_id)
        role_id = values.get("id") or new_id()
        rows.add(
            tx,
            role,
            {
                "id": role_id,
                "name": values["name"],
                "domain_id": domain_id,
                "description": values.get("description"),
                "created_at": tx.now,
            },
        )
        audit.record(tx, "created", "role", role_id)
        return require(tx, role, role_id, "role")


def update(core: Core, role_id: str, values: dict[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        row = require(tx, role, role_id, "role")
        if "name" in values:
            refuse_duplicate(tx, role, "role", role_id, name=values["name"], domain_id=row.domain_id)
        rows.change(tx, role, role_id, {n: values[n] for n in ("name", "description") if n in values})
        audit.record(tx, "updated", "role", role_id)
        return require(tx, role, role_id, "role")


def delete(core: Core, role_id: str) -> None:
    with core.db.write() as tx:
        require(tx, role, role_id, "role")
        rows.remove(tx, role, role_id)
        audit.record(tx, "deleted", "role", role_id)


def assigned(core: Core, user_id: str, target_type: str, target_id: str) -> list[Row[Any]]:
    with core.db.read() as tx:
        _require_parties(tx, user_id, target_type, target_id)
        return assignments.assigned_roles(tx, user_id, target_type, target_id)


def check(core: Core, user_id: str, target_type: str, target_id: str, role_id: str) -> None:
    """:raises NotFound: the role is not assigned."""
    with core.db.read() as tx:
        _require_parties(tx, user_id, target_type, target_id)
        require(tx, role, role_id, "role")
        if not assignments.has(tx, user_id, target_type, target_id, role_id):
            raise NotFound(f"Could not find role assignment with role: {role_id}, user: {user_id}.")


def grant(core: Core, user_id: str, target_type: str, target_id: str, role_id: str) -> None:
    with core.db.write() as tx:
        _require_parties(tx, user_id, target_type, target_id)
        require(tx, role, role_id, "role")
        assignments.grant(tx, user_id, target_type, target_id, role_id)
        audit.record(tx, "created", "role_assignment", role_id, user=user_id, **{target_type: target_id})


def revoke(core: Core, user_id: str, target_type: str, target_id: str, role_id: str) -> None:
    with core.db.write() as tx:
        require(tx, role, role_id, "role")
        if not assignments.revoke(tx, user_id, target_type, target_id, role_id):
            raise NotFound(f"Could not find role assignment with role: {role_id}, user: {user_id}.")
        audit.record(tx, "deleted", "role_assignment", role_id, user=user_id, **{target_type: target_id})


def all_assignments(core: Core, filters: Mapping[str, str], *, effective: bool) -> list[dict[str, Any]]:
    """Assignments as plain values; ``effective`` adds those that follow from implied roles."""
    with core.db.read() as tx:
        wanted = {n: v for n, v in filters.items() if not (effective and n == "role_id")}
        found = [dict(row._mapping) for row in assignments.all_assignments(tx, **wanted)]
        if effective:
            implied: dict[str, list[str]] = {}
            for row in assignments.implications(tx):
                implied.setdefault(row.prior_id, []).append(row.implied_id)
            seen = {(e["actor_id"], e["target_type"], e["target_id"], e["role_id"]) for e in found}
            for entry in found:  # grows while it is walked: implied roles imply others
                for role_id in implied.get(entry["role_id"], ()):
                    key = (entry["actor_id"], entry["target_type"], entry["target_id"], role_id)
                    if key not in seen:
                        seen.add(key)
                        found.append({**entry, "role_id": role_id})
            if "role_id" in filters:
                found = [entry for entry in found if entry["role_id"] == filters["role_id"]]
        return found


def names(core: Core, entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """id → {"name", "domain_id"} of everything the assignments mention, in three queries."""
    with core.db.read() as tx:
        known: dict[str, dict[str, Any]] = {}
        for table, ids in (
            (user, {e["actor_id"] for e in entries}),
            (role, {e["role_id"] for e in entries}),
            (project, {e["target_id"] for e in entries}),
        ):
            for row in rows.find(tx, table, {"id": list(ids)}):
                known[row.id] = {"name": row.name, "domain_id": row.domain_id}
        domains = {entry["domain_id"] for entry in known.values() if entry["domain_id"]}
        for row in rows.find(tx, project, {"id": list(domains)}):
            known.setdefault(row.id, {"name": row.name, "domain_id": ""})
        return known


def _require_parties(tx: Tx, user_id: str, target_type: str, target_id: str) -> None:
    require(tx, user, user_id, "user")
    if target_type != "system":
        require(tx, project, target_id, target_type, is_domain=target_type == "domain")
