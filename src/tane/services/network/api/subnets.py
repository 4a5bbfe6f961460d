"""Subnets (Networking API: "Subnets")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.network.api import common
from tane.services.network.domain import subnets
from tane.services.network.domain.common import no_subnet
from tane.services.network.store import listings
from tane.web.request import Request


def view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "network_id": row.network_id,
        "ip_version": row.ip_version,
        "cidr": row.cidr,
        "gateway_ip": row.gateway_ip,
        "allocation_pools": row.allocation_pools,
        "dns_nameservers": row.dns_nameservers,
        "host_routes": row.host_routes,
        "enable_dhcp": row.enable_dhcp,
        "ipv6_ra_mode": row.ipv6_ra_mode,
        "ipv6_address_mode": row.ipv6_address_mode,
        "service_types": row.service_types,
        "subnetpool_id": row.subnetpool_id,
        **common.standard(row, related),
    }


SUBNETS = common.Collection("subnet", "subnets", listings.SUBNETS, common.nothing_related, view, no_subnet)


def index(request: Request) -> dict[str, Any]:
    return common.index(request, SUBNETS)


def show(request: Request) -> dict[str, Any]:
    return common.show(request, SUBNETS, request.path["subnet_id"])


def create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, SUBNETS, "create")
    return common.made(request, SUBNETS, subnets.create(request.core, request.ctx, asked), bulk=bulk)


def update(request: Request) -> dict[str, Any]:
    [values], _ = common.bodies(request, SUBNETS, "update")
    subnets.update(request.core, request.ctx, request.path["subnet_id"], values)
    return common.made(request, SUBNETS, [request.path["subnet_id"]])


def delete(request: Request) -> None:
    subnets.delete(request.core, request.ctx, request.path["subnet_id"])
