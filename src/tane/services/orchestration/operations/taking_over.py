"""One resource takes the place of another: what only one can hold goes from who had it to who is to have it, before
that is made or gone back to."""

from __future__ import annotations

from sqlalchemy.engine import Row

from tane.jobs import Run
from tane.services.orchestration.domain import engine
from tane.services.orchestration.domain.common import IN_PROGRESS
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.operations.common import CONFLICTS, act, is_stale, kind_of, later
from tane.services.orchestration.orders import ResourceParams
from tane.services.orchestration.resources.base import LET_GO, Replace, Wait
from tane.services.orchestration.store import resources
from tane.web.errors import NotFound


async def clear(run: Run[ResourceParams]) -> None:
    """Before a resource is made: those in whose place it comes let go what it may need.

    :raises Retry: they have not yet.
    """

    def work(hand: Hand) -> Wait | None:
        begins = hand.row.working and hand.row.action == "INIT" and not is_stale(hand, run.params)
        return _let_go(hand) if begins and hand.row.replaces is not None else None

    pause = await act(run, work, conflicts=CONFLICTS)
    if pause is not None:
        raise later(run, pause)


async def regain(run: Run[ResourceParams]) -> None:
    """Before a resource is changed: what it had let go to another it has again.

    :raises Retry: it has not yet. :raises Replace: what it had is gone.
    """

    def work(hand: Hand) -> Wait | None:
        begins = hand.row.working and hand.row.action == "UPDATE" and hand.row.status == IN_PROGRESS
        if not begins or LET_GO not in hand.row.data or is_stale(hand, run.params):
            return None
        if (pause := _let_go(hand)) is not None:
            return pause
        kind = kind_of(hand)
        try:
            has_it = kind.takes_back(hand)
        except NotFound:
            raise Replace from None
        if not has_it:
            return kind.waits(hand)
        hand.drop(LET_GO)
        return None

    pause = await act(run, work, conflicts=CONFLICTS)
    if pause is not None:
        raise later(run, pause)


def _let_go(hand: Hand) -> Wait | None:
    """Let the others in its place give up what only one can hold; what is to be waited for till they have."""
    for row in resources.all_named(hand.tx, hand.stack.id, hand.row.name):
        if row.id == hand.row.id or row.physical_id is None or _is_of_others(hand, row):
            continue
        if row.working and row.action != "DELETE":
            return Wait(None, engine.job_of(row.id))
        other = hand.at(row)
        kind = kind_of(other)
        if not kind.lets_go(other):
            return kind.waits(other)
    return None


def _is_of_others(hand: Hand, row: Row[object]) -> bool:
    """Whether what it stands for is no matter of the stack."""
    return bool(row.declared.get("external_id")) or engine.is_brought(hand.tx, hand.stack, row)
