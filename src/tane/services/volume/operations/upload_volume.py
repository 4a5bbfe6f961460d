"""Make an image of a volume's content. uploading → what the status was; the image is deleted when it failed."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.image import interface as images
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import go_back, own, placed_duty, tell
from tane.services.volume.orders import UPLOAD_VOLUME, UploadVolume


async def write_file(run: Run[UploadVolume]) -> None:
    if await run.read(_has_data, run.params.image_id):
        return
    await run.read(_ordered, run)
    duty = await placed_duty(run, run.params.volume_id)
    content = duty.upload(run.params.volume_id, run.params.disk_format)
    await images.keep(run.core, run.params.image_id, content)


def _ordered(tx: Tx, run: Run[UploadVolume]) -> None:
    """:raises Permanent: the volume was given away, or its status changed by hand: what is in it now is not meant."""
    row = own(tx, run)
    if row.status != "uploading":
        raise Permanent(f"volume {row.id} is {row.status}, not being uploaded")


def _has_data(tx: Tx, image_id: str) -> bool:
    image = images.image_by_id(tx, image_id)
    return image is not None and image.os_hash_value is not None


async def drop_image(run: Run[UploadVolume]) -> None:
    images.scratch_path(run.core, run.params.image_id).unlink(missing_ok=True)
    await run.write(images.delete_image, run.params.image_id)


async def store(run: Run[UploadVolume]) -> None:
    if not await run.read(_has_data, run.params.image_id):
        await run.read(_ordered, run)
    await images.store_file(run.core, run.params.image_id, images.scratch_path(run.core, run.params.image_id))


async def release(run: Run[UploadVolume]) -> None:
    await run.write(go_back, run, "uploading")


async def failed(run: Run[UploadVolume], reason: str) -> None:
    def fail(tx: Tx) -> None:
        go_back(tx, run, "uploading")
        tell(tx, run, run.params.volume_id, messages.TO_IMAGE, messages.NO_UPLOAD)

    await run.write(fail)


OPERATION = Operation(
    UPLOAD_VOLUME,
    (Step("write file", write_file, drop_image), Step("store", store), Step("release", release)),
    failed,
)
