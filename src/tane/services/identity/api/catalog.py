"""Regions, services, endpoints (Identity API v3: "Regions", "Service catalog and endpoints")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given, listing, with_self
from tane.services.identity.domain import catalog
from tane.web.request import Request


def region_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {"id": row.id, "description": row.description, "parent_region_id": row.parent_region_id}
    return with_self(request, "regions", body)


def service_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        "id": row.id,
        "type": row.type,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
    }
    return with_self(request, "services", body)


def endpoint_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        "id": row.id,
        "service_id": row.service_id,
        "interface": row.interface,
        "region": row.region_id,
        "region_id": row.region_id,
        "url": row.url,
        "enabled": row.enabled,
    }
    return with_self(request, "endpoints", body)


def region_index(request: Request) -> dict[str, Any]:
    found = catalog.index(request.core, "region", filters(request, ("parent_region_id",)))
    return listing(request, "regions", (region_view(request, row) for row in found))


def region_show(request: Request) -> dict[str, Any]:
    return {"region": region_view(request, catalog.show(request.core, "region", request.path["region_id"]))}


def region_create(request: Request) -> dict[str, Any]:
    return {"region": region_view(request, catalog.create(request.core, "region", given(request.body.region)))}


def region_create_named(request: Request) -> dict[str, Any]:
    """PUT of a region id: create it under that id."""
    values = {**given(request.body.region), "id": request.path["region_id"]}
    return {"region": region_view(request, catalog.create(request.core, "region", values))}


def region_update(request: Request) -> dict[str, Any]:
    row = catalog.update(request.core, "region", request.path["region_id"], given(request.body.region))
    return {"region": region_view(request, row)}


def region_delete(request: Request) -> None:
    catalog.delete(request.core, "region", request.path["region_id"])


def service_index(request: Request) -> dict[str, Any]:
    found = catalog.index(request.core, "service", filters(request, ("type", "name")))
    return listing(request, "services", (service_view(request, row) for row in found))


def service_show(request: Request) -> dict[str, Any]:
    return {"service": service_view(request, catalog.show(request.core, "service", request.path["service_id"]))}


def service_create(request: Request) -> dict[str, Any]:
    return {"service": service_view(request, catalog.create(request.core, "service", given(request.body.service)))}


def service_update(request: Request) -> dict[str, Any]:
    row = catalog.update(request.core, "service", request.path["service_id"], given(request.body.service))
    return {"service": service_view(request, row)}


def service_delete(request: Request) -> None:
    catalog.delete(request.core, "service", request.path["service_id"])


def _endpoint_values(request: Request) -> dict[str, Any]:
    values = given(request.body.endpoint)
    if "region" in values:
        values.setdefault("region_id", values.pop("region"))
    return values


def endpoint_index(request: Request) -> dict[str, Any]:
    wanted = filters(request, ("service_id", "interface", "region_id"))
    found = catalog.index(request.core, "endpoint", wanted)
    return listing(request, "endpoints", (endpoint_view(request, row) for row in found))


def endpoint_show(request: Request) -> dict[str, Any]:
    return {"endpoint": endpoint_view(request, catalog.show(request.core, "endpoint", request.path["endpoint_id"]))}


def endpoint_create(request: Request) -> dict[str, Any]:
    return {"endpoint": endpoint_view(request, catalog.create(request.core, "endpoint", _endpoint_values(request)))}


def endpoint_update(request: Request) -> dict[str, Any]:
    row = catalog.update(request.core, "endpoint", request.path["endpoint_id"], _endpoint_values(request))
    return {"endpoint": endpoint_view(request, row)}


def endpoint_delete(request: Request) -> None:
    catalog.delete(request.core, "endpoint", request.path["endpoint_id"])
