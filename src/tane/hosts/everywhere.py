"""Doing something on every host that this process reaches: one that does not answer holds up no other."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from tane.hosts.registry import HostAgent
from tane.wire.errors import HostError
from tane.wire.joining import Role

if TYPE_CHECKING:
    from tane.core import Core

log = structlog.get_logger()
SECONDS = 30.0


async def of_each(
    core: Core, role: Role, look: Callable[[Core, HostAgent], Awaitable[list[str]]], seconds: float = SECONDS
) -> str | None:
    """What ``look`` says of each host with a role, as one sentence; None when there is nothing to say."""

    async def one(agent: HostAgent) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                return [f"{agent.name}: {said}" for said in await look(core, agent)]
        except TimeoutError:
            return [f"{agent.name}: no answer in {seconds:.0f} s"]
        except HostError as error:
            return [f"{agent.name}: {error}"]
        except Exception:
            # What one host makes of it concerns no other.
            log.error("looking at a host failed", host=agent.name, error=traceback.format_exc())
            return [f"{agent.name}: an error, which the log tells"]

    agents = [agent for agent in core.hosts.reached() if role in agent.roles]
    told = await asyncio.gather(*(one(agent) for agent in agents))
    return "; ".join(said for of_host in told for said in of_host) or None
