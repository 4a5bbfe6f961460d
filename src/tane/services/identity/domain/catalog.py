"""Regions, services and endpoints, and the catalogue made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import plain
from tane.services.identity.domain.common import require
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.plain import Kind
from tane.services.identity.store import catalog as store
from tane.services.identity.store import rows
from tane.services.identity.tables import endpoint, region, registered_limit, service
from tane.web.errors import BadRequest, Conflict, Forbidden

REGION = Kind("region", region, (), {"description": "", "parent_region_id": None, "extra": {}}, ("description",))
SERVICE = Kind(
    "service", service, ("type",), {"name": "", "description": "", "enabled": True, "extra": {}}, ("description",)
)
ENDPOINT = Kind(
    "endpoint", endpoint, ("service_id", "interface", "url"), {"region_id": None, "enabled": True, "extra": {}}
)
IN_URLS = {"project_id", "tenant_id"}
"""What a URL may leave open: ``$(project_id)s``, which the catalogue of a project fills in."""


NEEDS_PROJECT = re.compile(r"[$%]\((project|tenant)_id\)s")


def create_region(core: Core, values: dict[str, Any]) -> Row[Any]:
    """:raises NotFound: unknown parent. :raises Conflict: the region exists."""
    with core.db.write() as tx:
        _check_parent(tx, None, values)
        if values.get("id") and rows.get(tx, region, values["id"]) is not None:
            raise Conflict(f"Conflict occurred attempting to store region - Duplicate ID, {values['id']}..")
        return plain.add(tx, REGION, values)


def update_region(core: Core, region_id: str, values: dict[str, Any]) -> Row[Any]:
    """:raises NotFound: unknown parent. :raises BadRequest: it would be its own ancestor."""
    with core.db.write() as tx:
        require(tx, region, region_id, "region")
        _check_parent(tx, region_id, values)
        return plain.change(tx, REGION, region_id, values)


def _check_parent(tx: Tx, region_id: str | None, values: Mapping[str, Any]) -> None:
    parent_id = values.get("parent_region_id")
    above = parent_id
    while above is not None:
        if above == region_id:
            raise BadRequest(f"The specified parent region {parent_id} would create a circular region hierarchy.")
        above = require(tx, region, above, "region").parent_region_id


def delete_region(core: Core, region_id: str) -> None:
    """Delete a region with those below it. :raises Forbidden: one of them has endpoints."""
    with core.db.write() as tx:
        require(tx, region, region_id, "region")
        branch = [region_id, *(row.id for row in store.regions_below(tx, region_id))]
        if rows.find(tx, endpoint, {"region_id": branch}):
            raise Forbidden(
                f"Unable to delete region {region_id} because it or its child regions have associated endpoints."
            )
        _refuse_limited(tx, "region_id", branch)
        for row_id in reversed(branch):
            plain.remove(tx, REGION, row_id)


def delete_service(core: Core, service_id: str) -> None:
    """Delete a service with its endpoints. :raises Forbidden: a limit is registered for it."""
    with core.db.write() as tx:
        _refuse_limited(tx, "service_id", [service_id])
        plain.remove(tx, SERVICE, service_id)


def _refuse_limited(tx: Tx, column: str, ids: list[str]) -> None:
    for limited in rows.find(tx, registered_limit, {column: ids}):
        raise Forbidden(f"Unable to delete {getattr(limited, column)} because limit {limited.id} is registered for it.")


def create_endpoint(core: Core, values: dict[str, Any]) -> Row[Any]:
    """:raises BadRequest: unknown service or region, or a URL that leaves something unknown open."""
    with core.db.write() as tx:
        _check_endpoint(tx, values)
        return plain.add(tx, ENDPOINT, values)


def update_endpoint(core: Core, endpoint_id: str, values: dict[str, Any]) -> Row[Any]:
    """:raises BadRequest: as :func:`create_endpoint`."""
    with core.db.write() as tx:
        require(tx, endpoint, endpoint_id, "endpoint")
        _check_endpoint(tx, values)
        return plain.change(tx, ENDPOINT, endpoint_id, values)


def _check_endpoint(tx: Tx, values: dict[str, Any]) -> None:
    """A region of the field ``region`` (which came before ``region_id``) is made when it is not there, as upstream."""
    if "url" in values:
        _filled(values["url"], "")
    if "service_id" in values and rows.get(tx, service, values["service_id"]) is None:
        raise BadRequest("Expecting to find endpoint service_id in service table.")
    named = values.pop("region", None)
    if values.get("region_id") is None and named is not None:
        values["region_id"] = named
        if rows.get(tx, region, named) is None:
            plain.add(tx, REGION, {"id": named})
    if values.get("region_id") is not None and rows.get(tx, region, values["region_id"]) is None:
        raise BadRequest("Expecting to find endpoint region_id in region table.")


def _filled(url: str, project_id: str) -> str:
    """A URL with what it leaves open filled in. :raises BadRequest: it leaves something open that nobody knows."""
    form = url.replace("$(", "%(")
    try:
        return form % dict.fromkeys(IN_URLS, project_id)
    except (KeyError, TypeError, ValueError):
        raise BadRequest(f"Cannot create an endpoint with an invalid URL: {url}.") from None


def catalog(core: Core, project_id: str) -> list[dict[str, Any]]:
    """The catalogue of a token: endpoints of a service that need a project are left out when there is none; a service
    without endpoints is in it all the same.

    A project to which endpoints were given (OS-EP-FILTER) sees these alone.
    """
    with Desk(core) as desk:
        return desk.known(("catalog", project_id), lambda tx: _catalog(tx, project_id))


def _catalog(tx: Tx, project_id: str) -> list[dict[str, Any]]:
    entries = store.entries(tx)
    given = {row.id for row in endpoints_of_project(tx, project_id)} if project_id else set()
    services: dict[str, dict[str, Any]] = {}
    for row in entries:
        if given and row.id not in given:
            continue
        found = services.setdefault(
            row.service_id, {"id": row.service_id, "type": row.type, "name": row.name, "endpoints": []}
        )
        if row.id is None or (not project_id and NEEDS_PROJECT.search(row.url)):
            continue
        found["endpoints"].append(
            {
                "id": row.id,
                "interface": row.interface,
                "region_id": row.region_id,
                "region": row.region_id,
                "url": _filled(row.url, project_id),
            }
        )
    return list(services.values())


def endpoints_of_project(tx: Tx, project_id: str) -> list[Row[Any]]:
    """The endpoints given to a project, one by one or by a group of endpoints."""
    groups = store.endpoint_groups_of(tx, project_id)
    found = {row.id: row for row in store.endpoints_of(tx, project_id)}
    for group in groups:
        found |= {row.id: row for row in rows.find(tx, endpoint, group.filters)}
    return [found[row_id] for row_id in sorted(found)]
