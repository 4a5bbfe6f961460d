"""What handlers share: Heat's errors, identities in links, the project of the path."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy.engine import Row

from tane.services.orchestration.domain.common import InvalidTenant
from tane.services.orchestration.domain.plans import placed, refused
from tane.services.orchestration.template import effort
from tane.services.orchestration.template.effort import TooLong
from tane.web.codec import iso
from tane.web.errors import ApiError
from tane.web.request import Request

T = TypeVar("T")
EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    401: "This server could not verify that you are authorized to access the document you requested.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    405: "The method specified is not allowed for this resource.",
    409: "There was a conflict when trying to complete your request.",
    501: "The server does not support the action requested by the client.",
    503: "The server is currently unavailable. Please try again at a later time.",
}


def error_shape(error: ApiError) -> dict[str, object]:
    """``{"code", "title", "explanation", "error": {"message", "type", "traceback"}}``."""
    return {
        "code": error.status,
        "title": error.title,
        "explanation": EXPLANATIONS.get(error.status, error.title),
        "error": {"message": error.message, "type": error.type, "traceback": None},
    }


def weighed(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """A handler that may have to look at templates: a little where all requests are answered, all there is to look at
    where only such requests wait."""

    @functools.wraps(handler)
    def answered(request: Request) -> Any:
        try:
            return effort.within(effort.much() if request.may_take_long else effort.little(), lambda: handler(request))
        except TooLong as error:
            raise refused(error) from None

    return answered


def own_project(request: Request) -> str:
    """The project of the path. :raises InvalidTenant: it is another than the token's."""
    project_id = request.path["project_id"]
    if project_id != request.ctx.project_id and not request.ctx.is_admin:
        raise InvalidTenant("You are not authorized to complete this action.", type="Forbidden")
    return project_id


def stack_of(request: Request) -> tuple[str, str]:
    """(id, name) of the path's stack. :raises InvalidTenant:"""
    own_project(request)
    return request.path["stack_id"], request.path["stack_name"]


def stack_link(request: Request, stack: Any) -> str:
    return request.base_url + f"/orchestration/v1/{stack.project_id}/stacks/{quote(stack.name)}/{stack.id}"


def resource_link(request: Request, stack: Any, name: str) -> str:
    return f"{stack_link(request, stack)}/resources/{quote(name, safe='')}"


def links(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"href": href, "rel": rel} for rel, href in pairs]


def stack_view(request: Request, row: Row[Any], tags: Mapping[str, list[str]]) -> dict[str, Any]:
    """A stack as lists show it."""
    return {
        "id": row.id,
        "links": links(("self", stack_link(request, row))),
        "stack_name": row.name,
        "description": row.description,
        "stack_status": f"{row.action}_{row.status}",
        "stack_status_reason": row.reason,
        "creation_time": iso(row.created_at),
        "updated_time": iso(row.updated_at),
        "deletion_time": iso(row.deleted_at),
        "stack_owner": row.owner_name or None,
        "parent": row.parent_id,
        "stack_user_project_id": row.project_id,
        "tags": tags.get(row.id) or None,
    }


def placing(handler: Callable[[Request], T]) -> Callable[[Request], T]:
    """Let what is wrong with the template, or the environment, of a request be told with its line."""

    @functools.wraps(handler)
    def told(request: Request) -> T:
        with placed(request.body.template, request.body.environment):
            return handler(request)

    return told
