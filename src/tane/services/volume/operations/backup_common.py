"""What the sagas of backups share."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import Permanent, Run
from tane.services.object import interface as objects
from tane.services.volume.domain import messages
from tane.services.volume.domain.backup_content import Broken, is_part
from tane.services.volume.domain.backups import place_of
from tane.services.volume.store import backups
from tane.web.errors import ApiError

P = ParamSpec("P")
T = TypeVar("T")


def backup(tx: Tx, run: Run[Any], *states: str) -> Row[Any]:
    """The backup that a job was ordered for. :raises Permanent: it is gone, or in another status by now."""
    row = backups.get(tx, run.params.backup_id)
    if row is None:
        raise Permanent(f"backup {run.params.backup_id} is gone")
    if row.status not in states:
        raise Permanent(f"backup {row.id} is {row.status}, not {' or '.join(states)}")
    return row


async def remove_objects(core: Core, row: Row[Any]) -> None:
    """Delete what lies in object storage of a backup, a few at a time. Repeatable."""
    place, after = place_of(row), ""
    is_own = functools.partial(is_part, place.prefix)
    while after := await core.in_file_thread(objects.remove, core, place.shelf, place.prefix, is_own, after):
        pass


async def whole(core: Core, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread, and wait for its end also when nobody wants it any more: what is undone then must not
    be written after that."""
    work = asyncio.ensure_future(core.in_file_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        raise


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What object storage refuses, and what is not as it was written, no second try mends."""
    try:
        yield
    except (ApiError, Broken) as error:
        raise Permanent(str(getattr(error, "message", error))) from None


def tell(tx: Tx, run: Run[Any], row: Row[Any], action: str) -> None:
    """Write the message of a failure for the backup's project."""
    messages.record(
        tx,
        project_id=row.project_id,
        request_id=run.request_id,
        resource_id=row.id,
        action=action,
        detail=messages.UNKNOWN,
        kind=messages.BACKUP,
    )
