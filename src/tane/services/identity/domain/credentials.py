"""Credentials: secrets kept for users, encrypted: keys of EC2, seeds of one-time passwords, certificates, anything.

Source: Identity API v3, "Credentials"; extension OS-EC2. The id of an EC2 credential is the SHA-256 of its access key.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.fernet import MultiFernet
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit, keys
from tane.services.identity.domain.common import new_id, require, require_room
from tane.services.identity.drivers import users_of
from tane.services.identity.store import rows
from tane.services.identity.tables import credential, project
from tane.web import codec
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

EC2, TOTP = "ec2", "totp"
TEXTS = ("access", "secret")
BOUND = ("trust_id", "app_cred_id", "access_token_id")
"""What an EC2 credential made by a delegation carries for ever: tokens made of it are of the same delegation."""


@dataclass(frozen=True)
class Credential:
    """A credential with its secret in plain text."""

    id: str
    user_id: str
    project_id: str | None
    type: str
    blob: str
    extra: dict[str, Any]

    @property
    def keys(self) -> dict[str, Any]:
        """The blob of an EC2 credential: access, secret and what it is bound to."""
        return _parsed(self.blob)


def show(core: Core, ctx: Context, credential_id: str) -> Credential:
    """:raises NotFound: there is none. :raises Forbidden: outside the project of a delegated caller."""
    with core.db.read() as tx:
        found = get(tx, credential_id)
    _refuse_outside(ctx, found.project_id)
    _refuse_foreign_keys(ctx, found)
    return found


def get(tx: Tx, credential_id: str) -> Credential:
    return _plain(keys.cipher_in(tx, keys.CREDENTIAL), require(tx, credential, credential_id, "credential"))


def index(core: Core, ctx: Context, filters: Mapping[str, Any]) -> list[Credential]:
    """Those a delegated caller may see when it is one; whose they are, the caller of this checks."""
    with core.db.read() as tx:
        cipher = keys.cipher_in(tx, keys.CREDENTIAL)
        found = [_plain(cipher, row) for row in rows.find(tx, credential, filters)]
    return [one for one in found if not _delegated(ctx) or (one.project_id == ctx.project_id and _within(ctx, one))]


def create(core: Core, ctx: Context, values: Mapping[str, Any]) -> Credential:
    """:raises BadRequest: an EC2 blob without keys or project. :raises Conflict: the access key is taken.
    :raises Forbidden: out of a delegated caller's reach.
    """
    kind, blob = values["type"], values["blob"]
    _refuse_outside(ctx, values.get("project_id"))
    _refuse_seeds(ctx, kind)
    credential_id = new_id()
    if kind.lower() == EC2:
        _refuse_restricted(ctx)
        if not values.get("project_id"):
            raise BadRequest("'project_id' is a required property of a credential of type ec2.")
        parsed = _parsed(blob)
        if _delegated(ctx):
            blob = msgspec.json.encode({**parsed, **{name: value or None for name, value in _binding(ctx)}}).decode()
        credential_id = id_of(str(parsed["access"]))
    with core.db.write() as tx:
        if rows.get(tx, credential, credential_id) is not None:
            raise Conflict(
                f"Conflict occurred attempting to store credential - Duplicate entry found with ID {credential_id}."
            )
        require_room(tx, credential, core.config.credential, "credentials", user_id=values["user_id"])
        codec.bounded("blob", blob)
        cipher = keys.cipher_in(tx, keys.CREDENTIAL)
        rows.add(
            tx,
            credential,
            {
                "id": credential_id,
                "user_id": values["user_id"],
                "project_id": values.get("project_id"),
                "type": kind,
                "encrypted_blob": cipher.encrypt(blob.encode()).decode(),
                "extra": values.get("extra", {}),
                "created_at": tx.now,
            },
        )
        audit.record(tx, "created", "credential", credential_id, user=values["user_id"])
        return get(tx, credential_id)


def create_ec2(core: Core, ctx: Context, user_id: str, project_id: str) -> Credential:
    """Make a pair of EC2 keys. :raises NotFound: unknown user or project."""
    with core.db.read() as tx:
        if users_of(core).get(tx, user_id) is None:
            raise NotFound(f"Could not find user: {user_id}.")
        require(tx, project, project_id, "project")
    pair = {"access": secrets.token_hex(16), "secret": secrets.token_hex(16), "trust_id": ctx.trust_id or None}
    blob = msgspec.json.encode(pair).decode()
    return create(core, ctx, {"user_id": user_id, "project_id": project_id, "type": EC2, "blob": blob})


def update(core: Core, ctx: Context, credential_id: str, values: Mapping[str, Any]) -> Credential:
    """:raises BadRequest: EC2 keys would lose what binds them to a delegation, or their access key or project."""
    with core.db.write() as tx:
        old = get(tx, credential_id)
        _refuse_outside(ctx, old.project_id)
        _refuse_foreign_keys(ctx, old)
        wanted = {name: values[name] for name in ("user_id", "project_id", "type") if name in values}
        _refuse_outside(ctx, wanted.get("project_id", old.project_id))
        _refuse_seeds(ctx, wanted.get("type", old.type))
        _check_change(ctx, old, values)
        if wanted.get("user_id", old.user_id) != old.user_id:
            require_room(tx, credential, core.config.credential, "credentials", user_id=wanted["user_id"])
        wanted["extra"] = {**old.extra, **values.get("extra", {})}
        if "blob" in values:
            cipher = keys.cipher_in(tx, keys.CREDENTIAL)
            codec.bounded("blob", values["blob"])
            wanted["encrypted_blob"] = cipher.encrypt(values["blob"].encode()).decode()
        rows.change(tx, credential, credential_id, wanted)
        audit.record(tx, "updated", "credential", credential_id)
        return get(tx, credential_id)


def _check_change(ctx: Context, old: Credential, values: Mapping[str, Any]) -> None:
    """What would make a delegation's keys good for more, by one step or by several, is refused."""
    kind, blob = values.get("type", old.type), values.get("blob", old.blob)
    bound = {name: old.keys.get(name) for name in BOUND} if old.type.lower() == EC2 else dict.fromkeys(BOUND)
    if any(bound.values()):
        for name in ("type", "user_id", "project_id"):
            if values.get(name, getattr(old, name)) != getattr(old, name):
                raise BadRequest(f"{name} can not be updated for a credential that is bound to a delegation")
    if kind.lower() != EC2:
        return
    _refuse_restricted(ctx)
    if not values.get("project_id", old.project_id):
        raise BadRequest("'project_id' is a required property of a credential of type ec2.")
    after = _parsed(blob)
    for name in BOUND:
        if bound[name] != after.get(name):
            raise BadRequest(f"{name} can not be updated for credential")


def delete(core: Core, ctx: Context, credential_id: str) -> None:
    with core.db.write() as tx:
        found = get(tx, credential_id)
        _refuse_outside(ctx, found.project_id)
        _refuse_foreign_keys(ctx, found)
        rows.remove(tx, credential, credential_id)
        audit.record(tx, "deleted", "credential", credential_id)


def id_of(access: str) -> str:
    """The id of the EC2 credential with an access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def _plain(cipher: MultiFernet, row: Row[Any]) -> Credential:
    blob = cipher.decrypt(row.encrypted_blob.encode()).decode()
    return Credential(row.id, row.user_id, row.project_id, row.type, blob, row.extra)


def _parsed(blob: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(blob)
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest("Invalid blob in credential") from None
    if not isinstance(found, dict) or not found.get("access"):
        raise BadRequest("Invalid input for field 'blob': 'access' is a required property of a credential of type ec2.")
    for name in (*TEXTS, *BOUND):
        if not _is_text(found.get(name)):
            raise BadRequest(f"Invalid input for field 'blob': '{name}' of a credential of type ec2 is a string.")
    return found


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.isprintable())


def _binding(ctx: Context) -> list[tuple[str, str]]:
    """The delegation by which a caller acts, as ``BOUND`` names it."""
    return list(zip(BOUND, (ctx.trust_id, ctx.application_credential_id, ctx.access_token_id), strict=True))


def _delegated(ctx: Context) -> bool:
    return any(value for _, value in _binding(ctx))


def _refuse_outside(ctx: Context, project_id: str | None) -> None:
    """A delegation is for one project; what is of no project (a seed of one-time passwords) is out of its reach."""
    if _delegated(ctx) and project_id != ctx.project_id:
        raise Forbidden(
            "You are not authorized to perform the requested action: Credential project does not match the project "
            "scope of the delegated token."
        )


def _within(ctx: Context, found: Credential) -> bool:
    """Whether a delegated caller may reach this: neither seeds of one-time passwords nor EC2 keys, but for keys that
    the own delegation has made.

    Both are good for all roles of the user: who can read them has more than was delegated.
    """
    if not _delegated(ctx):
        return True
    if found.type.lower() != EC2:
        return found.type.lower() != TOTP
    bound = found.keys
    return all((bound.get(name) or "") == value for name, value in _binding(ctx))


def _refuse_seeds(ctx: Context, kind: str) -> None:
    if _delegated(ctx) and kind.lower() == TOTP:
        raise Forbidden(
            "You are not authorized to perform the requested action: A delegated token cannot make what its user logs "
            "in by."
        )


def _refuse_foreign_keys(ctx: Context, found: Credential) -> None:
    if not _within(ctx, found):
        raise Forbidden(
            "You are not authorized to perform the requested action: The credential was not made by the delegation of "
            "the token."
        )


def _refuse_restricted(ctx: Context) -> None:
    if ctx.restricted:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using method 'application_credential' is not "
            "allowed for managing additional credentials."
        )
