"""Roles, those of the whole cloud and those of one domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import (
    merged_options,
    new_id,
    refuse_duplicate,
    refuse_immutable,
    require,
    require_field,
)
from tane.services.identity.store import rows
from tane.services.identity.tables import project, role
from tane.web.errors import BadRequest


def show(core: Core, role_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, role, role_id, "role")


def index(core: Core, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, role, filters)


def create(core: Core, values: dict[str, Any]) -> Row[Any]:
    """:raises NotFound: unknown domain. :raises Conflict: the name is taken in the domain, or in the cloud."""
    require_field(values, "name")
    with core.db.write() as tx:
        domain_id = values.get("domain_id") or ""
        if domain_id:
            require(tx, project, domain_id, "domain", is_domain=True)
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
                "options": merged_options({}, values.get("options", {})),
                "extra": values.get("extra", {}),
                "created_at": tx.now,
            },
        )
        audit.record(tx, "created", "role", role_id)
        return require(tx, role, role_id, "role")


def update(core: Core, role_id: str, values: dict[str, Any]) -> Row[Any]:
    """:raises Forbidden: the role is immutable."""
    with core.db.write() as tx:
        row = require(tx, role, role_id, "role")
        refuse_immutable(row, "role", "update", values)
        if (values.get("domain_id", row.domain_id) or "") != row.domain_id:
            raise BadRequest("Update of `domain_id` is not allowed.")
        if "name" in values:
            refuse_duplicate(tx, role, "role", role_id, name=values["name"], domain_id=row.domain_id)
        wanted: dict[str, Any] = {name: values[name] for name in ("name", "description") if name in values}
        if "options" in values:
            wanted["options"] = merged_options(row.options, values["options"])
        wanted["extra"] = {**row.extra, **values.get("extra", {})}
        rows.change(tx, role, role_id, wanted)
        audit.record(tx, "updated", "role", role_id)
        return require(tx, role, role_id, "role")


def delete(core: Core, role_id: str) -> None:
    """:raises Forbidden: the role is immutable."""
    with core.db.write() as tx:
        row = require(tx, role, role_id, "role")
        refuse_immutable(row, "role", "delete")
        rows.remove(tx, role, role_id)
        audit.record(tx, "deleted", "role", role_id)
