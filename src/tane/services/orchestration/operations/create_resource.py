"""A resource comes to be: what stands for it in its service is made and recorded in one transaction, then awaited."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tane.jobs import Operation, Run, Step
from tane.services.orchestration.domain import engine, values
from tane.services.orchestration.domain.common import IN_PROGRESS
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.operations.common import (
    act,
    becomes,
    completes,
    gives_up,
    held,
    is_ready,
    is_stale,
    look,
    pause_at,
    put_down,
    until_ready,
)
from tane.services.orchestration.operations.taking_over import clear
from tane.services.orchestration.orders import CREATE_RESOURCE, ResourceParams
from tane.services.orchestration.resources.base import Failed, Kind
from tane.services.orchestration.store import resources


async def make(run: Run[ResourceParams]) -> dict[str, Any]:
    """Recorded with its id in the transaction that makes it: between the two nothing can get lost. What is ready at
    once is complete in the same. Those in whose place it comes let go before that what it may need."""
    is_clear = False

    def work(hand: Hand) -> str:
        assert hand.plan is not None
        if not hand.row.working or hand.row.action != "INIT":
            # Done already, in a try that was not written down.
            return "wait"
        if is_stale(hand, run.params) or hand.row.name not in hand.plan.resources:
            put_down(hand)
            return "end"
        if pause_at(hand, "pre-create", "CREATE"):
            return "held"
        if hand.row.replaces is not None and not is_clear:
            return "clear"
        hand.adopted = _brought(hand)
        becomes(hand, "CREATE" if hand.adopted is None else "ADOPT", IN_PROGRESS)
        kind = _made(hand)
        if hand.row.declared.get("external_id"):
            completes(hand, "CHECK")
            return "end"
        if not (hand.adopted is not None and kind.adopts) and not is_ready(hand, kind):
            return "wait"
        completes(hand, hand.row.action)
        return "end"

    found = await act(run, work, looks=functools.partial(look, hook="pre-create"))
    if found == "clear":
        await clear(run)
        is_clear = True
        found = await act(run, work, looks=functools.partial(look, hook="pre-create"))
    if found == "held":
        raise held(run.params.resource_id)
    return {"go": found == "wait"}


def _brought(hand: Hand) -> Mapping[str, Any] | None:
    """What it is adopted from. Who later changes a stack whose adoption failed adopts nothing by what another brought:
    what is not there yet is made."""
    found: Mapping[str, Any] | None = hand.row.data.get(engine.ADOPTED)
    if found is not None and hand.stack.action != "ADOPT":
        hand.change(data={})
        return None
    return found


def _made(hand: Hand) -> Kind:
    plan, name = hand.plan, hand.row.name
    assert plan is not None
    kind, declared = plan.kinds[name], values.kept(hand, plan, name)
    needed = resources.ids(hand.tx, hand.stack.id, plan.graph[name])
    hand.change(requires=needed, metadata=values.metadata(hand, plan, name), declared=declared)
    if declared["external_id"]:
        hand.change(physical_id=str(declared["external_id"]))
        kind.check(hand)
        return kind
    hand.properties = values.plain(values.resolved(hand, plan, name))
    hand.change(properties=hand.properties)
    kind.validate(hand, hand.properties)
    kind.permit(hand)
    if hand.adopted is not None:
        _adopt(hand, kind)
        return kind
    made = kind.create(hand)
    hand.change(physical_id=made)
    return kind


def _adopt(hand: Hand, kind: Kind) -> None:
    """Take what is there already, if who acts finds it; what the stack itself keeps is made anew.

    :raises Failed: nothing is named. :raises NotFound: it is not there.
    """
    assert hand.adopted is not None
    hand.change(data=kind.brought(hand.adopted.get("resource_data") or {}))
    if not kind.adopts:
        hand.change(physical_id=kind.create(hand))
        if hand.adopted.get("metadata"):
            hand.change(metadata=kind.told_before(hand.adopted["metadata"]) or hand.row.metadata)
        return
    if not hand.adopted.get("resource_id"):
        raise Failed("Resource ID was not provided.")
    lacks = kind.lacks(hand.row.data)
    if lacks is not None:
        raise Failed(f"resource_data.{lacks} was not provided.")
    hand.change(physical_id=str(hand.adopted["resource_id"]), declared={**hand.row.declared, engine.ADOPTED: True})
    kind.differences(hand.comparing())


async def wait(run: Run[ResourceParams]) -> None:
    """Until it is ready, and the stack goes on."""
    if not run.data["go"]:
        return
    await until_ready(run, "")


OPERATION = Operation(CREATE_RESOURCE, (Step("make", make), Step("wait", wait)), gives_up("CREATE"))
