"""Agents, service providers and availability zones (Networking API: "Agents", "Service providers", "Availability
zones"): the hosts that have networks.

A list of what only administrators see is empty for others, and one of it is not found, as Neutron filters by policy.
"""

from __future__ import annotations

from typing import Any

from tane.services.network.domain import agents
from tane.services.network.domain.agents import Agent
from tane.services.network.schemas import given
from tane.web.errors import BadRequest
from tane.web.request import Request

TYPE = "Network agent"
RULE = "get_agent"


def _view(agent: Agent) -> dict[str, Any]:
    host, applied = agent.host, agent.applied
    if applied is not None and applied.applied_at is None:
        applied = None
    return {
        "id": host.id,
        "agent_type": TYPE,
        "binary": "tane",
        "host": host.name,
        "topic": "N/A",
        "availability_zone": "nova",
        "alive": agent.alive,
        "admin_state_up": agent.admin_state_up,
        "created_at": str(host.created_at).split(".")[0],
        "started_at": str(host.created_at).split(".")[0],
        "heartbeat_timestamp": str(host.last_seen).split(".")[0],
        "description": agent.description,
        "resources_synced": applied is not None,
        "configurations": {
            "local_ip": host.local_ip,
            "revision": None if applied is None else applied.revision,
            "summary": None if applied is None else applied.summary,
        },
    }


def index(request: Request) -> dict[str, Any]:
    if not request.allows(RULE):
        return {"agents": []}
    found = [_view(agent) for agent in agents.all_agents(request.core)]
    for name in ("id", "host", "agent_type", "binary", "topic", "availability_zone", "description"):
        if wanted := request.params(name):
            found = [agent for agent in found if agent[name] in wanted]
    for name in ("alive", "admin_state_up"):
        if request.param(name) is not None:
            found = [agent for agent in found if agent[name] == request.flag(name)]
    return {"agents": found}


def show(request: Request) -> dict[str, Any]:
    if not request.allows(RULE):
        raise agents.no_agent(request.path["agent_id"])
    return {"agent": _view(agents.find(request.core, request.path["agent_id"]))}


def update(request: Request) -> dict[str, Any]:
    agents.update(request.core, request.path["agent_id"], given(request.body.agent))
    return show(request)


def delete(request: Request) -> None:
    agents.delete(request.core, request.path["agent_id"])


def providers(request: Request) -> dict[str, Any]:
    """What provides routers: there is one way only."""
    return {"service_providers": [{"service_type": "L3_ROUTER_NAT", "name": "tane", "default": True}]}


def zones(request: Request) -> dict[str, Any]:
    """One zone, available while a host with networks is up."""
    up = any(agent.alive and agent.admin_state_up for agent in agents.all_agents(request.core))
    state = "available" if up else "unavailable"
    found = [{"name": "nova", "resource": kind, "state": state} for kind in ("network", "router")]
    for name in ("name", "resource", "state"):
        if wanted := request.params(name):
            if name == "resource" and not set(wanted) <= {"network", "router"}:
                raise BadRequest(f"Invalid value for resource: {wanted}", type="HTTPBadRequest")
            found = [zone for zone in found if zone[name] in wanted]
    return {"availability_zones": found}
