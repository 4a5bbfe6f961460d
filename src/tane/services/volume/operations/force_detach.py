"""Take a volume away from a server that will not let it go: end its export, forget the attachment.

detaching → available; the status is error when the volume's host cannot end the export. The server sees its disk fail.
"""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.domain.attachments import taken
from tane.services.volume.operations.common import change_own, locate, located_duty
from tane.services.volume.orders import FORCE_DETACH, ForceDetach
from tane.services.volume.store import attachments


async def disconnect(run: Run[ForceDetach]) -> None:
    """Not where the volume was attached anew since."""
    if await run.read(taken, run.params.volume_id, run.params.attachment_ids):
        return
    if duty := await located_duty(run):
        await duty.unexport(run.params.volume_id)


async def forget(run: Run[ForceDetach]) -> None:
    def write(tx: Tx) -> None:
        for attachment_id in run.params.attachment_ids:
            attachments.remove(tx, attachment_id)
        left = attachments.of_volumes(tx, [run.params.volume_id])
        status = "in-use" if left else "available"
        change_own(tx, run, only_in=("detaching",), status=status, fault=None)

    await run.write(write)


async def failed(run: Run[ForceDetach], reason: str) -> None:
    await run.write(change_own, run, only_in=("detaching",), status="error", fault=reason)


OPERATION = Operation(
    FORCE_DETACH, (Step("locate", locate), Step("disconnect", disconnect, owed=True), Step("forget", forget)), failed
)
