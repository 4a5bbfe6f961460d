"""Tokens of EC2 and S3 credentials: a service that was sent a signed call asks whose it is (extension OS-EC2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import credentials, signatures
from tane.services.identity.domain.authentication import issue
from tane.services.identity.domain.credentials import EC2, Credential
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.tokens import REFUSED, Payload, Token, audit_id, micro, stand
from tane.services.identity.store import rows
from tane.services.identity.tables import trust
from tane.web import codec
from tane.web.errors import NotFound, Unauthorized

EC2_METHOD = "ec2credential"
EXPIRED = "RequestExpired"
"""The type of the error of a call that was signed at another time."""


def authenticate_ec2(core: Core, call: Mapping[str, Any]) -> tuple[str, Token]:
    """:raises NotFound: unknown access key. :raises Unauthorized: wrong signature, too old, nothing to act on."""
    found = _credential(core, call)
    signatures.check_ec2(found.keys["secret"], call)
    return _issue(core, found, call)


def authenticate_s3(core: Core, call: Mapping[str, Any]) -> tuple[str, Token]:
    """The same for a call of S3, of which the signed text is given."""
    found = _credential(core, call)
    signatures.check_s3(found.keys["secret"], str(call.get("token", "")), str(call.get("signature", "")))
    return _issue(core, found, call)


def caller_of_ec2(core: Core, call: Mapping[str, Any]) -> Token:
    """Who signed a call to a service of this cloud itself: a call as those of the two above, which says when it was
    signed. What the credential and the user are is remembered as for S3.

    :raises NotFound: unknown access key. :raises Unauthorized: wrong signature, too old, nothing to act on.
    """
    access = str(call.get("access") or "")
    with Desk(core) as desk:
        found = desk.known(("ec2", access), lambda tx: _found(tx, access))
        signatures.check_ec2(found.keys["secret"], call)
        _check_time(desk, call)
        return _standing(desk, found)


@dataclass(frozen=True)
class SignedCall:
    """What a request of S3 says to prove who sent it. ``scope``: of a signature of version 4, "" of version 2.
    ``texts``: any one of them may have been signed."""

    access: str
    scope: str
    texts: tuple[bytes, ...]
    signature: str


def caller_of_s3(core: Core, call: SignedCall, *, may_wait: bool = True) -> tuple[Token, bytes]:
    """Who signed a call to this cloud's own S3, and the key by which its body's pieces are signed (of version 4).

    What the credential and the user are is remembered until identity data change: a known key costs no query.

    :raises NotFound: unknown access key. :raises Unauthorized: wrong signature, or nothing to act on any more.
    :raises NotRemembered: the database would have to be asked where that may not be.
    """
    with Desk(core, may_wait=may_wait) as desk:
        found = desk.known(("ec2", call.access), lambda tx: _found(tx, call.access))
        secret, key = found.keys["secret"], b""
        if call.scope:
            key = signatures.key_4(secret, call.scope)
            good = [signatures.same(call.signature, signatures.sign_4(key, text)) for text in call.texts]
        else:
            good = [signatures.same(call.signature, signatures.sign_2(secret, text)) for text in call.texts]
        if not any(good):
            raise Unauthorized("Credential signature mismatch")
        return _standing(desk, found), key


def _standing(desk: Desk, found: Credential) -> Token:
    """:raises Unauthorized: there is nothing to act on any more."""
    payload = _payload(desk, found)
    if payload.trust_id:
        # Each use of a trust may be counted.
        return issue(desk, payload)[1]
    standing = stand(desk, payload)
    if standing.ends is not None and standing.ends <= desk.now:
        raise Unauthorized(REFUSED)
    return Token(payload, standing)


def project_of(core: Core, access: str) -> str:
    """The project of an access key; "" when there is no such one."""
    with Desk(core) as desk:
        try:
            return desk.known(("ec2", access), lambda tx: _found(tx, access)).project_id or ""
        except (NotFound, Unauthorized):
            return ""


def _credential(core: Core, call: Mapping[str, Any]) -> Credential:
    if "access" not in call:
        raise Unauthorized("EC2 Signature not supplied")
    with core.db.read() as tx:
        return _found(tx, str(call["access"]))


def _found(tx: Tx, access: str) -> Credential:
    """:raises NotFound: there is no such key. :raises Unauthorized: it has no secret, as upstream takes them: a
    signature by nothing is nobody's."""
    try:
        found = credentials.get(tx, credentials.id_of(access))
    except NotFound:
        raise NotFound("EC2 access key not found.") from None
    if found.type.lower() != EC2:
        raise NotFound("EC2 access key not found.")
    secret = found.keys.get("secret")
    if not isinstance(secret, str) or not secret:
        raise Unauthorized("Credential signature mismatch")
    return found


def _issue(core: Core, found: Credential, call: Mapping[str, Any]) -> tuple[str, Token]:
    with Desk(core) as desk:
        _check_time(desk, call)
        return issue(desk, _payload(desk, found))


def _payload(desk: Desk, found: Credential) -> Payload:
    """:raises Unauthorized: the trust that it was made by is gone."""
    bound = found.keys
    user_id = found.user_id
    if bound.get("trust_id"):
        # With impersonation the credential is the trustor's, who could not use the own trust.
        row = rows.get(desk.tx, trust, bound["trust_id"])
        if row is None or user_id != (row.trustor_user_id if row.impersonation else row.trustee_user_id):
            raise Unauthorized(REFUSED)
        user_id = row.trustee_user_id
    return Payload(
        user_id=user_id,
        methods=[EC2_METHOD],
        scope="project",
        scope_id=found.project_id or "",
        issued_at=micro(desk.now),
        expires_at=micro(desk.now + timedelta(seconds=desk.core.config.token_ttl)),
        audit_ids=[audit_id()],
        epoch=0,
        trust_id=bound.get("trust_id") or "",
        app_credential_id=bound.get("app_cred_id") or "",
        access_token_id=bound.get("access_token_id") or "",
    )


def _check_time(desk: Desk, call: Mapping[str, Any]) -> None:
    """A signed call may be some minutes old, or as much ahead by a clock that is wrong: one dated next year could be
    used again until then. One that signs no time is as old as it likes, as upstream."""
    params = call.get("params") or {}
    headers = {str(name).lower(): value for name, value in (call.get("headers") or {}).items()}
    told = params.get("Timestamp") or headers.get("x-amz-date") or params.get("X-Amz-Date")
    if not told:
        return
    moment = codec.moment(str(told))
    if moment is None:
        raise Unauthorized(f"Credential timestamp is invalid: {told}", type=EXPIRED)
    if abs(desk.now - moment) > timedelta(seconds=desk.core.config.credential_auth_ttl):
        why = "Credential is expired" if moment < desk.now else "Credential is not valid yet"
        raise Unauthorized(why, type=EXPIRED)
