"""Snapshots (Block Storage API v3: "Volume snapshots")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.api import filters, query
from tane.services.volume.api.filters import Filters
from tane.services.volume.api.volumes import changes
from tane.services.volume.domain import snapshots
from tane.services.volume.domain.snapshots import NewSnapshot
from tane.services.volume.store import conditions
from tane.services.volume.tables import volume_snapshot
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import trim

SORT_KEYS = ("id", "name", "status", "volume_id", "size", "created_at", "updated_at")
SINCE = {"user_id": "3.41", "group_snapshot_id": "3.14", "consumes_quota": "3.65"}
FILTERS = Filters(
    "snapshot",
    {
        "name": filters.equal(volume_snapshot.c.name),
        "name~": filters.like(volume_snapshot.c.name),
        "display_name": filters.equal(volume_snapshot.c.name),
        "display_description": filters.equal(volume_snapshot.c.description),
        "description~": filters.like(volume_snapshot.c.description),
        "status": filters.equal(volume_snapshot.c.status),
        "volume_id": filters.equal(volume_snapshot.c.volume_id),
        "metadata": filters.pairs("metadata", volume_snapshot.c.meta),
        "availability_zone": lambda request, value: [conditions.of_zone(value)],
        "id": filters.equal(volume_snapshot.c.id),
        "project_id": filters.equal(volume_snapshot.c.project_id),
        "user_id": filters.equal(volume_snapshot.c.user_id),
        "volume_type_id": filters.equal(volume_snapshot.c.volume_type_id),
        "volume_size": filters.number(volume_snapshot.c.size),
        "created_at": filters.times(volume_snapshot.c.created_at),
        "updated_at": filters.times(volume_snapshot.c.updated_at),
        "consumes_quota": filters.all_true("consumes_quota"),
    },
    before=("name", "status", "volume_id", "metadata"),
    since={"metadata": (3, 22), "created_at": (3, 60), "updated_at": (3, 60), "consumes_quota": (3, 65)},
)


def view(request: Request, row: Any, *, full: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "volume_id": row.volume_id,
        "size": row.size,
        "metadata": row.meta,
        "created_at": iso_micro(row.created_at),
        "updated_at": iso_micro(row.updated_at),
        "user_id": row.user_id,
        "group_snapshot_id": row.group_snapshot_id,
    }
    if full:
        done = "100%" if row.status == "available" else row.progress or "0%"
        found["os-extended-snapshot-attributes:progress"] = done
        found["consumes_quota"] = True
        found["os-extended-snapshot-attributes:project_id"] = row.project_id
    else:
        del found["group_snapshot_id"]
    return trim(found, SINCE, request.version)


def _list(request: Request, path: str, *, full: bool) -> Any:
    wanted = query.page_of(request, SORT_KEYS)
    wanted_rows = query.owner_conditions(request, volume_snapshot) + filters.of(request, FILTERS)
    counted = query.wants_count(request)
    found, count = snapshots.index(request.core, request.ctx, wanted_rows, wanted, counted=counted)
    views = [view(request, row, full=full) for row in found]
    place = f"/v3/{request.path['project_id']}/{path}"
    return query.answer(request, place, "snapshots", views, query.full(wanted, found), count)


def index(request: Request) -> Any:
    return _list(request, "snapshots", full=False)


def detail(request: Request) -> Any:
    return _list(request, "snapshots/detail", full=True)


def show(request: Request) -> dict[str, Any]:
    return {"snapshot": view(request, snapshots.show(request.core, request.ctx, request.path["snapshot_id"]))}


def create(request: Request) -> dict[str, Any]:
    body = request.body.snapshot
    new = NewSnapshot(
        volume_id=body.volume_id or "",
        name=body.name or body.display_name or "",
        description=body.description if body.description is not None else body.display_description,
        force=_force(request, body.force),
        metadata=body.metadata or {},
    )
    return {"snapshot": view(request, snapshots.create(request.core, request.ctx, new), full=False)}


def _force(request: Request, given: bool | str | None) -> bool:
    """Whether a volume in use may be taken a snapshot of. From 3.66 on it may, and the flag is none any more.

    :raises BadRequest: it is given all the same, and says no.
    """
    force = given in (True, "True", "true", "1")
    if request.version < (3, 66):
        return force
    if given is not None and not force:
        raise BadRequest(
            "Invalid input received: Since microversion 3.66 the 'force' option is invalid for this request. For "
            "backward compatibility, however, when the 'force' flag is passed with a value evaluating to True, it is "
            "silently ignored."
        )
    return True


def update(request: Request) -> dict[str, Any]:
    values = changes(request.body.snapshot)
    row = snapshots.update(request.core, request.ctx, request.path["snapshot_id"], values)
    return {"snapshot": view(request, row, full=False)}


def delete(request: Request) -> None:
    snapshots.delete(request.core, request.ctx, request.path["snapshot_id"])


def force_delete(request: Request) -> None:
    snapshots.delete(request.core, request.ctx, request.path["snapshot_id"], force=True)


def reset_status(request: Request) -> None:
    snapshots.reset_status(request.core, request.ctx, request.path["snapshot_id"], request.body.reset.status)


def update_status(request: Request) -> None:
    asked = request.body.update
    snapshots.update_status(request.core, request.ctx, request.path["snapshot_id"], asked.status, asked.progress)


def unmanage(request: Request) -> None:
    snapshots.unmanage(request.core, request.ctx, request.path["snapshot_id"])
