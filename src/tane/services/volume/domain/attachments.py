"""Reserving, attaching and detaching: what compute does through ``interface.py`` and others through the API.

An attachment made by compute has a ``connector`` (the host its server is on) and an export on the volume's host; one
made through the API is a record only, since volumes are exported to hosts of this cloud alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.volume.domain.common import attachment_of, invalid_volume, new_id, volume_of
from tane.services.volume.domain.volumes import enqueue
from tane.services.volume.orders import FORCE_DETACH, ForceDetach
from tane.services.volume.store import attachments, volumes
from tane.services.volume.store.volumes import Page
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound, NotImplementedHere


def begin_attach(tx: Tx, ctx: Context | None, volume_id: str, status: str = "attaching") -> Row[Any]:
    """available → ``status``. :raises BadRequest: in any other status."""
    row = volume_of(tx, ctx, volume_id)
    if not volumes.change(tx, volume_id, only_in=("available",), status=status):
        raise invalid_volume(f"Volume status must be available to reserve, but the status is {row.status}.")
    return row


def give_back(tx: Tx, volume_id: str) -> None:
    """attaching or reserved → what its attachments say; nothing in any other status."""
    status = "in-use" if attachments.of_volumes(tx, [volume_id]) else "available"
    volumes.change(tx, volume_id, only_in=("attaching", "reserved"), status=status)


def record(
    tx: Tx,
    *,
    volume_id: str,
    server_id: str | None,
    attachment_id: str,
    device: str | None,
    host_name: str | None,
    mode: str = "rw",
    connector: dict[str, Any] | None = None,
) -> None:
    """→ in-use, with the attachment's row; the same again changes nothing."""
    row = volume_of(tx, None, volume_id)
    values = {
        "server_id": server_id,
        "status": "attached",
        "device": device,
        "host_name": host_name,
        "mode": mode,
        "connector": connector or {},
    }
    if not attachments.change(tx, attachment_id, **values):
        attachments.add(
            tx,
            {
                "id": attachment_id,
                "volume_id": volume_id,
                "project_id": row.project_id,
                "attached_at": tx.now,
                **values,
            },
        )
    volumes.change(tx, volume_id, status="in-use")


def begin_detach(tx: Tx, ctx: Context | None, volume_id: str, server_id: str | None = None) -> None:
    """in-use → detaching. :raises BadRequest: not in use, or not attached to the server."""
    row = volume_of(tx, ctx, volume_id)
    attached = attachments.of_volumes(tx, [volume_id]).get(volume_id, [])
    if row.status != "in-use" or not attached:
        raise invalid_volume(
            "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach."
        )
    if server_id is not None and all(attachment.server_id != server_id for attachment in attached):
        raise invalid_volume(f"Volume {volume_id} is not attached to server {server_id}.")
    volumes.change(tx, volume_id, status="detaching")


def roll_back_detach(tx: Tx, volume_id: str) -> None:
    volumes.change(tx, volume_id, only_in=("detaching",), status="in-use")


def forget(tx: Tx, volume_id: str, attachment_id: str) -> None:
    """Remove the attachment; → available when it was the last. Repeatable."""
    removed = attachments.remove(tx, attachment_id)
    if attachments.of_volumes(tx, [volume_id]):
        if not removed:
            # Taken away by force before; what is attached now is another server's affair.
            return
        volumes.change(tx, volume_id, only_in=("detaching",), status="in-use")
    else:
        states = ("in-use", "detaching", "reserved") if removed else ("detaching",)
        volumes.change(tx, volume_id, only_in=states, status="available")


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
    """reserved → attached."""
    with core.db.write() as tx:
        row = attachment_of(tx, ctx, attachment_id)
        attachments.change(tx, attachment_id, status="attached", attached_at=tx.now)
        volumes.change(tx, row.volume_id, status="in-use")


def delete(core: Core, ctx: Context, attachment_id: str) -> list[Row[Any]]:
    """Returns the volume's other attachments. :raises Conflict: compute uses it."""
    with core.db.write() as tx:
        row = attachment_of(tx, ctx, attachment_id)
        _refuse_computes(row)
        forget(tx, row.volume_id, attachment_id)
        return attachments.of_volumes(tx, [row.volume_id]).get(row.volume_id, [])


def _refuse_computes(row: Row[Any]) -> None:
    if row.connector:
        raise Conflict(f"Detach volume from instance {row.server_id} using the Compute API")


def refuse_connections(core: Core, ctx: Context, volume_id: str) -> None:
    """os-initialize_connection, os-terminate_connection. :raises Conflict: compute uses the volume.

    :raises NotImplementedHere: always else.
    """
    with core.db.read() as tx:
        volume_of(tx, ctx, volume_id)
        for row in attachments.of_volumes(tx, [volume_id]).get(volume_id, []):
            _refuse_computes(row)
    raise no_connections()


def no_connections() -> NotImplementedHere:
    return NotImplementedHere(
        "Volumes are exported to the compute hosts of this cloud only; connecting one to another host is not possible."
    )


def attach_by_action(
    core: Core, ctx: Context, volume_id: str, *, server_id: str | None, host_name: str | None, device: str, mode: str
) -> None:
    """os-attach: available, reserved or attaching → in-use."""
    with core.db.write() as tx:
        row = volume_of(tx, ctx, volume_id)
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
        attached = attachments.of_volumes(tx, [volume_id]).get(volume_id, [])
        for row in _chosen(tx, ctx, attached, attachment_id):
            _refuse_computes(row)
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
        attached = attachments.of_volumes(tx, [volume_id]).get(volume_id, [])
        chosen = _chosen(tx, ctx, attached, attachment_id)
        for attachment in chosen:
            if hosts.is_up_by_name(tx, attachment.connector.get("host", "")):
                _refuse_computes(attachment)
        if not attached and row.status not in ("in-use", "attaching", "detaching", "reserved"):
            raise invalid_volume(f"volume {volume_id} is attached to nothing, and its status is {row.status}.")
        volumes.change(tx, volume_id, status="detaching")
        enqueue(tx, ctx, FORCE_DETACH, ForceDetach(volume_id, attachment_ids=[row.id for row in chosen]))
