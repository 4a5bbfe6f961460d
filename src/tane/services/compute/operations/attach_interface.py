"""A port that the server was given is plugged into its guest."""

from __future__ import annotations

import contextlib

from tane.jobs import Operation, Permanent, Run, Step
from tane.services.compute.operations import common
from tane.services.compute.orders import ATTACH_INTERFACE, AttachInterface
from tane.services.network import interface as network
from tane.wire.errors import NotOnHost


async def plug(run: Run[AttachInterface]) -> None:
    await common.ports_settled(run, [run.params.port_id])
    nics = await run.read(network.nics, run.params.server_id)
    nic = next((nic for nic in nics if nic.port_id == run.params.port_id), None)
    if nic is None:
        raise Permanent(f"Port {run.params.port_id} could not be found.")
    await (await common.host_of(run)).attach_nic(run.params.server_id, nic)


async def unplug(run: Run[AttachInterface]) -> None:
    """Not where the server was given the port anew since."""
    ports = await run.read(network.server_ports, run.params.server_id) if run.owed else []
    if run.params.port_id in {port.id for port in ports}:
        return
    if host := await common.located_host(run):
        with contextlib.suppress(NotOnHost):
            await host.detach_nic(run.params.server_id, run.params.port_id)


async def failed(run: Run[AttachInterface], reason: str) -> None:
    await run.write(network.release_ports, run.params.server_id, [run.params.port_id])


OPERATION = Operation(ATTACH_INTERFACE, (Step("locate", common.locate), Step("plug", plug, unplug)), failed)
