"""The ways to prove who one is: password, token, application credential, one-time password.

Each returns a :class:`Proof` or raises Unauthorized. What takes time (a key derivation) runs without a transaction.
"""

from __future__ import annotations

import base64
import hmac
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
from tane.services.identity.domain.tokens import REFUSED, Token, project_at, user_at, validate_at
from tane.services.identity.drivers import User, users_of
from tane.services.identity.schemas import AppCredentialMethod, DomainRef, IdentityIn, UserNamed
from tane.services.identity.store import app_credentials, credentials, rows, scopes
from tane.shares import Allowance
from tane.web.errors import ApiError, BadRequest, Forbidden, NotFound, Unauthorized

T = TypeVar("T")
TOTP_SECONDS = 30
PASSCODES, MOST_PASSCODES = 10, 100_000
"""That are looked at in a minute: of one user, and of all."""
TRIED = "identity.passcodes"
NO_PASSCODE = "Invalid TOTP passcode, or one that was used before."


@dataclass(frozen=True)
class Proof:
    """Who was proven, and what the proof passes on to the token made of it."""

    user: User
    methods: tuple[str, ...]
    expires_at: datetime | None = None
    audit_id: str | None = None
    app_credential_id: str = ""
    access_token_id: str = ""
    project_id: str = ""
    """That of a delegation, which no other can be asked for with."""
    of_system: bool = False
    """Whether it is a token of the system."""


Method = Callable[[Desk, IdentityIn], Proof]


class Refused(Unauthorized):
    """A refused login. The caller is not told why: that would tell which users there are, and which are locked."""

    def __init__(self, reason: str) -> None:
        super().__init__(REFUSED)
        self.reason = reason


def by_password(desk: Desk, identity: IdentityIn) -> Proof:
    """A right password is remembered for a while (never stored), a wrong one is counted."""
    given = _given(identity.password, "password").user
    user, driver = find_user(desk, given), users_of(desk.core)
    reason = refusal(desk, user)
    if user is None or reason:
        _waste_time(desk, given.password)
        raise Refused(reason)
    if not desk.memory.verifies(user, given.password, desk.now):
        desk.must_wait()
        desk.close()
        if not driver.check_password(user, given.password):
            with desk.core.db.write() as tx:
                driver.login_failed(tx, user)
            raise Unauthorized(REFUSED)
        desk.memory.remember_password(user, given.password, _until(desk))
    if password_expired(user, desk.now):
        raise Unauthorized(f"The password is expired and needs to be changed for user: {user.id}.")
    return Proof(user, ("password",))


def is_enabled(desk: Desk, user: User) -> bool:
    """Whether neither the user nor the user's domain is disabled."""
    domain = project_at(desk, user.domain_id)
    return user.enabled and domain is not None and domain.enabled


def refusal(desk: Desk, user: User | None) -> str:
    """Why nobody may log in as this user now, whatever the proof is; empty when nothing speaks against it."""
    if user is None:
        return "There is no such user."
    if not is_enabled(desk, user):
        return f"The account is disabled for user: {user.id}."
    driver = users_of(desk.core)
    return (driver.login_refused(desk.tx, user) or "") if driver.notes_logins else ""


def _waste_time(desk: Desk, secret: str) -> None:
    """What is refused unseen costs what a wrong password costs, so that names cannot be found out by the clock."""
    desk.must_wait()
    desk.close()
    waste_time(secret, desk.core.config.bcrypt_rounds)


def logged_in(desk: Desk, user: User) -> None:
    """Take note of a login with all the factors it takes.

    :raises Refused: others have guessed meanwhile and the account is locked: many guesses at a time are no way round.
    """
    driver = users_of(desk.core)
    if not driver.notes_logins:
        return
    desk.must_wait()
    desk.close()
    with desk.core.db.write() as tx:
        reason = driver.login_refused(tx, user)
        if reason:
            raise Refused(reason)
        driver.logged_in(tx, user)


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
    if old.payload.access_token_id:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using OAuth-scoped token to create another token. "
            "Create a new OAuth-scoped token instead."
        )
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
        app_credential_id=old.payload.app_credential_id,
        project_id=old.payload.scope_id if old.payload.app_credential_id else "",
        of_system=old.payload.scope == "system",
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
    expired = found is not None and found.expires_at is not None and found.expires_at <= desk.now
    if found is None or user is None or expired or not is_enabled(desk, user):
        _waste_time(desk, given.secret)
        raise Unauthorized(REFUSED)
    secret = f"{found.id}:{found.secret_hash}:{given.secret}"
    if not desk.memory.verifies(user, secret, desk.now, found.id):
        desk.must_wait()
        desk.close()
        if not check_password(given.secret, found.secret_hash):
            raise Unauthorized(REFUSED)
        desk.memory.remember_password(user, secret, _until(desk), found.id)
    return Proof(user, ("application_credential",), app_credential_id=found.id, project_id=found.project_id)


def by_totp(desk: Desk, identity: IdentityIn) -> Proof:
    """A passcode of one of the user's seeds (RFC 6238), good for one login. A wrong one counts as a wrong password; and
    of six digits only so many are looked at in a minute (RFC 4226, 7.3), apart of those who gave the password, too."""
    given = _given(identity.totp, "totp").user
    user, driver = find_user(desk, given), users_of(desk.core)
    reason = refusal(desk, user)
    if user is None or reason:
        raise Refused(reason)
    tried: Allowance = desk.core.memory.setdefault(TRIED, Allowance(PASSCODES, MOST_PASSCODES, timedelta(minutes=1)))
    if tried.take((user.id, "password" in identity.methods), desk.now) is None:
        raise Refused(f"More than {PASSCODES} passcodes were tried in a minute.")
    matches = _matching_steps(desk, user, given.passcode.encode())
    desk.close()
    if not matches and not driver.notes_logins:
        raise Refused(NO_PASSCODE)
    with desk.core.db.write() as tx:
        if any(credentials.take_step(tx, credential_id, step) for credential_id, step in matches):
            return Proof(user, ("totp",))
        driver.login_failed(tx, user)
    raise Refused(NO_PASSCODE)


def _matching_steps(desk: Desk, user: User, passcode: bytes) -> list[tuple[str, int]]:
    """The (credential, step of 30 seconds) pairs which a passcode is right for."""
    newest = int((desk.now - datetime(1970, 1, 1)).total_seconds()) // TOTP_SECONDS
    # Read with the rows: a rotation of keys between the two would leave what no remembered key opens.
    cipher = keys.cipher_in(desk.tx, keys.CREDENTIAL)
    found = []
    for row in credentials.of_user(desk.tx, user.id, "totp"):
        seed = seed_of(cipher.decrypt(row.encrypted_blob.encode()).decode())
        if seed is None:
            continue
        codes = TOTP(seed, 6, SHA1(), TOTP_SECONDS, enforce_key_length=False)
        for step in range(newest - desk.core.config.totp_previous_windows, newest + 1):
            if hmac.compare_digest(codes.generate(step * TOTP_SECONDS), passcode):
                found.append((row.id, step))
    return found


def seed_of(blob: str) -> bytes | None:
    """The secret of a credential of type totp, None when it is not in base 32 or empty."""
    text = blob.strip().upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8)) or None
    except ValueError:
        return None


METHODS: dict[str, Method] = {
    "password": by_password,
    "token": by_token,
    "application_credential": by_application_credential,
    "totp": by_totp,
}
HASHING = ("password", "application_credential")
OAUTH1 = "oauth1"
"""The method whose proof is not in the body but in the header Authorization; it is checked in ``domain/oauth.py``."""
NAMES = (*METHODS, OAUTH1)


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
    user_id, name = ((given.id or ""), (given.name or "")) if given else ("", "")
    reason = error.reason if isinstance(error, Refused) else error.message
    audit.login_failed(desk.core, user_id, name, reason, error.status)


def _given(part: T | None, name: str) -> T:
    if part is None:
        raise BadRequest(f"Expecting to find {name} in identity.")
    return part
