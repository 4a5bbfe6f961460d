"""Domain configuration (Identity API v3: "Domain configuration")."""

from __future__ import annotations

from typing import Any

from tane.services.identity.domain import domain_config
from tane.web.request import Request, Response


def _place(request: Request) -> tuple[str, str | None, str | None]:
    path = request.path
    return path["domain_id"], path.get("group"), path.get("option")


def show(request: Request) -> dict[str, Any]:
    return {"config": domain_config.show(request.core, *_place(request))}


def replace(request: Request) -> Response:
    config, new = domain_config.replace(request.core, request.path["domain_id"], request.body.config)
    return Response({"config": config}, status=201 if new else 200)


def update(request: Request) -> dict[str, Any]:
    domain_id, group, option = _place(request)
    return {"config": domain_config.update(request.core, domain_id, request.body.config, group, option)}


def delete(request: Request) -> None:
    domain_config.delete(request.core, *_place(request))


def defaults(request: Request) -> dict[str, Any]:
    return {"config": domain_config.defaults(request.path.get("group"), request.path.get("option"))}


def security_compliance(request: Request) -> dict[str, Any]:
    domain_id, option = request.path["domain_id"], request.path.get("option")
    return {"config": domain_config.security_compliance(request.core, domain_id, option)}
