"""The root disk as it is now becomes an image; the server goes on meanwhile."""

from __future__ import annotations

import msgspec

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.compute.operations import common
from tane.services.image import interface as image


class Params(msgspec.Struct):
    """``rotation``: the image is a backup, of which so many are kept."""

    server_id: str
    image_id: str
    rotation: int | None = None


async def snapshot(run: Run[Params]) -> None:
    """Write the disk to a file; a half-written one of an earlier try is replaced."""
    target = image.scratch_path(run.core, run.params.image_id)
    target.unlink(missing_ok=True)
    await (await common.host_of(run)).snapshot(run.params.server_id, target)


async def discard(run: Run[Params]) -> None:
    image.scratch_path(run.core, run.params.image_id).unlink(missing_ok=True)


async def store(run: Run[Params]) -> None:
    await common.task(run, "image_uploading")
    await image.store_file(run.core, run.params.image_id, image.scratch_path(run.core, run.params.image_id))


async def settle(run: Run[Params]) -> None:
    await run.write(_finish, run.params)


def _finish(tx: Tx, params: Params) -> None:
    if params.rotation is not None:
        image.rotate_backups(tx, params.image_id, params.rotation)
    common.settle(tx, params.server_id)


async def failed(run: Run[Params], reason: str) -> None:
    """As upstream: an image that got no data does not stay."""
    await run.write(image.delete_image, run.params.image_id)
    await run.write(common.settle, run.params.server_id)


OPERATION = Operation(
    "compute.create_image",
    Params,
    (Step("snapshot", snapshot, discard), Step("store", store), Step("settle", settle)),
    failed,
)
