"""Snapshots of a server's volumes become an image without data that names them; the server goes on meanwhile."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.compute.domain.common import of_project
from tane.services.compute.operations import common
from tane.services.compute.orders import CREATE_VOLUME_IMAGE, CreateVolumeImage
from tane.services.compute.store import servers
from tane.services.image import interface as image
from tane.services.volume import interface as volume

SNAPSHOT_SECONDS = 600.0


async def wait(run: Run[CreateVolumeImage]) -> None:
    await common.task(run, "image_pending_upload")
    for snapshot_id in run.params.snapshot_ids:

        def taken(tx: Tx, snapshot_id: str = snapshot_id) -> bool:
            info = volume.snapshot_info(tx, None, snapshot_id)
            if info.status not in ("creating", "available"):
                raise Permanent(f"Snapshot {snapshot_id} is {info.status}: {info.fault}")
            return info.status == "available"

        await run.wait(f"snapshot:{snapshot_id}", taken, within=SNAPSHOT_SECONDS, what=f"snapshot {snapshot_id}")


async def drop(run: Run[CreateVolumeImage]) -> None:
    def write(tx: Tx) -> None:
        row = servers.get(tx, run.params.server_id, deleted=True)
        if row is not None:
            for snapshot_id in run.params.snapshot_ids:
                volume.delete_snapshot(tx, of_project(row, run.request_id), snapshot_id)

    await run.write(write)


async def store(run: Run[CreateVolumeImage]) -> None:
    """An image without data is active like any other: its data is empty."""
    path = image.scratch_path(run.core, run.params.image_id)
    path.write_bytes(b"")
    await image.store_file(run.core, run.params.image_id, path)


async def discard(run: Run[CreateVolumeImage]) -> None:
    image.scratch_path(run.core, run.params.image_id).unlink(missing_ok=True)


async def settle(run: Run[CreateVolumeImage]) -> None:
    await run.write(common.settle, run.params.server_id)


async def failed(run: Run[CreateVolumeImage], reason: str) -> None:
    """As upstream: an image that leads nowhere does not stay."""
    await run.write(image.delete_image, run.params.image_id)
    await run.write(common.settle, run.params.server_id)


OPERATION = Operation(
    CREATE_VOLUME_IMAGE,
    (Step("snapshots", wait, drop), Step("store", store, discard), Step("settle", settle)),
    failed,
)
