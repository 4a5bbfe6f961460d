"""Groups of volumes: they are snapshotted, copied and deleted together.

creating → available (error, when one of its volumes is) → deleting → gone with its last volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain import group_types, pools, quotas, types, volumes
from tane.services.volume.domain.common import ZONE, invalid_input, new_id, volume_of
from tane.services.volume.domain.membership import group_of, invalid_group
from tane.services.volume.store import attachments, groups, snapshots
from tane.services.volume.store import volumes as rows
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_group as table
from tane.services.volume.tables import volume_group_snapshot
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

STATUSES = ("creating", "available", "deleting", "error", "error_deleting", "updating")
USABLE = ("available", "in-use")


class NewGroup(msgspec.Struct, kw_only=True):
    """``group_type`` and ``volume_types``: ids or names. A copy names its source and takes both from it."""

    name: str = ""
    description: str | None = None
    group_type: str = ""
    volume_types: Sequence[str] = ()
    availability_zone: str | None = None
    group_snapshot_id: str | None = None
    source_group_id: str | None = None


def index(core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page) -> list[Row[Any]]:
    with core.db.read() as tx:
        marker = group_of(tx, ctx, wanted.marker) if wanted.marker else None
        return groups.find(tx, table, conditions, wanted, marker)


def show(core: Core, ctx: Context, group_id: str) -> Row[Any]:
    """:raises NotFound:"""
    with core.db.read() as tx:
        return group_of(tx, ctx, group_id)


def volume_ids(core: Core, found: Sequence[Row[Any]]) -> dict[str, list[str]]:
    """Group → the ids of its volumes."""
    with core.db.read() as tx:
        return groups.volume_ids(tx, [row.id for row in found])


def create(core: Core, ctx: Context, new: NewGroup) -> Row[Any]:
    """:raises NotFound: a type. :raises BadRequest: :raises OverLimit:"""
    with core.db.write() as tx:
        if new.availability_zone not in (None, "", ZONE):
            raise invalid_input(f"Availability zone '{new.availability_zone}' is invalid.")
        kind = group_types.visible(tx, ctx, new.group_type)
        allowed = [types.chosen(tx, ctx, name).id for name in dict.fromkeys(new.volume_types)]
        # As with a volume that no pool takes: the group is there and cannot be used.
        status = "available" if pools.meets(kind.group_specs) else "error"
        return _insert(tx, ctx, new, status, kind.id, allowed)


def _insert(tx: Tx, ctx: Context, new: NewGroup, status: str, type_id: str, allowed: Sequence[str]) -> Row[Any]:
    quotas.claim_group(tx, ctx.project_id)
    group_id = new_id()
    values = {
        "id": group_id,
        "project_id": ctx.project_id,
        "user_id": ctx.user_id,
        "name": new.name,
        "description": new.description,
        "status": status,
        "group_type_id": type_id,
        "volume_types": list(allowed),
        "group_snapshot_id": new.group_snapshot_id,
        "source_group_id": new.source_group_id,
    }
    groups.add(tx, table, values)
    return group_of(tx, ctx, group_id)


def copy(core: Core, ctx: Context, new: NewGroup) -> Row[Any]:
    """A group with a copy of each volume of another one, or of a group's snapshot.

    :raises NotFound: :raises BadRequest: the source is not available, or empty. :raises OverLimit:
    """
    with core.db.write() as tx:
        if new.group_snapshot_id is not None:
            taken = snapshot_of(tx, ctx, new.group_snapshot_id)
            sources = [{"snapshot_id": row.id} for row in groups.snapshots_of(tx, taken.id)]
            named = [_name(tx, row) for row in groups.snapshots_of(tx, taken.id)]
            status, source = taken.status, groups.get(tx, table, taken.group_id)
        else:
            source = group_of(tx, ctx, str(new.source_group_id))
            sources = [{"source_volid": row.id} for row in groups.volumes_of(tx, source.id)]
            named, status = [row.name for row in groups.volumes_of(tx, source.id)], source.status
        if source is None or status != "available":
            raise BadRequest("Invalid status: the source of the group must be available.")
        if not sources:
            raise BadRequest("Invalid group: the source of the group is empty, no group will be created.")
        made = _insert(tx, ctx, new, "creating", source.group_type_id, source.volume_types)
        for name, origin in zip(named, sources, strict=True):
            copied = volumes.insert(tx, ctx, volumes.NewVolume(name=name, **origin))
            rows.change(tx, copied.id, group_id=made.id)
        return made


def _name(tx: Tx, snapshot: Row[Any]) -> str:
    """That of the snapshot's volume, unless the volume was given away."""
    row = volume_of(tx, None, snapshot.volume_id)
    return str(row.name) if row.project_id == snapshot.project_id else ""


def update(
    core: Core, ctx: Context, group_id: str, values: dict[str, str | None], add: Sequence[str], take: Sequence[str]
) -> None:
    """Name and description, and volumes that come and go. :raises NotFound: :raises BadRequest:"""
    if not (values or add or take):
        raise invalid_input(
            "Name, description, add_volumes, and remove_volumes can not be all empty in the request body."
        )
    if both := set(add) & set(take):
        raise invalid_group(f"Volume {sorted(both)[0]} is in both lists, of those that come and of those that go.")
    with core.db.write() as tx:
        row = group_of(tx, ctx, group_id)
        if row.status not in ("available", "error") or ((add or take) and row.status != "available"):
            raise invalid_group(f"Group status must be available, but current status is: {row.status}.")
        for volume_id in take:
            found = rows.get(tx, volume_id)
            if found is None or found.group_id != group_id:
                raise invalid_group(f"Cannot remove volume {volume_id} from group {group_id} because it is not in it.")
            rows.change(tx, volume_id, group_id=None)
        for volume_id in add:
            _add(tx, ctx, row, volume_id)
        groups.change(tx, table, group_id, **values)


def _add(tx: Tx, ctx: Context, group: Row[Any], volume_id: str) -> None:
    why, found = f"Cannot add volume {volume_id} to group {group.id} because", rows.get(tx, volume_id)
    if found is None or not ctx.sees(found.project_id) or found.project_id != group.project_id:
        raise invalid_group(f"{why} volume cannot be found.")
    if found.group_id not in (None, group.id):
        raise invalid_group(f"{why} it is already in group {found.group_id}.")
    if found.volume_type_id not in group.volume_types:
        raise invalid_group(f"{why} its volume type {found.volume_type_id} is none of the group's.")
    if found.status not in USABLE:
        raise invalid_group(f"{why} volume status {found.status} is none of: {', '.join(USABLE)}.")
    rows.change(tx, volume_id, group_id=group.id)


def delete(core: Core, ctx: Context, group_id: str, *, with_volumes: bool) -> None:
    """:raises BadRequest: the status does not allow it, it has volumes and they are to stay, or something depends on
    one of them."""
    with core.db.write() as tx:
        row, mine = group_of(tx, ctx, group_id), groups.volumes_of(tx, group_id)
        if row.status not in ("available", "error"):
            raise invalid_group(f"Group status must be available or error, but current status is: {row.status}")
        if groups.has_snapshots(tx, group_id):
            raise invalid_group(f"Group {group_id} has group snapshots: delete them first.")
        if mine and not with_volumes:
            raise invalid_group(
                f"Group {group_id} still contains volumes. The delete-volumes flag is required to delete it."
            )
        for volume in mine:
            if attachments.of_volumes(tx, [volume.id]):
                raise invalid_group(f"Volume in group {group_id} is attached. Need to detach first.")
            if snapshots.of_volume(tx, volume.id):
                raise invalid_group("Volume in group still has dependent snapshots.")
            volumes.begin_delete(tx, ctx, volume_of(tx, None, volume.id), with_group=True)
        groups.change(tx, table, group_id, status="deleting")
        groups.settle(tx, group_id)


def reset_status(core: Core, ctx: Context, group_id: str, status: str) -> None:
    """:raises BadRequest: there is no such status."""
    if status not in STATUSES:
        raise invalid_group(f"Group status {status} is none of: {', '.join(STATUSES)}.")
    with core.db.write() as tx:
        group_of(tx, ctx, group_id)
        groups.change(tx, table, group_id, status=status)


def snapshot_of(tx: Tx, ctx: Context, group_snapshot_id: str) -> Row[Any]:
    """:raises NotFound:"""
    row = groups.get(tx, volume_group_snapshot, group_snapshot_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"GroupSnapshot {group_snapshot_id} could not be found.")
    return row
