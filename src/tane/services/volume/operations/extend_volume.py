"""Grow a volume. extending → available; error_extending when it failed (a grown disk is not made smaller again)."""

from __future__ import annotations

from tane.db import Tx
from tane.jobs import Operation, Run, Step
from tane.services.volume.domain import messages
from tane.services.volume.operations.common import GIB, change_own, own, placed_duty, tell
from tane.services.volume.orders import EXTEND_VOLUME, ExtendVolume


async def grow(run: Run[ExtendVolume]) -> None:
    await run.read(own, run)
    duty = await placed_duty(run, run.params.volume_id)
    await duty.extend(run.params.volume_id, run.params.size * GIB)


async def finish(run: Run[ExtendVolume]) -> None:
    def settle(tx: Tx) -> None:
        change_own(tx, run, only_in=("extending",), status="available", size=run.params.size, extending_to=None)

    await run.write(settle)


async def failed(run: Run[ExtendVolume], reason: str) -> None:
    def fail(tx: Tx) -> None:
        change_own(
            tx, run, only_in=("extending", "available"), status="error_extending", extending_to=None, fault=reason
        )
        tell(tx, run, run.params.volume_id, messages.EXTEND, messages.NOT_EXTENDED)

    await run.write(fail)


OPERATION = Operation(EXTEND_VOLUME, (Step("grow", grow), Step("finish", finish)), failed)
