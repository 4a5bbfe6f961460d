"""Who runs what only one process of a cloud shall run: a row per name, held for a while and renewed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import or_, select, update

from tane.db import Tx
from tane.jobs.loops import forever
from tane.jobs.tables import lease

if TYPE_CHECKING:
    from tane.core import Core

T = TypeVar("T")
SPAN = timedelta(seconds=60)
RENEW_SECONDS = 20.0


def take(tx: Tx, name: str, owner: str) -> bool:
    """Hold ``name`` for :data:`SPAN` from now; False while another owner holds it."""
    free = or_(lease.c.owner == owner, lease.c.held_until < tx.now)
    until = {"owner": owner, "held_until": tx.now + SPAN}
    if tx.count(update(lease).where(lease.c.name == name, free).values(**until)):
        return True
    if tx.first(select(lease.c.name).where(lease.c.name == name)) is not None:
        return False
    tx.insert(lease, name=name, **until)
    return True


async def alone(core: Core, name: str, owner: str, work: Callable[[], Awaitable[T]]) -> T | None:
    """Do ``work`` unless another process of the cloud does it, or did within :data:`SPAN`; None then.

    The database of one process needs no rows for that.
    """
    if core.db.embedded:
        return await work()
    if not await core.in_thread(_taken, core, name, owner):
        return None
    renewing = asyncio.create_task(forever(f"lease {name}", functools.partial(_renew_later, core, name, owner)))
    try:
        return await work()
    finally:
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewing


async def _renew_later(core: Core, name: str, owner: str) -> None:
    await asyncio.sleep(RENEW_SECONDS)
    await core.in_thread(_taken, core, name, owner)


def _taken(core: Core, name: str, owner: str) -> bool:
    with core.db.write() as tx:
        return take(tx, name, owner)
