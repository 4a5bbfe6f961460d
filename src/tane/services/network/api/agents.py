"""Agents and availability zones (Networking API: "Agents", "Availability zones"): the hosts that have networks."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.network.tables import network_host
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request

TYPE = "Network agent"


def _view(tx: Tx, row: Row[Any], applied: Row[Any] | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "agent_type": TYPE,
        "binary": "tane",
        "host": row.name,
        "topic": "N/A",
        "availability_zone": "nova",
        "alive": hosts.is_up(tx, row),
        "admin_state_up": row.enabled,
        "created_at": str(row.created_at).split(".")[0],
        "started_at": str(row.created_at).split(".")[0],
        "heartbeat_timestamp": str(row.last_seen).split(".")[0],
        "description": row.disabled_reason,
        "resources_synced": applied is not None,
        "configurations": {
            "local_ip": row.local_ip,
            "revision": None if applied is None else applied.revision,
            "summary": None if applied is None else applied.summary,
        },
    }


def _all(request: Request) -> list[dict[str, Any]]:
    with request.core.db.read() as tx:
        applied = {row.host_id: row for row in tx.all(network_host.select())}
        return [_view(tx, row, applied.get(row.id)) for row in hosts.all_hosts(tx) if "network" in row.roles]


def index(request: Request) -> dict[str, Any]:
    found = _all(request)
    for name in ("id", "host", "agent_type", "binary", "topic", "availability_zone"):
        if wanted := request.params(name):
            found = [agent for agent in found if agent[name] in wanted]
    for name in ("alive", "admin_state_up"):
        if request.param(name) is not None:
            found = [agent for agent in found if agent[name] == request.flag(name)]
    return {"agents": found}


def show(request: Request) -> dict[str, Any]:
    agent_id = request.path["agent_id"]
    for agent in _all(request):
        if agent["id"] == agent_id:
            return {"agent": agent}
    raise NotFound(f"Agent {agent_id} could not be found.", type="AgentNotFound")


def zones(request: Request) -> dict[str, Any]:
    """One zone, available while a host with networks is up."""
    with request.core.db.read() as tx:
        up = any(hosts.is_up(tx, row) and row.enabled for row in hosts.all_hosts(tx) if "network" in row.roles)
    state = "available" if up else "unavailable"
    found = [{"name": "nova", "resource": kind, "state": state} for kind in ("network", "router")]
    for name in ("name", "resource", "state"):
        if wanted := request.params(name):
            if name == "resource" and not set(wanted) <= {"network", "router"}:
                raise BadRequest(f"Invalid value for resource: {wanted}", type="HTTPBadRequest")
            found = [zone for zone in found if zone[name] in wanted]
    return {"availability_zones": found}
