"""Tokens (Identity API v3: "Authentication and token management")."""

from __future__ import annotations

from typing import Any

from tane.services.identity.api.projects import view as project_view
from tane.services.identity.domain import catalog, tokens
from tane.services.identity.store import assignments
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, NotFound, Unauthorized
from tane.web.request import Request, Response


def view(request: Request, valid: tokens.Token) -> dict[str, Any]:
    payload = valid.payload
    body: dict[str, Any] = {
        "methods": payload.methods,
        "user": {
            "id": valid.user.id,
            "name": valid.user.name,
            "domain": {"id": valid.user_domain.id, "name": valid.user_domain.name},
            "password_expires_at": iso_micro(valid.user.password_expires_at),
        },
        "audit_ids": payload.audit_ids,
        "issued_at": f"{iso_micro(valid.issued_at)}Z",
        "expires_at": f"{iso_micro(valid.expires_at)}Z",
    }
    if payload.scope == "project" and valid.target is not None and valid.target_domain is not None:
        body["project"] = {
            "id": valid.target.id,
            "name": valid.target.name,
            "domain": {"id": valid.target_domain.id, "name": valid.target_domain.name},
        }
        body["is_domain"] = False
    elif payload.scope == "domain" and valid.target is not None:
        body["domain"] = {"id": valid.target.id, "name": valid.target.name}
    elif payload.scope == "system":
        body["system"] = {"all": True}
    if payload.scope != "unscoped":
        body["roles"] = [{"id": role_id, "name": name} for role_id, name in valid.roles]
        if not _nocatalog(request):
            body["catalog"] = catalog.catalog(request.core, payload.scope_id if payload.scope == "project" else "")
    return {"token": body}


def create(request: Request) -> Response:
    text, valid = tokens.authenticate(request.core, request.body.auth)
    return Response(view(request, valid), headers={"X-Subject-Token": text, "Vary": "X-Auth-Token"})


def show(request: Request) -> Response:
    text = _subject(request)
    try:
        valid = tokens.validate(request.core, text, allow_expired=request.flag("allow_expired"))
    except Unauthorized as error:
        raise NotFound("Could not find token.") from error
    return Response(view(request, valid), headers={"X-Subject-Token": text, "Vary": "X-Auth-Token"})


def delete(request: Request) -> None:
    tokens.revoke(request.core, _subject(request))


def show_catalog(request: Request) -> dict[str, Any]:
    return {
        "catalog": catalog.catalog(request.core, request.ctx.project_id),
        "links": {"self": request.link("/auth/catalog")},
    }


def list_projects(request: Request) -> dict[str, Any]:
    """Projects the caller can scope a token to."""
    with request.core.db.read() as tx:
        found = assignments.targets_of(tx, request.ctx.user_id, domains=False)
    return {
        "projects": [project_view(request, row) for row in found],
        "links": {"self": request.link("/auth/projects"), "next": None, "previous": None},
    }


def list_domains(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        found = assignments.targets_of(tx, request.ctx.user_id, domains=True)
    return {
        "domains": [project_view(request, row) for row in found],
        "links": {"self": request.link("/auth/domains"), "next": None, "previous": None},
    }


def list_system(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        found = assignments.effective_roles(tx, request.ctx.user_id, "system", "all")
    return {"system": [{"all": True}] if found else [], "links": {"self": request.link("/auth/system")}}


def _subject(request: Request) -> str:
    text = request.headers.get("x-subject-token", "")
    if not text:
        raise BadRequest("The header X-Subject-Token is required.")
    return text


def _nocatalog(request: Request) -> bool:
    value = request.param("nocatalog")
    return value is not None and value.lower() not in ("0", "false")
