"""Regions, services and endpoints, and the catalogue made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import new_id, require, require_field
from tane.services.identity.domain.memory import Desk
from tane.services.identity.store import catalog as store
from tane.services.identity.store import rows
from tane.services.identity.tables import endpoint, region, service
from tane.web.errors import BadRequest, Conflict

KINDS: dict[str, Table] = {"region": region, "service": service, "endpoint": endpoint}
FIELDS = {
    "region": ("id", "description", "parent_region_id"),
    "service": ("type", "name", "description", "enabled"),
    "endpoint": ("service_id", "interface", "region_id", "url", "enabled"),
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "region": {"description": "", "parent_region_id": None, "extra": {}},
    "service": {"name": "", "description": "", "enabled": True, "extra": {}},
    "endpoint": {"region_id": None, "enabled": True, "extra": {}},
}
REQUIRED = {"region": (), "service": ("type",), "endpoint": ("service_id", "interface", "url")}


def show(core: Core, kind: str, row_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return require(tx, KINDS[kind], row_id, kind)


def index(core: Core, kind: str, filters: Mapping[str, Any]) -> list[Row[Any]]:
    with core.db.read() as tx:
        return rows.find(tx, KINDS[kind], filters)


def create(core: Core, kind: str, values: dict[str, Any]) -> Row[Any]:
    """:raises BadRequest: a required field is missing or names nothing. :raises Conflict: the region exists."""
    for name in REQUIRED[kind]:
        require_field(values, name)
    with core.db.write() as tx:
        row_id = values.pop("id", None) or new_id()
        wanted = {**DEFAULTS[kind], **{n: v for n, v in values.items() if n in FIELDS[kind]}}
        if "description" in wanted:
            wanted["description"] = wanted["description"] or ""
        if kind == "region" and rows.get(tx, region, row_id) is not None:
            raise Conflict(f"Conflict occurred attempting to store region - Duplicate ID, {row_id}.")
        if kind == "endpoint":
            _check_endpoint(tx, wanted)
        rows.add(tx, KINDS[kind], {**wanted, "id": row_id, "created_at": tx.now})
        audit.record(tx, "created", kind, row_id)
        return require(tx, KINDS[kind], row_id, kind)


def update(core: Core, kind: str, row_id: str, values: dict[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        require(tx, KINDS[kind], row_id, kind)
        wanted = {n: v for n, v in values.items() if n in FIELDS[kind] and n != "id"}
        if kind == "endpoint":
            _check_endpoint(tx, wanted)
        if "description" in wanted:
            wanted["description"] = wanted["description"] or ""
        rows.change(tx, KINDS[kind], row_id, wanted)
        audit.record(tx, "updated", kind, row_id)
        return require(tx, KINDS[kind], row_id, kind)


def _check_endpoint(tx: Tx, values: Mapping[str, Any]) -> None:
    """Refuse an unknown service; a region that is named for the first time is made, as Keystone does."""
    if "service_id" in values and rows.get(tx, service, values["service_id"]) is None:
        raise BadRequest(f"Invalid service_id: could not find service {values['service_id']}.")
    region_id = values.get("region_id")
    if region_id and rows.get(tx, region, region_id) is None:
        rows.add(tx, region, {**DEFAULTS["region"], "id": region_id, "created_at": tx.now})


def delete(core: Core, kind: str, row_id: str) -> None:
    with core.db.write() as tx:
        require(tx, KINDS[kind], row_id, kind)
        if kind == "region" and rows.find(tx, region, {"parent_region_id": row_id}):
            raise Conflict(
                f"Unable to delete region {row_id} because it or its child regions have associated endpoints."
            )
        rows.remove(tx, KINDS[kind], row_id)
        audit.record(tx, "deleted", kind, row_id)


def catalog(core: Core, project_id: str) -> list[dict[str, Any]]:
    """The catalogue of a token: endpoints of a service that need a project are left out when there is none."""
    with Desk(core) as desk:
        return desk.known(("catalog", project_id), lambda tx: _catalog(tx, project_id))


def _catalog(tx: Tx, project_id: str) -> list[dict[str, Any]]:
    entries = store.entries(tx)
    services: dict[str, dict[str, Any]] = {}
    for row in entries:
        if "$(project_id)s" in row.url and not project_id:
            continue
        found = services.setdefault(
            row.service_id, {"id": row.service_id, "type": row.type, "name": row.name, "endpoints": []}
        )
        found["endpoints"].append(
            {
                "id": row.id,
                "interface": row.interface,
                "region_id": row.region_id,
                "region": row.region_id,
                "url": row.url.replace("$(project_id)s", project_id),
            }
        )
    return list(services.values())
