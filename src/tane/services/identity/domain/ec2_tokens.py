"""Tokens of EC2 and S3 credentials: a service that was sent a signed call asks whose it is (extension OS-EC2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tane.core import Core
from tane.services.identity.domain import credentials, signatures
from tane.services.identity.domain.authentication import issue
from tane.services.identity.domain.credentials import EC2, Credential
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.tokens import REFUSED, Payload, Token, audit_id, micro
from tane.services.identity.store import rows
from tane.services.identity.tables import trust
from tane.web import codec
from tane.web.errors import NotFound, Unauthorized

EC2_METHOD = "ec2credential"


def authenticate_ec2(core: Core, call: Mapping[str, Any]) -> tuple[str, Token]:
    """:raises NotFound: unknown access key. :raises Unauthorized: wrong signature, too old, nothing to act on."""
    found = _credential(core, call)
    signatures.check_ec2(str(found.keys.get("secret", "")), call)
    return _issue(core, found, call)


def authenticate_s3(core: Core, call: Mapping[str, Any]) -> tuple[str, Token]:
    """The same for a call of S3, of which the signed text is given."""
    found = _credential(core, call)
    secret = str(found.keys.get("secret", ""))
    signatures.check_s3(secret, str(call.get("token", "")), str(call.get("signature", "")))
    return _issue(core, found, call)


def _credential(core: Core, call: Mapping[str, Any]) -> Credential:
    if "access" not in call:
        raise Unauthorized("EC2 Signature not supplied")
    with core.db.read() as tx:
        try:
            found = credentials.get(tx, credentials.id_of(str(call["access"])))
        except NotFound:
            raise NotFound("EC2 access key not found.") from None
    if found.type.lower() != EC2:
        raise NotFound("EC2 access key not found.")
    return found


def _issue(core: Core, found: Credential, call: Mapping[str, Any]) -> tuple[str, Token]:
    bound = found.keys
    with Desk(core) as desk:
        _check_time(desk, call)
        user_id = found.user_id
        if bound.get("trust_id"):
            # With impersonation the credential is the trustor's, who could not use the own trust.
            row = rows.get(desk.tx, trust, bound["trust_id"])
            if row is None or user_id != (row.trustor_user_id if row.impersonation else row.trustee_user_id):
                raise Unauthorized(REFUSED)
            user_id = row.trustee_user_id
        payload = Payload(
            user_id=user_id,
            methods=[EC2_METHOD],
            scope="project",
            scope_id=found.project_id or "",
            issued_at=micro(desk.now),
            expires_at=micro(desk.now + timedelta(seconds=core.config.token_ttl)),
            audit_ids=[audit_id()],
            epoch=0,
            trust_id=bound.get("trust_id") or "",
            app_credential_id=bound.get("app_cred_id") or "",
            access_token_id=bound.get("access_token_id") or "",
        )
        return issue(desk, payload)


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
        raise Unauthorized(f"Credential timestamp is invalid: {told}")
    if abs(desk.now - moment) > timedelta(seconds=desk.core.config.credential_auth_ttl):
        raise Unauthorized("Credential is expired" if moment < desk.now else "Credential is not valid yet")
