"""Policies and their endpoints (Identity API v3: "Policies"; extensions: OS-ENDPOINT-POLICY)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.catalog import endpoint_view
from tane.services.identity.api.common import filters, given_with_extra, listing, with_self
from tane.services.identity.domain import plain, policies
from tane.services.identity.domain.policies import POLICY
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    return with_self(request, "policies", {**row.extra, "id": row.id, "type": row.type, "blob": row.blob})


def index(request: Request) -> dict[str, Any]:
    found = plain.index(request.core, POLICY, filters(request, ("type",)))
    return listing(request, "policies", (view(request, row) for row in found))


def show(request: Request) -> dict[str, Any]:
    return {"policy": view(request, plain.show(request.core, POLICY, request.path["policy_id"]))}


def create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "policy", request.body.policy)
    return {"policy": view(request, plain.create(request.core, POLICY, values))}


def update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "policy", request.body.policy)
    return {"policy": view(request, plain.update(request.core, POLICY, request.path["policy_id"], values))}


def delete(request: Request) -> None:
    plain.delete(request.core, POLICY, request.path["policy_id"])


def _where(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.path.items() if name != "policy_id"}


def associate(request: Request) -> None:
    policies.associate(request.core, request.path["policy_id"], _where(request))


def check(request: Request) -> None:
    policies.check(request.core, request.path["policy_id"], _where(request))


def dissociate(request: Request) -> None:
    policies.dissociate(request.core, request.path["policy_id"], _where(request))


def of_endpoint(request: Request) -> dict[str, Any]:
    return {"policy": view(request, policies.of_endpoint(request.core, request.path["endpoint_id"]))}


def endpoints_of(request: Request) -> dict[str, Any]:
    found = policies.endpoints_of(request.core, request.path["policy_id"])
    return listing(request, "endpoints", (endpoint_view(request, row) for row in found))
