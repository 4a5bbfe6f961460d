"""One tenant's open consoles leave places for the others'."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from falcon import WebSocketDisconnected

from tane.services.compute.domain import consoles
from tests.api.compute_support import Project, project
from tests.api.test_consoles import Screen, console, garden, screen, simulated, socket_path
from tests.support import ApiCloud

__all__ = ["garden", "screen"]
REFUSED = 3503


async def opened(stack: contextlib.AsyncExitStack, garden: Project, path: str) -> Any:
    socket = await stack.enter_async_context(simulated(garden, path))
    assert await socket.receive_data() == b"RFB 003.008\n"


async def refused(stack: contextlib.AsyncExitStack, garden: Project, path: str) -> None:
    with pytest.raises(WebSocketDisconnected) as error:
        await opened(stack, garden, path)
    assert error.value.code == REFUSED


def test_a_token_and_a_project_have_a_share_of_the_screens(
    cloud: ApiCloud, garden: Project, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "OF_PROJECT", 3)
    monkeypatch.setattr(consoles, "OF_TOKEN", 2)
    server_id = garden.server()
    first, second = (socket_path(console(garden, server_id)) for _ in range(2))
    other = project(cloud, "other")
    others = socket_path(console(other, other.server()))

    async def scene() -> None:
        async with screen.listening(), contextlib.AsyncExitStack() as all_day:
            await opened(all_day, garden, first)
            async with contextlib.AsyncExitStack() as short:
                await opened(short, garden, first)
                # Tokens are good more than once, not any number of times at a time.
                await refused(all_day, garden, first)
                await opened(all_day, garden, second)
                await refused(all_day, garden, second)
                await opened(all_day, other, others)
            # Whoever leaves makes room.
            await opened(all_day, garden, second)

    cloud.wait(scene())
    of_project, of_token = cloud.core.memory[consoles.SCREENS]
    assert (of_project._taken, of_token._taken) == (0, 0)
