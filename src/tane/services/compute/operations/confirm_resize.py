"""A resize is kept: what was set aside where the server was before goes."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.compute.domain import moves
from tane.services.compute.domain.states import RUNNING
from tane.services.compute.operations import common
from tane.services.compute.operations.resize_server import end_of, require_move
from tane.services.compute.orders import CONFIRM_RESIZE, MoveServer
from tane.services.compute.store import migrations, servers


async def settle(run: Run[MoveServer]) -> None:
    """First: once something of it is deleted, nobody may revert it."""

    def write(tx: Tx) -> None:
        row, move = common.require(tx, run.params.server_id), require_move(tx, run.params.move_id)
        if move.status == "confirmed":
            return
        if move.status != "confirming":
            raise Permanent("Somebody else has decided what becomes of the resize.")
        moves.give_up_place(tx, move, "confirmed", kept=False)
        common.settle(tx, row.id, vm_state="active" if row.power_state == RUNNING else "stopped")

    await run.write(write)


async def forget(run: Run[MoveServer]) -> None:
    move, source = await end_of(run, source=True)
    await source.forget(move.uuid)


async def failed(run: Run[MoveServer], reason: str) -> None:
    """It can be asked for again; or it is confirmed, and what is left goes when the host is compared with the rows."""

    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        if move.status == "confirming" and servers.get(tx, run.params.server_id) is not None:
            migrations.change(tx, move.uuid, "finished")
            common.settle(tx, run.params.server_id)

    await run.write(write)


OPERATION = Operation(CONFIRM_RESIZE, (Step("settle", settle), Step("forget", forget, owed=True)), failed)
