"""Backups (Block Storage API v3: "Backups", "Backup actions")."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.volume.api import filters, query
from tane.services.volume.api.filters import Filters
from tane.services.volume.api.volumes import links
from tane.services.volume.domain import backup_records, backups
from tane.services.volume.domain.backups import NewBackup
from tane.services.volume.tables import volume_backup
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import trim

SORT_KEYS = ("id", "name", "status", "volume_id", "size", "created_at", "updated_at", "data_timestamp")
SINCE = {"metadata": "3.43", "user_id": "3.56", "os-backup-project-attr:project_id": "3.18"}
FILTERS = Filters(
    "backup",
    {
        "name": filters.equal(volume_backup.c.name),
        "name~": filters.like(volume_backup.c.name),
        "display_name": filters.equal(volume_backup.c.name),
        "status": filters.equal(volume_backup.c.status),
        "volume_id": filters.equal(volume_backup.c.volume_id),
        "snapshot_id": filters.equal(volume_backup.c.snapshot_id),
        "parent_id": filters.equal(volume_backup.c.parent_id),
        "container": filters.equal(volume_backup.c.container),
        "availability_zone": filters.equal(volume_backup.c.availability_zone),
        "size": filters.number(volume_backup.c.size),
        "object_count": filters.number(volume_backup.c.object_count),
        "metadata": filters.pairs("metadata", volume_backup.c.meta),
        "id": filters.equal(volume_backup.c.id),
        "project_id": filters.equal(volume_backup.c.project_id),
        "user_id": filters.equal(volume_backup.c.user_id),
    },
    before=("name", "status", "volume_id"),
)


def summary(request: Request, row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": links(request, "backups", row.id)}


def view(request: Request, row: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        **summary(request, row),
        "status": row.status,
        "size": row.size,
        "object_count": row.object_count,
        "availability_zone": row.availability_zone,
        "container": row.container,
        "created_at": iso_micro(row.created_at),
        "updated_at": iso_micro(row.updated_at),
        "description": row.description,
        "fail_reason": row.fail_reason,
        "volume_id": row.volume_id,
        "snapshot_id": row.snapshot_id,
        "is_incremental": row.parent_id is not None,
        "has_dependent_backups": bool(row.dependent),
        "data_timestamp": iso_micro(row.data_timestamp),
        "metadata": row.meta,
        "user_id": row.user_id,
    }
    if request.ctx.is_admin:
        found["os-backup-project-attr:project_id"] = row.project_id
    return trim(found, SINCE, request.version)


def index(request: Request) -> Any:
    return _list(request, "backups", summary)


def detail(request: Request) -> Any:
    return _list(request, "backups/detail", view)


def _list(request: Request, path: str, shown: Any) -> Any:
    wanted = query.page_of(request, SORT_KEYS)
    wanted_rows = query.owner_conditions(request, volume_backup) + filters.of(request, FILTERS)
    counted = query.wants_count(request)
    found, count = backups.index(request.core, request.ctx, wanted_rows, wanted, counted=counted)
    views = [shown(request, row) for row in found]
    place = f"/v3/{request.path['project_id']}/{path}"
    answer = query.answer(request, place, "backups", views, query.full(wanted, found), count)
    if "backups_links" in answer:
        # Upstream's name of them.
        answer["backup_links"] = answer.pop("backups_links")
    return answer


def show(request: Request) -> dict[str, Any]:
    return {"backup": view(request, backups.show(request.core, request.ctx, request.path["backup_id"]))}


def create(request: Request) -> dict[str, Any]:
    body = request.body.backup
    new = NewBackup(
        volume_id=body.volume_id,
        snapshot_id=body.snapshot_id,
        name=body.name,
        description=body.description,
        container=body.container,
        incremental=_boolean("incremental", body.incremental),
        force=_boolean("force", body.force),
        metadata=body.metadata or {},
        availability_zone=body.availability_zone,
    )
    return {"backup": summary(request, backups.create(request.core, request.ctx, new))}


YES, NO = ("1", "t", "true", "on", "y", "yes"), ("0", "f", "false", "off", "n", "no", "")


def _boolean(name: str, given: bool | int | str | None) -> bool:
    """:raises BadRequest:"""
    word = "" if given is None else str(given).strip().lower()
    if word not in (*YES, *NO):
        raise BadRequest(f"Invalid input for field/attribute {name}. Value: {given}. '{given}' is not a boolean")
    return word in YES


def update(request: Request) -> dict[str, Any]:
    """:raises BadRequest: nothing is given."""
    body, values = request.body.backup, dict[str, Any]()
    for name, column in (("name", "name"), ("description", "description"), ("metadata", "meta")):
        given = msgspec.UNSET if body is None else getattr(body, name)
        if given is not msgspec.UNSET:
            values[column] = given
    if not values:
        raise BadRequest("Missing updated_properties: name, description or metadata.")
    row = backups.update(request.core, request.ctx, request.path["backup_id"], values)
    return {"backup": summary(request, row)}


def delete(request: Request) -> None:
    backups.delete(request.core, request.ctx, request.path["backup_id"])


def force_delete(request: Request) -> None:
    backups.delete(request.core, request.ctx, request.path["backup_id"], force=True)


def reset_status(request: Request) -> None:
    backups.reset_status(request.core, request.ctx, request.path["backup_id"], request.body.reset.status)


def restore(request: Request) -> dict[str, Any]:
    wanted, backup_id = request.body.restore, request.path["backup_id"]
    volume_id, name = (None, None) if wanted is None else (wanted.volume_id, wanted.name)
    row = backups.restore(request.core, request.ctx, backup_id, volume_id, name)
    return {"restore": {"backup_id": backup_id, "volume_id": row.id, "volume_name": row.name}}


def export_record(request: Request) -> dict[str, Any]:
    return {"backup-record": backup_records.export(request.core, request.ctx, request.path["backup_id"])}


def import_record(request: Request) -> dict[str, Any]:
    record = request.body.record
    row = backup_records.imported(request.core, request.ctx, record.backup_service, record.backup_url)
    return {"backup": summary(request, row)}
