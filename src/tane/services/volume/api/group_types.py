"""Group types and their specs (Block Storage API v3, from 3.11: "Group types", "Group type specs")."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.volume.api import query
from tane.services.volume.api.types import check_specs, one_spec
from tane.services.volume.domain import group_types
from tane.services.volume.tables import volume_group_type
from tane.web.request import Request

SORT_KEYS = ("id", "name", "created_at", "updated_at")


def view(request: Request, row: Any) -> dict[str, Any]:
    found = {"id": row.id, "name": row.name, "description": row.description, "is_public": row.is_public}
    if request.allows("group:access_group_types_specs"):
        found["group_specs"] = row.group_specs
    return found


def index(request: Request) -> Any:
    """Public ones; an administrator asks by ``is_public`` for the others, and by "None" for all."""
    wanted = query.page_of(request, SORT_KEYS)
    given = request.param("is_public")
    found_by = []
    if not (request.ctx.is_admin and given is not None and given.lower() == "none"):
        wants = request.flag("is_public") if request.ctx.is_admin and given is not None else True
        found_by = [volume_group_type.c.is_public.is_(wants)]
    found = group_types.index(request.core, request.ctx, wanted, found_by)
    place = f"/v3/{request.path['project_id']}/group_types"
    return query.answer(
        request, place, "group_types", [view(request, row) for row in found], query.full(wanted, found), None
    )


def show(request: Request) -> dict[str, Any]:
    row = group_types.show(request.core, request.ctx, request.path["group_type_id"])
    return {"group_type": view(request, row)}


def create(request: Request) -> dict[str, Any]:
    body = request.body.group_type
    check_specs(body.group_specs or {})
    values = {
        "name": body.name,
        "description": body.description,
        "is_public": True if body.is_public is None else body.is_public,
        "group_specs": body.group_specs or {},
    }
    return {"group_type": view(request, group_types.create(request.core, values))}


def update(request: Request) -> dict[str, Any]:
    body = request.body.group_type
    values = {
        name: getattr(body, name)
        for name in ("name", "description", "is_public")
        if getattr(body, name) is not msgspec.UNSET and not (name != "description" and getattr(body, name) is None)
    }
    return {"group_type": view(request, group_types.update(request.core, request.path["group_type_id"], values))}


def delete(request: Request) -> None:
    group_types.delete(request.core, request.path["group_type_id"])


def specs(request: Request) -> dict[str, Any]:
    return {"group_specs": group_types.specs(request.core, request.path["group_type_id"])}


def create_specs(request: Request) -> dict[str, Any]:
    given = request.body.group_specs
    check_specs(given)
    group_types.set_specs(request.core, request.path["group_type_id"], given)
    return {"group_specs": given}


def show_spec(request: Request) -> dict[str, Any]:
    key, type_id = request.path["key"], request.path["group_type_id"]
    found = group_types.specs(request.core, type_id)
    if key not in found:
        raise group_types.no_spec(type_id, key)
    return {key: found[key]}


def update_spec(request: Request) -> dict[str, Any]:
    given = one_spec(request)
    group_types.set_specs(request.core, request.path["group_type_id"], given)
    return given


def delete_spec(request: Request) -> None:
    group_types.remove_spec(request.core, request.path["group_type_id"], request.path["key"])
