"""Write an image over a volume.

downloading → what the status was; error when it failed, as the content is gone then.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.image import interface as images
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import GIB, change_own, go_back, own, placed_duty, tell
from tane.services.volume.orders import REIMAGE_VOLUME, ReimageVolume


async def clear(run: Run[ReimageVolume]) -> None:
    await run.read(_ordered, run)
    duty = await placed_duty(run, run.params.volume_id)
    await duty.delete(run.params.volume_id)


def _ordered(tx: Tx, run: Run[ReimageVolume]) -> Row[Any]:
    """:raises Permanent: the volume was given away, or its status changed by hand: its content stays."""
    row = own(tx, run)
    if row.status != "downloading":
        raise Permanent(f"volume {row.id} is {row.status}, not waiting for its image")
    return row


async def write(run: Run[ReimageVolume]) -> None:
    row = await run.read(_ordered, run)
    image = await run.read(images.image_by_id, run.params.image_id)
    if image is None or image.ref is None:
        raise Permanent(f"image {run.params.image_id} is not active any more")
    duty = await placed_duty(run, run.params.volume_id)
    await duty.create_from_image(run.params.volume_id, row.size * GIB, image.ref)


async def finish(run: Run[ReimageVolume]) -> None:
    await run.write(go_back, run, "downloading", fault=None)


async def failed(run: Run[ReimageVolume], reason: str) -> None:
    def fail(tx: Tx) -> None:
        states = ("downloading", "available", "reserved")
        change_own(tx, run, only_in=states, status="error", previous_status=None, fault=reason)
        tell(tx, run, run.params.volume_id, messages.FROM_IMAGE, messages.UNKNOWN)

    await run.write(fail)


OPERATION = Operation(
    REIMAGE_VOLUME,
    (Step("clear", clear), Step("write", write), Step("finish", finish)),
    failed,
)
