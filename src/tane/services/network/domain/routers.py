"""Routers: their gateway to an external network and their static routes. Interfaces are in ``router_interfaces``."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain import gateway_hosts
from tane.services.network.domain.common import (
    check_room,
    check_zones,
    fresh,
    no_router,
    owner,
    owners,
    require,
    visible_network,
)
from tane.services.network.domain.convergence import changed
from tane.services.network.domain.distributed import draw_segment
from tane.services.network.domain.legs import refuse_overlap
from tane.services.network.domain.new_ports import NewPort, PortMaker
from tane.services.network.domain.ports import remove as remove_ports
from tane.services.network.domain.subnet_rules import StaticRoute, check_routes, in_pools
from tane.services.network.domain.subnets import external_subnets
from tane.services.network.store import gateway_hosts as gateway_host_store
from tane.services.network.store import routers as store
from tane.services.network.store import rows
from tane.services.network.store.addresses import is_taken
from tane.services.network.tables import ROUTER_GATEWAY, ROUTER_INTERFACE, floating_ip, port, router, subnet
from tane.services.rating import interface as rating
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict

MAX_ROUTES = 30


def create(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """:raises Conflict: over quota. :raises Forbidden: the budget is spent. :raises BadRequest, NotFound: a gateway
    that cannot be one."""
    with core.db.write() as tx:
        check_room(tx, "router", owners(ctx, asked))
        return [_create_one(tx, ctx, {"distributed": core.config.router_distributed, **values}) for values in asked]


def _create_one(tx: Tx, ctx: Context, values: dict[str, Any]) -> str:
    project_id = owner(ctx, values)
    segment = draw_segment(tx) if values.pop("distributed") else None
    check_zones(values)
    rating.refuse_spent(tx, project_id)
    gateway = values.pop("external_gateway_info", None)
    standard = {
        "name": "",
        "admin_state_up": True,
        "status": "ACTIVE",
        "enable_snat": True,
        "routes": [],
        "availability_zone_hints": [],
        "transit_segment": segment,
    }
    row = {**fresh(tx, project_id, **standard), **values}
    rows.add(tx, router, [row])
    if gateway:
        _set_gateway(tx, ctx, row["id"], gateway)
    gateway_hosts.place_router(tx, row["id"])
    return str(row["id"])


def update(core: Core, ctx: Context, router_id: str, values: dict[str, Any]) -> None:
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, router, router_id), no_router(router_id))
        if "external_gateway_info" in values:
            change_gateway(tx, ctx, row, values.pop("external_gateway_info"))
            gateway_hosts.place_router(tx, router_id)
            _tell_networks(tx, router_id)
        if "routes" in values:
            values["routes"] = _checked_routes(tx, ctx, row, values["routes"] or [])
        if "distributed" in values:
            _distribute(tx, row, distributed=values.pop("distributed"))
        rows.change(tx, router, router_id, values)
        if {"routes", "admin_state_up"} & values.keys():
            changed(tx, routers=[router_id])
            if values.get("admin_state_up", row.admin_state_up) != row.admin_state_up:
                _tell_networks(tx, router_id)


def _distribute(tx: Tx, row: Row[Any], *, distributed: bool) -> None:
    """:raises BadRequest: it is another than it was, and the router is switched on."""
    if distributed == (row.transit_segment is not None):
        return
    if row.admin_state_up:
        raise BadRequest(
            "Bad router request: Cannot change the 'distributed' attribute of active routers. Please set router "
            "admin_state_up to False prior to upgrade.",
            type="BadRequest",
        )
    rows.change(tx, router, row.id, {"transit_segment": draw_segment(tx) if distributed else None})
    _tell_networks(tx, row.id)


def _tell_networks(tx: Tx, router_id: str) -> None:
    """Which hosts have the router is different now: all that are on its networks look."""
    changed(tx, routers=[router_id], networks={leg.network_id for leg in store.legs(tx, router_id)})


def change_routes(core: Core, ctx: Context, router_id: str, routes: Sequence[StaticRoute], *, add: bool) -> None:
    """Add to or take from the static routes (``add_extraroutes``, ``remove_extraroutes``)."""
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, router, router_id), no_router(router_id))
        named = check_routes(routes, "routes", None, MAX_ROUTES)
        kept = [route for route in row.routes if route not in named]
        if add:
            kept = [*row.routes, *(route for route in named if route not in row.routes)]
            _check_reachable(tx, ctx, row, named)
        rows.change(tx, router, router_id, {"routes": kept})
        changed(tx, routers=[router_id])


def _checked_routes(tx: Tx, ctx: Context, row: Row[Any], routes: Sequence[StaticRoute]) -> list[dict[str, str]]:
    checked = check_routes(routes, "routes", None, MAX_ROUTES)
    _check_reachable(tx, ctx, row, checked)
    return checked


def _check_reachable(tx: Tx, ctx: Context, row: Row[Any], routes: Sequence[dict[str, str]]) -> None:
    """Each next hop must be an address of a network the router is in, and not the router's own.

    In an external network a user's next hop is outside the cloud or the network's gateway: by another router of the
    cloud he would be led into somebody's network past its floating IPs.
    """
    legs = store.legs(tx, row.id)
    cidrs = [ipaddress.ip_network(leg.cidr) for leg in legs]
    own = {leg.ip_address for leg in legs}
    for route in routes:
        if not ctx.is_admin and any(_is_inside_cloud(tx, leg, route["nexthop"]) for leg in legs):
            raise BadRequest(
                f"Invalid format for routes: {routes}, the nexthop is an address that the external network gives away",
                type="InvalidRoutes",
            )
        hop = ipaddress.ip_address(route["nexthop"])
        if not any(hop.version == cidr.version and hop in cidr for cidr in cidrs):
            raise BadRequest(
                f"Invalid format for routes: {routes}, the nexthop is not connected with router", type="InvalidRoutes"
            )
        if route["nexthop"] in own:
            raise BadRequest(
                f"Invalid format for routes: {routes}, the nexthop is used by router", type="InvalidRoutes"
            )


def _is_inside_cloud(tx: Tx, leg: Row[Any], hop: str) -> bool:
    """Whether ``hop`` is an address of an external network that a port of the cloud has or may be given."""
    if leg.device_owner != ROUTER_GATEWAY or hop == leg.gateway_ip:
        return False
    found = rows.get(tx, subnet, leg.subnet_id)
    return found is not None and (in_pools(found.allocation_pools, hop) or is_taken(tx, found.id, hop))


def change_gateway(tx: Tx, ctx: Context, row: Row[Any], info: dict[str, Any] | None) -> None:
    """Set, replace or clear the gateway. :raises Conflict: floating IPs need the present one."""
    old = rows.get(tx, port, row.gateway_port_id) if row.gateway_port_id else None
    info = info or {}
    if old is not None and info.get("network_id") in (None, old.network_id) and info:
        rows.change(tx, router, row.id, {"enable_snat": info.get("enable_snat", True)})
        if info.get("external_fixed_ips") is None:
            return
    if old is not None:
        wanted_network = info.get("network_id", old.network_id if info else None)
        if wanted_network != old.network_id and rows.find(tx, floating_ip, router_id=row.id):
            raise Conflict(
                f"Gateway cannot be updated for router {row.id}, since a gateway to external network "
                f"{old.network_id} is required by one or more floating IPs.",
                type="RouterExternalGatewayInUseByFloatingIp",
            )
        rows.change(tx, router, row.id, {"gateway_port_id": None})
        remove_ports(tx, [old.id])
        info = {"network_id": old.network_id, **info} if info else {}
    if info:
        _set_gateway(tx, ctx, row.id, info)


def _set_gateway(tx: Tx, ctx: Context, router_id: str, info: dict[str, Any]) -> None:
    network_id = info.get("network_id")
    if network_id is None:
        raise BadRequest(
            "Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed. Expected keys: "
            "{'network_id'}",
            type="HTTPBadRequest",
        )
    network = visible_network(tx, ctx, network_id)
    if not network.external:
        raise BadRequest(f"Bad router request: Network {network_id} is not an external network.", type="BadRequest")
    _refuse_overlap(tx, router_id, network_id)
    asked = info.get("external_fixed_ips")
    fixed_ips = asked or [{"subnet_id": row.id} for row in external_subnets(tx, network_id)[:1]] or None
    maker = PortMaker(tx)
    port_id = maker.add(
        NewPort(
            network=network,
            project_id="",
            device_id=router_id,
            device_owner=ROUTER_GATEWAY,
            fixed_ips=fixed_ips,
        )
    )
    maker.insert()
    rows.change(tx, router, router_id, {"gateway_port_id": port_id, "enable_snat": info.get("enable_snat", True)})


def _refuse_overlap(tx: Tx, router_id: str, network_id: str) -> None:
    for row in rows.find(tx, subnet, network_id=network_id):
        refuse_overlap(tx, router_id, row)


def delete(core: Core, ctx: Context, router_id: str) -> None:
    """:raises Conflict: (RouterInUse) it still has interfaces."""
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, router, router_id), no_router(router_id))
        interfaces = select(port.c.id).where(port.c.device_id == router_id, port.c.device_owner == ROUTER_INTERFACE)
        if tx.first(interfaces.limit(1)) is not None:
            raise Conflict(f"Router {router_id} still has ports", type="RouterInUse")
        if row.gateway_port_id is not None:
            change_gateway(tx, ctx, row, None)
        changed(tx, routers=[router_id])
        rows.remove(tx, router, [router_id])
        gateway_host_store.remove(tx, [router_id])
