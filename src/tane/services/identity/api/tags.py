"""Tags of projects (Identity API v3: "Project tags")."""

from __future__ import annotations

from typing import Any

from tane.services.identity import schemas
from tane.services.identity.api.common import own_link
from tane.services.identity.domain import projects
from tane.web import codec
from tane.web.request import Request


def view(request: Request, tags: list[str]) -> dict[str, Any]:
    return {"tags": tags, "links": {**own_link(request), "next": None, "previous": None}}


def index(request: Request) -> dict[str, Any]:
    return view(request, list(projects.show(request.core, request.path["project_id"]).tags))


def replace(request: Request) -> dict[str, Any]:
    return view(request, projects.set_tags(request.core, request.path["project_id"], request.body.tags))


def clear(request: Request) -> None:
    projects.set_tags(request.core, request.path["project_id"], [])


def check(request: Request) -> None:
    projects.require_tag(request.core, request.path["project_id"], request.path["tag"])


def add(request: Request) -> None:
    projects.add_tag(request.core, request.path["project_id"], codec.convert(schemas.Tag, request.path["tag"]))


def remove(request: Request) -> None:
    projects.remove_tag(request.core, request.path["project_id"], request.path["tag"])
