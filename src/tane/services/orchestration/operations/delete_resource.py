"""A resource goes: what its service lets go at once, and what takes time there; then its row."""

from __future__ import annotations

from typing import Any

from tane.jobs import Operation, Retry, Run, Step
from tane.services.orchestration.domain import engine, guests
from tane.services.orchestration.domain.common import COMPLETE, IN_PROGRESS, record
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.operations.common import (
    CONFLICTS,
    MET,
    Away,
    act,
    becomes,
    errand_of,
    gives_up,
    held,
    kind_of,
    later,
    pause_at,
    sent,
)
from tane.services.orchestration.orders import DELETE_RESOURCE, ResourceParams
from tane.services.orchestration.resources.base import Wait, is_retained
from tane.services.orchestration.store import resources


def _is_left(hand: Hand) -> bool:
    """Whether it was there before, and its author may not delete it."""
    return hand.leaves or bool(hand.row.data.get("left"))


def _kept(hand: Hand) -> bool:
    """Whether the template says that the thing outlives the stack, or it was there before, and who acts is not who
    brought it, or its stack was never whole."""
    declared = hand.row.declared
    if engine.is_brought(hand.tx, hand.stack, hand.row):
        return True
    return _is_left(hand) or is_retained(hand.row) or bool(declared.get("external_id"))


async def remove(run: Run[ResourceParams]) -> dict[str, Any]:
    """What goes at once is gone, with its row, in the same transaction."""

    def work(hand: Hand) -> str:
        if pause_at(hand, "pre-delete", "DELETE"):
            return "held"
        _begin(hand)
        kind = kind_of(hand)
        if not _kept(hand):
            kind.delete(hand)
        if not _kept(hand) and not kind.gone(hand):
            return "wait"
        _forget(hand)
        return "end"

    try:
        found = await act(run, work, conflicts=CONFLICTS, deletes=True)
    except Retry:
        await act(run, _begin, deletes=True)
        raise
    if found == "held":
        raise held(run.params.resource_id)
    return {"go": found == "wait", MET: 0}


def _begin(hand: Hand) -> None:
    if (hand.row.action, hand.row.status) != ("DELETE", IN_PROGRESS):
        becomes(hand, "DELETE", IN_PROGRESS)


def _forget(hand: Hand) -> None:
    reason = "state changed"
    if engine.is_brought(hand.tx, hand.stack, hand.row):
        reason = "left where it is: the stack that adopted it was not whole"
    elif _is_left(hand):
        reason = "left where it is: who adopted it may not delete it"
    record(hand.tx, hand.stack.id, hand.row, "DELETE", COMPLETE, reason)
    guests.gone(hand.tx, hand.core, [hand.row])
    if hand.row.replaces is not None:
        resources.inherit(hand.tx, hand.row)
    resources.remove(hand.tx, hand.row.id)
    engine.deleted(hand.tx, hand.core, hand.row)


async def wait(run: Run[ResourceParams]) -> None:
    """Until it is gone; its row goes with that, and the stack goes on."""
    if not run.data["go"]:
        return

    def work(hand: Hand) -> Wait | Away | None:
        kind = kind_of(hand)
        if not _kept(hand) and (away := errand_of(hand, kind)) is not None:
            return away
        if not _kept(hand) and not kind.gone(hand):
            return kind.waits(hand)
        _forget(hand)
        return None

    pause = await sent(run, work, conflicts=CONFLICTS, deletes=True)
    if pause is not None:
        raise later(run, pause)


OPERATION = Operation(DELETE_RESOURCE, (Step("remove", remove), Step("wait", wait)), gives_up("DELETE"))
