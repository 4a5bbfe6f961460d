"""The hashmap module: services, fields, groups, mappings, thresholds.

CloudKitty's client names what it deletes or changes in the body, its reference in the path: both are served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tane.services.rating.domain import hashmap as domain
from tane.services.rating.domain import months
from tane.services.rating.domain.hashmap import MAPPING, THRESHOLD, Filters
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest
from tane.web.request import Request, Response

BASE = "/v1/rating/module_config/hashmap"


def _named(request: Request, name: str) -> str:
    found = request.path.get(name) or getattr(request.body, name, None) or ""
    if not found:
        raise BadRequest(f"Missing argument: {name}")
    return str(found)


def _asked(request: Request, name: str) -> str:
    found = request.param(name)
    if not found:
        raise BadRequest(f"Missing argument: {name}")
    return found


def types(request: Request) -> list[str]:
    return list(domain.TYPES)


# ------------------------------------------------------------------------------------------- services, fields, groups


def _view(kind: str, row: Any) -> dict[str, Any]:
    shown = {"name": row.name, f"{kind}_id": row.id}
    return {**shown, "service_id": row.service_id} if kind == "field" else shown


def _made(request: Request, kind: str, row: Any) -> Response:
    return Response(_view(kind, row), 201, {"Location": request.link(f"{BASE}/{kind}s/{row.id}")})


def services(request: Request) -> dict[str, Any]:
    return {"services": [_view("service", row) for row in domain.every(request.core, "service")]}


def service(request: Request) -> dict[str, Any]:
    return _view("service", domain.get(request.core, "service", request.path["service_id"]))


def create_service(request: Request) -> Response:
    return _made(request, "service", domain.add(request.core, "service", request.body.name))


def delete_service(request: Request) -> None:
    domain.remove(request.core, request.ctx, "service", _named(request, "service_id"))


def fields(request: Request) -> dict[str, Any]:
    rows = domain.every(request.core, "field", _asked(request, "service_id"))
    return {"fields": [_view("field", row) for row in rows]}


def field(request: Request) -> dict[str, Any]:
    return _view("field", domain.get(request.core, "field", request.path["field_id"]))


def create_field(request: Request) -> Response:
    body = request.body
    return _made(request, "field", domain.add(request.core, "field", body.name, body.service_id))


def delete_field(request: Request) -> None:
    domain.remove(request.core, request.ctx, "field", _named(request, "field_id"))


def groups(request: Request) -> dict[str, Any]:
    return {"groups": [_view("group", row) for row in domain.every(request.core, "group")]}


def group(request: Request) -> dict[str, Any]:
    return _view("group", domain.get(request.core, "group", request.path["group_id"]))


def create_group(request: Request) -> Response:
    return _made(request, "group", domain.add(request.core, "group", request.body.name))


def delete_group(request: Request) -> None:
    recursive = request.flag("recursive") or getattr(request.body, "recursive", False)
    domain.remove(request.core, request.ctx, "group", _named(request, "group_id"), recursive=recursive)


def group_mappings(request: Request) -> dict[str, Any]:
    rows = domain.find(request.core, MAPPING, Filters(group_id=_asked(request, "group_id")))
    return {"mappings": [_mapping(row) for row in rows]}


def group_thresholds(request: Request) -> dict[str, Any]:
    rows = domain.find(request.core, THRESHOLD, Filters(group_id=_asked(request, "group_id")))
    return {"thresholds": [_threshold(row) for row in rows]}


# ------------------------------------------------------------------------------------------ mappings and thresholds


def _mapping(row: Any) -> dict[str, Any]:
    named = ("type", "cost", "value", "service_id", "field_id", "group_id", "tenant_id", "name", "description")
    shown = {name: getattr(row, name) for name in named}
    times = {name: _iso(getattr(row, name)) for name in ("start", "end")}
    who = {name: getattr(row, name) for name in ("created_by", "updated_by", "deleted_by")}
    told = {"created_at": iso_micro(row.created_at), "deleted": iso_micro(row.deleted_at)}
    return {"mapping_id": row.id, **shown, **times, **who, **told}


def _threshold(row: Any) -> dict[str, Any]:
    named = ("type", "cost", "level", "service_id", "field_id", "group_id", "tenant_id")
    shown = {name: getattr(row, name) for name in named}
    return {"threshold_id": row.id, **shown, "created_at": iso_micro(row.created_at)}


def _iso(at: Any) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _filters(request: Request) -> Filters:
    return Filters(
        service_id=request.param("service_id"),
        field_id=request.param("field_id"),
        group_id=request.param("group_id"),
        no_group=request.flag("no_group"),
        tenant_id=request.param("tenant_id"),
        by_tenant=request.flag("filter_tenant"),
        deleted=request.flag("deleted"),
        active=request.flag("is_active"),
    )


def _given(request: Request) -> dict[str, Any]:
    body = request.body
    names = ("cost", "type", "value", "level", "service_id", "field_id", "group_id", "tenant_id", "name", "description")
    given = {name: getattr(body, name, None) for name in names}
    return {**given, **{name: months.parsed(name, getattr(body, name, None)) for name in ("start", "end")}}


def _create(request: Request, kind: str, view: Callable[[Any], dict[str, Any]]) -> Response:
    row = domain.create(request.core, request.ctx, kind, _given(request), force=request.flag("force"))
    return Response(view(row), 201, {"Location": request.link(f"{BASE}/{kind}s/{row.id}")})


def _delete(request: Request, kind: str, name: str) -> None:
    domain.delete(request.core, request.ctx, kind, _named(request, name), force=request.flag("force"))


def mappings(request: Request) -> dict[str, Any]:
    return {"mappings": [_mapping(row) for row in domain.find(request.core, MAPPING, _filters(request))]}


def mapping(request: Request) -> dict[str, Any]:
    return _mapping(domain.one(request.core, MAPPING, request.path["mapping_id"]))


def create_mapping(request: Request) -> Response:
    return _create(request, MAPPING, _mapping)


def update_mapping(request: Request) -> None:
    domain.update_mapping(request.core, request.ctx, _named(request, "mapping_id"), _given(request))


def delete_mapping(request: Request) -> None:
    _delete(request, MAPPING, "mapping_id")


def mapping_group(request: Request) -> dict[str, Any]:
    return _view("group", domain.group_of(request.core, MAPPING, _asked(request, "mapping_id")))


def thresholds(request: Request) -> dict[str, Any]:
    return {"thresholds": [_threshold(row) for row in domain.find(request.core, THRESHOLD, _filters(request))]}


def threshold(request: Request) -> dict[str, Any]:
    return _threshold(domain.one(request.core, THRESHOLD, request.path["threshold_id"]))


def create_threshold(request: Request) -> Response:
    return _create(request, THRESHOLD, _threshold)


def update_threshold(request: Request) -> None:
    domain.update_threshold(request.core, request.ctx, _named(request, "threshold_id"), _given(request))


def delete_threshold(request: Request) -> None:
    _delete(request, THRESHOLD, "threshold_id")


def threshold_group(request: Request) -> dict[str, Any]:
    return _view("group", domain.group_of(request.core, THRESHOLD, _asked(request, "threshold_id")))
