"""Which volumes a group takes."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.volume.domain.common import invalid_input
from tane.services.volume.store import groups
from tane.services.volume.tables import volume_group as table
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound


def group_of(tx: Tx, ctx: Context, group_id: str) -> Row[Any]:
    """:raises NotFound:"""
    row = groups.get(tx, table, group_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"Group {group_id} could not be found.")
    return row


def check_new(tx: Tx, ctx: Context, group_id: str, kind: Row[Any] | None) -> None:
    """A new volume of a type may be in the group; ``kind`` None: none was named.

    :raises NotFound: :raises BadRequest:
    """
    if kind is None:
        raise invalid_input("volume_type must be provided when creating a volume in a group.")
    row = group_of(tx, ctx, group_id)
    if row.project_id != ctx.project_id:
        # An administrator sees it, but whose group it is deletes all that is in it.
        raise NotFound(f"Group {group_id} could not be found.")
    if kind.id not in row.volume_types:
        raise invalid_input(f"Invalid volume_type {kind.name} provided: it is none of those of group {group_id}.")
    if row.status != "available":
        raise invalid_group(f"Group {group_id} must be available, but its status is: {row.status}.")


def invalid_group(reason: str) -> BadRequest:
    return BadRequest(f"Invalid group: {reason}")
