"""A server goes to another host while it runs: its disks, then its memory, are copied there.

In the end the guest stands still on both hosts. The transaction that places the server at the new one decides that it
goes on there: before it everything is taken back, after it nothing.
"""

from __future__ import annotations

from typing import Any

import structlog
from msgspec import structs
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import Cancelled, Operation, Permanent, Retry, Run, Step
from tane.services.compute.domain import moves
from tane.services.compute.domain.scheduler import SIMULATED
from tane.services.compute.domain.states import PAUSED, RUNNING
from tane.services.compute.operations import common
from tane.services.compute.operations.resize_server import end_of, place, require_move
from tane.services.compute.orders import LIVE_MIGRATE_SERVER, MoveServer
from tane.services.compute.store import migrations, servers
from tane.services.network import interface as network
from tane.wire.documents import Landing
from tane.wire.errors import HostError

log = structlog.get_logger()
LOOPBACK = "127.0.0.1"
"""Where simulated hosts reach each other, which may have no tunnels."""


def _undecided(tx: Tx, params: MoveServer) -> bool:
    return require_move(tx, params.move_id).status in migrations.LIVE


async def bind(run: Run[MoveServer]) -> None:
    """Have the new host make ready for the server's ports."""

    def write(tx: Tx) -> None:
        if servers.get(tx, run.params.server_id) is not None:
            network.bind_inactive(tx, run.params.server_id, require_move(tx, run.params.move_id).dest_host_id)

    await run.write(write)


async def unbind(run: Run[MoveServer]) -> None:
    def write(tx: Tx) -> None:
        if _undecided(tx, run.params):
            network.unbind_inactive(tx, run.params.server_id)

    await run.write(write)


async def expect(run: Run[MoveServer]) -> None:
    # The host it goes to may be silent: that holds nobody who breaks the journey off.
    await run.unless_cancelled(_landing(run))


async def _landing(run: Run[MoveServer]) -> Landing:
    """Where the guest is awaited: the same as long as it is awaited there, so that nobody has to keep its key."""
    move, source = await end_of(run, source=True)
    _, dest = await end_of(run, source=False)
    guest = await common.guest_of(run, move.dest_host_id)
    address = await run.read(_reached_at, move.dest_host_id)
    landing = await dest.expect(guest, await source.running(run.params.server_id), move.uuid, address)
    # Where the one host sends the guest is not for the other to say.
    return structs.replace(landing, host=address)


def _reached_at(tx: Tx, host_id: str) -> str:
    """:raises Permanent: no tunnel leads to the host."""
    row = hosts.get(tx, host_id)
    if row is not None and row.capabilities.get("hypervisor_type") == SIMULATED:
        return LOOPBACK
    address = hosts.inner_address(row) if row is not None else None
    if address is None:
        raise Permanent("No tunnel leads to the host that the server is to go to.")
    return address


async def expect_no_more(run: Run[MoveServer]) -> None:
    move, dest = await end_of(run, source=False)
    row = await _quiet(run)
    if row is None or row.host_id != move.dest_host_id:
        await dest.destroy(run.params.server_id)


async def _quiet(run: Run[MoveServer]) -> Row[Any] | None:
    """The server, when there is one. :raises Retry: this is owed, and something else is being done with it now."""
    row = await run.read(servers.get, run.params.server_id)
    if run.owed and row is not None and row.task_state is not None:
        raise Retry(f"instance {row.id} is {row.task_state}")
    return row


async def send(run: Run[MoveServer]) -> None:
    landing = await run.unless_cancelled(_landing(run))

    def write(tx: Tx) -> None:
        if _undecided(tx, run.params):
            migrations.change(tx, run.params.move_id, "running")

    await run.write(write)
    _, source = await end_of(run, source=True)
    await run.unless_cancelled(source.send(run.params.server_id, landing))


async def stay(run: Run[MoveServer]) -> None:
    """It goes on where it was; once it has been decided otherwise, the copy there stays until the other is of use."""
    move, source = await end_of(run, source=True)
    row = await _quiet(run)
    if row is not None and row.host_id == move.source_host_id and await source.state(row.id) != "absent":
        await source.stay(row.id, paused=move.vm_state == "paused")


async def switch(run: Run[MoveServer]) -> None:
    """:raises Cancelled: :raises Permanent: the new host is not there any more."""

    def write(tx: Tx) -> None:
        if not _undecided(tx, run.params):
            return
        if run.cancelled(tx):
            raise Cancelled("cancelled")
        if not hosts.is_there(tx, require_move(tx, run.params.move_id).dest_host_id):
            raise Permanent("the host that it goes to does not answer any more")
        network.unbind_inactive(tx, run.params.server_id)
        place(tx, run.params, back=False)
        migrations.change(tx, run.params.move_id, "post-migrating")

    await run.write(write)


async def land(run: Run[MoveServer]) -> None:
    """Its disks are there as a whole: should its memory be of no use, it is booted there."""
    move, dest = await end_of(run, source=False)
    try:
        await dest.land(run.params.server_id, paused=move.vm_state == "paused")
    except HostError as error:
        if error.transient:
            raise
        log.warning("a guest could not go on where it came to", server=run.params.server_id, error=str(error))
        await common.ports_settled(run)
        await dest.start(await common.guest_of(run))


async def land_after_all(run: Run[MoveServer]) -> None:
    """Nothing is taken back any more: of a host that was lost just then, the guest goes on when it is back."""
    move, dest = await end_of(run, source=False)
    row = await _quiet(run)
    if row is None:
        return await clear(run)
    if row.host_id != move.dest_host_id:
        return None
    if await dest.state(row.id) == "absent":
        try:
            await dest.land(row.id, paused=move.vm_state == "paused")
        except HostError as error:
            if error.transient:
                raise
            log.warning("a guest could not go on where it came to", server=row.id, error=str(error))
            return None
    await finish(run)
    return await clear(run)


async def finish(run: Run[MoveServer]) -> None:
    """It is there; nothing when that was written down."""

    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        if move.status not in ("post-migrating", "error"):
            return
        moves.give_up_place(tx, move, "completed", kept=False)
        power = PAUSED if move.vm_state == "paused" else RUNNING
        common.settle(tx, run.params.server_id, vm_state=move.vm_state, power_state=power, fault=None)

    await run.write(write)


async def clear(run: Run[MoveServer]) -> None:
    """Delete what is left of it where it was; when that is owed, not if it is there again, or on its way."""
    move, source = await end_of(run, source=True)

    def needed(tx: Tx) -> bool:
        row = servers.get(tx, run.params.server_id)
        coming = [other for other in migrations.open_of_server(tx, run.params.server_id) if other.uuid != move.uuid]
        return row is not None and move.source_host_id in (row.host_id, *(other.dest_host_id for other in coming))

    if not await run.read(needed):
        await source.destroy(run.params.server_id)


async def failed(run: Run[MoveServer], reason: str) -> None:
    """It runs where it ran, and the reason is in its action's events; or it is where it was to go, and in error: its
    disks are there as a whole, and where it was still."""

    def write(tx: Tx) -> None:
        move = require_move(tx, run.params.move_id)
        there = servers.get(tx, run.params.server_id) is not None
        if move.status in migrations.LIVE:
            moves.give_up_place(tx, move, "cancelled" if reason == "cancelled" else "error", kept=there)
            common.settle(tx, run.params.server_id)
        elif move.status in migrations.OPEN:
            moves.give_up_place(tx, move, "error", kept=False)
            common.break_down(tx, run.params.server_id, reason)

    await run.write(write)


OPERATION = Operation(
    LIVE_MIGRATE_SERVER,
    (
        Step("bind", bind, unbind),
        Step("expect", expect, expect_no_more),
        Step("send", send, stay),
        Step("switch", switch, land_after_all),
        Step("land", land),
        Step("finish", finish),
        Step("clear", clear, owed=True),
    ),
    failed,
)
