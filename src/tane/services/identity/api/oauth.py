"""Delegation by OAuth 1.0a (Identity API v3 extension OS-OAUTH1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from sqlalchemy.engine import Row

from tane.services.identity.api.common import given, listing
from tane.services.identity.api.roles import view as role_view
from tane.services.identity.domain import oauth
from tane.services.identity.domain.oauth_signatures import SignedPost
from tane.web.codec import iso_micro
from tane.web.errors import NotFound
from tane.web.request import Request, Response

FORM = "application/x-www-form-urlencoded"


def signed_post(request: Request) -> SignedPost:
    """The call as a consumer has signed it. A query is not: clients add ``?nocatalog`` afterwards."""
    return SignedPost(request.base_url + request.url_path, request.headers.get("authorization", ""))


def create_request_token(request: Request) -> Response:
    project_id = request.headers.get("requested-project-id", "")
    return _secret(oauth.create_request_token(request.core, signed_post(request), project_id))


def create_access_token(request: Request) -> Response:
    return _secret(oauth.create_access_token(request.core, signed_post(request)))


def _secret(row: Row[Any]) -> Response:
    """A token with its secret, which is told this once, as a form (RFC 5849, 2.1)."""
    form = {"oauth_token": row.id, "oauth_token_secret": row.secret}
    if row.expires_at is not None:
        form["oauth_expires_at"] = f"{iso_micro(row.expires_at)}Z"
    return Response(urlencode(form, safe=":").encode(), content_type=FORM)


def authorize(request: Request) -> dict[str, Any]:
    wanted = given(request.body)["roles"]
    verifier = oauth.authorize(request.core, request.ctx, request.path["request_token_id"], wanted)
    return {"token": {"oauth_verifier": verifier}}


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    own = f"/v3/users/{row.authorizing_user_id}/OS-OAUTH1/access_tokens/{row.id}"
    return {
        "id": row.id,
        "consumer_id": row.consumer_id,
        "project_id": row.project_id,
        "authorizing_user_id": row.authorizing_user_id,
        "expires_at": f"{iso_micro(row.expires_at)}Z" if row.expires_at else None,
        "links": {"self": request.link(own), "roles": request.link(f"{own}/roles")},
    }


def index(request: Request) -> dict[str, Any]:
    found = oauth.index(request.core, request.ctx, request.path["user_id"])
    return listing(request, "access_tokens", (view(request, row) for row in found))


def show(request: Request) -> dict[str, Any]:
    path = request.path
    return {
        "access_token": view(request, oauth.show(request.core, request.ctx, path["user_id"], path["access_token_id"]))
    }


def delete(request: Request) -> None:
    oauth.delete(request.core, request.ctx, request.path["user_id"], request.path["access_token_id"])


def _roles(request: Request) -> list[Row[Any]]:
    return oauth.roles(request.core, request.ctx, request.path["user_id"], request.path["access_token_id"])


def role_index(request: Request) -> dict[str, Any]:
    return listing(request, "roles", (role_view(request, row) for row in _roles(request)))


def role_show(request: Request) -> dict[str, Any]:
    for row in _roles(request):
        if row.id == request.path["role_id"]:
            return {"role": role_view(request, row)}
    raise NotFound(f"Could not find role: {request.path['role_id']}.")
