"""Volumes and snapshots as old clients ask compute for them; until 2.35. Block storage does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Row

from tane.services.compute.api.common import page_limit
from tane.services.volume import interface as volume
from tane.web.codec import iso_micro
from tane.web.errors import Forbidden, OverLimit
from tane.web.request import Request, Response


def _page(request: Request) -> dict[str, int]:
    return {"limit": page_limit(request), "offset": request.number("offset", 0) or 0}


def _quota(made: Callable[[], Any]) -> Any:
    """:raises Forbidden: over quota, where block storage answers 413."""
    try:
        return made()
    except OverLimit as error:
        raise Forbidden(error.message) from None


def _volume(shown: volume.Shown) -> dict[str, Any]:
    row = shown.row
    attached = [
        {"id": row.id, "volumeId": row.id, "serverId": link.server_id, "device": link.device}
        for link in shown.attachments
    ]
    return {
        "id": row.id,
        "status": row.status,
        "size": row.size,
        "availabilityZone": row.availability_zone,
        "createdAt": iso_micro(row.created_at),
        "displayName": row.name,
        "displayDescription": row.description,
        "volumeType": row.type_name,
        "snapshotId": row.snapshot_id,
        "metadata": row.meta,
        "attachments": attached or [{}],
    }


def volumes(request: Request) -> dict[str, Any]:
    found = volume.project_volumes(request.core, request.ctx, **_page(request))
    return {"volumes": [_volume(shown) for shown in found]}


def show_volume(request: Request) -> dict[str, Any]:
    return {"volume": _volume(volume.show_volume(request.core, request.ctx, request.path["volume_id"]))}


def create_volume(request: Request) -> Response:
    wanted = request.body.volume
    new = volume.NewVolume(
        size=int(wanted.size),
        name=wanted.display_name or "",
        description=wanted.display_description,
        snapshot_id=wanted.snapshot_id,
        volume_type=wanted.volume_type,
        availability_zone=wanted.availability_zone,
        metadata=wanted.metadata or {},
    )
    made = _quota(lambda: volume.new_volume(request.core, request.ctx, new))
    return Response({"volume": _volume(made)}, headers={"Location": request.link(f"/v2.1/os-volumes/{made.row.id}")})


def delete_volume(request: Request) -> None:
    volume.remove_volume(request.core, request.ctx, request.path["volume_id"])


def _snapshot(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "volumeId": row.volume_id,
        "status": row.status,
        "size": row.size,
        "createdAt": iso_micro(row.created_at),
        "displayName": row.name,
        "displayDescription": row.description,
    }


def snapshots(request: Request) -> dict[str, Any]:
    found = volume.project_snapshots(request.core, request.ctx, **_page(request))
    return {"snapshots": [_snapshot(row) for row in found]}


def show_snapshot(request: Request) -> dict[str, Any]:
    return {"snapshot": _snapshot(volume.show_snapshot(request.core, request.ctx, request.path["snapshot_id"]))}


def create_snapshot(request: Request) -> dict[str, Any]:
    wanted = request.body.snapshot
    new = volume.NewSnapshot(
        volume_id=wanted.volume_id,
        name=wanted.display_name or "",
        description=wanted.display_description,
        force=str(wanted.force).lower() in ("true", "1"),
    )
    return {"snapshot": _snapshot(_quota(lambda: volume.new_snapshot(request.core, request.ctx, new)))}


def delete_snapshot(request: Request) -> None:
    volume.remove_snapshot(request.core, request.ctx, request.path["snapshot_id"])
