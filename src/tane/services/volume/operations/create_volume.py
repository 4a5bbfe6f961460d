"""Make a volume: empty, or from an image, a snapshot or another volume.

creating → (downloading, from an image) → available; error when it failed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.image import interface as images
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import GIB, change_own, own, place_in_pool, settle_group, tell
from tane.services.volume.orders import CREATE_VOLUME, CreateVolume
from tane.services.volume.store import snapshots, volumes
from tane.wire.documents import ImageRef

BUILDING = ("creating", "downloading")


async def choose_host(run: Run[CreateVolume]) -> None:
    """A copy of a volume or snapshot lies where its source does: it has its host already."""

    await run.write(place_in_pool, run)


async def make(run: Run[CreateVolume]) -> None:
    volume_id = run.params.volume_id
    row = await run.read(own, run)
    duty = run.core.hosts.volume(row.host_id)
    size = row.size * GIB
    if run.params.image_id is not None:
        ref = await run.write(_download, volume_id, run.params.image_id)
        await duty.create_from_image(volume_id, size, ref)
    elif row.snapshot_id is not None:
        snapshot = await run.read(_source, run, snapshots, "snapshot", row.snapshot_id)
        await duty.create_from_snapshot(volume_id, size, snapshot.volume_id, snapshot.id)
    elif row.source_volid is not None:
        await run.read(_source, run, volumes, "volume", row.source_volid)
        await duty.create_from_volume(volume_id, size, row.source_volid)
        # It waits for whatever else is done with its source.
        await run.read(_source, run, volumes, "volume", row.source_volid)
    else:
        await duty.create(volume_id, size)


def _source(tx: Tx, run: Run[CreateVolume], store: Any, kind: str, source_id: str) -> Row[Any]:
    """What is copied, when it is still whose it was. :raises Permanent:"""
    row: Row[Any] | None = store.get(tx, source_id)
    if row is None or run.params.source_project not in (None, row.project_id):
        raise Permanent(f"{kind} {source_id} is gone")
    return row


def _download(tx: Tx, volume_id: str, image_id: str) -> ImageRef:
    image = images.image_by_id(tx, image_id)
    if image is None or image.ref is None:
        raise Permanent(f"image {image_id} is not active any more")
    volumes.change(tx, volume_id, only_in=("creating",), status="downloading")
    return image.ref


async def unmake(run: Run[CreateVolume]) -> None:
    row = await run.read(volumes.get, run.params.volume_id)
    if row is None or row.host_id is None or (run.owed and row.status != "error"):
        return
    if run.params.project_id in (None, row.project_id):
        await run.core.hosts.volume(row.host_id).delete(row.id)


async def finish(run: Run[CreateVolume]) -> None:
    def settle(tx: Tx) -> None:
        change_own(tx, run, only_in=BUILDING, status="available", fault=None)
        settle_group(tx, run.params.volume_id)

    await run.write(settle)


async def failed(run: Run[CreateVolume], reason: str) -> None:
    await run.write(_fail, run, reason)


def _fail(tx: Tx, run: Run[CreateVolume], reason: str) -> None:
    volume_id = run.params.volume_id
    changed = change_own(tx, run, only_in=(*BUILDING, "available"), status="error", fault=reason)
    settle_group(tx, volume_id)
    if not changed:
        return
    if own(tx, run).host_id is None:
        tell(tx, run, volume_id, messages.SCHEDULE, messages.NO_POOL)
    elif run.params.image_id is not None:
        tell(tx, run, volume_id, messages.FROM_IMAGE, messages.UNKNOWN)
    else:
        tell(tx, run, volume_id, messages.CREATE, messages.NOT_MADE)


OPERATION = Operation(
    CREATE_VOLUME,
    (Step("choose host", choose_host), Step("make", make, unmake), Step("finish", finish)),
    failed,
)
