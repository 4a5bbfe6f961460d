"""Hosts of the cloud."""

from __future__ import annotations

from typing import Any

from tane.services.host.domain import hosts
from tane.services.host.domain.hosts import HostView
from tane.web.codec import iso_micro
from tane.web.request import Request


def view(found: HostView) -> dict[str, Any]:
    row = found.row
    return {
        "id": row.id,
        "name": row.name,
        "roles": row.roles,
        "state": "dead" if row.forced_down else "up" if found.up else "down",
        "connected": found.connected,
        "enabled": row.enabled,
        "disabled_reason": row.disabled_reason,
        "local_ip": row.local_ip,
        "servers": found.servers,
        "volumes": found.volumes,
        "last_seen": iso_micro(row.last_seen),
        "created_at": iso_micro(row.created_at),
    }


def index(request: Request) -> dict[str, Any]:
    return {"hosts": [view(found) for found in hosts.every(request.core)]}


def show(request: Request) -> dict[str, Any]:
    return {"host": view(hosts.one(request.core, request.path["host_id"]))}


def update(request: Request) -> dict[str, Any]:
    change = request.body.host
    wanted = request.path["host_id"]
    return {"host": view(hosts.switch(request.core, wanted, change.enabled, change.disabled_reason, change.dead))}


async def cut_off(request: Request) -> None:
    await hosts.cut_off(request.core, request.path["host_id"])


async def delete(request: Request) -> None:
    await hosts.remove(request.core, request.path["host_id"])
