"""A resource becomes what the new template says: in place, or by another that takes its place, or not at all."""

from __future__ import annotations

import functools
from typing import Any

from tane import jobs
from tane.jobs import Operation, Run, Step
from tane.services.orchestration.domain import deciding, engine, nested, values
from tane.services.orchestration.domain.common import COMPLETE, FAILED, IN_PROGRESS, ByOwner
from tane.services.orchestration.domain.drift import CHANGED_INSIDE
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.operations.common import (
    act,
    becomes,
    gives_up,
    held,
    is_stale,
    kind_of,
    look,
    pause_at,
    put_down,
    until_ready,
)
from tane.services.orchestration.operations.taking_over import regain
from tane.services.orchestration.orders import CREATE_RESOURCE, DELETE_RESOURCE, UPDATE_RESOURCE, ResourceParams
from tane.services.orchestration.resources.base import LET_GO, Failed, Replace
from tane.services.orchestration.store import resources


async def decide(run: Run[ResourceParams]) -> dict[str, Any]:
    """Compare what it is with what it is to be."""

    def work(hand: Hand) -> str:
        plan, row = hand.plan, hand.row
        assert plan is not None
        if not row.working:
            return "end"
        if row.action == "UPDATE" and row.status == IN_PROGRESS:
            return "regain" if LET_GO in row.data else "change"
        if is_stale(hand, run.params) or row.name not in plan.resources:
            put_down(hand)
            return "end"
        if row.action == "INIT":
            if not _goes_back(hand):
                _anew(hand)
            return "end"
        if pause_at(hand, "pre-update", "UPDATE"):
            return "held"
        if row.status == FAILED and row.physical_id is None:
            if not _goes_back(hand):
                _anew(hand)
            return "end"
        changed = {}
        if not deciding.is_outside(plan, row):
            wanted = values.plain(values.resolved(hand, plan, row.name))
            changed = deciding.differing(plan.kinds[row.name], row.properties, wanted)
        mends = deciding.is_bad(row) and plan.kinds[row.name].mends and nested.can_mend(hand.tx, row)
        mends = mends or deciding.is_well(hand) or deciding.ails(hand)
        way = deciding.way(plan, row, changed, mends=mends)
        deciding.check(plan, row, changed, way, mends=mends)
        if way == "replace":
            replace(hand)
            return "end"
        if mends and row.action == "DELETE":
            plan.kinds[row.name].wanted_again(hand)
        if mends:
            hand.change(declared={**row.declared, "digest": CHANGED_INSIDE})
        if way == "update" or LET_GO in row.data:
            becomes(hand, "UPDATE", IN_PROGRESS)
            return "regain" if LET_GO in row.data else "change"
        _adopt(hand)
        hand.change(working=False, status=COMPLETE)
        engine.handled(hand.tx, hand.core, hand.row)
        return "end"

    found = await act(run, work, looks=functools.partial(look, hook="pre-update"))
    if found == "held":
        raise held(run.params.resource_id)
    return {"what": found or "end"}


def _adopt(hand: Hand) -> None:
    """Take over what a new template says without a change of the resource itself."""
    plan = hand.plan
    assert plan is not None
    name = hand.row.name
    hand.change(
        requires=resources.ids(hand.tx, hand.stack.id, plan.graph[name]),
        # That it was adopted stays true whatever is changed.
        declared={**values.kept(hand, plan, name), engine.ADOPTED: hand.row.declared.get(engine.ADOPTED, False)},
        # What has come by signals stays.
        metadata={**values.metadata(hand, plan, name), **plan.kinds[name].told_before(hand.row.metadata)},
    )


def _anew(hand: Hand) -> None:
    """Of a creation that failed before there was anything: the same row tries once more."""
    params = ResourceParams(hand.row.id, hand.stack.traversal)
    hand.change(action="INIT", status=COMPLETE, reason="", declared={}, properties={}, data={}, working=True)
    by = ByOwner(hand.stack.request_id, hand.stack.user_id, hand.stack.project_id)
    jobs.enqueue(hand.tx, CREATE_RESOURCE, params, resource=engine.job_of(hand.row.id), by=by)


def _goes_back(hand: Hand) -> bool:
    """Let one in whose place the resource came be the present one again, where that is what is wanted or can be changed
    to it: what it holds would go with it."""
    plan, row = hand.plan, hand.row
    assert plan is not None
    if row.replaces is None:
        return False
    wanted = values.plain(values.resolved(hand, plan, row.name))
    before = engine.replaced(row, {one.id: one for one in resources.all_named(hand.tx, hand.stack.id, row.name)})
    old = next((one for one in before if deciding.fits(plan, one, wanted, mends=deciding.is_well(hand.at(one)))), None)
    if old is None:
        return False
    hand.change(current=False, working=False, hook=None)
    resources.change(hand.tx, old.id, current=True, working=True, traversal=hand.stack.traversal)
    by = ByOwner(hand.stack.request_id, hand.stack.user_id, hand.stack.project_id)
    params = ResourceParams(old.id, hand.stack.traversal)
    jobs.enqueue(hand.tx, UPDATE_RESOURCE, params, resource=engine.job_of(old.id), by=by)
    return True


def replace(hand: Hand) -> None:
    """Put another in its place, which is made first; the old one is deleted when all is done, but at once where it was
    never whole and only takes room: it would be one more with each attempt. Or go back to one that it had replaced.

    :raises Failed: the environment forbids it.
    """
    plan, old = hand.plan, hand.row
    assert plan is not None
    if "replace" in plan.restricted(old.name):
        raise Failed("replace is restricted for resource.")
    if _goes_back(hand):
        return
    new = engine.fresh(
        hand.tx,
        hand.stack,
        old.name,
        plan.resources[old.name].type,
        replaces=old.id,
        traversal=hand.stack.traversal,
        working=True,
        cleared=[f"pre-create {hand.stack.traversal}"],
    )
    resources.add(hand.tx, new)
    goes = old.action == "CREATE" and old.status == FAILED and kind_of(hand).makes_way
    hand.change(current=False, working=goes, hook=None)
    by = ByOwner(hand.stack.request_id, hand.stack.user_id, hand.stack.project_id)
    if goes:
        gone = ResourceParams(old.id, hand.stack.traversal)
        jobs.enqueue(hand.tx, DELETE_RESOURCE, gone, resource=engine.job_of(old.id), by=by)
    params = ResourceParams(new["id"], hand.stack.traversal)
    jobs.enqueue(hand.tx, CREATE_RESOURCE, params, resource=engine.job_of(new["id"]), by=by)


async def change(run: Run[ResourceParams]) -> dict[str, Any]:
    if run.data["what"] not in ("regain", "change"):
        return {}

    def work(hand: Hand) -> None:
        plan, row = hand.plan, hand.row
        assert plan is not None
        if is_stale(hand, run.params) or not row.working or row.name not in plan.resources:
            return
        hand.properties = values.plain(values.resolved(hand, plan, row.name))
        kind = plan.kinds[row.name]
        changed = deciding.differing(kind, row.properties, hand.properties)
        kind.validate(hand, hand.properties)
        kind.permit(hand)
        if changed or deciding.other_text(plan, row):
            kind.change(hand, changed)
        hand.change(properties=dict(hand.properties))
        _adopt(hand)

    def instead(hand: Hand) -> None:
        if hand.row.working and hand.row.current:
            hand.change(action="UPDATE", status=COMPLETE)
            replace(hand)

    try:
        if run.data["what"] == "regain":
            await regain(run)
        await act(run, work, looks=look)
    except Replace:
        await act(run, instead)
        return {"what": "end"}
    return {}


async def wait(run: Run[ResourceParams]) -> None:
    if run.data["what"] == "end":
        return
    await until_ready(run, "UPDATE")


OPERATION = Operation(
    UPDATE_RESOURCE, (Step("decide", decide), Step("change", change), Step("wait", wait)), gives_up("UPDATE")
)
