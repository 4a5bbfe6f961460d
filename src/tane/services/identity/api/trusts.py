"""Trusts (Identity API v3 extension OS-TRUST)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import given_with_extra, listing, moment, require
from tane.services.identity.api.roles import view as role_view
from tane.services.identity.domain import trusts
from tane.web.codec import iso_micro
from tane.web.errors import Forbidden, NotFound
from tane.web.request import Request

ROOT = "/v3/OS-TRUST/trusts"


def _summary(request: Request, row: Row[Any]) -> dict[str, Any]:
    return {
        **row.extra,
        "id": row.id,
        "trustor_user_id": row.trustor_user_id,
        "trustee_user_id": row.trustee_user_id,
        "project_id": row.project_id,
        "impersonation": row.impersonation,
        "expires_at": f"{iso_micro(row.expires_at)}Z" if row.expires_at else None,
        "remaining_uses": row.remaining_uses,
        "redelegation_count": row.redelegation_count,
        "redelegated_trust_id": row.redelegated_trust_id,
        "deleted_at": None,
        "links": {"self": request.link(f"{ROOT}/{row.id}")},
    }


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    return {
        **_summary(request, row),
        "roles": [role_view(request, role) for role in trusts.roles(request.core, row)],
        "roles_links": {"self": request.link(f"{ROOT}/{row.id}/roles"), "next": None, "previous": None},
    }


def index(request: Request) -> dict[str, Any]:
    """All for administrators; with a trustor or a trustee named, those of the caller."""
    _refuse_delegated(request)
    wanted = {}
    for side in ("trustor", "trustee"):
        user_id = request.param(f"{side}_user_id")
        if user_id:
            require(request, f"identity:list_trusts_for_{side}", "trust", **{f"{side}_user_id": user_id})
            wanted[f"{side}_user_id"] = user_id
    if not wanted:
        require(request, "identity:list_trusts", "trust")
    found = trusts.index(request.core, wanted)
    return listing(request, "trusts", (_summary(request, row) for row in found))


def create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "trust", request.body.trust)
    require(request, "identity:create_trust", "trust", trustor_user_id=values["trustor_user_id"])
    _refuse_delegated(request)
    values["expires_at"] = moment("expires_at", values.get("expires_at"))
    return {"trust": view(request, trusts.create(request.core, request.ctx, values))}


def show(request: Request) -> dict[str, Any]:
    return {"trust": view(request, _of_caller(request, "get_trust"))}


def delete(request: Request) -> None:
    trusts.delete(request.core, request.ctx, _of_caller(request, "delete_trust").id)


def role_index(request: Request) -> dict[str, Any]:
    found = trusts.roles(request.core, _of_caller(request, "list_roles_for_trust"))
    return listing(request, "roles", (role_view(request, role) for role in found))


def role_show(request: Request) -> dict[str, Any]:
    role_id = request.path["role_id"]
    for role in trusts.roles(request.core, _of_caller(request, "get_role_for_trust")):
        if role.id == role_id:
            return {"role": role_view(request, role)}
    raise NotFound(f"Could not find role: {role_id}.")


def _of_caller(request: Request, action: str) -> Row[Any]:
    """The trust in the path. :raises NotFound: there is none. :raises Forbidden: it is no concern of the caller's."""
    row = trusts.show(request.core, request.path["trust_id"])
    parties = {"trustor_user_id": row.trustor_user_id, "trustee_user_id": row.trustee_user_id}
    require(request, f"identity:{action}", "trust", **parties)
    _refuse_delegated(request)
    return row


def _refuse_delegated(request: Request) -> None:
    """A delegation of one kind makes none of another: the trail of who gave what to whom would break."""
    if request.ctx.application_credential_id:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using method 'application_credential' is not "
            "allowed for managing trusts."
        )
    if request.ctx.access_token_id:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using method 'oauth1' is not allowed for managing "
            "trusts."
        )
