"""A port that the server was given is plugged into its guest."""

from __future__ import annotations

import msgspec

from tane.agent.errors import NotOnHost
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.compute.operations import common
from tane.services.network import interface as network


class Params(msgspec.Struct):
    server_id: str
    port_id: str


async def plug(run: Run[Params]) -> None:
    await common.ports_settled(run, [run.params.port_id])
    nics = await run.read(network.nics, run.params.server_id)
    nic = next((nic for nic in nics if nic.port_id == run.params.port_id), None)
    if nic is None:
        raise Permanent(f"Port {run.params.port_id} could not be found.")
    await (await common.host_of(run)).attach_nic(run.params.server_id, nic)


async def unplug(run: Run[Params]) -> None:
    try:
        await (await common.host_of(run)).detach_nic(run.params.server_id, run.params.port_id)
    except NotOnHost:
        return


async def failed(run: Run[Params], reason: str) -> None:
    await run.write(network.release_ports, run.params.server_id, [run.params.port_id])


OPERATION = Operation("compute.attach_interface", Params, (Step("plug", plug, unplug),), failed)
