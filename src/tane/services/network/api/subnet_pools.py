"""Subnet pools (Networking API: "Subnet pools")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.network.api import common
from tane.services.network.domain import subnet_pools
from tane.services.network.domain.common import no_subnet_pool
from tane.services.network.store import listings
from tane.web.request import Request


def view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    """The prefix lengths are texts, as upstream shows them."""
    return {
        "id": row.id,
        "name": row.name,
        "prefixes": row.prefixes,
        "ip_version": row.ip_version,
        "min_prefixlen": str(row.min_prefixlen),
        "max_prefixlen": str(row.max_prefixlen),
        "default_prefixlen": str(row.default_prefixlen),
        "default_quota": row.default_quota,
        "address_scope_id": None,
        "shared": row.shared,
        "is_default": row.is_default,
        **common.standard(row, related),
    }


POOLS = common.Collection(
    "subnetpool", "subnetpools", listings.SUBNET_POOLS, common.nothing_related, view, no_subnet_pool
)


def index(request: Request) -> dict[str, Any]:
    return common.index(request, POOLS)


def show(request: Request) -> dict[str, Any]:
    return common.show(request, POOLS, request.path["subnetpool_id"])


def create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, POOLS, "create")
    return common.made(request, POOLS, subnet_pools.create(request.core, request.ctx, asked), bulk=bulk)


def update(request: Request) -> dict[str, Any]:
    [values], _ = common.bodies(request, POOLS, "update")
    subnet_pools.update(request.core, request.ctx, request.path["subnetpool_id"], values)
    return common.made(request, POOLS, [request.path["subnetpool_id"]])


def delete(request: Request) -> None:
    subnet_pools.delete(request.core, request.ctx, request.path["subnetpool_id"])
