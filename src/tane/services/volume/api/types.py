"""Volume types, their extra specs and access (Block Storage API v3: "Volume types", "Types", "Volume type access")."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.volume.api import filters, query
from tane.services.volume.api.filters import Filters
from tane.services.volume.domain import types
from tane.services.volume.store import conditions
from tane.services.volume.tables import volume_type
from tane.web import codec
from tane.web.errors import BadRequest
from tane.web.request import Request

SORT_KEYS = ("id", "name", "created_at", "updated_at")
VISIBLE_SPECS = ("RESKEY:availability_zones", "multiattach", "replication_enabled")
"""Extra specs that users see too; the others are the administrators'."""


ZONES = "RESKEY:availability_zones"


def _specs(request: Request, value: str) -> list[Any]:
    """Of the specs the caller sees; by the others nothing is found. A zone is one of those that its spec lists."""
    wanted = filters.dictionary("extra_specs", value)
    if not request.ctx.is_admin and any(name not in VISIBLE_SPECS for name in wanted):
        return [conditions.nothing()]
    zone = wanted.pop(ZONES, None)
    found = conditions.holds(volume_type.c.extra_specs, wanted)
    return found if zone is None else [*found, conditions.contains_in(volume_type.c.extra_specs, ZONES, zone)]


FILTERS = Filters(
    "volume_type",
    {
        "is_public": filters.always,
        "extra_specs": _specs,
        "name": filters.equal(volume_type.c.name),
        "description": filters.equal(volume_type.c.description),
        "id": filters.equal(volume_type.c.id),
    },
    before=("is_public", "name"),
    since={"extra_specs": (3, 52)},
    general=(3, 52),
)


def view(request: Request, row: Any) -> dict[str, Any]:
    admin = request.ctx.is_admin
    specs = {name: value for name, value in row.extra_specs.items() if admin or name in VISIBLE_SPECS}
    found = {
        "id": row.id,
        "name": row.name,
        "is_public": row.is_public,
        "description": row.description,
        "extra_specs": specs,
        "os-volume-type-access:is_public": row.is_public,
    }
    return {**found, "qos_specs_id": row.qos_specs_id} if admin else found


def index(request: Request) -> Any:
    wanted = query.page_of(request, SORT_KEYS)
    given = request.param("is_public")
    # Without the filter only public types are listed; "None" is the word for no filter.
    is_public: bool | None = True
    if given is not None:
        is_public = None if given.lower() == "none" else request.flag("is_public")
    found = types.index(request.core, request.ctx, wanted, is_public, filters.of(request, FILTERS))
    views = [view(request, row) for row in found]
    place = f"/v3/{request.path['project_id']}/types"
    return query.answer(request, place, "volume_types", views, query.full(wanted, found), None)


def show(request: Request) -> dict[str, Any]:
    return {"volume_type": view(request, types.show(request.core, request.ctx, request.path["type_id"]))}


def create(request: Request) -> dict[str, Any]:
    body = request.body.volume_type
    values = {
        "name": body.name,
        "description": body.description,
        "is_public": True if body.is_public is None else body.is_public,
        "extra_specs": body.extra_specs or {},
    }
    found = view(request, types.create(request.core, values))
    del found["qos_specs_id"]
    return {"volume_type": found}


def update(request: Request) -> dict[str, Any]:
    body = request.body.volume_type
    values = {
        name: getattr(body, name)
        for name in ("name", "description", "is_public")
        if getattr(body, name) is not msgspec.UNSET and not (name != "description" and getattr(body, name) is None)
    }
    found = view(request, types.update(request.core, request.path["type_id"], values))
    del found["os-volume-type-access:is_public"]
    del found["qos_specs_id"]
    return {"volume_type": found}


def delete(request: Request) -> None:
    types.delete(request.core, request.path["type_id"])


def specs(request: Request) -> dict[str, Any]:
    return {"extra_specs": view(request, types.show(request.core, request.ctx, request.path["type_id"]))["extra_specs"]}


def create_specs(request: Request) -> dict[str, Any]:
    given = request.body.extra_specs
    check_specs(given)
    types.set_extra_specs(request.core, request.path["type_id"], given)
    return {"extra_specs": given}


def show_spec(request: Request) -> dict[str, Any]:
    key, type_id = request.path["key"], request.path["type_id"]
    shown = view(request, types.show(request.core, request.ctx, type_id))["extra_specs"]
    if key not in shown:
        raise types.no_spec(type_id, key)
    return {key: shown[key]}


def one_spec(request: Request) -> dict[str, str]:
    """The body of a call that sets the spec its path names. :raises BadRequest: it names another, or more."""
    key = request.path["key"]
    given = codec.decode(dict[str, str], request.raw)
    if set(given) != {key}:
        raise BadRequest(
            "Request body and URI mismatch" if key not in given else "Request body contains too many items"
        )
    check_specs(given)
    return given


def update_spec(request: Request) -> dict[str, Any]:
    given = one_spec(request)
    types.set_extra_specs(request.core, request.path["type_id"], given)
    return given


def delete_spec(request: Request) -> None:
    types.remove_extra_spec(request.core, request.path["type_id"], request.path["key"])


def check_specs(given: dict[str, str]) -> None:
    for key, value in given.items():
        if not key or len(key) > 255 or len(value) > 255:
            raise BadRequest(f"Invalid input for field/attribute extra_specs: the key '{key}' or its value is too long")


def access(request: Request) -> dict[str, Any]:
    type_id = request.path["type_id"]
    projects = types.access(request.core, type_id)
    return {"volume_type_access": [{"volume_type_id": type_id, "project_id": project} for project in projects]}


def grant(request: Request) -> None:
    types.grant(request.core, request.path["type_id"], request.body.addProjectAccess.project)


def revoke(request: Request) -> None:
    types.revoke(request.core, request.path["type_id"], request.body.removeProjectAccess.project)
