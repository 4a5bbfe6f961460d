"""A snapshot of a stack goes, after all that it keeps in other services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.jobs import Operation, Permanent, Retry, Run, Step
from tane.services.identity import interface as identity
from tane.services.orchestration.domain import ahead, engine, saved
from tane.services.orchestration.domain.common import FAILED, IN_PROGRESS
from tane.services.orchestration.operations.common import CONFLICTS, LOOKS_AT_ONCE
from tane.services.orchestration.orders import DELETE_SNAPSHOT, SnapshotParams
from tane.services.orchestration.resources.base import Failed
from tane.services.orchestration.store import snapshots, stacks
from tane.web.context import Context
from tane.web.errors import ApiError, Forbidden, Unauthorized, Unavailable

Deletion = Run[SnapshotParams]


async def remove(run: Deletion) -> None:
    """One after another, each in a transaction of its own; each is waited for until it is gone.

    :raises Permanent: nobody may delete one, or it cannot be. :raises Retry: one is on its way.
    """
    core = run.core
    row, parts = await core.in_thread(_seen, core, run.params.snapshot_id)
    if row is None:
        return
    for part in parts:
        if not saved.is_kept(part.data):
            continue
        try:
            awaits = await core.in_thread(_delete, core, run, row, part)
        except Unavailable as error:
            raise Retry(error.message) from None
        except ApiError as error:
            if error.status == 409 and run.attempt < CONFLICTS:
                raise Retry(error.message) from None
            raise Permanent(f"{error.type}: resources.{part.name}: {error.message}") from None
        except Failed as error:
            raise Permanent(f"ResourceInError: resources.{part.name}: {error}") from None
        if awaits is not None:
            raise _later(run, awaits)


def _later(run: Deletion, awaits: str) -> Retry:
    return Retry(
        f"it awaits {awaits}",
        awaits=awaits,
        unless=lambda tx: run.attempt < LOOKS_AT_ONCE and not jobs.unfinished(tx, awaits),
    )


def _seen(core: Core, snapshot_id: str) -> tuple[Row[Any] | None, list[Row[Any]]]:
    with core.db.read() as tx:
        row = snapshots.get(tx, snapshot_id)
        return row, [] if row is None else snapshots.parts(tx, snapshot_id)


def _delete(core: Core, run: Deletion, row: Row[Any], part: Row[Any]) -> str | None:
    """As who sent what the stack was; what he may not delete (any more), as who asked for the deletion."""
    why: ApiError = Forbidden("Whose snapshot it is, and who deletes it, have no rights in the project any more.")
    for delegation in (row.owner["delegation"], row.asked_by):
        ctx = _acting(core, delegation, run.request_id or "")
        if ctx is None:
            continue
        try:
            with core.db.write() as tx:
                run.guard(tx)
                with core.db.joining(tx):
                    awaits = saved.delete(core, ctx, part.data)
                if awaits is None:
                    snapshots.remove_part(tx, row.id, part.name)
                return awaits
        except Forbidden as error:
            why = error
    raise why


def _acting(core: Core, delegation: Mapping[str, Any] | None, request_id: str) -> Context | None:
    if delegation is None:
        return None
    try:
        return identity.acting(core, msgspec.convert(delegation, identity.Delegation), request_id)
    except Unauthorized:
        return None


async def forget(run: Deletion) -> None:
    """Its row goes, and a stack that is deleted goes on."""
    await run.core.in_thread(_forget, run.core, run)


@ahead.writes
def _forget(core: Core, run: Deletion) -> None:
    with core.db.write() as tx:
        run.guard(tx)
        row = snapshots.get(tx, run.params.snapshot_id)
        if row is not None:
            snapshots.remove(tx, row)
            _go_on(tx, core, row)


async def failed(run: Deletion, reason: str) -> None:
    await run.core.in_thread(_give_up, run.core, run, reason)


@ahead.writes
def _give_up(core: Core, run: Deletion, reason: str) -> None:
    with core.db.write() as tx:
        run.guard(tx)
        row = snapshots.get(tx, run.params.snapshot_id)
        if row is not None and row.status == IN_PROGRESS:
            snapshots.change(tx, row.id, status=FAILED, reason=reason)
            _go_on(tx, core, row)


def _go_on(tx: Any, core: Core, row: Row[Any]) -> None:
    stack = stacks.get(tx, row.stack_id)
    if stack is not None and stack.action == "DELETE":
        engine.advance(tx, core, stack.id)


OPERATION = Operation(DELETE_SNAPSHOT, (Step("remove", remove), Step("forget", forget)), failed)
