"""The root disk as it is now becomes an image; the server goes on meanwhile."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.operations import common
from tane.services.compute.orders import CREATE_IMAGE, CreateImage
from tane.services.image import interface as image


async def snapshot(run: Run[CreateImage]) -> None:
    """Write the disk to a file; a half-written one of an earlier try is replaced."""
    content = (await common.host_of(run)).snapshot(run.params.server_id)
    await image.keep(run.core, run.params.image_id, content)


async def discard(run: Run[CreateImage]) -> None:
    image.scratch_path(run.core, run.params.image_id).unlink(missing_ok=True)


async def store(run: Run[CreateImage]) -> None:
    await common.task(run, "image_uploading")
    await image.store_file(run.core, run.params.image_id, image.scratch_path(run.core, run.params.image_id))


async def settle(run: Run[CreateImage]) -> None:
    await run.write(_finish, run.params)


def _finish(tx: Tx, params: CreateImage) -> None:
    if params.rotation is not None:
        image.rotate_backups(tx, params.image_id, params.rotation)
    common.settle(tx, params.server_id)


async def failed(run: Run[CreateImage], reason: str) -> None:
    """As upstream: an image that got no data does not stay."""
    await run.write(image.delete_image, run.params.image_id)
    await run.write(common.settle, run.params.server_id)


OPERATION = Operation(
    CREATE_IMAGE,
    (Step("snapshot", snapshot, discard), Step("store", store), Step("settle", settle)),
    failed,
)
