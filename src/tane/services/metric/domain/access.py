"""Whose metrics and resources are whose: a project has what its users made, and what was made in its name."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from tane.core import Core
from tane.services.metric.domain.errors import invalid
from tane.web.context import Context
from tane.web.errors import Forbidden

TRANSFORMED = uuid.UUID("0a7a15ff-aa13-4ac2-897c-9bdf30ce175b")
"""Gnocchi's name space of resource ids that are no UUIDs."""
MOST_ID = 289
CLOUD = "tane:"
"""The creator of what the cloud itself measures, and the project that made it: one that nobody is in."""
DENIED = "Access was denied to this resource."


def creator(ctx: Context) -> str:
    return f"{ctx.user_id}:{ctx.project_id}"


def for_others(core: Core, ctx: Context) -> bool:
    return core.policy.allows("metric:act_for_others", ctx)


def visible(core: Core, ctx: Context) -> str | None:
    """The project whose things the caller sees; None for all. :raises Forbidden: the caller is of no project."""
    if for_others(core, ctx):
        return None
    require(bool(ctx.project_id))
    return ctx.project_id


def sees(core: Core, ctx: Context, row: Any) -> bool:
    """``row``: a resource, or a metric with ``resource_project_id``."""
    return sees_resource(core, ctx, row) if not hasattr(row, "number") else sees_metric(core, ctx, row)


def sees_resource(core: Core, ctx: Context, row: Any) -> bool:
    return _is_one_of(core, ctx, row.created_by_project_id, row.project_id)


def sees_metric(core: Core, ctx: Context, row: Any) -> bool:
    """``row``: with ``resource_project_id``."""
    return _is_one_of(core, ctx, row.created_by_project_id, row.resource_project_id)


def _is_one_of(core: Core, ctx: Context, *owners: str | None) -> bool:
    return (bool(ctx.project_id) and ctx.project_id in owners) or for_others(core, ctx)


def owns(core: Core, ctx: Context, row: Any) -> bool:
    """Whether the caller may change it: what the cloud measures of a project is not the project's to change."""
    return (bool(ctx.project_id) and row.created_by_project_id == ctx.project_id) or for_others(core, ctx)


def require(allowed: bool) -> None:
    """:raises Forbidden:"""
    if not allowed:
        raise Forbidden(DENIED)


def require_seen(core: Core, ctx: Context, rows: Iterable[Any]) -> None:
    """:raises Forbidden: one is not the caller's to see."""
    for row in rows:
        require(sees(core, ctx, row))


def resource_id(text: Any, who: str) -> tuple[str, str]:
    """(as it was sent, UUID): what is none becomes one that follows from it and its creator. :raises Told:"""
    if not isinstance(text, str):
        raise invalid("expected str", "id")
    if "/" in text:
        raise invalid("'/' is not supported in resource id", "id")
    try:
        return text, str(uuid.UUID(text))
    except ValueError:
        pass
    if len(text) > MOST_ID:
        raise invalid(f"transformable resource id >{MOST_ID} max allowed characters", "id")
    return text, str(uuid.uuid5(TRANSFORMED, f"{text}\x00{who}"))
