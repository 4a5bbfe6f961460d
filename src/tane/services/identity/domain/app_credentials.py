"""Application credentials: a user's roles on a project for a program, with a secret of its own; and access rules.

Source: Identity API v3, "Application Credentials". One stops to work when its user loses one of its roles.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit, tokens
from tane.services.identity.domain.common import new_id, require, require_room
from tane.services.identity.domain.passwords import hash_password
from tane.services.identity.domain.trusts import role_ids
from tane.services.identity.store import app_credentials as store
from tane.services.identity.store import implied_roles, rows
from tane.services.identity.tables import access_rule, application_credential, role
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound


@dataclass(frozen=True)
class AppCredential:
    """A credential with what it is for."""

    row: Row[Any]
    roles: list[Row[Any]]
    access_rules: list[Row[Any]]


def show(core: Core, credential_id: str) -> AppCredential:
    """Whether the caller may is decided by whose it is, not by the user in the path."""
    with core.db.read() as tx:
        return _whole(tx, [_require(tx, credential_id)])[0]


def index(core: Core, user_id: str, filters: Mapping[str, Any]) -> list[AppCredential]:
    with core.db.read() as tx:
        return _whole(tx, rows.find(tx, application_credential, {"user_id": user_id, **filters}))


def create(core: Core, ctx: Context, user_id: str, values: Mapping[str, Any]) -> tuple[AppCredential, str]:
    """Returns the credential and its secret, which is kept nowhere.

    :raises Forbidden: a delegated caller, or another user's. :raises BadRequest: a role the caller does not have.
    :raises Conflict: the user has one of this name.
    """
    refuse_delegated(ctx)
    refuse_restricted(ctx)
    if ctx.user_id != user_id:
        raise Forbidden(
            "You are not authorized to perform the requested action: Cannot create an application credential for "
            "another user."
        )
    if not ctx.project_id:
        raise BadRequest("A project-scoped token is required to create an application credential.")
    own = [role_id for role_id, _ in tokens.validate(core, ctx.token).standing.roles]
    secret = values.get("secret") or base64.urlsafe_b64encode(secrets.token_bytes(64)).decode().rstrip("=")
    hashed = hash_password(secret, core.config.bcrypt_rounds)
    with core.db.write() as tx:
        if values.get("expires_at") is not None and values["expires_at"] <= tx.now:
            raise BadRequest("The 'expires_at' must not be before now. The server could not comply with the request.")
        if store.named(tx, user_id, values["name"]) is not None:
            raise Conflict(
                "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
                f"{values['name']}."
            )
        require_room(
            tx,
            application_credential,
            core.config.application_credential,
            "application credentials",
            user_id=user_id,
        )
        wanted = implied_roles.closure(tx, role_ids(tx, values["roles"])) if values.get("roles") else own
        if not set(wanted) <= set(own):
            raise BadRequest(
                "Invalid application credential: Cannot create an application credential with unassigned role"
            )
        rules = _rules(core, tx, user_id, values.get("access_rules") or [])
        credential_id = new_id()
        rows.add(
            tx,
            application_credential,
            {
                "id": credential_id,
                "name": values["name"],
                "user_id": user_id,
                "project_id": ctx.project_id,
                "secret_hash": hashed,
                "description": values.get("description"),
                "expires_at": values.get("expires_at"),
                "unrestricted": bool(values.get("unrestricted")),
                "role_ids": wanted,
                "has_access_rules": bool(rules),
                "created_at": tx.now,
            },
        )
        store.add_rules(tx, credential_id, rules)
        audit.record(tx, "created", "application_credential", credential_id)
        return _whole(tx, [_require(tx, credential_id)])[0], secret


def delete(core: Core, ctx: Context, credential_id: str) -> None:
    refuse_delegated(ctx)
    refuse_restricted(ctx)
    with core.db.write() as tx:
        _require(tx, credential_id)
        rows.remove(tx, application_credential, credential_id)
        audit.record(tx, "deleted", "application_credential", credential_id)


def show_rule(core: Core, user_id: str, rule_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, access_rule, rule_id, "Access Rule", user_id=user_id)


def index_rules(core: Core, user_id: str, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, access_rule, {"user_id": user_id, **filters})


def delete_rule(core: Core, user_id: str, rule_id: str) -> None:
    """:raises Forbidden: a credential uses it."""
    with core.db.write() as tx:
        require(tx, access_rule, rule_id, "Access Rule", user_id=user_id)
        if store.rule_in_use(tx, rule_id):
            raise Forbidden(f"Access Rule {rule_id} is in use by an application credential and can not be deleted.")
        rows.remove(tx, access_rule, rule_id)
        audit.record(tx, "deleted", "access_rule", rule_id)


def refuse_delegated(ctx: Context) -> None:
    """:raises Forbidden: the caller acts by a trust or as a consumer of OAuth: what it made would outlive that."""
    if ctx.trust_id or ctx.access_token_id:
        raise Forbidden("Cannot manage application credentials with a token issued via delegation.")


def refuse_restricted(ctx: Context) -> None:
    """:raises Forbidden: the caller is a restricted application credential."""
    if ctx.restricted:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using method 'application_credential' is not "
            "allowed for managing additional application credentials."
        )


def _require(tx: Tx, credential_id: str) -> Row[Any]:
    return require(tx, application_credential, credential_id, "Application Credential")


def _whole(tx: Tx, found: Sequence[Row[Any]]) -> list[AppCredential]:
    """With roles and access rules, in two queries."""
    if not found:
        return []
    roles = {row.id: row for row in rows.find(tx, role, {"id": list({r for one in found for r in one.role_ids})})}
    rules: dict[str, list[Row[Any]]] = {}
    for rule in store.rules_of(tx, [one.id for one in found]):
        rules.setdefault(rule.application_credential_id, []).append(rule)
    return [AppCredential(one, [roles[r] for r in one.role_ids if r in roles], rules.get(one.id, [])) for one in found]


def _rules(core: Core, tx: Tx, user_id: str, given: Sequence[Mapping[str, str]]) -> list[str]:
    """The ids of access rules: those of the user's that are named or are the same, else new ones.

    :raises NotFound: the user has none of this id. :raises Forbidden: the user has too many.
    """
    if not given:
        return []
    own = {str(row.id): (row.service, row.path, row.method) for row in rows.find(tx, access_rule, {"user_id": user_id})}
    same = {told: rule_id for rule_id, told in own.items()}
    new: list[dict[str, str]] = []
    found: dict[str, None] = {}
    for each in given:
        told = (each.get("service", ""), each.get("path", ""), each.get("method", ""))
        rule_id = each.get("id") or same.get(told)
        if each.get("id") and rule_id not in own:
            raise NotFound(f"Could not find Access Rule: {rule_id}.")
        if rule_id is None:
            if not all(told):
                raise BadRequest("An access rule needs service, path and method, or the id of one there is.")
            rule_id = same[told] = new_id()
            new.append({"id": rule_id, "user_id": user_id, "service": told[0], "path": told[1], "method": told[2]})
        found[rule_id] = None
    if new:
        require_room(tx, access_rule, core.config.access_rule, "access rules", more=len(new), user_id=user_id)
        store.make_rules(tx, new)
    return list(found)
