"""What other services may ask of identity."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.finding import Finding
from tane.held import Held
from tane.services.identity.domain import authentication, catalog, guest_calls, guests, signatures, tokens
from tane.services.identity.domain.bootstrap import bootstrap, publish
from tane.services.identity.domain.ec2_tokens import EXPIRED, SignedCall, caller_of_ec2, caller_of_s3, project_of
from tane.services.identity.domain.memory import Desk, NotRemembered
from tane.services.identity.schemas import AppCredentialMethod, AuthIn, IdentityIn
from tane.services.identity.store import limits, rows
from tane.services.identity.tables import project, trust, user
from tane.web.access import AccessRule
from tane.web.context import Context
from tane.web.errors import Forbidden, NotFound, Unauthorized

__all__ = [
    "EXPIRED",
    "Delegation",
    "Issued",
    "SignedCall",
    "acting",
    "add_guest",
    "add_guest_keys",
    "authenticate",
    "bootstrap",
    "delegation",
    "domain_limits",
    "effective_limits",
    "endpoint_url",
    "is_guest",
    "is_of_guests",
    "is_open",
    "issued",
    "log_in",
    "owner",
    "project_named",
    "project_of_key",
    "project_row",
    "publish",
    "recall",
    "remove_guest_keys",
    "remove_guests",
    "same_signature",
    "sent_by",
    "sign",
    "signed_by",
    "signed_by_known",
    "user_row",
]

OPEN, OPEN_SECONDS, MOST_OPEN = "identity.open", 10.0, 10_000


def authenticate(core: Core, token: str, request_id: str) -> Context:
    """The caller a token stands for. :raises Unauthorized: when it is not valid."""
    return _context(core, tokens.validate(core, token), token, request_id)


def log_in(core: Core, credential_id: str, secret: str) -> str:
    """A token of an application credential. :raises Unauthorized: it is another secret, or good no longer."""
    method = AppCredentialMethod(secret=secret, id=credential_id)
    auth = AuthIn(identity=IdentityIn(methods=["application_credential"], application_credential=method))
    known = authentication.authenticate_from_memory(core, auth) or authentication.authenticate(core, auth, "", None)
    return known[0]


def recall(core: Core, token: str, request_id: str) -> Context | None:
    """The same from this process's memory; None where the database would have to be asked."""
    known = tokens.recall(core, token)
    return None if known is None else _context(core, known, token, request_id)


def owner(core: Core, token: str) -> str | None:
    """The project (else the user) that a token is for, without the database: None when it is over, or not of this
    cloud, or no token was looked at yet in this process."""
    return tokens.owner(core, token)


def signed_by(core: Core, call: SignedCall, request_id: str) -> tuple[Context, bytes]:
    """The caller whose EC2 credential signed a call of S3, and the key of :func:`sign` for the rest of its body.

    :raises NotFound: unknown access key. :raises Unauthorized: wrong signature, or no rights any more.
    """
    try:
        token, key = caller_of_s3(core, call)
    except Forbidden as error:
        raise Unauthorized(error.message) from None
    return _context(core, token, "", request_id), key


def sent_by(core: Core, call: Mapping[str, Any], request_id: str) -> Context:
    """The caller whose EC2 credential signed a call of an API of Amazon's other than S3, by version 2 or 4. ``call``:
    its access key, verb, host, path, params, headers, body_hash and signature.

    :raises NotFound: unknown access key. :raises Unauthorized: wrong signature, of another time (its type is
    :data:`EXPIRED`), or no rights any more.
    """
    try:
        return _context(core, caller_of_ec2(core, call), "", request_id)
    except Forbidden as error:
        raise Unauthorized(error.message) from None


def signed_by_known(core: Core, call: SignedCall, request_id: str) -> tuple[Context, bytes] | None:
    """The same from this process's memory, without any wait; None where that cannot tell."""
    try:
        token, key = caller_of_s3(core, call, may_wait=False)
    except (NotRemembered, NotFound, Unauthorized, Forbidden):
        return None
    return _context(core, token, "", request_id), key


def project_of_key(core: Core, access: str) -> str:
    """The project that an access key is for, "" when there is none. It proves nothing."""
    return project_of(core, access)


def sign(key: bytes, text: bytes) -> str:
    """The signature of one more text of a call."""
    return signatures.sign_4(key, text)


def same_signature(given: str, expected: str) -> bool:
    return signatures.same(given, expected)


def _context(core: Core, valid: tokens.Token, token: str, request_id: str) -> Context:
    standing, scope = valid.standing, valid.payload.scope
    target, domain, app = standing.target, standing.target_domain, standing.app_credential
    rules = standing.access_rules
    caller = Context(
        request_id=request_id,
        user_id=standing.user.id,
        user_name=standing.user.name,
        user_domain_id=standing.user.domain_id,
        project_id=target.id if scope == "project" and target else "",
        project_name=target.name if scope == "project" and target else "",
        project_domain_id=domain.id if domain else "",
        domain_id=target.id if scope == "domain" and target else "",
        system_scope=scope == "system",
        roles=tuple(name for _, name in standing.roles),
        token=token,
        trust_id=valid.payload.trust_id,
        application_credential_id=valid.payload.app_credential_id,
        access_token_id=valid.payload.access_token_id,
        methods=tuple(valid.payload.methods),
        restricted=app is not None and not app.unrestricted,
        access_rules=None if rules is None else tuple(AccessRule(r.service, r.method, r.path) for r in rules),
    )
    own = core.policy.site_admin(caller)
    return caller if own is None else dataclasses.replace(caller, site_admin=own)


class Issued(msgspec.Struct, frozen=True):
    """What tells a token that was valid when something was given out for it, without being good for anything."""

    audit_id: str
    epoch: int


def issued(core: Core, ctx: Context) -> Issued | None:
    """The token of a request; None where the caller had none, as who signs calls."""
    if not ctx.token:
        return None
    payload = tokens.validate(core, ctx.token).payload
    return Issued(payload.audit_ids[0], payload.epoch)


class Delegation(msgspec.Struct, frozen=True):
    """For whom something is done when nobody is there: who authenticated, the project, and by what the rights came.

    It gives nothing by itself: what it is good for is found anew each time, and ends with the user's rights.
    """

    user_id: str
    project_id: str
    trust_id: str = ""
    app_credential_id: str = ""
    access_token_id: str = ""


def delegation(tx: Tx, ctx: Context) -> Delegation:
    """What lets the cloud act later as the caller of a request does now."""
    given = rows.get(tx, trust, ctx.trust_id) if ctx.trust_id else None
    actor = ctx.user_id if given is None else str(given.trustee_user_id)
    return Delegation(actor, ctx.project_id, ctx.trust_id, ctx.application_credential_id, ctx.access_token_id)


def acting(core: Core, given: Delegation, request_id: str, token: Issued | None = None) -> Context:
    """The caller behind a delegation, with the roles that he has now.

    :raises Unauthorized: he has none any more, or ``token`` was revoked since, by itself or with all of its user's.
    """
    payload = tokens.Payload(
        given.user_id,
        ["token"],
        "project",
        given.project_id,
        0,
        0,
        [],
        0,
        trust_id=given.trust_id,
        app_credential_id=given.app_credential_id,
        access_token_id=given.access_token_id,
    )
    with Desk(core) as desk:
        try:
            standing = tokens.stand(desk, payload)
        except Forbidden as error:
            raise Unauthorized(error.message) from None
        if token is not None and (token.epoch != standing.epoch or tokens.is_revoked(desk, token.audit_id)):
            raise Unauthorized("The token was revoked.")
        if standing.ends is not None and standing.ends <= desk.now:
            raise Unauthorized("What the rights came by has expired.")
    return _context(core, tokens.Token(payload, standing), "", request_id)


def add_guest(core: Core, tx: Tx, user_id: str, name: str, project_id: str) -> str:
    """A user for a guest of a project's stack, which is good for metadata and signals alone: its password."""
    return guests.add(core, tx, user_id, name, project_id)


def add_guest_keys(tx: Tx, user_id: str, project_id: str) -> tuple[str, str]:
    """EC2 keys of such a user: (access, secret)."""
    return guests.add_keys(tx, user_id, project_id)


def remove_guest_keys(tx: Tx, access: str) -> None:
    guests.remove_keys(tx, access)


def remove_guests(core: Core, tx: Tx, user_ids: Iterable[str]) -> None:
    """Such users go, with their keys; others are left alone."""
    guests.remove(core, tx, user_ids)


def is_guest(ctx: Context) -> bool:
    """Whether the caller is such a user: whoever answers says which resources it may ask for."""
    return is_of_guests(ctx.user_domain_id)


def is_of_guests(domain_id: str | None) -> bool:
    """Whether a domain is that of such users."""
    return domain_id == guest_calls.DOMAIN


def domain_limits(tx: Tx, core: Core, service_type: str, project_id: str) -> tuple[dict[str, int], list[str]]:
    """What the projects of a project's domain may have together, and which these are.

    Only the limit model ``strict_two_level`` knows such limits; under ``flat`` there are none.
    """
    row = project_row(tx, project_id)
    if core.config.limit_model != "strict_two_level" or row is None:
        return {}, []
    found = limits.of_domain(tx, service_type, core.config.region, row.domain_id)
    return found, [other.id for other in rows.find(tx, project, {"domain_id": row.domain_id})] if found else []


def endpoint_url(core: Core, project_id: str, service_type: str, region: str, interface: str) -> str | None:
    """Where the catalogue of a project says that a service of a region is, or None. Regions are told apart by their
    letters, not by their case."""
    for service in catalog.catalog(core, project_id):
        for endpoint in service["endpoints"]:
            same = (endpoint["region_id"] or "").lower() == region.lower() and endpoint["interface"] == interface
            if service["type"] == service_type and same:
                return str(endpoint["url"])
    return None


def of_nobody(tx: Tx, kinds: Iterable[Held]) -> Iterator[Finding]:
    """The doctor's findings that there are things of projects that are no longer there: an administrator may delete a
    project while something is in it."""
    for kind in kinds:
        counted = kind.by_project(tx)
        counted.pop("", None)
        gone = sorted(counted.keys() - rows.there(tx, project, [*counted]))
        if gone:
            yield Finding(
                "warning",
                f"{sum(counted[one] for one in gone)} {kind.noun}(s) are of projects that were deleted.",
                "Nobody sees them, and nobody pays for them.",
                f"{kind.listed.format(project=gone[0])}, then delete",
            )


def project_row(tx: Tx, project_id: str) -> Row[Any] | None:
    return rows.get(tx, project, project_id)


def is_open(core: Core, project_id: str) -> bool:
    """Whether there is such a project, and it and its domain are enabled, as this process knew within
    :data:`OPEN_SECONDS`: for who asks without a token, of which there may be many."""
    known: dict[str, tuple[float, bool]] = core.memory.setdefault(OPEN, {})
    at, found = known.get(project_id, (0.0, False))
    if time.monotonic() - at < OPEN_SECONDS and project_id in known:
        return found
    with core.db.read() as tx:
        row = rows.get(tx, project, project_id)
        domain = None if row is None else rows.get(tx, project, row.domain_id)
        found = row is not None and row.enabled and (domain is None or domain.enabled)
    if len(known) >= MOST_OPEN:
        known.clear()
    known[project_id] = time.monotonic(), found
    return found


def project_named(tx: Tx, name: str, domain_id: str = "default") -> Row[Any]:
    """The project with a name. :raises LookupError: there is none."""
    for row in rows.find(tx, project, {"name": name, "domain_id": domain_id, "is_domain": False}):
        return row
    raise LookupError(f"no project named {name} in domain {domain_id}")


def user_row(tx: Tx, user_id: str) -> Row[Any] | None:
    return rows.get(tx, user, user_id)


def effective_limits(tx: Tx, core: Core, service_type: str, project_id: str) -> dict[str, int]:
    """Unified limits of a project: resource → limit, for the resources that are registered for the service in this
    region; -1 is unlimited. As oslo.limit reads them, a domain's limits are not those of its projects.
    """
    return limits.effective(tx, service_type, core.config.region, project_id)
