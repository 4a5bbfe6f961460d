"""Versions, what is rated, modules, collectors: what the cloud itself says of rating."""

from __future__ import annotations

from typing import Any

from tane.services.rating.domain import quotes, switches
from tane.services.rating.domain.kinds import KINDS, Kind
from tane.services.rating.domain.money import plain
from tane.services.rating.domain.switches import COLLECTOR, NO_SCRIPTS, Module
from tane.web.errors import BadRequest, NotFound, NotImplementedHere
from tane.web.request import Request, Response

ALWAYS = ("id", "user_id", "project_id")
COLLECTED = "What is used is known from the cloud's own events: no other collector can be chosen."


def versions(request: Request) -> dict[str, Any]:
    told = (("v1", "CURRENT"), ("v2", "EXPERIMENTAL"))
    return {
        "versions": [
            {"id": name, "links": [{"href": request.link(f"/{name}"), "rel": "self"}], "status": status}
            for name, status in told
        ]
    }


def _metric(kind: Kind) -> dict[str, Any]:
    return {"metric_id": kind.service, "unit": kind.unit, "metadata": [one for one in kind.fields if one != "user_id"]}


def metrics(request: Request) -> dict[str, Any]:
    return {"metrics": [_metric(kind) for kind in KINDS]}


def metric(request: Request) -> dict[str, Any]:
    name = request.path["metric_id"]
    found = next((kind for kind in KINDS if kind.service == name), None)
    if found is None:
        raise NotFound(name[:255])
    return _metric(found)


def config(request: Request) -> dict[str, Any]:
    """As CloudKitty's metrics.yml, and the currency."""
    shown = {
        kind.service: {
            "unit": kind.unit,
            "alt_name": kind.service,
            "factor": plain(kind.factor),
            "groupby": list(ALWAYS),
            "metadata": _metric(kind)["metadata"],
        }
        for kind in KINDS
    }
    return {"metrics": shown, "currency": request.core.config.rating.currency}


# ---------------------------------------------------------------------------------------------------------- modules


def _module(one: Module, hot: str) -> dict[str, Any]:
    named = {"module_id": one.module_id, "description": one.description, "enabled": one.enabled}
    return {**named, hot: one.hot_config, "priority": one.priority}


def modules(request: Request) -> dict[str, Any]:
    name = request.param("module_id")
    if name:
        return _module(switches.module(request.core, name), "hot-config")
    return {"modules": [_module(one, "hot-config") for one in switches.modules(request.core)]}


def module(request: Request) -> dict[str, Any]:
    return _module(switches.module(request.core, request.path["module_id"]), "hot-config")


def set_module(request: Request) -> None:
    body = request.body
    name = request.path.get("module_id") or body.module_id
    if not name:
        raise BadRequest("Missing argument: module_id")
    switches.set_module(request.core, request.ctx, name, body.enabled, body.priority)


def modules_v2(request: Request) -> dict[str, Any]:
    return {"modules": [_module(one, "hot_config") for one in switches.modules(request.core)]}


def module_v2(request: Request) -> dict[str, Any]:
    return _module(switches.module(request.core, request.path["module_id"]), "hot_config")


def set_module_v2(request: Request) -> None:
    body = request.body
    switches.set_module(request.core, request.ctx, request.path["module_id"], body.enabled, body.priority)


def reload_modules(request: Request) -> None:
    """Nothing is kept that would have to be read again: each report reads the prices as they are."""


def scripts(request: Request) -> Response:
    raise NotImplementedHere(NO_SCRIPTS)


def quote(request: Request) -> float | dict[str, Any]:
    """The price of an hour of all of it, now, for the caller's project; with ``details`` (Tane's own) of each, too."""
    asked = [(one.service, one.desc, one.volume) for one in request.body.resources]
    found = quotes.prices(request.core, request.ctx.project_id, asked)
    total = float(quotes.rounded(found))
    if not request.flag("details"):
        return total
    return {"total": total, "prices": [plain(quotes.rounded([price])) for price in found]}


# ------------------------------------------------------------------------------------------------------- collectors


def mappings(request: Request) -> dict[str, Any]:
    """Which collector a service is bound to: none is."""
    return {"mappings": []}


def mapping(request: Request) -> None:
    raise NotFound(f"No such mapping for service: {request.path['service_id'][:255]}")


def bind(request: Request) -> None:
    raise NotImplementedHere(COLLECTED)


def collector_state(request: Request) -> dict[str, Any]:
    name = request.path.get("service_id") or request.param("name") or ""
    return {"name": name[:255], "enabled": name == COLLECTOR}


def set_collector_state(request: Request) -> dict[str, Any]:
    body = request.body
    name = request.path.get("service_id") or body.name or ""
    if body.enabled != (name == COLLECTOR):
        raise NotImplementedHere(COLLECTED)
    return {"name": name, "enabled": body.enabled}
