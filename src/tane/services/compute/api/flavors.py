"""Flavors, their extra specs and access lists (Compute API: "Flavors")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.compute.api.common import links, next_link, page_limit, sorting
from tane.services.compute.domain import extra_specs as known_specs
from tane.services.compute.domain import flavors
from tane.web import codec
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import trim

SINCE = {"description": "2.55", "extra_specs": "2.61"}


def view(request: Request, row: Row[Any], *, detailed: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {"id": row.id, "name": row.name, "description": row.description}
    if detailed:
        no_swap: Any = 0 if request.version >= (2, 75) else ""
        body.update(
            {
                "ram": row.ram,
                "disk": row.disk,
                "vcpus": row.vcpus,
                "swap": row.swap or no_swap,
                "OS-FLV-EXT-DATA:ephemeral": row.ephemeral,
                "OS-FLV-DISABLED:disabled": False,
                "os-flavor-access:is_public": row.is_public,
                "rxtx_factor": row.rxtx_factor,
                "extra_specs": row.extra_specs,
            }
        )
    body["links"] = links(request, "flavors", row.id)
    return trim(body, SINCE, request.version)


def index(request: Request) -> dict[str, Any]:
    return _list(request, "/flavors", detailed=False)


def detail(request: Request) -> dict[str, Any]:
    return _list(request, "/flavors/detail", detailed=True)


def _list(request: Request, path: str, *, detailed: bool) -> dict[str, Any]:
    limit = page_limit(request)
    rows = flavors.index(
        request.core,
        request.ctx,
        is_public=_is_public(request),
        min_ram=request.number("minRam", 0) or 0,
        min_disk=request.number("minDisk", 0) or 0,
        sort=[
            (key, (request.param("sort_dir") or "asc") == "desc") for key, _ in sorting(request, [("flavorid", False)])
        ],
        marker=request.param("marker"),
        limit=limit,
    )
    body: dict[str, Any] = {"flavors": [view(request, row, detailed=detailed) for row in rows]}
    if more := next_link(request, path, rows, limit, rows[-1].id if rows else ""):
        body["flavors_links"] = more
    return body


def _is_public(request: Request) -> bool | None:
    """An administrator's choice; without one only public flavors are listed."""
    value = request.param("is_public")
    if value is None:
        return True
    if value.lower() == "none":
        return None
    try:
        return request.flag("is_public")
    except BadRequest:
        raise BadRequest(f"Invalid is_public filter [{value}]") from None


def show(request: Request) -> dict[str, Any]:
    return {"flavor": view(request, flavors.show(request.core, request.ctx, request.path["flavor_id"]))}


def create(request: Request) -> dict[str, Any]:
    wanted = request.body.flavor
    values = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return {"flavor": view(request, flavors.create(request.core, values))}


def update(request: Request) -> dict[str, Any]:
    row = flavors.update(request.core, request.ctx, request.path["flavor_id"], request.body.flavor.description)
    return {"flavor": view(request, row)}


def delete(request: Request) -> None:
    flavors.delete(request.core, request.path["flavor_id"])


# ----------------------------------------------------------------------------------------------------- extra specs


def extra_specs(request: Request) -> dict[str, Any]:
    return {"extra_specs": flavors.show(request.core, request.ctx, request.path["flavor_id"]).extra_specs}


def extra_spec(request: Request) -> dict[str, Any]:
    row = flavors.show(request.core, request.ctx, request.path["flavor_id"])
    key = request.path["key"]
    return {key: flavors.require_extra_spec(row, key)}


def _check_specs(request: Request, values: dict[str, str]) -> None:
    """Before 2.86 upstream keeps whatever it is told."""
    if request.version >= (2, 86):
        known_specs.check(values)


def create_extra_specs(request: Request) -> dict[str, Any]:
    values = request.body.extra_specs
    _check_specs(request, values)
    return {"extra_specs": flavors.set_extra_specs(request.core, request.ctx, request.path["flavor_id"], values)}


def update_extra_spec(request: Request) -> dict[str, Any]:
    body = codec.parse(request.raw)
    key = request.path["key"]
    if not isinstance(body, dict) or list(body) != [key] or not isinstance(body[key], str):
        raise BadRequest("Request body and URI mismatch")
    _check_specs(request, body)
    return flavors.set_extra_specs(request.core, request.ctx, request.path["flavor_id"], body)


def delete_extra_spec(request: Request) -> None:
    flavors.delete_extra_spec(request.core, request.ctx, request.path["flavor_id"], request.path["key"])


# ---------------------------------------------------------------------------------------------------------- access


def _access_view(flavor_id: str, projects: list[str]) -> dict[str, Any]:
    return {"flavor_access": [{"flavor_id": flavor_id, "tenant_id": project_id} for project_id in projects]}


def access(request: Request) -> dict[str, Any]:
    flavor_id = request.path["flavor_id"]
    return _access_view(flavor_id, flavors.access(request.core, request.ctx, flavor_id))


def add_access(request: Request) -> dict[str, Any]:
    flavor_id, project_id = request.path["flavor_id"], request.body.addTenantAccess.tenant
    refuse_public = request.version >= (2, 7)
    projects = flavors.grant(request.core, request.ctx, flavor_id, project_id, refuse_public=refuse_public)
    return _access_view(flavor_id, projects)


def remove_access(request: Request) -> dict[str, Any]:
    flavor_id, project_id = request.path["flavor_id"], request.body.removeTenantAccess.tenant
    return _access_view(flavor_id, flavors.revoke(request.core, request.ctx, flavor_id, project_id))
