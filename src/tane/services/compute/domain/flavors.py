"""Flavors: the menu of server sizes (Compute API: "Flavors")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.compute.domain.common import new_id
from tane.services.compute.store import flavors
from tane.services.compute.tables import flavor
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound

SORT_KEYS: dict[str, Column[Any]] = {
    "flavorid": flavor.c.id,
    "id": flavor.c.id,
    "name": flavor.c.name,
    "memory_mb": flavor.c.ram,
    "vcpus": flavor.c.vcpus,
    "root_gb": flavor.c.disk,
    "ephemeral_gb": flavor.c.ephemeral,
    "swap": flavor.c.swap,
    "rxtx_factor": flavor.c.rxtx_factor,
    "is_public": flavor.c.is_public,
    "disabled": flavor.c.name,
    "created_at": flavor.c.created_at,
    "updated_at": flavor.c.updated_at,
}


def require(tx: Tx, ctx: Context, flavor_id: str) -> Row[Any]:
    """A flavor the caller may use. :raises NotFound:"""
    row = flavors.get(tx, flavor_id, None if ctx.is_admin else ctx.project_id)
    if row is None:
        raise NotFound(f"Flavor {flavor_id} could not be found.")
    return row


def show(core: Core, ctx: Context, flavor_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, ctx, flavor_id)


def index(
    core: Core,
    ctx: Context,
    *,
    is_public: bool | None,
    min_ram: int,
    min_disk: int,
    sort: Sequence[tuple[str, bool]],
    marker: str | None,
    limit: int,
) -> list[Row[Any]]:
    """Flavors the caller may use; an administrator chooses by ``is_public`` (None: all).

    :raises BadRequest: unknown sort key, or a marker that is no flavor.
    """
    for key, _ in sort:
        if key not in SORT_KEYS:
            raise BadRequest(f"Invalid sort key: {key}")
    order = [(SORT_KEYS[key], descending) for key, descending in sort]
    if not any(column is flavor.c.id for column, _ in order):
        order.append((flavor.c.id, False))
    with core.db.read() as tx:
        values = None
        if marker is not None:
            row = flavors.get(tx, marker, None if ctx.is_admin else ctx.project_id)
            if row is None:
                raise BadRequest(f"marker [{marker}] not found")
            values = [getattr(row, column.name) for column, _ in order]
        return flavors.find(
            tx,
            project_id=None if ctx.is_admin else ctx.project_id,
            is_public=is_public if ctx.is_admin else None,
            min_ram=min_ram,
            min_disk=min_disk,
            order=order,
            marker=values,
            limit=limit,
        )


def create(core: Core, values: dict[str, Any]) -> Row[Any]:
    """:raises Conflict: the id or the name is taken. :raises BadRequest: an id with other characters."""
    flavor_id = str(values.pop("id", None) or "auto")
    flavor_id = new_id() if flavor_id == "auto" else flavor_id
    if not re.fullmatch(r"[a-zA-Z0-9. _-]{1,255}", flavor_id) or flavor_id != flavor_id.strip():
        raise BadRequest("id can only contain letters from A-Z (both cases), periods, dashes, underscores and spaces.")
    with core.db.write() as tx:
        if flavors.get(tx, flavor_id) is not None:
            raise Conflict(f"Flavor with ID {flavor_id} already exists.")
        if flavors.by_name(tx, values["name"]) is not None:
            raise Conflict(f"Flavor with name {values['name']} already exists.")
        flavors.add(tx, id=flavor_id, extra_specs={}, **values)
        row = flavors.get(tx, flavor_id)
        assert row is not None
        return row


def update(core: Core, ctx: Context, flavor_id: str, description: str | None) -> Row[Any]:
    with core.db.write() as tx:
        require(tx, ctx, flavor_id)
        flavors.change(tx, flavor_id, description=description)
        return require(tx, ctx, flavor_id)


def delete(core: Core, flavor_id: str) -> None:
    """Servers keep what they were made with. :raises NotFound:"""
    with core.db.write() as tx:
        if not flavors.remove(tx, flavor_id):
            raise NotFound(f"Flavor {flavor_id} could not be found.")


# ----------------------------------------------------------------------------------------------------- extra specs


def set_extra_specs(core: Core, ctx: Context, flavor_id: str, values: dict[str, str]) -> dict[str, str]:
    """Add or replace; returns what was given."""
    with core.db.write() as tx:
        row = require(tx, ctx, flavor_id)
        flavors.change(tx, flavor_id, extra_specs={**row.extra_specs, **values})
    return values


def delete_extra_spec(core: Core, ctx: Context, flavor_id: str, key: str) -> None:
    with core.db.write() as tx:
        row = require(tx, ctx, flavor_id)
        require_extra_spec(row, key)
        flavors.change(tx, flavor_id, extra_specs={k: v for k, v in row.extra_specs.items() if k != key})


def require_extra_spec(row: Row[Any], key: str) -> str:
    if key not in row.extra_specs:
        raise NotFound(f"Flavor {row.id} has no extra specs with key {key}.")
    return str(row.extra_specs[key])


# ---------------------------------------------------------------------------------------------------------- access


def access(core: Core, ctx: Context, flavor_id: str) -> list[str]:
    """:raises NotFound: of a public flavor no list exists."""
    with core.db.read() as tx:
        if require(tx, ctx, flavor_id).is_public:
            raise NotFound("Access list not available for public flavors.")
        return flavors.access(tx, flavor_id)


def grant(core: Core, ctx: Context, flavor_id: str, project_id: str, *, refuse_public: bool) -> list[str]:
    with core.db.write() as tx:
        row = require(tx, ctx, flavor_id)
        if row.is_public and refuse_public:
            raise Conflict("Can not add access to a public flavor.")
        if project_id in flavors.access(tx, flavor_id):
            raise Conflict(f"Flavor access already exists for flavor {flavor_id} and project {project_id} combination.")
        flavors.grant(tx, flavor_id, project_id)
        return flavors.access(tx, flavor_id)


def revoke(core: Core, ctx: Context, flavor_id: str, project_id: str) -> list[str]:
    with core.db.write() as tx:
        require(tx, ctx, flavor_id)
        if not flavors.revoke(tx, flavor_id, project_id):
            raise NotFound(f"Flavor access not found for {flavor_id} / {project_id} combination.")
        return flavors.access(tx, flavor_id)


def embedded(row: Row[Any]) -> dict[str, Any]:
    """What a server keeps of its flavor, whatever becomes of the flavor."""
    return {
        "original_name": row.name,
        "vcpus": row.vcpus,
        "ram": row.ram,
        "disk": row.disk,
        "ephemeral": row.ephemeral,
        "swap": row.swap,
        "extra_specs": row.extra_specs,
    }
