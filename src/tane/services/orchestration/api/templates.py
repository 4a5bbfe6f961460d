"""Templates on their own: validation, versions, functions."""

from __future__ import annotations

from typing import Any

from tane.services.orchestration.api.common import own_project, placing
from tane.services.orchestration.domain import templates
from tane.services.orchestration.domain.requests import Asked
from tane.web.request import Request


@placing
def validate(request: Request) -> Any:
    own_project(request)
    asked = Asked(**{name: getattr(request.body, name) for name in Asked.__struct_fields__})
    return templates.validate(request.core, request.ctx, asked, nested=request.flag("show_nested"))


def versions(request: Request) -> dict[str, Any]:
    own_project(request)
    return {"template_versions": templates.versions()}


def functions(request: Request) -> dict[str, Any]:
    own_project(request)
    conditions = request.flag("with_condition_func")
    return {"template_functions": templates.functions(request.path["template_version"], conditions)}
