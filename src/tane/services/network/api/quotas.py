"""Quotas (Networking API: "Quotas extension")."""

from __future__ import annotations

from typing import Any

from tane.services.network.domain import quotas
from tane.services.network.domain.common import DEFAULT_LIMITS
from tane.services.network.schemas import given
from tane.web.errors import BadRequest
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    return {"quotas": [{"tenant_id": row["project_id"], **row} for row in quotas.all_set(request.core)]}


def show(request: Request) -> dict[str, Any]:
    quotas.require_own(request.ctx, request.path["project_id"])
    return {"quota": quotas.limits(request.core, request.path["project_id"])}


def default(request: Request) -> dict[str, Any]:
    quotas.require_own(request.ctx, request.path["project_id"])
    return {"quota": dict(DEFAULT_LIMITS)}


def details(request: Request) -> dict[str, Any]:
    quotas.require_own(request.ctx, request.path["project_id"])
    return {"quota": quotas.details(request.core, request.path["project_id"])}


def update(request: Request) -> dict[str, Any]:
    values = given(request.body.quota)
    force = values.pop("force")
    del values["check_limit"]  # What it asks for is done unless ``force`` is said.
    if not values:
        raise BadRequest(
            "Invalid input for quota. Reason: no limit of a known resource is given.", type="HTTPBadRequest"
        )
    return {"quota": quotas.change(request.core, request.path["project_id"], values, force=force)}


def delete(request: Request) -> None:
    quotas.reset(request.core, request.path["project_id"])


def own_project(request: Request) -> dict[str, Any]:
    """Whose quota the token is about (``/quotas/tenant``, ``/quotas/project``)."""
    name = request.url_path.rsplit("/", 1)[-1]
    return {name: {f"{name}_id": request.ctx.project_id}}
