"""Groups of users. What is assigned to a group, each of its members has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, refuse_duplicate, require, require_field
from tane.services.identity.drivers import User, users_of
from tane.services.identity.store import assignments, rows
from tane.services.identity.store import groups as store
from tane.services.identity.tables import group, project, user
from tane.web.errors import BadRequest, NotFound


def show(core: Core, group_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, group, group_id, "group")


def index(core: Core, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, group, filters)


def create(core: Core, values: dict[str, Any]) -> Row[Any]:
    """:raises NotFound: unknown domain. :raises Conflict: the name is taken in the domain."""
    require_field(values, "name")
    with core.db.write() as tx:
        require(tx, project, values["domain_id"], "domain", is_domain=True)
        refuse_duplicate(tx, group, "group", name=values["name"], domain_id=values["domain_id"])
        group_id = new_id()
        rows.add(
            tx,
            group,
            {
                "id": group_id,
                "name": values["name"],
                "domain_id": values["domain_id"],
                "description": values.get("description") or "",
                "extra": values.get("extra", {}),
                "created_at": tx.now,
            },
        )
        audit.record(tx, "created", "group", group_id)
        return require(tx, group, group_id, "group")


def update(core: Core, group_id: str, values: dict[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        row = require(tx, group, group_id, "group")
        if values.get("domain_id", row.domain_id) != row.domain_id:
            raise BadRequest("Cannot change Domain ID")
        if "name" in values:
            refuse_duplicate(tx, group, "group", group_id, name=values["name"], domain_id=row.domain_id)
        wanted: dict[str, Any] = {"extra": {**row.extra, **values.get("extra", {})}}
        if "name" in values:
            wanted["name"] = values["name"]
        if "description" in values:
            wanted["description"] = values["description"] or ""
        rows.change(tx, group, group_id, wanted)
        audit.record(tx, "updated", "group", group_id)
        return require(tx, group, group_id, "group")


def delete(core: Core, group_id: str) -> None:
    with core.db.write() as tx:
        require(tx, group, group_id, "group")
        assignments.forget_actor(tx, group_id)
        rows.remove(tx, group, group_id)
        audit.record(tx, "deleted", "group", group_id)


def members(core: Core, group_id: str, filters: Mapping[str, Any]) -> list[User]:
    with core.db.read() as tx:
        require(tx, group, group_id, "group")
        return users_of(core).index(tx, {"id": [row.id for row in store.members(tx, group_id, filters)]})


def of_user(core: Core, user_id: str, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        require(tx, user, user_id, "user")
        return store.of_user(tx, user_id, filters)


def add_member(core: Core, group_id: str, user_id: str) -> None:
    with core.db.write() as tx:
        require(tx, group, group_id, "group")
        require(tx, user, user_id, "user")
        store.add_member(tx, group_id, user_id)
        audit.record(tx, "added", "group", group_id, user=user_id)


def check_member(core: Core, group_id: str, user_id: str) -> None:
    """:raises NotFound: the user is not in the group."""
    with core.db.read() as tx:
        require(tx, group, group_id, "group")
        require(tx, user, user_id, "user")
        if not store.is_member(tx, group_id, user_id):
            raise NotFound(f"User '{user_id}' not found in group '{group_id}'.")


def remove_member(core: Core, group_id: str, user_id: str) -> None:
    """:raises NotFound: the user is not in the group."""
    with core.db.write() as tx:
        require(tx, group, group_id, "group")
        require(tx, user, user_id, "user")
        if not store.remove_member(tx, group_id, user_id):
            raise NotFound(f"User '{user_id}' not found in group '{group_id}'.")
        audit.record(tx, "removed", "group", group_id, user=user_id)
