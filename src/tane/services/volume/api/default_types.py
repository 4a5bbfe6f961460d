"""Default types of projects (Block Storage API v3, from 3.62: "Default Volume Types")."""

from __future__ import annotations

from typing import Any

from tane.services.volume.domain import default_types
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    found = default_types.index(request.core)
    return {"default_types": [view(row.project_id, row.volume_type_id) for row in found]}


def show(request: Request) -> dict[str, Any]:
    target = request.path["target_id"]
    return {"default_type": view(target, default_types.show(request.core, target))}


def update(request: Request) -> dict[str, Any]:
    target = request.path["target_id"]
    chosen = default_types.set_to(request.core, target, request.body.default_type.volume_type)
    return {"default_type": view(target, chosen)}


def delete(request: Request) -> None:
    default_types.unset(request.core, request.path["target_id"])


def view(project_id: str, type_id: str) -> dict[str, str]:
    return {"project_id": project_id, "volume_type_id": type_id}
