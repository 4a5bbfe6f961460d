"""Snapshots of groups: one of each volume, made and deleted together.

Each is taken by itself: what a guest writes meanwhile may be in one and not in another (Cinder's drivers that are not
consistent do the same).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.volume.domain import snapshots
from tane.services.volume.domain.common import new_id
from tane.services.volume.domain.groups import snapshot_of
from tane.services.volume.domain.membership import group_of
from tane.services.volume.domain.snapshots import NewSnapshot
from tane.services.volume.store import groups, volumes
from tane.services.volume.store import snapshots as rows
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_group_snapshot as table
from tane.web.context import Context
from tane.web.errors import BadRequest

STATUSES = ("creating", "available", "deleting", "error", "error_deleting")


def index(core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page) -> list[Row[Any]]:
    with core.db.read() as tx:
        marker = snapshot_of(tx, ctx, wanted.marker) if wanted.marker else None
        return groups.find(tx, table, conditions, wanted, marker)


def show(core: Core, ctx: Context, group_snapshot_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return snapshot_of(tx, ctx, group_snapshot_id)


def create(core: Core, ctx: Context, group_id: str, name: str, description: str | None) -> Row[Any]:
    """:raises NotFound: :raises BadRequest: the group is empty, or it or a volume is not ready. :raises OverLimit:"""
    with core.db.write() as tx:
        group, made = group_of(tx, ctx, group_id), new_id()
        if group.status != "available":
            raise BadRequest(f"Invalid group: Group status must be available, but current status is: {group.status}.")
        mine = groups.volumes_of(tx, group_id)
        if not mine:
            raise BadRequest("Invalid group: Group is empty. No group snapshot will be created.")
        values = {"id": made, "project_id": group.project_id, "user_id": ctx.user_id, "group_id": group_id}
        more = {"group_type_id": group.group_type_id, "name": name, "description": description, "status": "creating"}
        groups.add(tx, table, {**values, **more})
        for volume in mine:
            new = NewSnapshot(volume_id=volume.id, name=name, description=description, force=True)
            rows.change(tx, snapshots.insert(tx, ctx, new).id, group_snapshot_id=made)
        return snapshot_of(tx, ctx, made)


def delete(core: Core, ctx: Context, group_snapshot_id: str) -> None:
    """:raises BadRequest: the status does not allow it, or a volume is being made from one of the snapshots."""
    with core.db.write() as tx:
        row = snapshot_of(tx, ctx, group_snapshot_id)
        if row.status not in ("available", "error"):
            raise BadRequest(
                "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no Group can be "
                "currently using it as source for its creation."
            )
        for snapshot in groups.snapshots_of(tx, group_snapshot_id):
            if volumes.being_made_from(tx, snapshot_id=snapshot.id):
                raise BadRequest(f"Invalid GroupSnapshot: a volume is being made from its snapshot {snapshot.id}.")
            if snapshot.status != "deleting":
                snapshots.begin_delete(tx, ctx, snapshot)
        groups.change(tx, table, group_snapshot_id, status="deleting")
        groups.settle_snapshot(tx, group_snapshot_id)


def reset_status(core: Core, ctx: Context, group_snapshot_id: str, status: str) -> None:
    """:raises BadRequest: there is no such status."""
    if status not in STATUSES:
        raise BadRequest(f"Invalid GroupSnapshot: status {status} is none of: {', '.join(STATUSES)}.")
    with core.db.write() as tx:
        snapshot_of(tx, ctx, group_snapshot_id)
        groups.change(tx, table, group_snapshot_id, status=status)
