"""The ways to prove who one is: password, token, application credential, one-time password.

Each returns a :class:`Proof` or raises Unauthorized. What takes time (a key derivation) runs without a transaction.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tane.services.identity import tables
from tane.services.identity.domain import audit, keys
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.passwords import check_password, waste_time
from tane.services.identity.domain.tokens import REFUSED, Token, enabled_user, user_at, validate_at
from tane.services.identity.drivers import User, users_of
from tane.services.identity.schemas import AppCredentialMethod, DomainRef, IdentityIn, UserNamed
from tane.services.identity.store import app_credentials, credentials, rows, scopes
from tane.web.errors import ApiError, BadRequest, Forbidden, NotFound, Unauthorized

T = TypeVar("T")
TOTP_SECONDS = 30


@dataclass(frozen=True)
class Proof:
    """Who was proven, and what the proof passes on to the token made of it."""

    user: User
    methods: tuple[str, ...]
    expires_at: datetime | None = None
    audit_id: str | None = None
    app_credential_id: str = ""
    project_id: str = ""


Method = Callable[[Desk, IdentityIn], Proof]


def by_password(desk: Desk, identity: IdentityIn) -> Proof:
    """A right password is remembered for a while (never stored), a wrong one is counted."""
    given = _given(identity.password, "password").user
    user, driver = find_user(desk, given), users_of(desk.core)
    if user is None or not user.enabled:
        desk.must_wait()
        desk.close()
        # A missing user costs what a wrong password costs, so that names cannot be found out by the clock.
        waste_time(given.password, desk.core.config.bcrypt_rounds)
        raise Unauthorized(REFUSED)
    if driver.notes_logins:
        refused = driver.login_refused(desk.tx, user)
        if refused:
            raise Unauthorized(refused)
    enabled_user(desk, user.id)
    if not desk.memory.verifies(user, given.password, desk.now):
        desk.must_wait()
        desk.close()
        right = driver.check_password(user, given.password)
        if not right:
            with desk.core.db.write() as tx:
                driver.login_failed(tx, user)
            raise Unauthorized(REFUSED)
        desk.memory.remember_password(user, given.password, _until(desk))
    if password_expired(user, desk.now):
        raise Unauthorized(f"The password is expired and needs to be changed for user: {user.id}.")
    if driver.notes_logins:
        desk.close()
        with desk.core.db.write() as tx:
            driver.logged_in(tx, user)
    return Proof(user, ("password",))


def _until(desk: Desk) -> datetime:
    """How long a right password is remembered."""
    return desk.now + timedelta(seconds=desk.core.config.password_verifier_ttl)


def password_expired(user: User, now: datetime) -> bool:
    exempt = user.options.get("ignore_password_expiry")
    return not exempt and user.password_expires_at is not None and user.password_expires_at <= now


def by_token(desk: Desk, identity: IdentityIn) -> Proof:
    """A token of a trust makes no other one; what a token makes ends when it does.

    :raises NotFound: the token is not valid: Keystone answers 404 here, too.
    """
    try:
        old: Token = validate_at(desk, _given(identity.token, "token").id)
    except Unauthorized:
        raise NotFound("Failed to validate token") from None
    if old.payload.trust_id:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using trust-scoped token to create another token. "
            "Create a new trust-scoped token instead."
        )
    return Proof(
        old.user,
        ("token", *old.payload.methods),
        old.expires_at,
        old.payload.audit_ids[-1],
        old.payload.app_credential_id,
        old.payload.scope_id if old.payload.app_credential_id else "",
    )


def by_application_credential(desk: Desk, identity: IdentityIn) -> Proof:
    given: AppCredentialMethod = _given(identity.application_credential, "application_credential")
    app_id = given.id
    if app_id:
        found = desk.known(
            ("application credential", app_id), lambda tx: rows.get(tx, tables.application_credential, app_id)
        )
    elif given.name and given.user is not None:
        owner = find_user(desk, given.user)
        found = app_credentials.named(desk.tx, owner.id, given.name) if owner else None
    elif given.name:
        raise BadRequest("Expecting to find user in application credential.")
    else:
        raise BadRequest("Expecting to find id or name in application credential.")
    user = user_at(desk, found.user_id) if found is not None else None
    if found is None or user is None or (found.expires_at is not None and found.expires_at <= desk.now):
        desk.must_wait()
        desk.close()
        waste_time(given.secret, desk.core.config.bcrypt_rounds)
        raise Unauthorized(REFUSED)
    enabled_user(desk, user.id)
    secret = f"{found.id}:{found.secret_hash}:{given.secret}"
    if not desk.memory.verifies(user, secret, desk.now, found.id):
        desk.must_wait()
        desk.close()
        if not check_password(given.secret, found.secret_hash):
            raise Unauthorized(REFUSED)
        desk.memory.remember_password(user, secret, _until(desk), found.id)
    return Proof(user, ("application_credential",), None, None, found.id, found.project_id)


def by_totp(desk: Desk, identity: IdentityIn) -> Proof:
    """A passcode of one of the user's seeds (RFC 6238)."""
    given = _given(identity.totp, "totp").user
    user = find_user(desk, given)
    if user is None:
        raise Unauthorized(REFUSED)
    enabled_user(desk, user.id)
    config, cipher = desk.core.config, keys.cipher(desk, keys.CREDENTIAL)
    moment = (desk.now - datetime(1970, 1, 1)).total_seconds()
    for row in credentials.of_user(desk.tx, user.id, "totp"):
        seed = seed_of(cipher.decrypt(row.encrypted_blob.encode()).decode())
        if seed is None:
            continue
        codes = TOTP(seed, 6, SHA1(), TOTP_SECONDS, enforce_key_length=False)
        for back in range(config.totp_previous_windows + 1):
            if codes.generate(int(moment) - back * TOTP_SECONDS).decode() == given.passcode:
                return Proof(user, ("totp",))
    raise Unauthorized("Invalid username or TOTP passcode")


def seed_of(blob: str) -> bytes | None:
    """The secret of a credential of type totp, None when it is not in base 32."""
    text = blob.strip().upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        return None


METHODS: dict[str, Method] = {
    "password": by_password,
    "token": by_token,
    "application_credential": by_application_credential,
    "totp": by_totp,
}


def find_user(desk: Desk, given: UserNamed) -> User | None:
    """The user that an id, or a name with a domain, tells. :raises BadRequest: neither is given."""
    if given.id:
        return user_at(desk, given.id)
    if not given.name:
        raise BadRequest("Expecting to find id or name in user.")
    if given.domain is None:
        raise BadRequest("Expecting to find domain in user.")
    domain_id = find_domain(desk, given.domain)
    if domain_id is None:
        return None
    name = given.name
    return desk.known(("user named", domain_id, name), lambda tx: users_of(desk.core).named(tx, name, domain_id))


def find_domain(desk: Desk, given: DomainRef) -> str | None:
    """The id of a domain that exists."""
    if not given.id and not given.name:
        raise BadRequest("Expecting to find id or name in domain.")
    key = ("domain named", given.id, given.name)
    return desk.known(key, lambda tx: scopes.domain_id(tx, given.id, given.name))


def note_failure(desk: Desk, identity: IdentityIn, error: ApiError) -> None:
    """Write a refused login into the audit trail."""
    given: UserNamed | None = None
    for method in (identity.password, identity.totp, identity.application_credential):
        given = given or (method.user if method is not None else None)
    desk.close()
    with desk.core.db.write() as tx:
        user_id, name = ((given.id or ""), (given.name or "")) if given else ("", "")
        audit.login_failed(tx, user_id, name, error.message, error.status)


def _given(part: T | None, name: str) -> T:
    if part is None:
        raise BadRequest(f"Expecting to find {name} in identity.")
    return part
