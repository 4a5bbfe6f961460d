"""Volumes (Block Storage API v3: "Volumes", "Volumes summary")."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.volume.api import filters, query
from tane.services.volume.api.filters import Filters
from tane.services.volume.domain import actions, volumes
from tane.services.volume.domain.common import BACKEND
from tane.services.volume.domain.volumes import NewVolume, Shown
from tane.services.volume.store import conditions
from tane.services.volume.store import volumes as rows
from tane.services.volume.tables import volume
from tane.web.codec import iso_micro, whole
from tane.web.errors import BadRequest, Forbidden, NotImplementedHere
from tane.web.request import Request
from tane.web.versions import trim

SORT_KEYS = ("id", "name", "status", "size", "created_at", "updated_at", "availability_zone", "host_id", "bootable")
SINCE = {
    "group_id": "3.13",
    "provider_id": "3.21",
    "service_uuid": "3.48",
    "shared_targets": "3.48",
    "cluster_name": "3.61",
    "volume_type_id": "3.63",
    "consumes_quota": "3.65",
}
ATTACH_STATUSES = {"attached": True, "detached": False}


def _attach_status(request: Request, value: str) -> list[Any]:
    yes = ATTACH_STATUSES.get(value)
    return [conditions.nothing() if yes is None else conditions.attached(yes)]


FILTERS = Filters(
    "volume",
    {
        "name": filters.equal(volume.c.name),
        "name~": filters.like(volume.c.name),
        "display_name": filters.equal(volume.c.name),
        "display_description": filters.equal(volume.c.description),
        "description~": filters.like(volume.c.description),
        "status": filters.equal(volume.c.status),
        "metadata": filters.pairs("metadata", volume.c.meta),
        "glance_metadata": filters.pairs("glance_metadata", volume.c.image_meta),
        "bootable": filters.flag("bootable", volume.c.bootable),
        "multiattach": filters.flag("multiattach", volume.c.multiattach),
        "migration_status": filters.never,
        "group_id": filters.equal(volume.c.group_id),
        "availability_zone": filters.equal(volume.c.availability_zone),
        "size": filters.number(volume.c.size),
        "created_at": filters.times(volume.c.created_at),
        "updated_at": filters.times(volume.c.updated_at),
        "id": filters.equal(volume.c.id),
        "project_id": filters.equal(volume.c.project_id),
        "user_id": filters.equal(volume.c.user_id),
        "snapshot_id": filters.equal(volume.c.snapshot_id),
        "source_volid": filters.equal(volume.c.source_volid),
        "volume_type_id": filters.equal(volume.c.volume_type_id),
        "host": lambda request, value: [conditions.of_host(value)],
        "attach_status": _attach_status,
        "consumes_quota": filters.all_true("consumes_quota"),
    },
    before=("name", "status", "metadata", "availability_zone", "bootable", "group_id", "glance_metadata"),
    since={
        "glance_metadata": (3, 4),
        "group_id": (3, 10),
        "created_at": (3, 60),
        "updated_at": (3, 60),
        "consumes_quota": (3, 65),
    },
)


def links(request: Request, kind: str, resource_id: str) -> list[dict[str, str]]:
    project = request.path["project_id"]
    return [
        {"rel": "self", "href": f"{request.service_url}/v3/{project}/{kind}/{resource_id}"},
        {"rel": "bookmark", "href": f"{request.service_url}/{project}/{kind}/{resource_id}"},
    ]


def attachment_view(row: Any, *, hosts: bool) -> dict[str, Any]:
    return {
        "id": row.volume_id,
        "volume_id": row.volume_id,
        "attachment_id": row.id,
        "server_id": row.server_id,
        "host_name": row.host_name if hosts else None,
        "device": row.device,
        "attached_at": iso_micro(row.attached_at),
    }


def view(request: Request, shown: Shown, *, full: bool = True) -> dict[str, Any]:
    """``full``: with the attributes that only showing and listing have."""
    row, admin = shown.row, request.ctx.is_admin
    found: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "size": row.size,
        "volume_type": row.type_name,
        "availability_zone": row.availability_zone,
        "bootable": "true" if row.bootable else "false",
        "encrypted": False,
        "multiattach": row.multiattach,
        "snapshot_id": row.snapshot_id,
        "source_volid": row.source_volid,
        "consistencygroup_id": None,
        "group_id": row.group_id,
        "replication_status": None,
        "migration_status": None,
        "metadata": {**row.meta, **({} if row.read_only is None else {"readonly": str(row.read_only)})},
        "attachments": [attachment_view(a, hosts=admin) for a in shown.attachments if a.status == "attached"],
        "user_id": row.user_id,
        "created_at": iso_micro(row.created_at),
        "updated_at": iso_micro(row.updated_at),
        "links": links(request, "volumes", row.id),
        "service_uuid": row.host_id,
        "shared_targets": False,
    }
    if full:
        found["os-vol-tenant-attr:tenant_id"] = row.project_id
        found["volume_type_id"] = row.volume_type_id
        found["consumes_quota"] = True
        if row.image_meta:
            found["volume_image_metadata"] = actions.shown_image_metadata(request.core, request.ctx, row)
        if request.allows("volume_extension:volume_host_attribute"):
            found["os-vol-host-attr:host"] = host_of(row)
        if admin:
            found["os-vol-mig-status-attr:migstat"] = None
            found["os-vol-mig-status-attr:name_id"] = None
            found["provider_id"] = None
            found["cluster_name"] = None
    return trim(found, SINCE, request.version)


def host_of(row: Any) -> str | None:
    return None if row.host_name is None else f"{row.host_name}@{BACKEND}#{BACKEND}"


def _conditions(request: Request) -> list[Any]:
    return query.owner_conditions(request, volume) + filters.of(request, FILTERS)


def _list(request: Request) -> tuple[list[Shown], bool, int | None]:
    wanted = query.page_of(request, SORT_KEYS)
    counted = query.wants_count(request)
    found, count = volumes.index(request.core, request.ctx, _conditions(request), wanted, counted=counted)
    return found, query.full(wanted, found), count


def index(request: Request) -> Any:
    found, more, count = _list(request)
    views = [
        {"id": shown.row.id, "name": shown.row.name, "links": links(request, "volumes", shown.row.id)}
        for shown in found
    ]
    return query.answer(request, f"/v3/{request.path['project_id']}/volumes", "volumes", views, more, count)


def detail(request: Request) -> Any:
    found, more, count = _list(request)
    views = [view(request, shown) for shown in found]
    return query.answer(request, f"/v3/{request.path['project_id']}/volumes/detail", "volumes", views, more, count)


def summary(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        count, size, metadata = rows.total(tx, _summed(request))
    found: dict[str, Any] = {"total_size": size, "total_count": count}
    if request.version >= (3, 36):
        distinct: dict[str, set[str]] = {}
        for pairs in metadata:
            for key, value in pairs.items():
                distinct.setdefault(key, set()).add(value)
        found["metadata"] = {key: sorted(values) for key, values in distinct.items()}
    return {"volume-summary": found}


def _summed(request: Request) -> list[Any]:
    """The summary takes no other filter than an administrator's ``project_id``."""
    found = query.owner_conditions(request, volume)
    wanted = request.param("project_id")
    return [*found, volume.c.project_id == wanted] if wanted and request.ctx.is_admin else found


def show(request: Request) -> dict[str, Any]:
    return {"volume": view(request, volumes.show(request.core, request.ctx, request.path["volume_id"]))}


def create(request: Request) -> dict[str, Any]:
    body = request.body.volume
    if body.multiattach not in (None, False, "false", "False"):
        raise NotImplementedHere("Volumes that are attached to several servers are not possible yet.")
    if body.consistencygroup_id:
        raise NotImplementedHere("Consistency groups of volumes are not possible; groups are.")
    new = NewVolume(
        size=_size(body.size),
        name=body.name or body.display_name or "",
        description=body.description if body.description is not None else body.display_description,
        image_id=body.imageRef or body.image_id,
        snapshot_id=body.snapshot_id,
        source_volid=body.source_volid,
        backup_id=body.backup_id or None,
        volume_type=body.volume_type,
        availability_zone=body.availability_zone,
        metadata=body.metadata or {},
        group_id=body.group_id,
        by_mapping=request.version >= (3, 46),
    )
    return {"volume": view(request, volumes.create(request.core, request.ctx, new), full=False)}


def _size(given: int | str | None) -> int | None:
    if isinstance(given, str):
        number = whole(given.strip())
        if number is None:
            raise BadRequest(f"Invalid input for field/attribute size. Value: {given}. '{given}' is not an integer")
        return number
    return given


def changes(body: Any) -> dict[str, Any]:
    """What an update sets: names under either spelling."""
    found: dict[str, Any] = {}
    for field, column in (
        ("display_name", "name"),
        ("display_description", "description"),
        ("name", "name"),
        ("description", "description"),
        ("metadata", "meta"),
    ):
        value = getattr(body, field)
        if value is not msgspec.UNSET:
            found[column] = (value or "") if column == "name" else value
    if not found:
        raise BadRequest("Invalid input received: nothing to update is given")
    return found


def update(request: Request) -> dict[str, Any]:
    values = changes(request.body.volume)
    shown = volumes.update(request.core, request.ctx, request.path["volume_id"], values)
    return {"volume": view(request, shown, full=False)}


def delete(request: Request) -> None:
    volume_id, force = request.path["volume_id"], request.version >= (3, 23) and request.flag("force")
    if force:
        if not request.allows("volume:force_delete"):
            raise Forbidden("Policy doesn't allow volume:force_delete to be performed.")
        volumes.force_delete(request.core, request.ctx, volume_id)
    else:
        volumes.delete(request.core, request.ctx, volume_id, cascade=request.flag("cascade"))
