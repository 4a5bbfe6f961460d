"""Agents: the hosts that have networks, with what an administrator says of each.

An agent that is switched off gets no gateway duty while another is on; what servers on its host have goes on. That is
apart from the switch of the compute service on the same host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.network.domain import gateway_hosts
from tane.services.network.store import rows
from tane.services.network.tables import network_agent, network_host
from tane.web.errors import Conflict, NotFound
from tane.wire.joining import duties_of


@dataclass(frozen=True)
class Agent:
    """``applied``: the host's row, None when it is not there yet; its ``applied_at`` is None until the host reports."""

    host: Row[Any]
    alive: bool
    admin_state_up: bool
    description: str | None
    applied: Row[Any] | None


def all_agents(core: Core) -> list[Agent]:
    with core.db.read() as tx:
        return list(_agents(tx))


def _agents(tx: Tx) -> Iterator[Agent]:
    said = {row.host_id: row for row in tx.all(select(network_agent))}
    applied = {row.host_id: row for row in tx.all(select(network_host))}
    for host in hosts.all_hosts(tx):
        row = said.get(host.id)
        gone = row is not None and row.deleted_at is not None and host.last_seen <= row.deleted_at
        if "network" not in duties_of(host.roles) or gone:
            continue
        up, description = (True, None) if row is None else (row.admin_state_up, row.description)
        yield Agent(host, hosts.is_up(tx, host), up, description, applied.get(host.id))


def find(core: Core, agent_id: str) -> Agent:
    """:raises NotFound: there is none."""
    return _one(all_agents(core), agent_id)


def _one(found: list[Agent], agent_id: str) -> Agent:
    for agent in found:
        if agent.host.id == agent_id:
            return agent
    raise no_agent(agent_id)


def no_agent(agent_id: str) -> NotFound:
    return NotFound(f"Agent {agent_id} could not be found.", type="AgentNotFound")


def update(core: Core, agent_id: str, values: dict[str, Any]) -> None:
    """Switch it on or off, or describe it. :raises NotFound: there is none."""
    with core.db.write() as tx:
        agent = _one(list(_agents(tx)), agent_id)
        said = {"admin_state_up": agent.admin_state_up, "description": agent.description, **values}
        _say(tx, agent_id, deleted_at=None, **said)
        gateway_hosts.assign(tx)


def delete(core: Core, agent_id: str) -> None:
    """Forget what was said of an agent that is gone. When its host reports again it is there again, as upstream's.

    :raises NotFound: there is none. :raises Conflict: its host reports.
    """
    with core.db.write() as tx:
        agent = _one(list(_agents(tx)), agent_id)
        if agent.alive:
            raise Conflict(
                f"Agent {agent_id} is alive: its host {agent.host.name} reports. Only an agent that is gone can be "
                "deleted.",
                type="AgentInUse",
            )
        _say(tx, agent_id, admin_state_up=True, description=None, deleted_at=agent.host.last_seen)
        gateway_hosts.assign(tx)


def _say(tx: Tx, agent_id: str, **values: Any) -> None:
    tx.execute(sql_delete(network_agent).where(network_agent.c.host_id == agent_id))
    rows.add(tx, network_agent, [{"host_id": agent_id, **values}])
