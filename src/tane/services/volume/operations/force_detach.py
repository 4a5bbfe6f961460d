"""Take a volume away from a server that will not let it go: end its export, forget the attachment.

detaching → available; the status is error when the volume's host cannot end the export. The server sees its disk fail.
"""

from __future__ import annotations

import msgspec

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.operations.common import duty_of
from tane.services.volume.store import attachments, volumes


class Params(msgspec.Struct):
    volume_id: str
    attachment_ids: list[str]


async def disconnect(run: Run[Params]) -> None:
    duty = await duty_of(run, run.params.volume_id)
    if duty is not None:
        await duty.unexport(run.params.volume_id)


async def forget(run: Run[Params]) -> None:
    def write(tx: Tx) -> None:
        for attachment_id in run.params.attachment_ids:
            attachments.remove(tx, attachment_id)
        left = attachments.of_volumes(tx, [run.params.volume_id])
        status = "in-use" if left else "available"
        volumes.change(tx, run.params.volume_id, only_in=("detaching",), status=status, fault=None)

    await run.write(write)


async def failed(run: Run[Params], reason: str) -> None:
    await run.write(volumes.change, run.params.volume_id, only_in=("detaching",), status="error", fault=reason)


OPERATION = Operation("volume.force_detach", Params, (Step("disconnect", disconnect), Step("forget", forget)), failed)
