"""Tokens (Identity API v3: "Authentication and token management")."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.identity.api.common import listing, own_link, require
from tane.services.identity.api.oauth import signed_post
from tane.services.identity.api.projects import view as project_view
from tane.services.identity.domain import assignments, authentication, catalog, tokens
from tane.services.identity.domain.receipts import HEADER
from tane.web.codec import encode, iso_micro
from tane.web.errors import BadRequest, Forbidden, Gone, NotFound, Unauthorized
from tane.web.request import Request, Response

ACCESS_RULES = "openstack-identity-access-rules"


def _answer(request: Request, text: str, token: tokens.Token) -> Response:
    return Response(document(request, token), headers={"X-Subject-Token": text, "Vary": "X-Auth-Token"}, status=None)


def document(request: Request, token: tokens.Token) -> bytes:
    """The token's document as JSON. What is long in it (the catalogue) is encoded once for all tokens alike."""
    with_catalog = request.param("nocatalog") is None
    payload = token.payload
    own = {
        "methods": payload.methods,
        "audit_ids": payload.audit_ids,
        "issued_at": f"{iso_micro(token.issued_at)}Z",
        "expires_at": f"{iso_micro(token.expires_at)}Z",
    }
    return encode({"token": own | _shared(request, token, with_catalog)})


def _shared(request: Request, token: tokens.Token, with_catalog: bool) -> dict[str, msgspec.Raw]:
    """What all tokens of one standing have in common, encoded."""
    views = token.standing.views
    if with_catalog not in views:
        parts = _parts(token)
        if with_catalog and "roles" in parts:
            target = token.payload.scope_id if token.payload.scope == "project" else ""
            parts["catalog"] = catalog.catalog(request.core, target)
        views[with_catalog] = {name: msgspec.Raw(encode(value)) for name, value in parts.items()}
    found: dict[str, msgspec.Raw] = views[with_catalog]
    return found


def _parts(token: tokens.Token) -> dict[str, Any]:
    payload, standing = token.payload, token.standing
    user, domain, target = standing.user, standing.user_domain, standing.target
    parts: dict[str, Any] = {
        "user": {
            "id": user.id,
            "name": user.name,
            "domain": {"id": domain.id, "name": domain.name},
            "password_expires_at": iso_micro(user.password_expires_at),
        }
    }
    if payload.scope == "project" and target is not None and standing.target_domain is not None:
        owner = {"id": standing.target_domain.id, "name": standing.target_domain.name}
        parts["project"] = {"id": target.id, "name": target.name, "domain": owner}
        if standing.trust is None:
            parts["is_domain"] = False
    elif payload.scope == "domain" and target is not None:
        parts["domain"] = {"id": target.id, "name": target.name}
    elif payload.scope == "system":
        parts["system"] = {"all": True}
    if payload.scope != "unscoped":
        parts["roles"] = [{"id": role_id, "name": name} for role_id, name in standing.roles]
    if standing.trust is not None:
        trust = standing.trust
        parts["OS-TRUST:trust"] = {
            "id": trust.id,
            "impersonation": trust.impersonation,
            "trustor_user": {"id": trust.trustor_user_id},
            "trustee_user": {"id": trust.trustee_user_id},
        }
    if standing.access_token is not None:
        access = standing.access_token
        parts["OS-OAUTH1"] = {"access_token_id": access.id, "consumer_id": access.consumer_id}
    if standing.app_credential is not None:
        app = standing.app_credential
        parts["application_credential"] = {"id": app.id, "name": app.name, "restricted": not app.unrestricted}
        if standing.access_rules:
            parts["application_credential"]["access_rules"] = [
                {"id": rule.id, "service": rule.service, "path": rule.path, "method": rule.method}
                for rule in standing.access_rules
            ]
    return parts


def create(request: Request) -> Response:
    receipt = request.headers.get(HEADER.lower(), "")
    return _answer(
        request, *authentication.authenticate(request.core, request.body.auth, receipt, signed_post(request))
    )


def create_at_once(request: Request) -> Response | None:
    if HEADER.lower() in request.headers:
        return None
    known = authentication.authenticate_from_memory(request.core, request.body.auth)
    if known is None or (request.param("nocatalog") is None) not in known[1].standing.views:
        return None
    return _answer(request, *known)


def show(request: Request) -> Response:
    text = _subject(request)
    try:
        token = tokens.validate(request.core, text, allow_expired=request.flag("allow_expired"))
    except Unauthorized as error:
        raise NotFound("Could not find token.") from error
    _require_own(request, token)
    return _answer(request, text, token)


def show_at_once(request: Request) -> Response | None:
    text = request.headers.get("x-subject-token", "")
    token = tokens.recall(request.core, text) if text else None
    if token is None or (request.param("nocatalog") is None) not in token.standing.views:
        return None
    _require_own(request, token)
    return _answer(request, text, token)


def delete(request: Request) -> None:
    text = _subject(request)
    try:
        token = tokens.validate(request.core, text)
    except Unauthorized as error:
        raise NotFound("Could not find token.") from error
    _require_allowed(request, token, "identity:revoke_token")
    tokens.revoke(request.core, text)


def list_revoked(request: Request) -> None:
    """Long gone upstream, too, where tokens are not stored."""
    raise Gone("The list of revoked tokens is no longer kept: tokens are not stored.")


def show_catalog(request: Request) -> dict[str, Any]:
    if not request.ctx.project_id:
        raise Forbidden("A project-scoped token is required to produce a service catalog.")
    return {"catalog": catalog.catalog(request.core, request.ctx.project_id), "links": own_link(request)}


def _scopes(request: Request, kind: str) -> dict[str, Any]:
    """What the caller can scope a token to: nothing that is disabled."""
    found = assignments.targets_of(request.core, request.ctx.user_id, domains=kind == "domains")
    return listing(request, kind, (project_view(request, row) for row in found if row.enabled))


def list_projects(request: Request) -> dict[str, Any]:
    return _scopes(request, "projects")


def list_domains(request: Request) -> dict[str, Any]:
    return _scopes(request, "domains")


def list_system(request: Request) -> dict[str, Any]:
    found = [{"all": True}] if assignments.is_on_system(request.core, request.ctx.user_id) else []
    return {"system": found, "links": own_link(request)}


def _subject(request: Request) -> str:
    text = request.headers.get("x-subject-token", "")
    if not text:
        raise BadRequest("The header X-Subject-Token is required.")
    return text


def _require_own(request: Request, token: tokens.Token) -> None:
    """:raises NotFound: the token is good for some calls only, and who asks is a service that does not look at which:
    it would allow them all. Services that do say so by a header, as Keystone's middleware does."""
    _require_allowed(request, token, f"identity:{'check' if request.method == 'HEAD' else 'validate'}_token")
    own = token.user.id == request.ctx.user_id
    if token.standing.access_rules is not None and not own and ACCESS_RULES not in request.headers:
        raise NotFound("Could not find token.")


def _require_allowed(request: Request, token: tokens.Token, rule: str) -> None:
    """The policy has said what callers may do with tokens of their own; another's is asked for here."""
    if token.user.id != request.ctx.user_id:
        require(request, rule, "token", user_id=token.user.id)
