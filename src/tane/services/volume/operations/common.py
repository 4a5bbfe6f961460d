"""What the sagas of volumes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import HostUnreachable, allocations
from tane.hosts import store as hosts
from tane.jobs import Permanent, Run
from tane.services.volume.domain import messages, pools
from tane.services.volume.store import attachments, groups, services, snapshots, types, volumes
from tane.wire.duties import VolumeDuty

GIB = 1 << 30
HOST = "host_id"


def own(tx: Tx, run: Run[Any]) -> Row[Any]:
    """The volume that a job was ordered for. :raises Permanent: it is gone, or another project's."""
    row = own_or_gone(tx, run)
    if row is None:
        raise Permanent(f"volume {run.params.volume_id} is gone")
    return row


def own_or_gone(tx: Tx, run: Run[Any]) -> Row[Any] | None:
    """The volume that a job was ordered for, if it is there. :raises Permanent: it is another project's."""
    row = volumes.get(tx, run.params.volume_id)
    if row is not None and run.params.project_id not in (None, row.project_id):
        raise Permanent(f"volume {run.params.volume_id} is gone")
    return row


def own_snapshot_or_gone(tx: Tx, run: Run[Any]) -> Row[Any] | None:
    """The snapshot that a job was ordered for, if it is there. :raises Permanent: it is another project's."""
    row = snapshots.get(tx, run.params.snapshot_id)
    if row is not None and run.params.project_id not in (None, row.project_id):
        raise Permanent(f"snapshot {run.params.snapshot_id} is gone")
    return row


def change_own(tx: Tx, run: Run[Any], /, *, only_in: Sequence[str], **values: Any) -> int:
    """Change the volume that a job was ordered for, when it is still in one of these states and that project's."""
    return volumes.change(tx, run.params.volume_id, only_in=only_in, only_of=run.params.project_id, **values)


def go_back(tx: Tx, run: Run[Any], busy: str, /, **values: Any) -> None:
    """From the status ``busy`` to what it was before; to available when its attachments have ended meanwhile."""
    row = volumes.get(tx, run.params.volume_id)
    if row is not None and row.status == busy:
        before = row.previous_status or "available"
        status = before if attachments.of_volumes(tx, [row.id]) else "available"
        change_own(tx, run, only_in=(busy,), status=status, previous_status=None, **values)


def pool_host(tx: Tx, type_id: str) -> str | None:
    """The host a new volume of a type is made on: of those that are up and have a pool that is not switched off and
    meets the type's extra specs, the one whose disk has most left that nobody was promised."""
    kind = types.get(tx, type_id)
    if kind is not None and not pools.meets(kind.extra_specs):
        return None
    off = services.off(tx, "cinder-volume")
    usable = [
        row for row in hosts.all_hosts(tx) if "volume" in row.roles and row.id not in off and hosts.is_up(tx, row)
    ]
    if len(usable) <= 1:
        return next((row.id for row in usable), None)
    sizes, claimed = volumes.gb_by_host(tx), allocations.used(tx)

    def left(row: Row[Any]) -> int:
        promised = sizes.get(row.id, 0) + claimed.get(row.id, {}).get(allocations.DISK_GB, 0)
        return int(row.capabilities.get("pool_gb", 0)) - promised

    chosen: str = max(usable, key=left).id
    return chosen


def place_in_pool(tx: Tx, run: Run[Any]) -> None:
    """Choose the host of a new volume that has none yet. :raises Permanent: no pool can take it."""
    row = own(tx, run)
    if row.host_id is not None:
        return
    host_id = pool_host(tx, row.volume_type_id)
    if host_id is None:
        raise Permanent("No valid backend was found. No weighed backends available")
    volumes.change(tx, row.id, host_id=host_id)


async def duty_of(run: Run[Any], volume_id: str) -> VolumeDuty | None:
    """The pool the volume lies in; None when it was never placed or is gone."""
    row = await run.read(volumes.get, volume_id)
    return None if row is None or row.host_id is None else run.core.hosts.volume(row.host_id)


async def locate(run: Run[Any]) -> dict[str, Any]:
    """A step before others that may be owed: the host of the volume when it began, which they read in ``run.data``."""
    row = await run.read(volumes.get, run.params.volume_id)
    return {HOST: None if row is None else row.host_id}


async def located_duty(run: Run[Any]) -> VolumeDuty | None:
    """The pool that :func:`locate` found; None when the volume was in none.

    :raises HostUnreachable: its host is taken for down.
    """
    if HOST not in run.data:
        # An older release began the job without that step.
        run.data.update(await locate(run))
    host_id = run.data[HOST]
    if host_id is None:
        return None
    if not await run.read(hosts.is_there, host_id):
        raise HostUnreachable(host_id)
    return run.core.hosts.volume(host_id)


def settle_group(tx: Tx, volume_id: str) -> None:
    """After a volume was made: its group may be, too."""
    row = volumes.get(tx, volume_id)
    groups.settle(tx, None if row is None else row.group_id)


def settle_group_snapshot(tx: Tx, snapshot_id: str) -> None:
    """After a snapshot was taken, or could not be deleted: the snapshot of its group is as it is."""
    row = snapshots.get(tx, snapshot_id)
    groups.settle_snapshot(tx, None if row is None else row.group_snapshot_id)


async def placed_duty(run: Run[Any], volume_id: str) -> VolumeDuty:
    """The pool the volume lies in. :raises Permanent: it is in none."""
    duty = await duty_of(run, volume_id)
    if duty is None:
        raise Permanent(f"volume {volume_id} is in no pool")
    return duty


def tell(tx: Tx, run: Run[Any], resource_id: str, action: str, detail: str, kind: str = messages.VOLUME) -> None:
    """Write the message of the failure of a volume, or of another ``kind``, when it is still there and the order's."""
    row = (volumes if kind == messages.VOLUME else snapshots).get(tx, resource_id)
    if row is not None and run.params.project_id in (None, row.project_id):
        messages.record(
            tx,
            project_id=row.project_id,
            request_id=run.request_id,
            resource_id=resource_id,
            action=action,
            detail=detail,
            kind=kind,
        )
