"""Credentials (Identity API v3: "Credentials"; extensions OS-EC2, s3tokens)."""

from __future__ import annotations

from typing import Any

from tane.services.identity.api.common import filters, given, given_with_extra, listing, require, with_self
from tane.services.identity.api.targets import NOBODY
from tane.services.identity.api.tokens import document
from tane.services.identity.domain import credentials, ec2_tokens
from tane.services.identity.domain.credentials import EC2, Credential
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request, Response


def view(request: Request, found: Credential) -> dict[str, Any]:
    body = {
        **found.extra,
        "id": found.id,
        "user_id": found.user_id,
        "project_id": found.project_id,
        "type": found.type,
        "blob": found.blob,
    }
    return with_self(request, "credentials", body)


def index(request: Request) -> dict[str, Any]:
    rule, wanted = "identity:get_credential", dict(filters(request, ("user_id", "type")))
    own, others = request.ctx.user_id, request.allows(rule, {"target.credential.user_id": NOBODY})
    if not others and wanted.setdefault("user_id", own) != own:
        return listing(request, "credentials", ())
    # All that is read has to be deciphered: what is not shown would be for nothing.
    found = credentials.index(request.core, request.ctx, wanted)
    mine = (one for one in found if request.allows(rule, {"target.credential.user_id": one.user_id}))
    return listing(request, "credentials", (view(request, one) for one in mine))


def create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "credential", request.body.credential)
    require(request, "identity:create_credential", "credential", user_id=values["user_id"])
    return {"credential": view(request, credentials.create(request.core, request.ctx, values))}


def show(request: Request) -> dict[str, Any]:
    return {"credential": view(request, _of_caller(request, "get_credential"))}


def update(request: Request) -> dict[str, Any]:
    found = _of_caller(request, "update_credential")
    values = given_with_extra(request, "credential", request.body.credential)
    require(request, "identity:update_credential", "credential", user_id=values.get("user_id", found.user_id))
    return {"credential": view(request, credentials.update(request.core, request.ctx, found.id, values))}


def delete(request: Request) -> None:
    credentials.delete(request.core, request.ctx, _of_caller(request, "delete_credential").id)


def _of_caller(request: Request, action: str) -> Credential:
    found = credentials.show(request.core, request.ctx, request.path["credential_id"])
    require(request, f"identity:{action}", "credential", user_id=found.user_id)
    return found


def ec2_view(request: Request, found: Credential) -> dict[str, Any]:
    keys = found.keys
    return {
        "user_id": found.user_id,
        "tenant_id": found.project_id,
        "access": keys.get("access"),
        "secret": keys.get("secret"),
        "trust_id": keys.get("trust_id"),
        "links": {"self": request.link(f"/v3/users/{found.user_id}/credentials/OS-EC2/{keys.get('access')}")},
    }


def ec2_index(request: Request) -> dict[str, Any]:
    wanted = {"user_id": request.path["user_id"], "type": EC2}
    found = credentials.index(request.core, request.ctx, wanted)
    return listing(request, "credentials", (ec2_view(request, one) for one in found))


def ec2_create(request: Request) -> dict[str, Any]:
    made = credentials.create_ec2(request.core, request.ctx, request.path["user_id"], request.body.tenant_id)
    return {"credential": ec2_view(request, made)}


def ec2_show(request: Request) -> dict[str, Any]:
    return {"credential": ec2_view(request, _ec2(request))}


def ec2_delete(request: Request) -> None:
    credentials.delete(request.core, request.ctx, _ec2(request).id)


def _ec2(request: Request) -> Credential:
    """The credential with the access key in the path, which must be of the user in the path."""
    access = request.path["credential_id"]
    found = credentials.show(request.core, request.ctx, credentials.id_of(access))
    if found.user_id != request.path["user_id"] or found.type.lower() != EC2:
        raise NotFound(f"Could not find credential: {access}.")
    return found


def ec2_token(request: Request) -> Response:
    text, token = ec2_tokens.authenticate_ec2(request.core, _signed(request))
    return Response(document(request, token), headers={"X-Subject-Token": text})


def s3_token(request: Request) -> Response:
    """The token's text is not handed out: a service has no need of it to serve an S3 call."""
    _, token = ec2_tokens.authenticate_s3(request.core, _signed(request))
    return Response(document(request, token))


def _signed(request: Request) -> dict[str, Any]:
    body = request.body
    found = body.credentials or body.credential or body.ec2Credentials
    if found is None:
        raise BadRequest("request must include a request body with the credentials of the call")
    return given(found)
