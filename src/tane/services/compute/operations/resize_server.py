"""A server goes to another flavor, and maybe another host: its guest's disks are set aside where it was, and made again
where it comes to.

What was set aside stays until somebody confirms: reverting, or a failure on the way, brings it back as it was.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import HostUnreachable
from tane.hosts import store as hosts
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.compute.domain import moves
from tane.services.compute.domain.states import RUNNING, SHUTDOWN
from tane.services.compute.operations import common
from tane.services.compute.operations.common import SHUTDOWN_SECONDS
from tane.services.compute.orders import RESIZE_SERVER, MoveServer
from tane.services.compute.store import block_devices, migrations, servers
from tane.services.network import interface as network
from tane.services.volume import interface as volume
from tane.wire.duties import ComputeDuty


def require_move(tx: Tx, move_id: str) -> Row[Any]:
    """:raises Permanent: nobody knows it."""
    move = migrations.get(tx, move_id)
    if move is None:
        raise Permanent(f"Migration {move_id} could not be found.")
    return move


async def end_of(run: Run[MoveServer], *, source: bool) -> tuple[Row[Any], ComputeDuty]:
    """The move, and the host it comes from or goes to. :raises HostUnreachable: it is down."""
    move = await run.read(require_move, run.params.move_id)
    host_id = move.source_host_id if source else move.dest_host_id
    if not await run.read(hosts.is_there, host_id):
        raise HostUnreachable(host_id)
    return move, run.core.hosts.compute(host_id)


async def stop(run: Run[MoveServer]) -> None:
    await common.task(run, "resize_migrating")
    _, source = await end_of(run, source=True)
    await source.stop(run.params.server_id, timeout_seconds=SHUTDOWN_SECONDS)


async def start_again(run: Run[MoveServer]) -> None:
    move, source = await end_of(run, source=True)
    row = await run.read(servers.get, run.params.server_id)
    if row is None or row.task_state == "deleting" or row.host_id != move.source_host_id:
        return
    # Owed: the server may have been stopped, or made anew, meanwhile.
    if move.vm_state == "active" and (not run.owed or row.vm_state == "active"):
        await common.ports_settled(run)
        await source.start(await common.guest_of(run))


async def keep(run: Run[MoveServer]) -> None:
    move, source = await end_of(run, source=True)
    await source.keep(run.params.server_id, move.uuid)


async def bring_back(run: Run[MoveServer]) -> None:
    move, source = await end_of(run, source=True)
    row = await run.read(servers.get, run.params.server_id)
    if row is None or row.host_id != move.source_host_id:
        await source.forget(move.uuid)
    elif run.owed and move.dest_host_id != move.source_host_id and await source.state(row.id) != "absent":
        # Somebody has made it run again meanwhile, and writes to that disk.
        return
    else:
        await source.bring_back(row.id, move.uuid)


async def switch(run: Run[MoveServer]) -> None:
    def write(tx: Tx) -> None:
        place(tx, run.params, back=False)
        migrations.change(tx, run.params.move_id, "post-migrating")

    await run.write(write)
    await common.task(run, "resize_migrated")


async def switch_back(run: Run[MoveServer]) -> None:
    await run.write(lambda tx: place(tx, run.params, back=True))


def place(tx: Tx, params: MoveServer, *, back: bool) -> None:
    """Have the server where the move leads, or where it came from."""
    row, move = servers.get(tx, params.server_id), require_move(tx, params.move_id)
    if row is None:
        return
    moves.switch(tx, row, move, back=back)
    network.rebind_ports(tx, row.id, move.source_host_id if back else move.dest_host_id)


async def new_keys(run: Run[MoveServer]) -> None:
    """The host that the server leaves keeps no way to its volumes."""
    for device in await run.read(block_devices.of_server, run.params.server_id):
        await volume.connect(run, device.volume_id, device.attachment_id, first=True)


async def make_room(run: Run[MoveServer]) -> None:
    """What the new host may still have of the server, from an earlier time there, must not be taken for it."""
    move, dest = await end_of(run, source=False)
    if move.dest_host_id != move.source_host_id:
        await dest.destroy(run.params.server_id)


async def receive(run: Run[MoveServer]) -> None:
    move, dest = await end_of(run, source=False)
    await dest.receive(await common.guest_of(run), move.uuid)


async def discard(run: Run[MoveServer]) -> None:
    """Not on the host it came from: there what was set aside takes its place."""
    move, dest = await end_of(run, source=False)
    row = await run.read(servers.get, run.params.server_id)
    if move.dest_host_id == move.source_host_id:
        return
    if run.owed and row is not None and row.host_id == move.dest_host_id:
        return
    await dest.destroy(run.params.server_id)


async def start(run: Run[MoveServer]) -> None:
    await common.task(run, "resize_finish")
    await common.ports_settled(run)
    move, dest = await end_of(run, source=False)
    if move.vm_state == "active":
        await dest.start(await common.guest_of(run))


async def finish(run: Run[MoveServer]) -> None:
    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        if move.status != "post-migrating":
            return  # Somebody has decided already what becomes of it.
        migrations.change(tx, move.uuid, "finished")
        power = RUNNING if move.vm_state == "active" else SHUTDOWN
        common.settle(tx, run.params.server_id, vm_state="resized", power_state=power, fault=None)

    await run.write(write)


async def failed(run: Run[MoveServer], reason: str) -> None:
    """The server is again what it was, and where; the reason is in its action's events."""

    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        if servers.get(tx, run.params.server_id) is not None:
            moves.give_up_place(tx, move, "error", kept=True)
            power = RUNNING if move.vm_state == "active" else SHUTDOWN
            common.settle(tx, run.params.server_id, vm_state=move.vm_state, power_state=power)

    await run.write(write)


STEPS = (
    Step("stop", stop, start_again),
    Step("keep", keep, bring_back),
    Step("switch", switch, switch_back),
    Step("new_keys", new_keys),
    Step("make_room", make_room),
    Step("receive", receive, discard),
    Step("start", start),
    Step("finish", finish),
)

OPERATION = Operation(RESIZE_SERVER, STEPS, failed)
