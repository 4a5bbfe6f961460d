"""Logging in: the methods a caller names are checked, then the scope asked for is given.

Source: Identity API v3, "Authentication and token management"; multi-factor rules as in Keystone's guide
"Multi-Factor Authentication".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tane.core import Core
from tane.services.identity import tables
from tane.services.identity.domain import methods, oauth, receipts
from tane.services.identity.domain.memory import Desk, NotRemembered
from tane.services.identity.domain.methods import HASHING, METHODS, NAMES, OAUTH1, Proof
from tane.services.identity.domain.oauth_signatures import SignedPost
from tane.services.identity.domain.tokens import (
    REFUSED,
    Payload,
    ScopeKind,
    Token,
    audit_id,
    micro,
    project_at,
    seal,
    stand,
)
from tane.services.identity.drivers import User
from tane.services.identity.schemas import AuthIn, IdentityIn, ProjectRef, ScopeIn, TrustRef
from tane.services.identity.store import rows, scopes, trusts
from tane.web.errors import ApiError, BadRequest, Forbidden, NotFound, Unauthorized

Scope = tuple[ScopeKind, str, str]
"""Kind, id of the target, id of the trust."""


def authenticate(core: Core, auth: AuthIn, receipt: str = "", signed: SignedPost | None = None) -> tuple[str, Token]:
    """Check the credentials and scope asked for; returns the token's text and what it stands for.

    ``receipt`` is of factors proven before; ``signed`` is the call itself, which a consumer of OAuth has signed.

    :raises Unauthorized: wrong credentials, disabled user, no role on the scope; it is in the audit trail then.
    :raises NotFound: the token shown as a proof is not valid.
    :raises MoreMethodsNeeded: the user's multi-factor rules ask for more; carries a receipt for what was proven.
    :raises BadRequest: a method without its data, an ambiguous scope.
    """
    with Desk(core) as desk:
        try:
            return _authenticate(desk, auth, receipt, signed)
        except receipts.MoreMethodsNeeded:
            raise
        except (Unauthorized, NotFound) as error:
            methods.note_failure(desk, auth.identity, error)
            raise


def authenticate_from_memory(core: Core, auth: AuthIn) -> tuple[str, Token] | None:
    """The same where all it takes is remembered; None when it is not, or when the login is refused."""
    try:
        with Desk(core, may_wait=False) as desk:
            return _authenticate(desk, auth, "", None)
    except (NotRemembered, ApiError):
        return None


def _authenticate(desk: Desk, auth: AuthIn, receipt: str, signed: SignedPost | None) -> tuple[str, Token]:
    proofs = _prove(desk, auth.identity, signed, has_scope=auth.scope is not None)
    user = proofs[0].user
    if any(proof.user.id != user.id for proof in proofs):
        raise Unauthorized(REFUSED)
    earlier = receipts.methods_of(desk, receipt, user) if receipt else ()
    used = list(dict.fromkeys([*(method for proof in proofs for method in proof.methods), *earlier]))
    if not receipts.satisfies_rules(user, used):
        raise receipts.MoreMethodsNeeded(desk, user, used)
    if not {"password", "totp"}.isdisjoint(auth.identity.methods):
        methods.logged_in(desk, user)
    delegation = _delegation(proofs)
    scope = _delegated_scope(desk, auth, delegation) if delegation else _scope(desk, auth.scope, user)
    kind, target_id, trust_id = scope
    if auth.scope is not None and kind in ("project", "domain") and any(proof.of_system for proof in proofs):
        raise Forbidden(
            "You are not authorized to perform the requested action: Using a system-scoped token to create a "
            "project-scoped or domain-scoped token is not allowed."
        )
    ends = [proof.expires_at for proof in proofs if proof.expires_at is not None]
    parents = [proof.audit_id for proof in proofs if proof.audit_id is not None]
    payload = Payload(
        user_id=user.id,
        methods=used,
        scope=kind,
        scope_id=target_id,
        issued_at=micro(desk.now),
        expires_at=micro(min([*ends, desk.now + timedelta(seconds=desk.core.config.token_ttl)])),
        audit_ids=[audit_id(), *parents[:1]],
        epoch=0,
        trust_id=trust_id,
        app_credential_id=delegation.app_credential_id if delegation else "",
        access_token_id=delegation.access_token_id if delegation else "",
    )
    if stand(desk, payload).actor.token_epoch != user.token_epoch:
        # The password was changed, or the user disabled, while this one was still being checked.
        raise Unauthorized(REFUSED)
    return issue(desk, payload)


def issue(desk: Desk, payload: Payload) -> tuple[str, Token]:
    """Make the token of what was proven. A use of a trust is taken when nothing can refuse the token any more."""
    standing = stand(desk, payload)
    if standing.ends is not None:
        if standing.ends <= desk.now:
            raise Unauthorized(REFUSED)
        payload.expires_at = min(payload.expires_at, micro(standing.ends))
    if payload.trust_id:
        desk.must_wait()
        desk.close()
        with desk.core.db.write() as tx:
            if not trusts.take_use(tx, payload.trust_id):
                raise Unauthorized(REFUSED)
    return seal(desk, payload)


def _prove(desk: Desk, identity: IdentityIn, signed: SignedPost | None, *, has_scope: bool) -> list[Proof]:
    wanted = list(dict.fromkeys(identity.methods))
    for name in wanted:
        if name not in NAMES:
            raise Unauthorized("Attempted to authenticate with an unsupported method.")
    if not wanted:
        raise Unauthorized(REFUSED)
    if "application_credential" in wanted and has_scope:
        raise Unauthorized(
            "Error authenticating with application credential: Application credentials cannot request a scope."
        )
    # What hashes comes first: a handler may be called twice for it, but a one-time password is good for once only.
    found = {
        name: oauth.prove(desk, signed) if name == OAUTH1 else METHODS[name](desk, identity)
        for name in sorted(wanted, key=lambda name: name not in HASHING)
    }
    proofs = [found[name] for name in wanted]
    if has_scope and any(proof.app_credential_id for proof in proofs):
        raise Forbidden(
            "You are not authorized to perform the requested action: Using an application credential token to create "
            "a scoped token is not allowed."
        )
    return proofs


def _delegation(proofs: Sequence[Proof]) -> Proof | None:
    """The proof by which another acts for the user. :raises Unauthorized: there are two, of which none would bind."""
    found = [proof for proof in proofs if proof.project_id]
    if len({(proof.app_credential_id, proof.access_token_id) for proof in found}) > 1:
        raise Unauthorized(REFUSED)
    return found[0] if found else None


def _delegated_scope(desk: Desk, auth: AuthIn, proof: Proof) -> Scope:
    """:raises Unauthorized: a scope is asked for that is not the delegation's."""
    own: Scope = ("project", proof.project_id, "")
    if auth.scope is not None and _scope(desk, auth.scope, proof.user) != own:
        raise Unauthorized(REFUSED)
    return own


def _scope(desk: Desk, scope: ScopeIn | str | None, user: User) -> Scope:
    if isinstance(scope, str):
        return "unscoped", "", ""
    if not isinstance(scope, ScopeIn):
        return _default_scope(desk, user)
    parts = (scope.project, scope.domain, scope.system, scope.unscoped, scope.trust)
    if sum(part is not None for part in parts) != 1:
        raise BadRequest(
            "Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope. The server could not "
            "comply with the request since it is either malformed or otherwise incorrect."
        )
    if scope.project is not None:
        return "project", _project(desk, scope.project), ""
    if scope.domain is not None:
        domain_id = methods.find_domain(desk, scope.domain)
        if domain_id is None:
            raise Unauthorized(REFUSED)
        return "domain", domain_id, ""
    if scope.trust is not None:
        return _trust(desk, scope.trust)
    if scope.system is not None:
        if not scope.system.all:
            raise BadRequest("'all' of scope.system must be true.")
        return "system", "all", ""
    return "unscoped", "", ""


def _default_scope(desk: Desk, user: User) -> Scope:
    """The user's default project where it is usable, else none."""
    project_id = user.default_project_id
    if project_id:
        wanted = Payload(user.id, [], "project", project_id, 0, 0, [], 0)
        try:
            stand(desk, wanted)
            return "project", project_id, ""
        except Unauthorized:
            pass  # Keystone gives an unscoped token then: the user did not ask for this project in this request.
    return "unscoped", "", ""


def _project(desk: Desk, wanted: ProjectRef) -> str:
    if wanted.id:
        found = project_at(desk, wanted.id)
        if found is None or found.is_domain:
            raise Unauthorized(REFUSED)
        return str(found.id)
    if not wanted.name:
        raise BadRequest("Expecting to find id or name in project.")
    if wanted.domain is None:
        raise BadRequest("Expecting to find domain in project.")
    domain_id, name = methods.find_domain(desk, wanted.domain), wanted.name
    found_id = desk.known(("project named", domain_id, name), lambda tx: scopes.project_id(tx, domain_id, name))
    if domain_id is None or found_id is None:
        raise Unauthorized(REFUSED)
    return found_id


def _trust(desk: Desk, wanted: TrustRef) -> Scope:
    found = rows.get(desk.tx, tables.trust, wanted.id)
    if found is None or found.remaining_uses == 0:
        raise Unauthorized(REFUSED)
    if not found.project_id:
        return "unscoped", "", str(found.id)
    return "project", str(found.project_id), str(found.id)
