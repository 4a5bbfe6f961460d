"""What the engine does with snapshots of a stack: they end with the action that takes them, and go with the stack."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane import jobs
from tane.db import Tx
from tane.services.orchestration.domain.common import FAILED, IN_PROGRESS, ByOwner
from tane.services.orchestration.orders import DELETE_SNAPSHOT, SnapshotParams
from tane.services.orchestration.store import snapshots


def ends(tx: Tx, stack: Row[Any], status: str, reason: str) -> None:
    """The action of a stack is over: so is the snapshot that it was to take. Its traversal is the snapshot's id."""
    if stack.action == "SNAPSHOT":
        snapshots.change(tx, stack.traversal, status=status, reason=reason)


def job_of(snapshot_id: str) -> str:
    return f"stack_snapshot:{snapshot_id}"


def order_deletion(tx: Tx, snapshot_id: str, by: ByOwner, **values: Any) -> None:
    """Begin to delete a snapshot with all that it keeps elsewhere."""
    said = {"action": "DELETE", "status": IN_PROGRESS, "reason": "Snapshot delete started"}
    snapshots.change(tx, snapshot_id, **said, **values)
    jobs.enqueue(tx, DELETE_SNAPSHOT, SnapshotParams(snapshot_id), resource=job_of(snapshot_id), by=by)


def left(tx: Tx, stack: Row[Any]) -> str | None:
    """Of a stack that is deleted and has nothing else any more: None when it has no snapshots either; empty while they
    are deleted, which begins here; else why they could not be."""
    rows = snapshots.of_stack(tx, stack.id)
    if not rows:
        return None
    by = ByOwner(stack.request_id, stack.user_id, stack.project_id)
    told, working = [], False
    for row in rows:
        if row.traversal == stack.traversal and row.status == FAILED:
            told.append(f"{row.name or row.id}: {row.reason}")
            continue
        working = True
        if (row.action, row.status) == ("DELETE", IN_PROGRESS):
            # Somebody deletes it already.
            snapshots.change(tx, row.id, traversal=stack.traversal)
        else:
            order_deletion(tx, row.id, by, traversal=stack.traversal, asked_by=stack.asked_by)
    return "" if working else f"Snapshot DELETE failed: {'; '.join(told)}"[:4096]
