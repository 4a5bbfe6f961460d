"""A server ends: its guest, its volumes' attachments, its ports, its row.

Nothing is undone: a deletion that failed can be asked for again.
"""

from __future__ import annotations

from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import Operation, Run, Step
from tane.services.compute.domain.common import fault
from tane.services.compute.domain.states import NOSTATE
from tane.services.compute.operations.common import ServerParams
from tane.services.compute.operations.release import disconnect_all, forget_volumes
from tane.services.compute.store import servers
from tane.services.network import interface as network


async def destroy(run: Run[ServerParams]) -> None:
    """A host that is down keeps its guest until it is back; then the reconciler ends it."""

    def reachable(tx: Tx) -> str | None:
        row = servers.get(tx, run.params.server_id)
        host = hosts.get(tx, row.host_id) if row is not None and row.host_id is not None else None
        return host.id if host is not None and hosts.is_up(tx, host) else None

    host_id = await run.read(reachable)
    if host_id is not None:
        await run.core.hosts.compute(host_id).destroy(run.params.server_id)


async def forget(run: Run[ServerParams]) -> None:
    def write(tx: Tx) -> None:
        row = servers.get(tx, run.params.server_id)
        if row is None:
            return
        network.release_ports(tx, row.id)
        forget_volumes(tx, row, run.request_id)
        servers.change(
            tx,
            row.id,
            deleted=True,
            vm_state="deleted",
            task_state=None,
            power_state=NOSTATE,
            terminated_at=tx.now,
            admin_pass=None,
        )

    await run.write(write)


async def failed(run: Run[ServerParams], reason: str) -> None:
    def write(tx: Tx) -> None:
        if servers.get(tx, run.params.server_id) is not None:
            servers.change(tx, run.params.server_id, vm_state="error", task_state=None, fault=fault(reason, 500, tx))

    await run.write(write)


OPERATION = Operation(
    "compute.delete_server",
    ServerParams,
    (Step("destroy", destroy), Step("disconnect", disconnect_all), Step("forget", forget)),
    failed,
)
