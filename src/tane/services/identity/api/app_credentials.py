"""Application credentials and access rules (Identity API v3: "Application Credentials")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given, listing, moment
from tane.services.identity.domain import app_credentials
from tane.services.identity.domain.app_credentials import AppCredential
from tane.web.codec import iso_micro
from tane.web.request import Request


def view(request: Request, found: AppCredential) -> dict[str, Any]:
    row = found.row
    body: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "project_id": row.project_id,
        "user_id": row.user_id,
        "system": None,
        "expires_at": iso_micro(row.expires_at),
        "unrestricted": row.unrestricted,
        "roles": [
            {
                "id": role.id,
                "name": role.name,
                "domain_id": role.domain_id or None,
                "description": role.description,
                "options": role.options,
            }
            for role in found.roles
        ],
        "links": {"self": request.link(f"/v3/users/{row.user_id}/application_credentials/{row.id}")},
    }
    if found.access_rules:
        body["access_rules"] = [_rule(rule) for rule in found.access_rules]
    return body


def _rule(row: Row[Any]) -> dict[str, str]:
    return {"id": row.id, "service": row.service, "path": row.path, "method": row.method}


def index(request: Request) -> dict[str, Any]:
    app_credentials.refuse_delegated(request.ctx)
    found = app_credentials.index(request.core, request.path["user_id"], filters(request, ("name",)))
    return listing(request, "application_credentials", (view(request, one) for one in found))


def create(request: Request) -> dict[str, Any]:
    values = given(request.body.application_credential)
    values["expires_at"] = moment("expires_at", values.get("expires_at"))
    made, secret = app_credentials.create(request.core, request.ctx, request.path["user_id"], values)
    return {"application_credential": {**view(request, made), "secret": secret}}


def show(request: Request) -> dict[str, Any]:
    app_credentials.refuse_delegated(request.ctx)
    found = app_credentials.show(request.core, request.path["application_credential_id"])
    return {"application_credential": view(request, found)}


def delete(request: Request) -> None:
    app_credentials.delete(request.core, request.ctx, request.path["application_credential_id"])


def _rule_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    return {**_rule(row), "links": {"self": request.link(f"/v3/users/{row.user_id}/access_rules/{row.id}")}}


def rule_index(request: Request) -> dict[str, Any]:
    app_credentials.refuse_delegated(request.ctx)
    wanted = filters(request, ("service", "path", "method"))
    found = app_credentials.index_rules(request.core, request.path["user_id"], wanted)
    return listing(request, "access_rules", (_rule_view(request, row) for row in found))


def rule_show(request: Request) -> dict[str, Any]:
    app_credentials.refuse_delegated(request.ctx)
    found = app_credentials.show_rule(request.core, request.path["user_id"], request.path["access_rule_id"])
    return {"access_rule": _rule_view(request, found)}


def rule_delete(request: Request) -> None:
    app_credentials.refuse_delegated(request.ctx)
    app_credentials.delete_rule(request.core, request.path["user_id"], request.path["access_rule_id"])
