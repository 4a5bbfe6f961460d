"""Users. Changing a password, or disabling a user, ends every token issued before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, refuse_duplicate, require, require_field
from tane.services.identity.domain.passwords import check_password, hash_password
from tane.services.identity.domain.projects import DEFAULT_DOMAIN
from tane.services.identity.store import assignments, rows
from tane.services.identity.tables import project, user
from tane.web.errors import BadRequest, Unauthorized


def show(core: Core, user_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, user, user_id, "user")


def index(core: Core, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, user, filters)


def create(core: Core, values: dict[str, Any]) -> Row[Any]:
    """:raises NotFound: unknown domain. :raises Conflict: the name is taken in the domain."""
    require_field(values, "name")
    password = values.get("password")
    hashed = hash_password(password, core.config.bcrypt_rounds) if password else None
    domain_id = values.get("domain_id") or DEFAULT_DOMAIN
    with core.db.write() as tx:
        require(tx, project, domain_id, "domain", is_domain=True)
        refuse_duplicate(tx, user, "user", name=values["name"], domain_id=domain_id)
        user_id = values.get("id") or new_id()
        rows.add(
            tx,
            user,
            {
                "id": user_id,
                "name": values["name"],
                "domain_id": domain_id,
                "default_project_id": values.get("default_project_id"),
                "description": values.get("description"),
                "enabled": values.get("enabled", True),
                "password_hash": hashed,
                "options": values.get("options", {}),
                "extra": values.get("extra", {}),
                "created_at": tx.now,
            },
        )
        audit.record(tx, "created", "user", user_id)
        return require(tx, user, user_id, "user")


def update(core: Core, user_id: str, values: dict[str, Any]) -> Row[Any]:
    password = values.get("password")
    hashed = hash_password(password, core.config.bcrypt_rounds) if password else None
    with core.db.write() as tx:
        row = require(tx, user, user_id, "user")
        if values.get("domain_id", row.domain_id) != row.domain_id:
            raise BadRequest("Cannot change the domain_id of a user.")
        if "name" in values:
            refuse_duplicate(tx, user, "user", user_id, name=values["name"], domain_id=row.domain_id)
        names = ("name", "description", "enabled", "default_project_id", "options")
        wanted = {name: values[name] for name in names if name in values}
        wanted["extra"] = {**row.extra, **values.get("extra", {})}
        if hashed is not None:
            wanted["password_hash"] = hashed
        if hashed is not None or wanted.get("enabled") is False:
            wanted["revoke_before"] = tx.now
        rows.change(tx, user, user_id, wanted)
        audit.record(tx, "updated", "user", user_id)
        return require(tx, user, user_id, "user")


def change_password(core: Core, user_id: str, original: str, password: str) -> None:
    """:raises Unauthorized: the original password is wrong. :raises BadRequest: the new one equals it."""
    row = show(core, user_id)
    if not check_password(original, row.password_hash):
        raise Unauthorized("The request you have made requires authentication.")
    if original == password:
        raise BadRequest("The new password must differ from the original one.")
    update(core, user_id, {"password": password})


def delete(core: Core, user_id: str) -> None:
    with core.db.write() as tx:
        require(tx, user, user_id, "user")
        assignments.forget_actor(tx, user_id)
        rows.remove(tx, user, user_id)
        audit.record(tx, "deleted", "user", user_id)
