"""Users. Changing a password, or disabling a user, ends every token issued before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, require, require_field
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.methods import refusal
from tane.services.identity.domain.passwords import check_strength, hash_password, refuse_old, waste_time
from tane.services.identity.domain.projects import DEFAULT_DOMAIN
from tane.services.identity.domain.tokens import REFUSED, user_at
from tane.services.identity.drivers import User, users_of
from tane.services.identity.store import assignments, credentials, rows
from tane.services.identity.tables import project
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized

ATTRIBUTES = ("name", "description", "enabled", "default_project_id")


def show(core: Core, user_id: str) -> User:
    with core.db.read() as tx:
        return _require(core, tx, user_id)


def index(core: Core, filters: Mapping[str, Any]) -> list[User]:
    with core.db.read() as tx:
        return users_of(core).index(tx, filters)


def create(core: Core, values: dict[str, Any]) -> User:
    """:raises NotFound: unknown domain. :raises Conflict: the name is taken in the domain."""
    require_field(values, "name")
    hashed = _hash(core, values.get("password"))
    domain_id = values.get("domain_id") or DEFAULT_DOMAIN
    with core.db.write() as tx:
        require(tx, project, domain_id, "domain", is_domain=True)
        _refuse_duplicate(core, tx, values["name"], domain_id)
        _check_default_project(tx, values)
        user_id = new_id()
        wanted = {name: values[name] for name in ATTRIBUTES if name in values}
        users_of(core).create(
            tx,
            user_id,
            {
                "enabled": True,
                **wanted,
                "domain_id": domain_id,
                "password_hash": hashed,
                "options": _options({}, values),
                "extra": values.get("extra", {}),
            },
        )
        audit.record(tx, "created", "user", user_id)
        return _require(core, tx, user_id)


def update(core: Core, user_id: str, values: dict[str, Any]) -> User:
    """:raises NotFound: no such user. :raises Conflict: the name is taken. :raises BadRequest: another domain."""
    hashed = _hash(core, values.get("password"))
    with core.db.write() as tx:
        user = _require(core, tx, user_id)
        if values.get("domain_id", user.domain_id) != user.domain_id:
            raise BadRequest("Cannot change the domain_id of a user.")
        if values.get("name", user.name) != user.name:
            _refuse_duplicate(core, tx, values["name"], user.domain_id, user_id)
        _check_default_project(tx, values)
        wanted = {name: values[name] for name in ATTRIBUTES if name in values}
        wanted["options"] = _options(user.options, values)
        wanted["extra"] = {**user.extra, **values.get("extra", {})}
        if hashed is not None:
            wanted["password_hash"] = hashed
        users_of(core).update(tx, user_id, wanted)
        # Whom inactivity has disabled nobody has told so: the tokens end when an administrator enables the user again.
        ended = hashed is not None or ("enabled" in wanted and not (wanted["enabled"] and user.enabled))
        if ended:
            users_of(core).end_tokens(tx, user_id)
        audit.record(tx, "updated", "user", user_id, **({"tokens": "revoked"} if ended else {}))
        return _require(core, tx, user_id)


def change_password(core: Core, user_id: str, original: str, password: str) -> None:
    """What users do themselves, also when the password has expired.

    :raises Unauthorized: the original password is wrong, or the account locked. :raises Forbidden: ``lock_password``.
    :raises BadRequest: the new password breaks a rule.
    """
    driver = users_of(core)
    with Desk(core) as desk:
        user = user_at(desk, user_id)
        reason = refusal(desk, user)
        old = driver.old_passwords(desk.tx, user_id) if user is not None and not reason else []
    if user is None or reason:
        waste_time(original, core.config.bcrypt_rounds)
    elif not driver.check_password(user, original):
        reason = REFUSED
        with core.db.write() as tx:
            driver.login_failed(tx, user)
    if user is None or reason:
        audit.login_failed(core, user_id, user.name if user else "", reason)
        raise Unauthorized(REFUSED)
    if user.options.get("lock_password"):
        raise Forbidden(
            "You cannot change your password at this time due to password policy disallowing password changes. Please "
            "contact your administrator to reset your password."
        )
    check_strength(core.config, password)
    refuse_old(core.config, password, old)
    hashed = hash_password(password, core.config.bcrypt_rounds)
    with core.db.write() as tx:
        now = _require(core, tx, user_id)
        if now.password_hash != user.password_hash or driver.login_refused(tx, user):
            raise Unauthorized(REFUSED)
        driver.refuse_early_change(tx, user)
        driver.change_password(tx, user, hashed)
        audit.record(tx, "updated", "user", user_id, password="changed", tokens="revoked")


def delete(core: Core, user_id: str) -> None:
    with core.db.write() as tx:
        _require(core, tx, user_id)
        remove(core, tx, user_id)
        audit.record(tx, "deleted", "user", user_id)


def remove(core: Core, tx: Tx, user_id: str) -> None:
    """Delete a user with all that hangs on it: assignments, credentials, trusts, application credentials."""
    assignments.forget_actor(tx, user_id)
    credentials.forget_user(tx, user_id)
    users_of(core).delete(tx, user_id)


def _require(core: Core, tx: Tx, user_id: str) -> User:
    user = users_of(core).get(tx, user_id)
    if user is None:
        raise NotFound(f"Could not find user: {user_id}.")
    return user


def _hash(core: Core, password: str | None) -> str | None:
    if not password:
        return None
    check_strength(core.config, password)
    return hash_password(password, core.config.bcrypt_rounds)


def _options(present: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The options after a change; one that is set to null is gone."""
    merged = {**present, **values.get("options", {})}
    return {name: value for name, value in merged.items() if value is not None}


def _refuse_duplicate(core: Core, tx: Tx, name: str, domain_id: str, own_id: str | None = None) -> None:
    found = users_of(core).named(tx, name, domain_id)
    if found is not None and found.id != own_id:
        raise Conflict(f"Conflict occurred attempting to store user - Duplicate entry found with name {name}.")


def _check_default_project(tx: Tx, values: Mapping[str, Any]) -> None:
    project_id = values.get("default_project_id")
    found = rows.get(tx, project, project_id) if project_id else None
    if found is not None and found.is_domain:
        raise BadRequest(f"User's default project ID cannot be a domain ID: {project_id}")
