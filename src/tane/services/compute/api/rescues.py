"""Rescuing servers (Compute API: "Rescue Server", "Unrescue Server")."""

from __future__ import annotations

from typing import Any

from tane.services.compute.domain import rescues
from tane.web.request import Request


def rescue(request: Request) -> dict[str, Any]:
    wanted = request.body.rescue
    image_ref, password = (wanted.rescue_image_ref, wanted.adminPass) if wanted is not None else (None, None)
    given = rescues.rescue(request.core, request.ctx, request.path["server_id"], image_ref, password)
    return {"adminPass": given}


def unrescue(request: Request) -> None:
    rescues.unrescue(request.core, request.ctx, request.path["server_id"])
