"""A resource is checked, suspended, resumed or kept for a snapshot with its stack."""

from __future__ import annotations

from tane.jobs import Operation, Run, Step
from tane.services.orchestration.domain.common import FAILED, IN_PROGRESS
from tane.services.orchestration.domain.hand import Hand
from tane.services.orchestration.operations.common import act, becomes, completes, gives_up, kind_of, later
from tane.services.orchestration.orders import TURN_RESOURCE, TurnParams
from tane.services.orchestration.resources.base import Failed, Kind, Wait
from tane.services.orchestration.store import snapshots
from tane.web.errors import NotFound


async def begin(run: Run[TurnParams]) -> None:
    def work(hand: Hand) -> None:
        action, kind = run.params.action, kind_of(hand)
        if hand.row.action == action and hand.row.status == IN_PROGRESS:
            return
        never = hand.row.physical_id is None and hand.row.status == FAILED
        becomes(hand, action, IN_PROGRESS)
        if action in ("SUSPEND", "RESUME") and hand.row.declared.get("external_id"):
            # It is others'.
            completes(hand, action)
        elif action == "SUSPEND":
            kind.suspend(hand)
        elif action == "RESUME":
            kind.resume(hand)
        elif action == "SNAPSHOT":
            _save(hand, kind, run.params.traversal)
        else:
            if never:
                raise Failed("It was never made.")
            try:
                kind.check(hand)
            except NotFound as error:
                raise Failed(error.message) from None

    await act(run, work)


def _save(hand: Hand, kind: Kind, snapshot_id: str) -> None:
    """What is kept elsewhere is recorded in the transaction that begins it: with the snapshot it goes. Where another
    resource has failed meanwhile, nothing is begun any more."""
    row, snapshot = hand.row, snapshots.get(hand.tx, snapshot_id)
    if snapshot is None or (snapshot.action, snapshot.status) != ("CREATE", IN_PROGRESS):
        hand.keep(saved={})
        return
    outside = row.physical_id is None or row.declared.get("external_id")
    kept = {} if outside else dict(kind.snapshot(hand))
    hand.keep(saved=kept)
    part = {"name": row.name, "type": row.type, "physical_id": row.physical_id, "data": kept}
    snapshots.add_part(hand.tx, {"snapshot_id": snapshot_id, **part})


async def wait(run: Run[TurnParams]) -> None:
    def work(hand: Hand) -> Wait | None:
        if hand.row.status != IN_PROGRESS or not hand.row.working:
            return None
        kind = kind_of(hand)
        if kind.turned(hand, run.params.action):
            # What was kept for a snapshot is the snapshot's from now on.
            completes(
                hand, run.params.action, data={key: hand.row.data[key] for key in hand.row.data if key != "saved"}
            )
            return None
        return kind.waits(hand)

    pause = await act(run, work)
    if pause is not None:
        raise later(run, pause)


OPERATION = Operation(TURN_RESOURCE, (Step("begin", begin), Step("wait", wait)), gives_up(""))
