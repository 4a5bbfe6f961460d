"""Tags of projects (Identity API v3: "Project tags")."""

from __future__ import annotations

from typing import Any

from tane.services.identity import schemas
from tane.services.identity.domain import projects
from tane.web import codec
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request

MOST_TAGS = 80


def _tags(request: Request) -> list[str]:
    return list(projects.show(request.core, request.path["project_id"]).tags)


def view(request: Request, tags: list[str]) -> dict[str, Any]:
    return {"tags": tags, "links": {"self": request.base_url + request.url_path, "next": None, "previous": None}}


def index(request: Request) -> dict[str, Any]:
    return view(request, _tags(request))


def replace(request: Request) -> dict[str, Any]:
    return view(request, projects.set_tags(request.core, request.path["project_id"], request.body.tags))


def clear(request: Request) -> None:
    projects.set_tags(request.core, request.path["project_id"], [])


def check(request: Request) -> None:
    _require(request, _tags(request))


def add(request: Request) -> None:
    tag = codec.convert(schemas.Tag, request.path["tag"])
    tags = _tags(request)
    if tag not in tags and len(tags) >= MOST_TAGS:
        raise BadRequest(f"A project has at most {MOST_TAGS} tags.")
    projects.set_tags(request.core, request.path["project_id"], [*tags, tag])


def remove(request: Request) -> None:
    tags = _tags(request)
    _require(request, tags)
    projects.set_tags(request.core, request.path["project_id"], [tag for tag in tags if tag != request.path["tag"]])


def _require(request: Request, tags: list[str]) -> None:
    if request.path["tag"] not in tags:
        raise NotFound(f"Could not find project tag: {request.path['tag']}.")
