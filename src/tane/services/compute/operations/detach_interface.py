"""A port is unplugged from the guest and given back."""

from __future__ import annotations

import contextlib

from tane.jobs import Operation, Run, Step
from tane.services.compute.operations import common
from tane.services.network import interface as network
from tane.wire.errors import NotOnHost


async def unplug(run: Run[network.DetachInterface]) -> None:
    host = await common.host_of(run)
    # A guest that its host has lost is made again without it.
    with contextlib.suppress(NotOnHost):
        await host.detach_nic(run.params.server_id, run.params.port_id)


async def release(run: Run[network.DetachInterface]) -> None:
    await run.write(network.release_ports, run.params.server_id, [run.params.port_id])


async def failed(run: Run[network.DetachInterface], reason: str) -> None:
    """The port stays the server's, and the reason is in the action's events: nothing was claimed."""


OPERATION = Operation(network.DETACH_INTERFACE, (Step("unplug", unplug), Step("release", release)), failed)
