"""A resize is taken back: the guest is again the one that was set aside, where it was before."""

from __future__ import annotations

from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.compute.domain import moves
from tane.services.compute.domain.states import RUNNING, SHUTDOWN
from tane.services.compute.operations import common
from tane.services.compute.operations.resize_server import discard, end_of, new_keys, place, require_move
from tane.services.compute.orders import REVERT_RESIZE, MoveServer
from tane.services.compute.store import migrations, servers

UNDECIDED = ("reverting", "finished")
"""States of a migration in which it may still be undone that the server went back; the second one when that is owed."""
LOST = "The server was set back to what it was before the resize, but does not start."


async def stop(run: Run[MoveServer]) -> None:
    move = await run.read(require_move, run.params.move_id)
    if move.status != "reverting":
        raise Permanent("Somebody else has decided what becomes of the resize.")
    host = await run.read(hosts.get, move.dest_host_id)
    if host is not None and host.forced_down:
        return  # An administrator says that nothing runs there.
    _, dest = await end_of(run, source=False)
    await dest.stop(run.params.server_id, timeout_seconds=0)


async def start_again(run: Run[MoveServer]) -> None:
    """Where it was resized to; when the undo is owed, only if nobody did anything with it since."""
    move, dest = await end_of(run, source=False)
    row = await run.read(servers.get, run.params.server_id)
    if row is None or move.status not in UNDECIDED or row.host_id != move.dest_host_id or row.vm_state != "resized":
        return
    if row.power_state == RUNNING and row.task_state != "deleting":
        await common.ports_settled(run)
        await dest.start(await common.guest_of(run))


async def switch(run: Run[MoveServer]) -> None:
    await run.write(lambda tx: place(tx, run.params, back=True))


async def switch_again(run: Run[MoveServer]) -> None:
    def write(tx: Tx) -> None:
        if require_move(tx, run.params.move_id).status in UNDECIDED:
            place(tx, run.params, back=False)

    await run.write(write)


async def bring_back(run: Run[MoveServer]) -> None:
    move, source = await end_of(run, source=True)
    await source.bring_back(run.params.server_id, move.uuid)


async def set_aside_again(run: Run[MoveServer]) -> None:
    """On the same host there is no way back: what was resized had to make room. The rows then say so."""
    move, source = await end_of(run, source=True)
    row = await run.read(servers.get, run.params.server_id)
    if row is None:
        # Deleted meanwhile, where the rows said that it was.
        await source.destroy(run.params.server_id)
        return
    if move.status not in UNDECIDED or move.uuid in await source.kept():
        return
    if move.source_host_id != move.dest_host_id:
        if run.owed and row.host_id != move.dest_host_id:
            return  # It goes back once more, or is back.
        await source.keep(row.id, move.uuid)
    else:
        await run.write(_stays_back, run.params)


def _stays_back(tx: Tx, params: MoveServer) -> None:
    move = require_move(tx, params.move_id)
    place(tx, params, back=True)
    moves.give_up_place(tx, move, "error", kept=True)
    common.break_down(tx, params.server_id, LOST)


async def start(run: Run[MoveServer]) -> None:
    await common.ports_settled(run)
    move, source = await end_of(run, source=True)
    if move.vm_state == "active":
        await source.start(await common.guest_of(run))


async def settle(run: Run[MoveServer]) -> None:
    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        moves.give_up_place(tx, move, "reverted", kept=True)
        power = RUNNING if move.vm_state == "active" else SHUTDOWN
        common.settle(tx, run.params.server_id, vm_state=move.vm_state, power_state=power, fault=None)

    await run.write(write)


async def failed(run: Run[MoveServer], reason: str) -> None:
    """It is still resized, and may be reverted again; unless it is back."""

    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        if move.status == "reverting" and servers.get(tx, run.params.server_id) is not None:
            migrations.change(tx, move.uuid, "finished")
            common.settle(tx, run.params.server_id)

    await run.write(write)


OPERATION = Operation(
    REVERT_RESIZE,
    (
        Step("stop", stop, start_again),
        Step("switch", switch, switch_again),
        Step("bring_back", bring_back, set_aside_again),
        Step("new_keys", new_keys),
        Step("start", start),
        Step("settle", settle),
        Step("discard", discard, owed=True),
    ),
    failed,
)
