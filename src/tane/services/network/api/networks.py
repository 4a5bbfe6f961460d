"""Networks (Networking API: "Networks")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.api import common
from tane.services.network.domain import networks
from tane.services.network.domain.common import no_network
from tane.services.network.store import listings
from tane.services.network.store.rows import among
from tane.services.network.tables import subnet
from tane.web.request import Request

PROVIDER = "get_network:provider:network_type"


def related(tx: Tx, found: Sequence[Row[Any]]) -> common.Related:
    subnets: dict[str, list[str]] = {}
    for row in sorted(
        among(tx, subnet, "network_id", [row.id for row in found]), key=lambda row: (row.created_at, row.id)
    ):
        subnets.setdefault(row.network_id, []).append(row.id)
    return {"subnets": subnets}


def view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    body = {
        "id": row.id,
        "name": row.name,
        "admin_state_up": row.admin_state_up,
        "status": row.status,
        "subnets": related["subnets"].get(row.id, []),
        "shared": row.shared,
        "router:external": row.external,
        "mtu": row.mtu,
        "port_security_enabled": row.port_security_enabled,
        "dns_domain": row.dns_domain,
        "availability_zone_hints": row.availability_zone_hints,
        "availability_zones": ["nova"],
        **common.standard(row, related),
    }
    if row.external:
        body["is_default"] = row.is_default
    if request.allows(PROVIDER):
        body["provider:network_type"] = row.network_type
        body["provider:physical_network"] = row.physical_network
        body["provider:segmentation_id"] = row.segment_id if row.network_type == "vxlan" else None
    return body


NETWORKS = common.Collection("network", "networks", listings.NETWORKS, related, view, no_network)


def index(request: Request) -> dict[str, Any]:
    return common.index(request, NETWORKS)


def show(request: Request) -> dict[str, Any]:
    return common.show(request, NETWORKS, request.path["network_id"])


def create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, NETWORKS, "create")
    return common.made(request, NETWORKS, networks.create(request.core, request.ctx, asked), bulk=bulk)


def update(request: Request) -> dict[str, Any]:
    [values], _ = common.bodies(request, NETWORKS, "update")
    networks.update(request.core, request.ctx, request.path["network_id"], values)
    return common.made(request, NETWORKS, [request.path["network_id"]])


def delete(request: Request) -> None:
    networks.delete(request.core, request.ctx, request.path["network_id"])
