"""Letting go of a server's volumes, whatever state the attachment is in."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import HostUnreachable
from tane.jobs import Run
from tane.services.compute.domain.common import of_project
from tane.services.compute.operations.common import ATTACHED, located
from tane.services.compute.store import block_devices
from tane.services.volume import interface as volume
from tane.web.errors import ApiError, NotFound


async def disconnect_all(run: Run[Any]) -> None:
    """End the exports of the server's volumes; their rows stay until :func:`forget_volumes`.

    :raises HostUnreachable: a volume's host does not answer; those of the others are ended.
    """
    await located(run)
    away: HostUnreachable | None = None
    for volume_id, attachment_id in run.data[ATTACHED]:
        try:
            await volume.disconnect(run, volume_id, attachment_id)
        except HostUnreachable as error:
            away = error
    if away is not None:
        raise away


def forget_volumes(tx: Tx, row: Row[Any], request_id: str | None) -> None:
    """Give every volume back, and delete those of its project that end with the server.

    One that was taken away from it before is another's affair. One that cannot be deleted now (it has snapshots) stays,
    available, as upstream leaves it.
    """
    for device in block_devices.of_server(tx, row.id):
        if let_go(tx, device) and device.delete_on_termination:
            try:
                volume.delete_volume(tx, of_project(row, request_id), device.volume_id)
            except NotFound:
                continue
            except ApiError:
                tx.notify(f"volume:{device.volume_id}")


def let_go(tx: Tx, device: Row[Any]) -> bool:
    """Forget one attachment and its block device; whether the server had the volume until now."""
    had = volume.release(tx, device.volume_id, device.attachment_id)
    block_devices.remove(tx, device.attachment_id)
    return had
