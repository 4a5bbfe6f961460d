"""Hosts of block storage and what lies on them (Block Storage API v3: "Hosts extension")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.domain import services
from tane.services.volume.domain.common import ZONE
from tane.web.codec import iso_micro
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    zone = request.param("zone")
    found = services.index(request.core) if zone in (None, "", ZONE) else []
    return {"hosts": [_host(one) for one in found]}


def _host(one: services.Service) -> dict[str, Any]:
    return {
        "host_name": one.host,
        "service": one.binary,
        "zone": ZONE,
        "service-status": "available" if one.up else "unavailable",
        "service-state": "enabled" if one.enabled else "disabled",
        "last-update": iso_micro(one.seen),
    }


def show(request: Request) -> dict[str, Any]:
    """What each project has in a host's pool, after the sum of all."""
    name = request.path["host"]
    found = services.contents(request.core, name)
    total = services.Contents("(total)", *(sum(getattr(one, field) for one in found) for field in services.COUNTED))
    return {"host": [{"resource": _resource(name, one)} for one in (total, *found)]}


def _resource(host: str, one: services.Contents) -> dict[str, str]:
    return {
        "host": host,
        "project": one.project_id,
        "volume_count": str(one.volumes),
        "total_volume_gb": str(one.volume_gb),
        "snapshot_count": str(one.snapshots),
        "total_snapshot_gb": str(one.snapshot_gb),
    }
