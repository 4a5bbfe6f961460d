"""Regions, services, endpoints (Identity API v3: "Regions", "Service catalog and endpoints")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import filters, given_with_extra, listing, with_self
from tane.services.identity.domain import catalog, plain
from tane.services.identity.domain.catalog import ENDPOINT, REGION, SERVICE
from tane.web.errors import BadRequest
from tane.web.request import Request


def region_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {"id": row.id, "description": row.description, "parent_region_id": row.parent_region_id}
    return with_self(request, "regions", {**row.extra, **body})


def service_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        **row.extra,
        "id": row.id,
        "type": row.type,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
    }
    return with_self(request, "services", body)


def endpoint_view(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        **row.extra,
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
    found = plain.index(request.core, REGION, filters(request, ("parent_region_id",)))
    return listing(request, "regions", (region_view(request, row) for row in found))


def region_show(request: Request) -> dict[str, Any]:
    return {"region": region_view(request, plain.show(request.core, REGION, request.path["region_id"]))}


def _region_values(request: Request) -> dict[str, Any]:
    return given_with_extra(request, "region", request.body.region)


def region_create(request: Request) -> dict[str, Any]:
    return {"region": region_view(request, catalog.create_region(request.core, _region_values(request)))}


def region_create_named(request: Request) -> dict[str, Any]:
    """PUT of a region id: create it under that id."""
    values, region_id = _region_values(request), request.path["region_id"]
    if values.get("id", region_id) != region_id:
        raise BadRequest(f"The region ID in the body ({values['id']}) is not the one of the URL ({region_id}).")
    return {"region": region_view(request, catalog.create_region(request.core, {**values, "id": region_id}))}


def region_update(request: Request) -> dict[str, Any]:
    values, region_id = _region_values(request), request.path["region_id"]
    if values.get("id", region_id) != region_id:
        raise BadRequest("Cannot change region ID")
    return {"region": region_view(request, catalog.update_region(request.core, region_id, values))}


def region_delete(request: Request) -> None:
    catalog.delete_region(request.core, request.path["region_id"])


def service_index(request: Request) -> dict[str, Any]:
    found = plain.index(request.core, SERVICE, filters(request, ("type", "name")))
    return listing(request, "services", (service_view(request, row) for row in found))


def service_show(request: Request) -> dict[str, Any]:
    return {"service": service_view(request, plain.show(request.core, SERVICE, request.path["service_id"]))}


def service_create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "service", request.body.service)
    return {"service": service_view(request, plain.create(request.core, SERVICE, values))}


def service_update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "service", request.body.service)
    return {"service": service_view(request, plain.update(request.core, SERVICE, request.path["service_id"], values))}


def service_delete(request: Request) -> None:
    catalog.delete_service(request.core, request.path["service_id"])


def endpoint_index(request: Request) -> dict[str, Any]:
    found = plain.index(request.core, ENDPOINT, filters(request, ("service_id", "interface", "region_id")))
    return listing(request, "endpoints", (endpoint_view(request, row) for row in found))


def endpoint_show(request: Request) -> dict[str, Any]:
    return {"endpoint": endpoint_view(request, plain.show(request.core, ENDPOINT, request.path["endpoint_id"]))}


def endpoint_create(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "endpoint", request.body.endpoint)
    return {"endpoint": endpoint_view(request, catalog.create_endpoint(request.core, values))}


def endpoint_update(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "endpoint", request.body.endpoint)
    row = catalog.update_endpoint(request.core, request.path["endpoint_id"], values)
    return {"endpoint": endpoint_view(request, row)}


def endpoint_delete(request: Request) -> None:
    plain.delete(request.core, ENDPOINT, request.path["endpoint_id"])
