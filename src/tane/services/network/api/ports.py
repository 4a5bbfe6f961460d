"""Ports (Networking API: "Ports")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.api import common
from tane.services.network.domain import ports
from tane.services.network.domain.common import no_port
from tane.services.network.domain.service_ports import is_filtered
from tane.services.network.store import addresses, listings
from tane.services.network.store.rows import among
from tane.services.network.tables import network, port_security_group
from tane.web.request import Request

BINDING = "get_port:binding:host_id"


def related(tx: Tx, found: Sequence[Row[Any]]) -> common.Related:
    port_ids = [row.id for row in found]
    groups: dict[str, list[str]] = {}
    for row in among(tx, port_security_group, "port_id", port_ids):
        groups.setdefault(row.port_id, []).append(row.security_group_id)
    domains = {row.id: row.dns_domain for row in among(tx, network, "id", [row.network_id for row in found])}
    return {"addresses": addresses.of_ports(tx, port_ids), "groups": groups, "domains": domains}


def view(request: Request, row: Row[Any], related: common.Related) -> dict[str, Any]:
    held = related["addresses"].get(row.id, [])
    body = {
        "id": row.id,
        "name": row.name,
        "network_id": row.network_id,
        "mac_address": row.mac_address,
        "admin_state_up": row.admin_state_up,
        "status": row.status,
        "device_id": row.device_id,
        "device_owner": row.device_owner,
        "fixed_ips": [{"subnet_id": address.subnet_id, "ip_address": address.ip_address} for address in held],
        "allowed_address_pairs": row.allowed_address_pairs,
        "security_groups": related["groups"].get(row.id, []),
        "port_security_enabled": is_filtered(row),
        "dns_name": row.dns_name,
        "dns_domain": row.dns_domain,
        "dns_assignment": [
            _dns(row.dns_name, address.ip_address, row.dns_domain or related["domains"][row.network_id])
            for address in held
        ],
        "binding:vnic_type": row.vnic_type,
        **common.standard(row, related),
    }
    if request.allows(BINDING):
        body["binding:host_id"] = row.binding_host
        body["binding:profile"] = row.binding_profile
        body["binding:vif_type"] = _vif_type(row)
        body["binding:vif_details"] = {"port_filter": True} if row.host_id else {}
    return body


def _vif_type(row: Row[Any]) -> str:
    if row.host_id is not None:
        return "bridge"
    return "binding_failed" if row.binding_host else "unbound"


def _dns(name: str, address: str, domain: str) -> dict[str, str]:
    hostname = name or "host-" + address.replace(".", "-").replace(":", "-")
    relative = f"{hostname}.{domain}" if domain else hostname
    fqdn = hostname if hostname.endswith(".") else relative.rstrip(".") + "."
    return {"hostname": hostname, "ip_address": address, "fqdn": fqdn}


PORTS = common.Collection("port", "ports", listings.PORTS, related, view, no_port)


def index(request: Request) -> dict[str, Any]:
    return common.index(request, PORTS)


def show(request: Request) -> dict[str, Any]:
    return common.show(request, PORTS, request.path["port_id"])


def create(request: Request) -> dict[str, Any]:
    asked, bulk = common.bodies(request, PORTS, "create")
    return common.made(request, PORTS, ports.create(request.core, request.ctx, asked), bulk=bulk)


def update(request: Request) -> dict[str, Any]:
    [values], _ = common.bodies(request, PORTS, "update")
    ports.update(request.core, request.ctx, request.path["port_id"], values)
    return common.made(request, PORTS, [request.path["port_id"]])


def delete(request: Request) -> None:
    ports.delete(request.core, request.ctx, request.path["port_id"])
