"""What other services may ask of block storage."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.agent.documents import VolumeConnection
from tane.core import Core
from tane.db import Tx
from tane.jobs import Run
from tane.web.context import Context


class VolumeInfo(msgspec.Struct, kw_only=True):
    """A volume as other services see it; ``size`` in GiB."""

    id: str
    name: str
    project_id: str
    status: str
    size: int
    bootable: bool
    multiattach: bool
    read_only: bool
    host_id: str | None
    snapshot_id: str | None
    image_metadata: dict[str, str]
    fault: str | None


class SnapshotInfo(msgspec.Struct, kw_only=True):
    id: str
    volume_id: str
    size: int
    status: str


def volume_info(tx: Tx, ctx: Context | None, volume_id: str) -> VolumeInfo:
    """A volume the caller may see; with ``ctx`` None any. :raises NotFound:"""
    raise NotImplementedError


def snapshot_info(tx: Tx, ctx: Context | None, snapshot_id: str) -> SnapshotInfo:
    """A snapshot the caller may see; with ``ctx`` None any. :raises NotFound:"""
    raise NotImplementedError


def create_volume(
    tx: Tx,
    ctx: Context,
    *,
    size: int,
    name: str = "",
    image_id: str | None = None,
    snapshot_id: str | None = None,
    volume_type: str | None = None,
    bootable: bool | None = None,
) -> str:
    """What POST /volumes does, in the caller's transaction; returns the id. The topic "volume:<id>" tells its progress.

    :raises BadRequest, NotFound, OverLimit: as the API call.
    """
    raise NotImplementedError


def reserve(tx: Tx, ctx: Context, volume_id: str) -> None:
    """available → attaching. :raises NotFound: :raises BadRequest: in any other status."""
    raise NotImplementedError


def unreserve(tx: Tx, volume_id: str) -> None:
    """attaching → available; nothing in any other status, or when the volume is gone."""
    raise NotImplementedError


async def connect(run_or_core: Run[Any] | Core, volume_id: str, attachment_id: str) -> VolumeConnection:
    """Export the volume on its host; the same connection when it is exported already.

    :raises HostError: the host cannot. :raises Permanent: the volume is gone or has no host yet.
    """
    raise NotImplementedError


def attach(tx: Tx, *, volume_id: str, server_id: str, attachment_id: str, device: str, host_name: str) -> None:
    """→ in-use, with an attachment row of ``attachment_id``. Repeatable. :raises NotFound:"""
    raise NotImplementedError


def begin_detach(tx: Tx, ctx: Context, volume_id: str, server_id: str) -> None:
    """in-use → detaching. :raises BadRequest: not in use, or not attached to the server. :raises NotFound:"""
    raise NotImplementedError


def roll_detach_back(tx: Tx, volume_id: str) -> None:
    """detaching → in-use; nothing in any other status."""
    raise NotImplementedError


async def disconnect(run_or_core: Run[Any] | Core, volume_id: str, attachment_id: str) -> None:
    """End the export. Repeatable; nothing when the volume is gone. :raises HostError: the host cannot."""
    raise NotImplementedError


def detach(tx: Tx, volume_id: str, attachment_id: str) -> None:
    """Forget the attachment; → available when it was the last. Repeatable."""
    raise NotImplementedError


def delete_volume(tx: Tx, ctx: Context, volume_id: str) -> None:
    """What DELETE /volumes/{id} does, in the caller's transaction (for ``delete_on_termination``).

    Nothing when the volume is gone or being deleted. :raises BadRequest: its status does not allow it.
    """
    raise NotImplementedError


def attachments_of(tx: Tx, server_id: str) -> list[Row[Any]]:
    """Rows (volume_id, attachment_id, device) of a server, oldest first."""
    raise NotImplementedError
