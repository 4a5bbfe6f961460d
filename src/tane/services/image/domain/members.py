"""Sharing an image with other projects (Image API v2: "Sharing")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.image.domain.images import visible
from tane.services.image.store import images, members
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge

MOST_MEMBERS = 128


def _shared(tx: Tx, ctx: Context, image_id: str) -> Row[Any]:
    row = visible(tx, ctx, image_id)
    if row.visibility != "shared":
        raise Forbidden("Only shared images have members.")
    return row


def index(core: Core, ctx: Context, image_id: str) -> list[Row[Any]]:
    """The owner sees every member, a member itself alone."""
    with core.db.read() as tx:
        row = _shared(tx, ctx, image_id)
        found = members.of_image(tx, image_id)
        return found if ctx.sees(row.project_id) else [m for m in found if m.member_id == ctx.project_id]


def show(core: Core, ctx: Context, image_id: str, member_id: str) -> Row[Any]:
    with core.db.read() as tx:
        row = _shared(tx, ctx, image_id)
        found = members.get(tx, image_id, member_id)
        if found is None or not (ctx.sees(row.project_id) or member_id == ctx.project_id):
            raise NotFound(f"{member_id} not found in the member list of the image {image_id}.")
        return found


def create(core: Core, ctx: Context, image_id: str, member_id: str) -> Row[Any]:
    with core.db.write() as tx:
        row = _shared(tx, ctx, image_id)
        if not ctx.sees(row.project_id):
            raise Forbidden(f"Not allowed to create members for image {image_id}.")
        if members.get(tx, image_id, member_id) is not None:
            raise Conflict(f"Member {member_id} is duplicated for image {image_id}")
        if members.count(tx, image_id) >= MOST_MEMBERS:
            raise TooLarge(f"Image member limit exceeded for image {image_id}: at most {MOST_MEMBERS} are allowed.")
        members.add(tx, image_id, member_id)
        images.change(tx, image_id)
        found = members.get(tx, image_id, member_id)
        assert found is not None
        return found


def update(core: Core, ctx: Context, image_id: str, member_id: str, status: str) -> Row[Any]:
    """Accept or reject: the member's own decision."""
    if status not in ("pending", "accepted", "rejected"):
        raise BadRequest('Incorrect request: Status must be "pending", "accepted" or "rejected".')
    with core.db.write() as tx:
        row = _shared(tx, ctx, image_id)
        if member_id != ctx.project_id and not ctx.is_admin:
            if row.project_id == ctx.project_id and members.get(tx, image_id, member_id) is not None:
                raise Forbidden(f"Not allowed to update members for image {image_id}.")
            raise NotFound(f"{member_id} not found in the member list of the image {image_id}.")
        if members.get(tx, image_id, member_id) is None:
            raise NotFound(f"{member_id} not found in the member list of the image {image_id}.")
        members.set_status(tx, image_id, member_id, status)
        found = members.get(tx, image_id, member_id)
        assert found is not None
        return found


def delete(core: Core, ctx: Context, image_id: str, member_id: str) -> None:
    with core.db.write() as tx:
        row = _shared(tx, ctx, image_id)
        if not ctx.sees(row.project_id):
            raise Forbidden(f"Not allowed to delete members for image {image_id}.")
        if not members.remove(tx, image_id, member_id):
            raise NotFound(f"{member_id} not found in the member list of the image {image_id}.")
