"""Groups and their snapshots (Block Storage API v3: "Generic volume groups" from 3.13, "Group snapshots" from 3.14)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.services.volume.api import filters, query
from tane.services.volume.api.filters import Filters
from tane.services.volume.domain import group_snapshots, groups
from tane.services.volume.domain.common import ZONE
from tane.services.volume.domain.groups import NewGroup
from tane.services.volume.tables import volume_group, volume_group_snapshot
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import trim

View = Callable[[Request, Any], dict[str, Any]]
Kind = tuple[Any, Filters, Callable[..., list[Row[Any]]]]
"""Table, filters, and what finds the rows of a collection."""
SORT_KEYS = ("id", "name", "status", "created_at", "updated_at")
SINCE = {"group_snapshot_id": "3.14", "source_group_id": "3.14", "replication_status": "3.38", "project_id": "3.58"}
GROUPS = Filters(
    "group",
    {
        **{name: filters.equal(volume_group.c[name]) for name in ("id", "name", "status", "description", "project_id")},
        "list_volume": filters.always,
    },
    before=("name",),
    besides=("list_volume",),
)
SNAPSHOTS = Filters(
    "group_snapshot",
    {
        name: filters.equal(volume_group_snapshot.c[name])
        for name in ("id", "name", "status", "group_id", "description", "project_id")
    },
    before=("name", "status", "group_id"),
)


def summary(request: Request, row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name}


def view(request: Request, row: Any) -> dict[str, Any]:
    found = {
        **summary(request, row),
        "status": row.status,
        "availability_zone": ZONE,
        "created_at": iso_micro(row.created_at),
        "description": row.description,
        "group_type": row.group_type_id,
        "volume_types": row.volume_types,
        "group_snapshot_id": row.group_snapshot_id,
        "source_group_id": row.source_group_id,
        "replication_status": "disabled",
    }
    if request.allows("group:group_project_attribute"):
        found["project_id"] = row.project_id
    return trim(found, SINCE, request.version)


def with_volumes(request: Request, rows: Sequence[Any], views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The views with the ids of the groups' volumes, where they are asked for (from 3.25)."""
    if request.version < (3, 25) or not request.flag("list_volume"):
        return views
    volumes = groups.volume_ids(request.core, rows)
    return [{**shown, "volumes": volumes[row.id]} for row, shown in zip(rows, views, strict=True)]


def index(request: Request) -> Any:
    return _groups(request, summary, "groups")


def detail(request: Request) -> Any:
    return _groups(request, view, "groups/detail")


def _groups(request: Request, shown: View, place: str) -> Any:
    return _page(request, "groups", place, (volume_group, GROUPS, groups.index), shown)


def _page(request: Request, collection: str, place: str, kind: Kind, shown: View) -> Any:
    table, known, index_of = kind
    wanted = query.page_of(request, SORT_KEYS)
    found_by = query.owner_conditions(request, table) + filters.of(request, known)
    found = index_of(request.core, request.ctx, found_by, wanted)
    views = [shown(request, row) for row in found]
    if shown is view:
        views = with_volumes(request, found, views)
    path = f"/v3/{request.path['project_id']}/{place}"
    return query.answer(request, path, collection, views, query.full(wanted, found), None)


def show(request: Request) -> dict[str, Any]:
    row = groups.show(request.core, request.ctx, request.path["group_id"])
    return {"group": with_volumes(request, [row], [view(request, row)])[0]}


def create(request: Request) -> dict[str, Any]:
    body = request.body.group
    new = NewGroup(
        name=body.name or "",
        description=body.description,
        group_type=body.group_type,
        volume_types=body.volume_types,
        availability_zone=body.availability_zone,
    )
    return {"group": summary(request, groups.create(request.core, request.ctx, new))}


def copy(request: Request) -> dict[str, Any]:
    body = request.body.source
    if (body.group_snapshot_id is None) == (body.source_group_id is None):
        raise BadRequest("Either 'source_group_id' or 'group_snapshot_id' must be provided, and not both.")
    new = NewGroup(
        name=body.name or "",
        description=body.description,
        group_snapshot_id=body.group_snapshot_id,
        source_group_id=body.source_group_id,
    )
    return {"group": summary(request, groups.copy(request.core, request.ctx, new))}


def update(request: Request) -> None:
    body = request.body.group
    values = {"name": body.name, "description": body.description}
    groups.update(
        request.core,
        request.ctx,
        request.path["group_id"],
        {name: value for name, value in values.items() if value is not None},
        _ids(body.add_volumes),
        _ids(body.remove_volumes),
    )


def _ids(text: str | None) -> list[str]:
    """The ids of a list with commas, each once."""
    return list(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def delete(request: Request) -> None:
    wanted = request.body.delete.delete_volumes
    with_volumes = wanted in (True, "true", "True", "1")
    groups.delete(request.core, request.ctx, request.path["group_id"], with_volumes=with_volumes)


def reset_status(request: Request) -> None:
    groups.reset_status(request.core, request.ctx, request.path["group_id"], request.body.reset_status.status)


# -------------------------------------------------------------------------------------------------------- snapshots


def snapshot_view(request: Request, row: Any) -> dict[str, Any]:
    found = {
        **summary(request, row),
        "status": row.status,
        "created_at": iso_micro(row.created_at),
        "description": row.description,
        "group_id": row.group_id,
        "group_type_id": row.group_type_id,
    }
    if request.allows("group:group_snapshot_project_attribute"):
        found["project_id"] = row.project_id
    return trim(found, SINCE, request.version)


def snapshots(request: Request) -> Any:
    return _snapshots(request, summary, "group_snapshots")


def snapshots_detail(request: Request) -> Any:
    return _snapshots(request, snapshot_view, "group_snapshots/detail")


def _snapshots(request: Request, shown: View, place: str) -> Any:
    kind = (volume_group_snapshot, SNAPSHOTS, group_snapshots.index)
    return _page(request, "group_snapshots", place, kind, shown)


def show_snapshot(request: Request) -> dict[str, Any]:
    row = group_snapshots.show(request.core, request.ctx, request.path["group_snapshot_id"])
    return {"group_snapshot": snapshot_view(request, row)}


def create_snapshot(request: Request) -> dict[str, Any]:
    body = request.body.group_snapshot
    row = group_snapshots.create(request.core, request.ctx, body.group_id, body.name or "", body.description)
    return {"group_snapshot": {**summary(request, row), "group_type_id": row.group_type_id}}


def delete_snapshot(request: Request) -> None:
    group_snapshots.delete(request.core, request.ctx, request.path["group_snapshot_id"])


def reset_snapshot_status(request: Request) -> None:
    status = request.body.reset_status.status
    group_snapshots.reset_status(request.core, request.ctx, request.path["group_snapshot_id"], status)
