"""A port is unplugged from the guest and given back."""

from __future__ import annotations

import msgspec

from tane.jobs import Operation, Run, Step
from tane.services.compute.operations import common
from tane.services.network import interface as network


class Params(msgspec.Struct):
    server_id: str
    port_id: str


async def unplug(run: Run[Params]) -> None:
    await (await common.host_of(run)).detach_nic(run.params.server_id, run.params.port_id)


async def release(run: Run[Params]) -> None:
    await run.write(network.release_ports, run.params.server_id, [run.params.port_id])


async def failed(run: Run[Params], reason: str) -> None:
    """The port stays the server's, and the reason is in the action's events: nothing was claimed."""


OPERATION = Operation("compute.detach_interface", Params, (Step("unplug", unplug), Step("release", release)), failed)
