"""Tokens: issuing, validating, revoking. A token is a Fernet message; nothing is stored when one is issued.

Source: Identity API v3, "Authentication and token management".
"""

from __future__ import annotations

import base64
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity import tables
from tane.services.identity.domain import audit
from tane.services.identity.domain.passwords import check_password, hash_password
from tane.services.identity.schemas import AuthIn, DomainRef, ProjectRef, ScopeIn, UserRef
from tane.services.identity.store import assignments, rows
from tane.services.identity.store import audit as audit_store
from tane.services.identity.store import tokens as store
from tane.web.errors import BadRequest, Forbidden, NotFound, Unauthorized

ScopeKind = Literal["project", "domain", "system", "unscoped"]
REFUSED = "The request you have made requires authentication."
EPOCH = datetime(1970, 1, 1)
CACHE_SIZE = 10_000
CACHE_SECONDS = 5.0


class Payload(msgspec.Struct, array_like=True):
    """What a token carries. Times are microseconds since 1970."""

    user_id: str
    methods: list[str]
    scope: ScopeKind
    scope_id: str
    issued_at: int
    expires_at: int
    audit_ids: list[str]


@dataclass(frozen=True)
class Token:
    """A token that was found valid, with everything it stands for now."""

    payload: Payload
    user: Row[Any]
    user_domain: Row[Any]
    target: Row[Any] | None
    target_domain: Row[Any] | None
    roles: tuple[tuple[str, str], ...]

    @property
    def issued_at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.payload.issued_at)

    @property
    def expires_at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.payload.expires_at)


class TokenMemory:
    """Process-local: the cipher, catalogues, tokens validated a moment ago. A change of identity data empties it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cipher: MultiFernet | None = None
        self._valid: dict[str, tuple[Token, datetime]] = {}
        self._number: int | None = None
        self.catalogs: dict[str, list[dict[str, Any]]] = {}
        """The catalogue as each project sees it."""

    def refresh(self, core: Core) -> None:
        """Forget everything when identity data has changed since, in this process or another one."""
        number = core.db.glance(audit_store.NUMBER)
        with self._lock:
            if number != self._number:
                self._valid.clear()
                self.catalogs = {}
                self._number = number

    def cipher(self, core: Core) -> MultiFernet:
        if self._cipher is None:
            with core.db.read() as tx:
                keys = store.keys(tx)
            self._cipher = MultiFernet([Fernet(key) for key in keys])
        return self._cipher

    def recall(self, token: str, now: datetime) -> Token | None:
        entry = self._valid.get(token)
        if entry is None or entry[1] < now or entry[0].expires_at <= now:
            return None
        return entry[0]

    def remember(self, token: str, valid: Token, now: datetime) -> None:
        with self._lock:
            if len(self._valid) >= CACHE_SIZE:
                self._valid.clear()
            self._valid[token] = (valid, now + timedelta(seconds=CACHE_SECONDS))


def memory(core: Core) -> TokenMemory:
    found = core.memory.get("identity.tokens")
    if not isinstance(found, TokenMemory):
        found = core.memory.setdefault("identity.tokens", TokenMemory())
    return found


def changed(core: Core, tx: Tx) -> None:
    """To be called in every transaction that changes who may do what."""
    audit_store.bump(tx)


def authenticate(core: Core, auth: AuthIn) -> tuple[str, Token]:
    """Check the credentials and scope asked for; returns the token's text and what it stands for.

    :raises Unauthorized: wrong credentials, disabled user, no role on the scope. :raises BadRequest: unknown method.
    """
    try:
        return _authenticate(core, auth)
    except Unauthorized as error:
        given = auth.identity.password.user if auth.identity.password else None
        with core.db.write() as tx:
            audit.login_failed(tx, given.id or "" if given else "", given.name or "" if given else "", error.message)
        raise


def _authenticate(core: Core, auth: AuthIn) -> tuple[str, Token]:
    methods = list(dict.fromkeys(auth.identity.methods))
    audit = [_audit_id()]
    expires: datetime | None = None
    with core.db.read() as tx:
        user: Row[Any] | None = None
        for method in methods:
            if method == "password":
                if auth.identity.password is None:
                    raise BadRequest("Expecting to find password in identity.")
                candidate = _by_password(tx, auth.identity.password.user, core.config.bcrypt_rounds)
            elif method == "token":
                if auth.identity.token is None:
                    raise BadRequest("Expecting to find token in identity.")
                old = validate(core, auth.identity.token.id, tx)
                candidate, expires = old.user, old.expires_at
                methods = list(dict.fromkeys([*methods, *old.payload.methods]))
                audit.append(old.payload.audit_ids[-1])
            else:
                raise Unauthorized(f"Attempted to authenticate with an unsupported method: {method}.")
            if user is not None and candidate.id != user.id:
                raise Unauthorized(REFUSED)
            user = candidate
        assert user is not None
        kind, target_id = _scope(tx, auth.scope, user)
        now = tx.now
        payload = Payload(
            user_id=user.id,
            methods=methods,
            scope=kind,
            scope_id=target_id,
            issued_at=_micro(now),
            expires_at=_micro(expires or now + timedelta(seconds=core.config.token_ttl)),
            audit_ids=audit,
        )
        valid = _load(tx, payload)
    text = memory(core).cipher(core).encrypt(msgspec.msgpack.encode(payload)).decode().rstrip("=")
    memory(core).remember(text, valid, now)
    return text, valid


def validate(core: Core, text: str, tx: Tx | None = None, *, allow_expired: bool = False) -> Token:
    """What a token stands for now. :raises Unauthorized: not valid (any more)."""
    memory(core).refresh(core)
    remembered = memory(core).recall(text, core.clock.now())
    if remembered is not None:
        return remembered
    padded = text + "=" * (-len(text) % 4)
    try:
        payload = msgspec.msgpack.decode(memory(core).cipher(core).decrypt(padded.encode()), type=Payload)
    except (InvalidToken, msgspec.DecodeError, UnicodeEncodeError):
        raise Unauthorized(REFUSED) from None
    if tx is None:
        with core.db.read() as own:
            return _validate_in(core, own, text, payload, allow_expired)
    return _validate_in(core, tx, text, payload, allow_expired)


def _validate_in(core: Core, tx: Tx, text: str, payload: Payload, allow_expired: bool) -> Token:
    if payload.expires_at <= _micro(tx.now) and not allow_expired:
        raise Unauthorized(REFUSED)
    valid = _load(tx, payload)
    if valid.user.revoke_before is not None and payload.issued_at <= _micro(valid.user.revoke_before):
        raise Unauthorized(REFUSED)
    if store.is_revoked(tx, payload.audit_ids[0]):
        raise Unauthorized(REFUSED)
    memory(core).remember(text, valid, tx.now)
    return valid


def revoke(core: Core, text: str) -> None:
    """Make a token invalid. :raises NotFound: when it is not valid already."""
    try:
        valid = validate(core, text)
    except Unauthorized:
        raise NotFound("Could not find token.") from None
    with core.db.write() as tx:
        store.revoke(tx, valid.payload.audit_ids[0], valid.expires_at)
        audit.record(tx, "revoked", "token", valid.payload.audit_ids[0])


def new_key() -> str:
    return Fernet.generate_key().decode()


def _by_password(tx: Tx, wanted: UserRef, rounds: int) -> Row[Any]:
    if wanted.id:
        user = rows.get(tx, tables.user, wanted.id)
    else:
        if not wanted.name or wanted.domain is None:
            raise BadRequest("Expecting to find domain in user. The server could not comply with the request.")
        domain = _domain(tx, wanted.domain)
        found = rows.find(tx, tables.user, {"name": wanted.name, "domain_id": domain.id}) if domain else []
        user = found[0] if found else None
    if user is None or not user.password_hash:
        # A missing user costs what a wrong password costs, so that names cannot be found out by the clock.
        hash_password(wanted.password, rounds)
        raise Unauthorized(REFUSED)
    if not check_password(wanted.password, user.password_hash):
        raise Unauthorized(REFUSED)
    return user


def _domain(tx: Tx, wanted: DomainRef) -> Row[Any] | None:
    filters = {"id": wanted.id} if wanted.id else {"name": wanted.name}
    found = rows.find(tx, tables.project, {**filters, "is_domain": True})
    return found[0] if found else None


def _scope(tx: Tx, scope: ScopeIn | str | None, user: Row[Any]) -> tuple[ScopeKind, str]:
    if isinstance(scope, str) or (scope is not None and scope.unscoped is not None):
        return "unscoped", ""
    if scope is None:
        default = user.default_project_id
        if default and assignments.effective_roles(tx, user.id, "project", default):
            return "project", default
        return "unscoped", ""
    if scope.project is not None:
        return "project", _scope_project(tx, scope.project).id
    if scope.domain is not None:
        domain = _domain(tx, scope.domain)
        if domain is None:
            raise Unauthorized(REFUSED)
        return "domain", domain.id
    if scope.system is not None and scope.system.all:
        return "system", "all"
    raise BadRequest("Expecting to find one of project, domain, system or unscoped in scope.")


def _scope_project(tx: Tx, wanted: ProjectRef) -> Row[Any]:
    if wanted.id:
        found = rows.get(tx, tables.project, wanted.id)
    else:
        if wanted.domain is None or not wanted.name:
            raise BadRequest("Expecting to find domain in project. The server could not comply with the request.")
        domain = _domain(tx, wanted.domain)
        matches = rows.find(tx, tables.project, {"name": wanted.name, "domain_id": domain.id}) if domain else []
        found = matches[0] if matches else None
    if found is None:
        raise Unauthorized(REFUSED)
    return found


def _load(tx: Tx, payload: Payload) -> Token:
    user = rows.get(tx, tables.user, payload.user_id)
    if user is None or not user.enabled:
        raise Unauthorized(REFUSED)
    if user.password_expires_at is not None and user.password_expires_at <= tx.now:
        raise Unauthorized("The password is expired and needs to be changed for user: " + user.id + ".")
    user_domain = rows.get(tx, tables.project, user.domain_id)
    if user_domain is None or not user_domain.enabled:
        raise Unauthorized(REFUSED)
    target = target_domain = None
    roles: tuple[tuple[str, str], ...] = ()
    if payload.scope in ("project", "domain"):
        target = rows.get(tx, tables.project, payload.scope_id)
        if target is None or not target.enabled:
            raise Unauthorized(REFUSED)
        if payload.scope == "project":
            target_domain = rows.get(tx, tables.project, target.domain_id)
            if target_domain is None or not target_domain.enabled:
                raise Unauthorized(REFUSED)
    if payload.scope != "unscoped":
        found = assignments.effective_roles(tx, user.id, payload.scope, payload.scope_id)
        roles = tuple((row.id, row.name) for row in found)
        if not roles:
            raise Unauthorized(f"User {user.id} has no access to {payload.scope} {payload.scope_id}")
    return Token(payload, user, user_domain, target, target_domain, roles)


def require_own_or_admin(caller_user_id: str, is_admin: bool, user_id: str, rule: str) -> None:
    """Some calls are open to the user they are about. :raises Forbidden: for everyone else but administrators."""
    if not is_admin and caller_user_id != user_id:
        raise Forbidden(f"You are not authorized to perform the requested action: {rule}.")


def _audit_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


def _micro(moment: datetime) -> int:
    return int((moment.replace(tzinfo=UTC) - EPOCH.replace(tzinfo=UTC)) / timedelta(microseconds=1))
