"""Resource types: their names, schemas and templates."""

from __future__ import annotations

from typing import Any

from tane.services.orchestration.api.common import own_project
from tane.services.orchestration.domain import types
from tane.web.errors import BadRequest
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    own_project(request)
    names = types.names(request.param("name"), request.param("support_status"), request.param("version"))
    if not request.flag("with_description"):
        return {"resource_types": names}
    return {"resource_types": [{"resource_type": name, "description": types.description(name)} for name in names]}


def show(request: Request) -> Any:
    own_project(request)
    return types.schema(request.path["type_name"], described=request.flag("with_description"))


def template(request: Request) -> Any:
    own_project(request)
    kind = (request.param("template_type") or "cfn").lower()
    if kind not in ("cfn", "hot"):
        raise BadRequest(f'Template type is not supported: Invalid template type "{kind}", valid types are: cfn, hot.')
    return types.template(request.path["type_name"], kind)
