"""A server ends: its guest, its volumes' attachments, its ports, its row.

Nothing is undone: a deletion that failed can be asked for again. A host that does not answer does not hold it up: what
lies there is owed, and ends when the host is back.
"""

from __future__ import annotations

from tane.db import Tx
from tane.hosts import allocations
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain import moves, shelving
from tane.services.compute.domain.common import fault
from tane.services.compute.domain.states import NOSTATE
from tane.services.compute.operations import common
from tane.services.compute.operations.release import disconnect_all, forget_volumes
from tane.services.compute.orders import DELETE_SERVER, ServerParams
from tane.services.compute.store import migrations, servers
from tane.services.network import interface as network


async def destroy(run: Run[ServerParams]) -> None:
    if host := await common.located_host(run):
        await host.destroy(run.params.server_id)


async def forget(run: Run[ServerParams]) -> None:
    def write(tx: Tx) -> None:
        row = servers.get(tx, run.params.server_id)
        if row is None:
            return
        network.release_ports(tx, row.id)
        forget_volumes(tx, row, run.request_id)
        allocations.release(tx, row.id)
        shelving.forget_image(tx, row)
        for move in migrations.open_of_server(tx, row.id):
            # What is set aside goes when its host is compared with the rows.
            moves.give_up_place(tx, move, "confirmed", kept=False)
        servers.change(
            tx,
            row.id,
            deleted=True,
            vm_state="deleted",
            task_state=None,
            power_state=NOSTATE,
            terminated_at=tx.now,
            # Secrets, and what only a living server needs; the rest of the row is history.
            admin_pass=None,
            told_password=None,
            user_data=None,
            metadata={},
            description=None,
            public_key=None,
            image_properties={},
            locked_reason=None,
        )
        servers.forget_parts(tx, row.id)

    await run.write(write)


async def failed(run: Run[ServerParams], reason: str) -> None:
    def write(tx: Tx) -> None:
        if servers.get(tx, run.params.server_id) is not None:
            servers.change(tx, run.params.server_id, vm_state="error", task_state=None, fault=fault(reason, 500, tx))

    await run.write(write)


OPERATION = Operation(
    DELETE_SERVER,
    (
        Step("locate", common.locate),
        Step("destroy", destroy, owed=True),
        Step("disconnect", disconnect_all, owed=True),
        Step("forget", forget),
    ),
    failed,
)
