"""A server that was accepted becomes a running guest: volumes → ports → guest → start → active."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import allocations
from tane.jobs import Operation, Permanent, Retry, Run, Step
from tane.services.compute.domain.states import NOSTATE, RUNNING
from tane.services.compute.operations import common
from tane.services.compute.operations.release import disconnect_all, forget_volumes
from tane.services.compute.orders import CREATE_SERVER, CreateServer
from tane.services.compute.store import block_devices, servers
from tane.services.network import interface as network
from tane.services.volume import interface as volume

VOLUME_SECONDS = 600.0


async def place(run: Run[CreateServer]) -> dict[str, Any]:
    if run.params.refused:
        raise Permanent(run.params.refused)
    await common.task(run, "block_device_mapping")
    return await common.locate(run)


async def volumes(run: Run[CreateServer]) -> None:
    """Wait for the volumes made for the server, reserve them, export all and write their attachments."""
    row = await run.read(common.require, run.params.server_id)
    for device in await run.read(block_devices.of_server, row.id):
        if device.made_for_server:
            await _wait_for(run, device.volume_id)
            await run.write(_take_up, device)
        await volume.connect(run, device.volume_id, device.attachment_id, first=True)
        await run.write(_attach, device)


async def _wait_for(run: Run[CreateServer], volume_id: str) -> None:
    def made(tx: Tx) -> bool:
        info = volume.volume_info(tx, None, volume_id)
        if info.status.startswith("error"):
            raise Permanent(f"Build of instance aborted: Volume {volume_id} did not finish being created: {info.fault}")
        return info.status in ("available", "attaching", "in-use")

    await run.wait(f"volume:{volume_id}", made, within=VOLUME_SECONDS, what=f"volume {volume_id}")


def _take_up(tx: Tx, device: Row[Any]) -> None:
    if not volume.take_up(tx, device.volume_id, device.attachment_id):
        raise Retry(f"volume {device.volume_id} is used for something else")


def _attach(tx: Tx, device: Row[Any]) -> None:
    volume.attach(tx, volume_id=device.volume_id, attachment_id=device.attachment_id, device=device.device)


async def release_volumes(run: Run[CreateServer]) -> None:
    await disconnect_all(run)


async def ports(run: Run[CreateServer]) -> None:
    await common.task(run, "networking")
    await common.ports_settled(run)


async def make(run: Run[CreateServer]) -> None:
    await common.task(run, "spawning")
    host = await common.host_of(run)
    await host.create(await common.guest_of(run))


async def unmake(run: Run[CreateServer]) -> None:
    if host := await common.located_host(run):
        await host.destroy(run.params.server_id)


async def start(run: Run[CreateServer]) -> None:
    host = await common.host_of(run)
    await host.start(await common.guest_of(run))


async def activate(run: Run[CreateServer]) -> None:
    def write(tx: Tx) -> None:
        row = common.require(tx, run.params.server_id)
        common.settle(
            tx,
            row.id,
            vm_state="active",
            power_state=RUNNING,
            launched_at=row.launched_at or tx.now,
            progress=100,
        )

    await run.write(write)


async def failed(run: Run[CreateServer], reason: str) -> None:
    """Everything the server claimed is given back; what is left is a row that tells why."""

    def write(tx: Tx) -> None:
        row = servers.get(tx, run.params.server_id)
        if row is None:
            return
        network.release_ports(tx, row.id)
        forget_volumes(tx, row, run.request_id)
        allocations.release(tx, row.id)
        servers.change(
            tx, row.id, host_id=None, host_name=None, power_state=NOSTATE, launched_at=None, admin_pass=None, progress=0
        )
        common.break_down(tx, row.id, reason)

    await run.write(write)


OPERATION = Operation(
    CREATE_SERVER,
    (
        Step("place", place),
        Step("volumes", volumes, release_volumes),
        Step("ports", ports),
        Step("guest", make, unmake),
        Step("start", start),
        Step("activate", activate),
    ),
    failed,
)
