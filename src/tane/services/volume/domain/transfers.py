"""Volumes that change hands: a project offers one under a key, and who knows the key takes it over."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain import quotas
from tane.services.volume.domain.common import invalid_volume, new_id, volume_of
from tane.services.volume.orders import RECORDING
from tane.services.volume.store import attachments, snapshots, transfers, volumes
from tane.services.volume.store.volumes import Page
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

OFFERED = "awaiting-transfer"
KEY_BYTES = 8
"""Random bytes of a key, which is told in hexadecimal and only once."""

log = structlog.get_logger()


def index(core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page) -> list[Row[Any]]:
    with core.db.read() as tx:
        marker = _get(tx, ctx, wanted.marker) if wanted.marker else None
        return transfers.find(tx, conditions, wanted, marker)


def show(core: Core, ctx: Context, transfer_id: str) -> Row[Any]:
    """:raises NotFound:"""
    with core.db.read() as tx:
        return _get(tx, ctx, transfer_id)


def create(
    core: Core, ctx: Context, volume_id: str, name: str | None, *, no_snapshots: bool = False
) -> tuple[Row[Any], str]:
    """→ awaiting-transfer; returns the transfer and its key. ``no_snapshots``: they stay with the giver.

    :raises NotFound: :raises BadRequest: the volume, or a snapshot that would go with it, is not available, or
        something that was ordered for it has not ended.
    """
    key, transfer_id = secrets.token_hex(KEY_BYTES), new_id()
    with core.db.write() as tx:
        volume = volume_of(tx, ctx, volume_id)
        if volume.status != "available":
            raise invalid_volume("status must be available")
        if volume.group_id is not None:
            raise invalid_volume(f"it is in group {volume.group_id}")
        _going(tx, volume, with_snapshots=not no_snapshots)
        values = {"id": transfer_id, "project_id": volume.project_id, "volume_id": volume.id, "name": name}
        transfers.add(tx, {**values, "key_hash": _hash(transfer_id, key), "no_snapshots": no_snapshots})
        volumes.change(tx, volume.id, status=OFFERED)
        return _get(tx, ctx, transfer_id), key


def accept(core: Core, ctx: Context, transfer_id: str, key: str) -> Row[Any]:
    """The volume, and its snapshots unless they stay, become the caller's project's; returns the transfer, now gone.

    :raises NotFound: :raises BadRequest: the key is wrong, or the volume is no longer on offer. :raises OverLimit:
    """
    with core.db.write() as tx:
        row = transfers.get(tx, transfer_id)
        if row is None:
            raise _absent(transfer_id)
        if not hmac.compare_digest(row.key_hash, _hash(transfer_id, key)):
            raise BadRequest(f"Invalid auth key: Attempt to transfer {transfer_id} with invalid auth key.")
        volume = volume_of(tx, None, row.volume_id)
        if volume.status != OFFERED:
            raise invalid_volume(
                f"Transfer {transfer_id}: Volume id {volume.id} in unexpected state {volume.status}, expected {OFFERED}"
            )
        _hand_over(tx, ctx, volume, _going(tx, volume, with_snapshots=not row.no_snapshots))
        transfers.remove(tx, transfer_id)
    log.info("volume transferred", volume_id=volume.id, giver=row.project_id, taker=ctx.project_id, by=ctx.user_id)
    return row


def _going(tx: Tx, volume: Row[Any], *, with_snapshots: bool) -> list[Row[Any]]:
    """The snapshots that go with the volume: those of its project. What was ordered for the giver, or is kept for a
    server of his, ends before the volume goes: it would be done to what the taker has in it.

    :raises BadRequest:
    """
    if attachments.of_volumes(tx, [volume.id]):
        raise invalid_volume("it is attached to, or kept for, a server")
    if any(job.state != "running" or job.step not in RECORDING for job in jobs.unfinished(tx, f"volume:{volume.id}")):
        raise invalid_volume("something that was ordered for it has not ended yet")
    own = [row for row in snapshots.of_volume(tx, volume.id) if row.project_id == volume.project_id]
    going = own if with_snapshots else []
    copied = volumes.being_made_from(tx, source_volid=volume.id)
    if copied or any(volumes.being_made_from(tx, snapshot_id=snapshot.id) for snapshot in going):
        raise invalid_volume("it is the source of a volume that is being created")
    for snapshot in going:
        if snapshot.status != "available":
            raise BadRequest(f"Invalid snapshot: Snapshot: {snapshot.id} status must be available")
        if snapshot.group_snapshot_id is not None:
            raise BadRequest(f"Invalid snapshot: Snapshot: {snapshot.id} must not be part of a group")
    return going


def _hand_over(tx: Tx, ctx: Context, volume: Row[Any], going: Sequence[Row[Any]]) -> None:
    """Each counts for the taker before the next is looked at; within one project nothing is counted anew."""
    owner = {"project_id": ctx.project_id, "user_id": ctx.user_id}
    counted = volume.project_id != ctx.project_id
    kind = (volume.volume_type_id, volume.type_name)
    if counted:
        quotas.claim_volume(tx, ctx.project_id, *kind, volume.size)
    volumes.change(tx, volume.id, status="available", **owner)
    for snapshot in going:
        if counted:
            quotas.claim_snapshot(tx, ctx.project_id, *kind, snapshot.size)
        snapshots.change(tx, snapshot.id, **owner)


def delete(core: Core, ctx: Context, transfer_id: str) -> None:
    """Take the offer back; the volume is available again. :raises NotFound:"""
    with core.db.write() as tx:
        row = _get(tx, ctx, transfer_id)
        transfers.remove(tx, transfer_id)
        volumes.change(tx, row.volume_id, only_in=(OFFERED,), status="available")


def _get(tx: Tx, ctx: Context, transfer_id: str) -> Row[Any]:
    """Only the giver sees it: the taker needs no more than id and key."""
    row = transfers.get(tx, transfer_id)
    if row is None or not ctx.sees(row.project_id):
        raise _absent(transfer_id)
    return row


def _absent(transfer_id: str) -> NotFound:
    return NotFound(f"Transfer {transfer_id} could not be found.")


def _hash(transfer_id: str, key: str) -> str:
    return hashlib.sha256(f"{transfer_id}:{key}".encode()).hexdigest()
