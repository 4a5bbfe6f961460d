"""Tokens: what one stands for, validating, revoking. A token is a Fernet message; nothing is stored when one is issued.

Source: Identity API v3, "Authentication and token management".
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from cryptography.fernet import InvalidToken, MultiFernet
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity import tables
from tane.services.identity.domain import audit, guest_calls, keys
from tane.services.identity.domain.memory import Desk, NotRemembered, memory
from tane.services.identity.drivers import User, users_of
from tane.services.identity.store import app_credentials, assignments, implied_roles, rows
from tane.services.identity.store import tokens as store
from tane.web.errors import Forbidden, NotFound, Unauthorized

ScopeKind = Literal["project", "domain", "system", "unscoped"]
Role = tuple[str, str]
"""Id and name."""
REFUSED = "The request you have made requires authentication."
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)


class Payload(msgspec.Struct, array_like=True):
    """What a token carries. Times are microseconds since 1970.

    ``epoch`` adds up those of all that a token hangs on when it is issued: the users (with a trust all whom it goes
    through), the scope, and the domains of both. Each only ever grows, so the sum is the same only while all are.
    """

    user_id: str
    methods: list[str]
    scope: ScopeKind
    scope_id: str
    issued_at: int
    expires_at: int
    audit_ids: list[str]
    epoch: int
    trust_id: str = ""
    app_credential_id: str = ""
    access_token_id: str = ""


@dataclass(frozen=True)
class Standing:
    """What a user is on a scope, now. ``actor`` is who authenticated; with impersonation ``user`` is the trustor."""

    actor: User
    user: User
    user_domain: Row[Any]
    target: Row[Any] | None
    target_domain: Row[Any] | None
    roles: tuple[Role, ...]
    epoch: int
    trust: Row[Any] | None = None
    app_credential: Row[Any] | None = None
    access_token: Row[Any] | None = None
    access_rules: tuple[Any, ...] | None = None
    ends: datetime | None = None
    views: dict[Any, Any] = field(default_factory=dict, compare=False)
    """The encoded parts of responses made of it; they live as long as it does."""


@dataclass(frozen=True)
class Token:
    """A token that was found valid, with everything it stands for now."""

    payload: Payload
    standing: Standing

    @property
    def user(self) -> User:
        return self.standing.user

    @property
    def issued_at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.payload.issued_at)

    @property
    def expires_at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.payload.expires_at)


def seal(desk: Desk, payload: Payload) -> tuple[str, Token]:
    """Make the token of a payload: its text, and what it stands for. :raises Unauthorized: no role on the scope."""
    standing = stand(desk, payload)
    payload.epoch = standing.epoch
    text = keys.cipher(desk, keys.TOKEN).encrypt(msgspec.msgpack.encode(payload)).decode().rstrip("=")
    token = Token(payload, standing)
    desk.remember(("token", text), token)
    return text, token


def validate(core: Core, text: str, *, allow_expired: bool = False) -> Token:
    """What a token stands for now. :raises Unauthorized: not valid (any more)."""
    with Desk(core) as desk:
        return validate_at(desk, text, allow_expired=allow_expired)


def recall(core: Core, text: str) -> Token | None:
    """The same without waiting for the database: None when it would have to be asked, or the token is not valid."""
    try:
        with Desk(core, may_wait=False) as desk:
            return validate_at(desk, text)
    except (NotRemembered, Unauthorized):
        return None


def owner(core: Core, text: str) -> str | None:
    """Whose a token is by its own words: its project, else its user. None when it is none of this cloud's, or over.

    Asks no database: whether it was revoked is another question.
    """
    cipher = memory(core).opener
    if cipher is None:
        return None
    try:
        payload = _decrypted(cipher, text)
    except Unauthorized:
        return None
    if payload.expires_at <= micro(core.clock.now()):
        return None
    return payload.scope_id if payload.scope == "project" else payload.user_id


def _decrypted(cipher: MultiFernet, text: str) -> Payload:
    try:
        return msgspec.msgpack.decode(cipher.decrypt((text + "=" * (-len(text) % 4)).encode()), type=Payload)
    except (InvalidToken, msgspec.DecodeError, UnicodeEncodeError):
        raise Unauthorized(REFUSED) from None


def validate_at(desk: Desk, text: str, *, allow_expired: bool = False) -> Token:
    token = desk.known(("token", text), lambda tx: _open(desk, tx, text))
    window = desk.core.config.allow_expired_window if allow_expired else 0
    moment = micro(desk.now)
    if token.payload.expires_at + window * 1_000_000 <= moment:
        raise Unauthorized(REFUSED)
    if token.standing.ends is not None and token.standing.ends <= desk.now:
        raise Unauthorized(REFUSED)
    return token


def _open(desk: Desk, tx: Tx, text: str) -> Token:
    payload = _decrypted(keys.cipher(desk, keys.TOKEN), text)
    try:
        standing = stand(desk, payload)
    except Forbidden:
        raise Unauthorized(REFUSED) from None
    if payload.epoch != standing.epoch or store.is_revoked(tx, payload.audit_ids[0]):
        raise Unauthorized(REFUSED)
    return Token(payload, standing)


def is_revoked(desk: Desk, audit_id: str) -> bool:
    """Whether a token was revoked by itself; those of a user that end together have another epoch."""
    return bool(desk.known(("revoked", audit_id), lambda tx: store.is_revoked(tx, audit_id)))


def revoke(core: Core, text: str) -> None:
    """Make a token invalid. :raises NotFound: when it is not valid already."""
    try:
        valid = validate(core, text)
    except Unauthorized:
        raise NotFound("Could not find token.") from None
    kept_until = valid.expires_at + timedelta(seconds=core.config.allow_expired_window)
    with core.db.write() as tx:
        store.revoke(tx, valid.payload.audit_ids[0], kept_until)
        audit.record(tx, "revoked", "token", valid.payload.audit_ids[0])


def forget_revocations(core: Core) -> int:
    """Delete the revocations of tokens that have expired since; returns how many."""
    with core.db.write() as tx:
        return store.forget_revocations(tx, tx.now)


def user_at(desk: Desk, user_id: str) -> User | None:
    return desk.known(("user", user_id), lambda tx: users_of(desk.core).get(tx, user_id))


def project_at(desk: Desk, project_id: str) -> Row[Any] | None:
    """A project or domain."""
    return desk.known(("project", project_id), lambda tx: rows.get(tx, tables.project, project_id))


def stand(desk: Desk, payload: Payload) -> Standing:
    """What the user of a payload is on its scope. :raises Unauthorized: nothing (any more)."""
    delegation = (payload.trust_id, payload.app_credential_id, payload.access_token_id)
    key = ("standing", payload.user_id, payload.scope, payload.scope_id, *delegation)
    return desk.known(key, lambda tx: _stand(desk, tx, payload))


def _stand(desk: Desk, tx: Tx, payload: Payload) -> Standing:
    actor, actor_domain = enabled_user(desk, payload.user_id)
    target = target_domain = None
    if payload.scope in ("project", "domain"):
        target = _enabled_project(desk, payload.scope_id)
        if payload.scope == "project":
            target_domain = _enabled_project(desk, target.domain_id)
    if payload.trust_id:
        return _stand_by_trust(desk, tx, payload, actor, (actor_domain, target, target_domain))
    roles = tuple(
        (row.id, row.name) for row in assignments.effective_roles(tx, actor.id, payload.scope, payload.scope_id)
    )
    rules: tuple[Any, ...] | None = None
    app = access = None
    if payload.access_token_id:
        access = rows.get(tx, tables.access_token, payload.access_token_id)
        if access is None or (access.authorizing_user_id, access.project_id) != (actor.id, payload.scope_id):
            raise Unauthorized(REFUSED)
        roles = delegated_roles(tx, roles, access.role_ids)
    if payload.app_credential_id:
        app = rows.get(tx, tables.application_credential, payload.app_credential_id)
        if app is None or (app.user_id, app.project_id) != (actor.id, payload.scope_id):
            raise Unauthorized(REFUSED)
        roles = delegated_roles(tx, roles, app.role_ids)
        rules = tuple(app_credentials.rules_of(tx, [app.id])) if app.has_access_rules else None
    if actor.domain_id == guest_calls.DOMAIN:
        rules = guest_calls.CALLS
    if payload.scope != "unscoped" and not roles:
        raise Unauthorized(f"User {actor.id} has no access to {payload.scope} {payload.scope_id}")
    return Standing(
        actor=actor,
        user=actor,
        user_domain=actor_domain,
        target=target,
        target_domain=target_domain,
        roles=roles if payload.scope != "unscoped" else (),
        epoch=_epoch(actor, actor_domain, target, target_domain),
        app_credential=app,
        access_token=access,
        access_rules=rules,
        ends=next((one.expires_at for one in (app, access) if one is not None), None),
    )


def delegated_roles(tx: Tx, held: Sequence[Role], wanted: Sequence[str]) -> tuple[Role, ...]:
    """Of the roles that a user holds those that were delegated, with all that they imply.

    :raises Unauthorized: the user does not hold one of them (any more).
    """
    if not set(wanted) <= {role_id for role_id, _ in held}:
        raise Unauthorized(REFUSED)
    closed = implied_roles.closure(tx, wanted)
    return tuple(role for role in held if role[0] in closed)


def _stand_by_trust(desk: Desk, tx: Tx, payload: Payload, actor: User, places: Sequence[Any]) -> Standing:
    """The trustee with the roles of the trust, as long as the trustor (of every trust in the chain) has them."""
    trust = rows.get(tx, tables.trust, payload.trust_id)
    if trust is None or (trust.project_id or "") != payload.scope_id:
        raise Unauthorized(REFUSED)
    if trust.trustee_user_id != actor.id:
        raise Forbidden("User is not a trustee.")
    trustor, trustor_domain = enabled_user(desk, trust.trustor_user_id)
    root = trust
    actor_domain, target, target_domain = places
    ends, epoch = [trust.expires_at], _epoch(actor, *places, trustor, trustor_domain)
    while root.redelegated_trust_id:
        parent = rows.get(tx, tables.trust, root.redelegated_trust_id)
        if parent is None:
            raise Unauthorized(REFUSED)
        for user_id in (parent.trustee_user_id, parent.trustor_user_id):
            epoch += _epoch(*enabled_user(desk, user_id))
        root = parent
        ends.append(root.expires_at)
    held = assignments.effective_roles(tx, root.trustor_user_id, payload.scope, payload.scope_id)
    try:
        roles = delegated_roles(tx, [(row.id, row.name) for row in held], trust.role_ids)
    except Unauthorized:
        raise Forbidden("Trustor has no longer all roles of the trust.") from None
    return Standing(
        actor=actor,
        user=trustor if trust.impersonation else actor,
        user_domain=trustor_domain if trust.impersonation else actor_domain,
        target=target,
        target_domain=target_domain,
        roles=roles,
        epoch=epoch,
        trust=trust,
        ends=min((end for end in ends if end is not None), default=None),
    )


def _epoch(*parts: User | Row[Any] | None) -> int:
    return sum(part.token_epoch for part in parts if part is not None)


def enabled_user(desk: Desk, user_id: str) -> tuple[User, Row[Any]]:
    """A user and its domain. :raises Unauthorized: one of them does not exist or is disabled."""
    user = user_at(desk, user_id)
    if user is None or not user.enabled:
        raise Unauthorized(REFUSED)
    return user, _enabled_project(desk, user.domain_id)


def _enabled_project(desk: Desk, project_id: str) -> Row[Any]:
    project = project_at(desk, project_id)
    if project is None or not project.enabled:
        raise Unauthorized(REFUSED)
    return project


def audit_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


def micro(moment: datetime) -> int:
    """Microseconds since 1970 of a naive UTC moment."""
    return (moment - EPOCH) // MICROSECOND
