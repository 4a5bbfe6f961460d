"""Steps and endings that several operations share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from msgspec import structs
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import HostUnreachable
from tane.hosts import store as hosts
from tane.jobs import Permanent, Run
from tane.services.compute.domain import guests
from tane.services.compute.domain.common import fault
from tane.services.compute.domain.states import OFFLOADED
from tane.services.compute.store import block_devices, servers
from tane.services.network import interface as network
from tane.services.volume import interface as volume
from tane.wire.documents import Guest, GuestState, VolumeConnection
from tane.wire.duties import ComputeDuty

log = structlog.get_logger()

HOST, ATTACHED = "host_id", "attached"
"""What :func:`locate` leaves in a run's data: a host's id, and pairs of a volume and its attachment."""
PORT_SECONDS = 120.0
SHUTDOWN_SECONDS = 60.0


def require(tx: Tx, server_id: str) -> Row[Any]:
    """:raises Permanent: the server is gone."""
    row = servers.get(tx, server_id)
    if row is None:
        raise Permanent(f"Instance {server_id} could not be found.")
    return row


async def host_of(run: Run[Any]) -> ComputeDuty:
    """The host the server lives on. :raises HostUnreachable: :raises Permanent: it has none."""
    row = await run.read(require, run.params.server_id)
    if row.host_id is None:
        raise Permanent(f"Instance {row.id} has no host.")
    return run.core.hosts.compute(row.host_id)


async def is_put_away(run: Run[Any]) -> bool:
    """Whether the server is on no host, and what is changed of it a matter of rows."""
    return bool((await run.read(require, run.params.server_id)).vm_state == OFFLOADED)


async def locate(run: Run[Any]) -> dict[str, Any]:
    """A step that others need whose work may be owed: where the server and its volumes were when it began."""

    def look(tx: Tx) -> dict[str, Any]:
        row = servers.get(tx, run.params.server_id)
        devices = block_devices.of_server(tx, run.params.server_id)
        attached = [[device.volume_id, device.attachment_id] for device in devices]
        return {HOST: row.host_id if row is not None else None, ATTACHED: attached}

    return await run.read(look)


async def located(run: Run[Any]) -> None:
    """Have in ``run.data`` what :func:`locate` finds, for a job that an older release began without that step."""
    if HOST not in run.data:
        run.data.update(await locate(run))


async def located_host(run: Run[Any]) -> ComputeDuty | None:
    """The host that :func:`locate` found; None when there was none.

    :raises HostUnreachable: it does not answer, or is taken for down: what it is asked then comes too late or never.
    """
    await located(run)
    host_id = run.data[HOST]
    if host_id is None:
        return None
    if not await run.read(hosts.is_there, host_id):
        raise HostUnreachable(host_id)
    return run.core.hosts.compute(host_id)


async def host_where(run: Run[Any], *states: GuestState, still: tuple[str, ...]) -> ComputeDuty | None:
    """For undos: the server's host when its guest is there in one of ``states``, else None: nothing to take back.

    ``still``: when the undo is owed, the states that the server must be in; in any other it was used since.
    """
    row = await run.read(servers.get, run.params.server_id)
    if row is None or row.host_id is None or (run.owed and row.vm_state not in still):
        return None
    host = run.core.hosts.compute(row.host_id)
    return host if await host.state(row.id) in states else None


async def connection(run: Run[Any], volume_id: str, attachment_id: str, host_id: str | None = None) -> VolumeConnection:
    """How the server's host (or another, ``host_id``) reaches a volume; makes the export when it is missing.

    :raises Permanent: no way leads from the one's host to the other's.
    """
    exported = await volume.connect(run, volume_id, attachment_id)
    return await run.read(_as_reached, run.params.server_id, volume_id, exported, host_id)


def _as_reached(
    tx: Tx, server_id: str, volume_id: str, exported: VolumeConnection, host_id: str | None
) -> VolumeConnection:
    row, pool = servers.get(tx, server_id), volume.volume_info(tx, None, volume_id).host_id
    place = host_id or (row.host_id if row is not None else None)
    if place is None or pool is None or place == pool:
        return exported
    here, there = hosts.get(tx, place), hosts.get(tx, pool)
    address = None if there is None else hosts.inner_address(there)
    if address is None or here is None or hosts.inner_address(here) is None:
        log.warning("no tunnel between hosts", volume=volume_id, pool=there.name if there else pool, host=place)
        raise Permanent(
            f"Volume {volume_id} is on another host than the server, and no tunnel leads there: each of the two hosts "
            "needs a local_ip."
        )
    return structs.replace(exported, host=address)


async def connections(
    run: Run[Any], devices: Sequence[Row[Any]], host_id: str | None = None
) -> dict[str, VolumeConnection]:
    """Attachment id → how its volume is reached; makes exports that are missing."""
    return {
        device.attachment_id: await connection(run, device.volume_id, device.attachment_id, host_id)
        for device in devices
    }


async def guest_of(run: Run[Any], host_id: str | None = None) -> Guest:
    """The server's guest as it should be now, on its host or on another, ``host_id``."""
    parts = await run.read(guests.parts, run.params.server_id)
    return guests.document(parts, await connections(run, parts.devices, host_id))


async def ports_settled(run: Run[Any], only: Sequence[str] | None = None) -> None:
    """Wait until the server's ports (or those of ``only``) are in place on its host.

    :raises Permanent: one cannot be, with the host's reason.
    """
    server_id = run.params.server_id

    def ready(tx: Tx) -> bool:
        states = network.ports_settled(tx, server_id)
        chosen = {port_id: state for port_id, state in states.items() if only is None or port_id in only}
        broken = [f"port {port_id}: {state}" for port_id, state in chosen.items() if state.startswith("ERROR")]
        if broken:
            raise Permanent("; ".join(broken))
        return all(state != "BUILD" for state in chosen.values())

    ports = await run.read(network.ports_settled, server_id)
    topic = f"port:{next((port for port in ports if only is None or port in only), server_id)}"
    await run.wait(topic, ready, within=PORT_SECONDS, poll=0.2, what="the host to plug the ports")


async def task(run: Run[Any], task_state: str) -> None:
    """Say what is being done; a deletion asked for meanwhile keeps its word."""

    def write(tx: Tx) -> None:
        row = require(tx, run.params.server_id)
        if row.task_state != "deleting" and row.task_state != task_state:
            servers.change(tx, row.id, task_state=task_state)

    await run.write(write)


def settle(tx: Tx, /, server_id: str, **values: Any) -> None:
    """End an action: no task is left, except a deletion that was asked for meanwhile, and no password."""
    row = servers.get(tx, server_id)
    if row is not None:
        task_state = row.task_state if row.task_state == "deleting" else None
        servers.change(tx, server_id, task_state=task_state, admin_pass=None, **values)


def break_down(tx: Tx, server_id: str, reason: str) -> None:
    """The server goes to ERROR with ``reason``, and keeps no password; not when it is being deleted anyway."""
    row = servers.get(tx, server_id)
    if row is not None and row.task_state != "deleting":
        broken = fault(reason, 500, tx)
        servers.change(tx, server_id, vm_state="error", task_state=None, admin_pass=None, fault=broken)


def ends_in_error() -> Callable[[Run[Any], str], Awaitable[None]]:
    """``failed`` of an operation after which the guest is not in the state it was in before."""

    async def failed(run: Run[Any], reason: str) -> None:
        await run.write(break_down, run.params.server_id, reason)

    return failed


def ends_unchanged() -> Callable[[Run[Any], str], Awaitable[None]]:
    """``failed`` of an operation that leaves the server as it was; the reason is in its action's events."""

    async def failed(run: Run[Any], reason: str) -> None:
        await run.write(settle, run.params.server_id)

    return failed
