"""Floating IPs (Networking API: "Floating IPs")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.api import common
from tane.services.network.domain import floating_ips
from tane.services.network.domain.common import no_floating_ip
from tane.services.network.store import listings
from tane.services.network.store.rows import among
from tane.services.network.tables import port
from tane.web.request import Request


def related(tx: Tx, found: Sequence[Row[Any]]) -> common.Related:
    port_ids = [row.fixed_port_id for row in found if row.fixed_port_id is not None]
    return {"ports": {row.id: row for row in among(tx, port, "id", port_ids)}}


def view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    target = related["ports"].get(row.fixed_port_id)
    details = target and {
        "name": target.name,
        "network_id": target.network_id,
        "mac_address": target.mac_address,
        "admin_state_up": target.admin_state_up,
        "status": target.status,
        "device_id": target.device_id,
        "device_owner": target.device_owner,
    }
    return {
        "id": row.id,
        "floating_network_id": row.floating_network_id,
        "floating_ip_address": row.floating_ip_address,
        "port_id": row.fixed_port_id,
        "fixed_ip_address": row.fixed_ip_address,
        "router_id": row.router_id,
        "status": row.status,
        "port_details": details,
        "dns_name": row.dns_name,
        "dns_domain": row.dns_domain,
        **common.standard(row, related),
    }


FLOATING_IPS = common.Collection("floatingip", "floatingips", listings.FLOATING_IPS, related, view, no_floating_ip)


def index(request: Request) -> dict[str, Any]:
    return common.index(request, FLOATING_IPS)


def show(request: Request) -> dict[str, Any]:
    return common.show(request, FLOATING_IPS, request.path["floatingip_id"])


def create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, FLOATING_IPS, "create")
    return common.made(request, FLOATING_IPS, floating_ips.create(request.core, request.ctx, asked), bulk=bulk)


def update(request: Request) -> dict[str, Any]:
    [values], _ = common.bodies(request, FLOATING_IPS, "update")
    floating_ips.update(request.core, request.ctx, request.path["floatingip_id"], values)
    return common.made(request, FLOATING_IPS, [request.path["floatingip_id"]])


def delete(request: Request) -> None:
    floating_ips.delete(request.core, request.ctx, request.path["floatingip_id"])
