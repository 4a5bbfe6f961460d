"""Events of stacks as users read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.orchestration.domain.common import missing_resource, require
from tane.services.orchestration.store import events, resources, stacks
from tane.web.context import Context
from tane.web.errors import NotFound

MOST_LISTED = 2000
"""Events in an answer; the next ones follow the marker."""


class Page(msgspec.Struct, kw_only=True):
    """Which events, in what order."""

    depth: int
    filters: Mapping[str, Sequence[str]]
    sort: str | None
    down: bool
    marker: str | None
    limit: int | None


def index(
    core: Core, ctx: Context, stack_id: str, name: str, resource_name: str | None, page: Page
) -> tuple[list[Row[Any]], dict[str, Row[Any]]]:
    """Events, and the stacks they are of by id."""
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, name, deleted=True)
        filters = dict(page.filters)
        if resource_name is not None:
            gone = stack.deleted or resource_name == stack.name
            if not gone and resources.named(tx, stack.id, resource_name) is None:
                raise missing_resource(resource_name, stack.name)
            filters["resource_name"] = [resource_name]
        known, level = {stack.id: stack}, [stack]
        for _ in range(min(page.depth, 20)):
            level = stacks.children(tx, [one.id for one in level])
            known.update({one.id: one for one in level})
        rows = events.find(
            tx,
            list(known),
            events.matching(filters),
            sort=page.sort,
            down=page.down,
            marker=page.marker,
            limit=min(page.limit or MOST_LISTED, MOST_LISTED),
        )
        return rows, {**known, **stacks.many(tx, [stack.root_id])}


def show(
    core: Core, ctx: Context, stack_id: str, name: str, resource_name: str, event_id: str
) -> tuple[Row[Any], dict[str, Row[Any]]]:
    """:raises NotFound:"""
    with core.db.read() as tx:
        stack = require(tx, ctx, stack_id, name, deleted=True)
        row = events.get(tx, stack.id, event_id)
        if row is None or row.resource_name != resource_name:
            raise NotFound(f"No event {event_id} found", type="EntityNotFound")
        return row, stacks.many(tx, [stack.id, stack.root_id])
