"""A server of a dead host is made again on another one; what is left of it on the dead one goes when that is back."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain import moves
from tane.services.compute.domain.states import RUNNING, SHUTDOWN
from tane.services.compute.operations import common
from tane.services.compute.operations.release import disconnect_all
from tane.services.compute.operations.resize_server import discard, end_of, make_room, new_keys, place, require_move
from tane.services.compute.orders import EVACUATE_SERVER, MoveServer
from tane.services.compute.store import migrations, servers


async def fence(run: Run[MoveServer]) -> None:
    """Take its volumes from whatever may still run on the dead host."""
    await disconnect_all(run)


async def switch(run: Run[MoveServer]) -> None:
    await run.write(lambda tx: place(tx, run.params, back=False))


async def switch_back(run: Run[MoveServer]) -> None:
    def write(tx: Tx) -> None:
        if _under_way(tx, run.params):
            place(tx, run.params, back=True)

    await run.write(write)


def _under_way(tx: Tx, params: MoveServer) -> bool:
    """Whether the server is not there yet: from then on nothing is taken back."""
    return require_move(tx, params.move_id).status in migrations.OPEN


async def make(run: Run[MoveServer]) -> None:
    await common.task(run, "rebuild_spawning")
    await common.ports_settled(run)
    _, dest = await end_of(run, source=False)
    await dest.create(await common.guest_of(run))


async def unmake(run: Run[MoveServer]) -> None:
    if run.owed or await run.read(_under_way, run.params):
        await discard(run)


async def start(run: Run[MoveServer]) -> None:
    move, dest = await end_of(run, source=False)
    if move.vm_state != "stopped":
        await dest.start(await common.guest_of(run))


async def settle(run: Run[MoveServer]) -> None:
    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        runs = move.vm_state != "stopped"
        moves.give_up_place(tx, move, "done", kept=False)
        common.settle(
            tx,
            run.params.server_id,
            vm_state="active" if runs else "stopped",
            power_state=RUNNING if runs else SHUTDOWN,
            launched_at=tx.now,
            fault=None,
        )

    await run.write(write)


async def clear(run: Run[MoveServer]) -> None:
    """End what is left of the guest on the host it was on; when that is owed, not if the server is there again."""
    _, source = await end_of(run, source=True)
    row = await run.read(servers.get, run.params.server_id)
    move = await run.read(require_move, run.params.move_id)
    if row is None or row.host_id != move.source_host_id:
        await source.destroy(run.params.server_id)


async def failed(run: Run[MoveServer], reason: str) -> None:
    """It is in error, on the dead host, and may be asked for again; or it is there, and the rest is not clear yet."""

    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        if move.status in migrations.OPEN and servers.get(tx, run.params.server_id) is not None:
            moves.give_up_place(tx, move, "error", kept=True)
            common.break_down(tx, run.params.server_id, reason)

    await run.write(write)


OPERATION = Operation(
    EVACUATE_SERVER,
    (
        Step("fence", fence),
        Step("switch", switch, switch_back),
        Step("new_keys", new_keys),
        Step("make_room", make_room),
        Step("guest", make, unmake),
        Step("start", start),
        Step("settle", settle, clear),
        Step("clear", clear, owed=True),
    ),
    failed,
)
