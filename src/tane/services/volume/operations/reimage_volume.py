"""Write an image over a volume.

downloading → what the status was; error when it failed, as the content is gone then.
"""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.image import interface as images
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import GIB, existing, placed_duty, tell
from tane.services.volume.orders import REIMAGE_VOLUME, ReimageVolume
from tane.services.volume.store import volumes


async def clear(run: Run[ReimageVolume]) -> None:
    duty = await placed_duty(run, run.params.volume_id)
    await duty.delete(run.params.volume_id)


async def write(run: Run[ReimageVolume]) -> None:
    row = await run.read(existing, run.params.volume_id)
    image = await run.read(images.image_by_id, run.params.image_id)
    if image is None or image.ref is None:
        raise Permanent(f"image {run.params.image_id} is not active any more")
    duty = await placed_duty(run, run.params.volume_id)
    await duty.create_from_image(run.params.volume_id, row.size * GIB, image.ref)


async def finish(run: Run[ReimageVolume]) -> None:
    def release(tx: Tx) -> None:
        row = existing(tx, run.params.volume_id)
        status = row.previous_status or "available"
        volumes.change(tx, row.id, only_in=("downloading",), status=status, previous_status=None, fault=None)

    await run.write(release)


async def failed(run: Run[ReimageVolume], reason: str) -> None:
    def fail(tx: Tx) -> None:
        states = ("downloading", "available", "reserved")
        volumes.change(tx, run.params.volume_id, only_in=states, status="error", previous_status=None, fault=reason)
        tell(tx, run, run.params.volume_id, messages.FROM_IMAGE, messages.UNKNOWN)

    await run.write(fail)


OPERATION = Operation(
    REIMAGE_VOLUME,
    (Step("clear", clear), Step("write", write), Step("finish", finish)),
    failed,
)
