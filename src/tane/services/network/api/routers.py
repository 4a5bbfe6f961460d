"""Routers (Networking API: "Routers")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.api import common
from tane.services.network.domain import router_interfaces, routers
from tane.services.network.domain.common import no_router
from tane.services.network.store import addresses, listings
from tane.services.network.store.routers import gateway_ports
from tane.web.request import Request


def related(tx: Tx, found: Sequence[Row[Any]]) -> common.Related:
    gateways = gateway_ports(tx, found)
    return {"gateways": gateways, "addresses": addresses.of_ports(tx, [port.id for port in gateways.values()])}


def view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    gateway = related["gateways"].get(row.id)
    info = None
    if gateway is not None:
        held = related["addresses"].get(gateway.id, [])
        info = {
            "network_id": gateway.network_id,
            "enable_snat": row.enable_snat,
            "external_fixed_ips": [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in held],
        }
    shown = {"distributed": row.transit_segment is not None} if request.allows("get_router:distributed") else {}
    return {
        "id": row.id,
        "name": row.name,
        "admin_state_up": row.admin_state_up,
        **shown,
        "status": row.status,
        "external_gateway_info": info,
        "routes": row.routes,
        "availability_zone_hints": row.availability_zone_hints,
        "availability_zones": ["nova"],
        **common.standard(row, related),
    }


ROUTERS = common.Collection("router", "routers", listings.ROUTERS, related, view, no_router)


def index(request: Request) -> dict[str, Any]:
    return common.index(request, ROUTERS)


def show(request: Request) -> dict[str, Any]:
    return common.show(request, ROUTERS, request.path["router_id"])


def create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, ROUTERS, "create")
    return common.made(request, ROUTERS, routers.create(request.core, request.ctx, asked), bulk=bulk)


def update(request: Request) -> dict[str, Any]:
    [values], _ = common.bodies(request, ROUTERS, "update")
    routers.update(request.core, request.ctx, request.path["router_id"], values)
    return common.made(request, ROUTERS, [request.path["router_id"]])


def delete(request: Request) -> None:
    routers.delete(request.core, request.ctx, request.path["router_id"])


def add_interface(request: Request) -> dict[str, Any]:
    asked = request.body
    return router_interfaces.add(request.core, request.ctx, request.path["router_id"], asked.subnet_id, asked.port_id)


def remove_interface(request: Request) -> dict[str, Any]:
    asked = request.body
    return router_interfaces.remove(
        request.core, request.ctx, request.path["router_id"], asked.subnet_id, asked.port_id
    )


def add_extraroutes(request: Request) -> dict[str, Any]:
    return _extraroutes(request, add=True)


def remove_extraroutes(request: Request) -> dict[str, Any]:
    return _extraroutes(request, add=False)


def _extraroutes(request: Request, *, add: bool) -> dict[str, Any]:
    router_id = request.path["router_id"]
    routers.change_routes(request.core, request.ctx, router_id, request.body.router.routes, add=add)
    return common.made(request, ROUTERS, [router_id])
