"""Image members (Image API v2: "Sharing")."""

from __future__ import annotations

from typing import Any

from tane.services.image.api.views import member_view
from tane.services.image.domain import members
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    found = members.index(request.core, request.ctx, request.path["image_id"])
    return {"members": [member_view(row) for row in found], "schema": "/v2/schemas/members"}


def show(request: Request) -> dict[str, Any]:
    return member_view(members.show(request.core, request.ctx, request.path["image_id"], request.path["member_id"]))


def create(request: Request) -> dict[str, Any]:
    return member_view(members.create(request.core, request.ctx, request.path["image_id"], request.body.member))


def update(request: Request) -> dict[str, Any]:
    image_id, member_id = request.path["image_id"], request.path["member_id"]
    return member_view(members.update(request.core, request.ctx, image_id, member_id, request.body.status))


def delete(request: Request) -> None:
    members.delete(request.core, request.ctx, request.path["image_id"], request.path["member_id"])
