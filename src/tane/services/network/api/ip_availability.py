"""Network IP availability (Networking API: "Network IP availability and usage stats")."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy.engine import Row

from tane.services.network.domain.common import no_network
from tane.services.network.store import ip_availability
from tane.web.request import Request

RULE = "get_network_ip_availability"


def _views(request: Request, network_ids: list[str] | None) -> list[dict[str, Any]]:
    with request.core.db.read() as tx:
        found, subnets, used = ip_availability.usage(tx, network_ids)
    return [_view(row, subnets.get(row.id, []), used) for row in found]


def _view(row: Row[Any], subnets: list[Row[Any]], used: dict[str, int]) -> dict[str, Any]:
    entries = [
        {
            "subnet_id": found.id,
            "subnet_name": found.name,
            "ip_version": found.ip_version,
            "cidr": found.cidr,
            "total_ips": sum(_size(pool) for pool in found.allocation_pools),
            "used_ips": used.get(found.id, 0),
        }
        for found in subnets
    ]
    return {
        "network_id": row.id,
        "network_name": row.name,
        "project_id": row.project_id,
        "tenant_id": row.project_id,
        "subnet_ip_availability": entries,
        "total_ips": sum(entry["total_ips"] for entry in entries),
        "used_ips": sum(entry["used_ips"] for entry in entries),
    }


def _size(pool: dict[str, str]) -> int:
    return int(ipaddress.ip_address(pool["end"])) - int(ipaddress.ip_address(pool["start"])) + 1


def index(request: Request) -> dict[str, Any]:
    if not request.allows(RULE):
        return {"network_ip_availabilities": []}
    found = _views(request, request.params("network_id") or None)
    for name in ("network_name", "project_id", "tenant_id"):
        if wanted := request.params(name):
            found = [entry for entry in found if entry[name] in wanted]
    if request.param("ip_version"):
        version = request.number("ip_version")
        for entry in found:
            kept = [item for item in entry["subnet_ip_availability"] if item["ip_version"] == version]
            entry["subnet_ip_availability"] = kept
            entry["total_ips"] = sum(item["total_ips"] for item in kept)
            entry["used_ips"] = sum(item["used_ips"] for item in kept)
    return {"network_ip_availabilities": found}


def show(request: Request) -> dict[str, Any]:
    network_id = request.path["network_id"]
    found = _views(request, [network_id]) if request.allows(RULE) else []
    if not found:
        raise no_network(network_id)
    return {"network_ip_availability": found[0]}
