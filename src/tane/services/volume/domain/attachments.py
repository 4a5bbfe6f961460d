"""Reserving, attaching and detaching: what compute does through ``interface.py`` and others through the API.

An attachment made by compute has a ``connector`` (the host its server is on) and an export on the volume's host; one
made through the API is a record only, since volumes are exported to hosts of this cloud alone.

Compute's is written when the volume is reserved, before anything is done: while it is there, nobody else gets the
volume, and a job that finds it gone does no more. Only compute, or an administrator's os-force_detach, takes it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import Permanent
from tane.services.volume.domain.common import attachment_of, invalid_volume, new_id, volume_of
from tane.services.volume.domain.volumes import enqueue
from tane.services.volume.orders import FORCE_DETACH, ForceDetach
from tane.services.volume.store import attachments, volumes
from tane.services.volume.store.volumes import Page
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound, NotImplementedHere


def begin_attach(tx: Tx, ctx: Context | None, volume_id: str, status: str = "attaching") -> Row[Any]:
    """available → ``status``. :raises BadRequest: in any other status, or kept for a server that is being made."""
    row = volume_of(tx, ctx, volume_id)
    if attachments.of_volumes(tx, [volume_id]):
        raise invalid_volume(f"Volume {volume_id} is attached to, or kept for, a server.")
    if not volumes.change(tx, volume_id, only_in=("available",), status=status):
        raise invalid_volume(f"Volume status must be available to reserve, but the status is {row.status}.")
    return row


def keep(tx: Tx, volume_id: str, *, server_id: str, attachment_id: str, host_name: str) -> None:
    """Write compute's reservation of a volume that it reserved, or had made for the server."""
    values = {
        "id": attachment_id,
        "volume_id": volume_id,
        "project_id": volume_of(tx, None, volume_id).project_id,
        "server_id": server_id,
        "host_name": host_name,
        "status": "attaching",
        "mode": "rw",
        "connector": {"host": host_name},
    }
    attachments.add(tx, values)


def kept(tx: Tx, volume_id: str, attachment_id: str) -> tuple[Row[Any], Row[Any]]:
    """The volume and compute's attachment, for what is done by it. :raises Permanent: it is that server's no more."""
    volume, row = volumes.get(tx, volume_id), attachments.get(tx, attachment_id)
    if volume is None:
        raise Permanent(f"volume {volume_id} is gone")
    mine = row is not None and row.volume_id == volume_id and row.project_id == volume.project_id
    if row is None or not mine or not row.connector:
        raise Permanent(f"Volume {volume_id} is no longer kept for this server.")
    return volume, row


def take_up(tx: Tx, volume_id: str, attachment_id: str) -> bool:
    """available → attaching, of a volume that was made for a server; False while something else is done with it.

    :raises Permanent: it is that server's no more.
    """
    volume, row = kept(tx, volume_id, attachment_id)
    if row.status == "attached" or volume.status == "attaching":
        return True
    return bool(volumes.change(tx, volume_id, only_in=("available",), status="attaching"))


def connected(tx: Tx, volume_id: str, attachment_id: str, *, device: str) -> None:
    """attaching → in-use: the server has the volume. Repeatable. :raises Permanent: it is that server's no more."""
    volume, row = kept(tx, volume_id, attachment_id)
    if row.status == "attached":
        return
    if not volumes.change(tx, volume_id, only_in=("attaching",), status="in-use"):
        raise Permanent(f"Volume {volume_id} is no longer being attached, its status is {volume.status}.")
    attachments.change(tx, attachment_id, status="attached", device=device, attached_at=tx.now)


def give_back(tx: Tx, ctx: Context, volume_id: str) -> None:
    """os-unreserve: attaching → available; nothing in any other status. :raises Conflict: compute's reservation."""
    volume_of(tx, ctx, volume_id)
    attached = _refuse_computes(tx, volume_id)
    volumes.change(tx, volume_id, only_in=("attaching",), status="in-use" if attached else "available")


def record(
    tx: Tx,
    *,
    volume_id: str,
    server_id: str | None,
    attachment_id: str,
    device: str | None,
    host_name: str | None,
    mode: str = "rw",
) -> None:
    """→ in-use, with the row of an attachment that is a record only."""
    row = volume_of(tx, None, volume_id)
    values = {
        "id": attachment_id,
        "volume_id": volume_id,
        "project_id": row.project_id,
        "server_id": server_id,
        "status": "attached",
        "device": device,
        "host_name": host_name,
        "mode": mode,
        "connector": {},
        "attached_at": tx.now,
    }
    attachments.add(tx, values)
    volumes.change(tx, volume_id, status="in-use")


def begin_detach(tx: Tx, ctx: Context, volume_id: str, server_id: str | None = None) -> None:
    """in-use → detaching. :raises BadRequest: not in use, or not attached to the server."""
    row = volume_of(tx, ctx, volume_id)
    attached = of_volume(tx, volume_id) if server_id is not None else _refuse_computes(tx, volume_id)
    if row.status != "in-use" or not attached:
        raise invalid_volume(
            "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach."
        )
    if server_id is not None and all(attachment.server_id != server_id for attachment in attached):
        raise invalid_volume(f"Volume {volume_id} is not attached to server {server_id}.")
    volumes.change(tx, volume_id, status="detaching")


def roll_back_detach(tx: Tx, ctx: Context, volume_id: str) -> None:
    """os-roll_detaching: detaching → in-use; nothing in any other status. :raises Conflict: compute is detaching."""
    volume_of(tx, ctx, volume_id)
    if _refuse_computes(tx, volume_id):
        volumes.change(tx, volume_id, only_in=("detaching",), status="in-use")


def detach_failed(tx: Tx, volume_id: str, attachment_id: str) -> None:
    """detaching → in-use, of a volume that is still attached by that attachment."""
    row = attachments.get(tx, attachment_id)
    if row is not None and row.volume_id == volume_id:
        volumes.change(tx, volume_id, only_in=("detaching",), status="in-use")


def forget(tx: Tx, volume_id: str, attachment_id: str) -> bool:
    """Remove the attachment; → available when it was the last. False, and nothing changed, when it was gone: whoever
    has the volume now is not its affair."""
    if not attachments.remove(tx, attachment_id):
        return False
    if of_volume(tx, volume_id):
        volumes.change(tx, volume_id, only_in=("detaching",), status="in-use")
    else:
        states = ("attaching", "in-use", "detaching", "reserved")
        volumes.change(tx, volume_id, only_in=states, status="available")
    return True


def of_volume(tx: Tx, volume_id: str) -> list[Row[Any]]:
    return attachments.of_volumes(tx, [volume_id]).get(volume_id, [])


def taken(tx: Tx, volume_id: str, but: Sequence[str]) -> bool:
    """Whether somebody has the volume, or keeps it, by another attachment than those: its export is his."""
    return any(row.id not in but for row in of_volume(tx, volume_id))


def _refuse_computes(tx: Tx, volume_id: str) -> list[Row[Any]]:
    """The volume's attachments, none of them compute's. :raises Conflict: one is, which ends by compute alone."""
    attached = of_volume(tx, volume_id)
    for row in attached:
        _refuse_compute(row)
    return attached


def _refuse_compute(row: Row[Any]) -> None:
    if row.connector:
        raise Conflict(f"Detach volume from instance {row.server_id} using the Compute API")


# ------------------------------------------------------------------------------------------------- calls of the API


def index(core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page) -> list[Row[Any]]:
    with core.db.read() as tx:
        marker = attachment_of(tx, ctx, wanted.marker) if wanted.marker else None
        return attachments.find(tx, conditions, wanted, marker)


def show(core: Core, ctx: Context, attachment_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return attachment_of(tx, ctx, attachment_id)


def reserve(core: Core, ctx: Context, volume_id: str, server_id: str | None, mode: str) -> Row[Any]:
    """An attachment without a connector: the volume is kept for the server."""
    with core.db.write() as tx:
        row = begin_attach(tx, ctx, volume_id, "reserved")
        attachment_id = new_id()
        attachments.add(
            tx,
            {
                "id": attachment_id,
                "volume_id": volume_id,
                "project_id": row.project_id,
                "server_id": server_id,
                "status": "reserved",
                "mode": mode,
                "connector": {},
            },
        )
        return attachment_of(tx, ctx, attachment_id)


def finish(core: Core, ctx: Context, attachment_id: str) -> None:
    """os-complete: reserved → attached, and the volume in-use; the same again changes nothing.

    :raises Conflict: compute's attachment. :raises BadRequest: the volume is not reserved (something is done with it).
    """
    with core.db.write() as tx:
        row = attachment_of(tx, ctx, attachment_id)
        _refuse_compute(row)
        if row.status == "attached":
            return
        if not volumes.change(tx, row.volume_id, only_in=("reserved", "attaching"), status="in-use"):
            status = volume_of(tx, None, row.volume_id).status
            raise invalid_volume(f"Volume status must be reserved or attaching to complete, but it is {status}.")
        attachments.change(tx, attachment_id, status="attached", attached_at=tx.now)


def delete(core: Core, ctx: Context, attachment_id: str) -> list[Row[Any]]:
    """Returns the volume's other attachments. :raises Conflict: compute uses it."""
    with core.db.write() as tx:
        row = attachment_of(tx, ctx, attachment_id)
        _refuse_compute(row)
        forget(tx, row.volume_id, attachment_id)
        return of_volume(tx, row.volume_id)


def refuse_connections(core: Core, ctx: Context, volume_id: str) -> None:
    """os-initialize_connection, os-terminate_connection. :raises Conflict: compute uses the volume.

    :raises NotImplementedHere: always else.
    """
    with core.db.read() as tx:
        volume_of(tx, ctx, volume_id)
        _refuse_computes(tx, volume_id)
    raise no_connections()


def no_connections() -> NotImplementedHere:
    return NotImplementedHere(
        "Volumes are exported to the compute hosts of this cloud only; connecting one to another host is not possible."
    )


def attach_by_action(
    core: Core, ctx: Context, volume_id: str, *, server_id: str | None, host_name: str | None, device: str, mode: str
) -> None:
    """os-attach: available, reserved or attaching → in-use. :raises Conflict: compute keeps it for a server."""
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        _refuse_computes(tx, volume_id)
        if row.status not in ("available", "attaching", "reserved"):
            raise invalid_volume(
                f"Volume {volume_id} status must be available, attaching or reserved, but the status is {row.status}."
            )
        if row.read_only and mode == "rw":
            raise invalid_volume(f"Invalid attaching mode 'rw' for volume {volume_id}.")
        attachments.remove_all(tx, volume_id)
        record(
            tx,
            volume_id=volume_id,
            server_id=server_id,
            attachment_id=new_id(),
            device=device,
            host_name=host_name,
            mode=mode,
        )


def detach_by_action(core: Core, ctx: Context, volume_id: str, attachment_id: str | None) -> None:
    """os-detach."""
    with core.db.write() as tx:
        volume_of(tx, ctx, volume_id)
        attached = of_volume(tx, volume_id)
        for row in _chosen(tx, ctx, attached, attachment_id):
            _refuse_compute(row)
            forget(tx, volume_id, row.id)
        if not attached:
            volumes.change(tx, volume_id, only_in=("detaching",), status="available")


def _chosen(tx: Tx, ctx: Context, attached: Sequence[Row[Any]], attachment_id: str | None) -> list[Row[Any]]:
    """:raises NotFound: there is no such attachment. :raises BadRequest: it is another volume's."""
    chosen = [row for row in attached if attachment_id in (None, row.id)]
    if attachment_id is not None and not chosen:
        other = attachments.get(tx, attachment_id)
        if other is not None and ctx.sees(other.project_id):
            raise BadRequest("Invalid input received: Mismatched volume and attachment")
        raise NotFound(f"Volume attachment could not be found with filter: attachment_id = {attachment_id} .")
    return chosen


def force_detach(core: Core, ctx: Context, volume_id: str, attachment_id: str | None) -> None:
    """os-force_detach: also what compute has attached, in whatever status the volume is. → detaching, with the job.

    :raises Conflict: compute uses it and can let it go: the server's host is up (OSSA-2023-003).
    """
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
        attached = of_volume(tx, volume_id)
        chosen = _chosen(tx, ctx, attached, attachment_id)
        for attachment in chosen:
            if hosts.is_up_by_name(tx, attachment.connector.get("host", "")):
                _refuse_compute(attachment)
        if not attached and row.status not in ("in-use", "attaching", "detaching", "reserved"):
            raise invalid_volume(f"volume {volume_id} is attached to nothing, and its status is {row.status}.")
        volumes.change(tx, volume_id, status="detaching")
        enqueue(tx, ctx, FORCE_DETACH, ForceDetach(volume_id, attachment_ids=[taken.id for taken in chosen]), of=row)
