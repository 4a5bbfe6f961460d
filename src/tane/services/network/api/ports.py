"""Ports (Networking API: "Ports")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.api import common
from tane.services.network.domain import ports
from tane.services.network.domain.common import no_port
from tane.services.network.store import addresses
from tane.services.network.store.rows import among
from tane.services.network.tables import network, port, port_address, port_security_group, security_group
from tane.web.errors import BadRequest
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
        "port_security_enabled": row.port_security_enabled,
        "dns_name": row.dns_name,
        "dns_assignment": [
            _dns(row.dns_name, address.ip_address, related["domains"][row.network_id]) for address in held
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
    fqdn = f"{hostname}.{domain.rstrip('.')}." if domain else f"{hostname}."
    return {"hostname": hostname, "ip_address": address, "fqdn": fqdn}


def _by_fixed_ip(values: list[str]) -> ColumnElement[bool]:
    """``fixed_ips=ip_address=10.0.0.3``: entries of the same kind are alternatives, of different kinds all hold."""
    columns = {
        "ip_address": port_address.c.ip_address,
        "subnet_id": port_address.c.subnet_id,
    }
    wanted: dict[str, list[str]] = {}
    statement = select(port_address.c.port_id)
    for value in (part for text in values for part in text.split(",")):
        name, separator, text = value.partition("=")
        if not separator:
            name, separator, text = value.partition(":")
        if name == "ip_address_substr" and separator:
            statement = statement.where(port_address.c.ip_address.contains(text, autoescape=True))
        elif name in columns and separator:
            wanted.setdefault(name, []).append(text)
        else:
            raise BadRequest(f"Invalid value '{value}' for the filter fixed_ips.", type="HTTPBadRequest")
    for name, texts in wanted.items():
        statement = statement.where(columns[name].in_(texts))
    return port.c.id.in_(statement)


def _by_group(values: list[str]) -> ColumnElement[bool]:
    table = port_security_group
    wanted = select(security_group.c.id).where(security_group.c.id.in_(values))
    return port.c.id.in_(select(table.c.port_id).where(table.c.security_group_id.in_(wanted)))


PORTS = common.Collection(
    "port",
    "ports",
    port,
    ports.readable,
    related,
    view,
    no_port,
    names={"binding:host_id": "binding_host", "binding:vnic_type": "vnic_type"},
    special={"fixed_ips": _by_fixed_ip, "security_groups": _by_group},
)


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
