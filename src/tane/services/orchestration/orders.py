"""What may be asked of the job runner about resources and snapshots of stacks; ``operations/`` carries it out."""

from __future__ import annotations

import msgspec

from tane.jobs import Order

PATIENCE = 30 * 86400.0
"""Stacks and resources have time-outs of their own, which the reconciler looks after."""


class ResourceParams(msgspec.Struct):
    """``traversal``: the stack's action that it is a part of."""

    resource_id: str
    traversal: str


CREATE_RESOURCE = Order("orchestration.create_resource", ResourceParams, patience=PATIENCE)
UPDATE_RESOURCE = Order("orchestration.update_resource", ResourceParams, patience=PATIENCE)
DELETE_RESOURCE = Order("orchestration.delete_resource", ResourceParams, patience=PATIENCE)


class TurnParams(ResourceParams):
    """``action``: CHECK, SUSPEND, RESUME or SNAPSHOT."""

    action: str = "CHECK"


TURN_RESOURCE = Order("orchestration.turn_resource", TurnParams, patience=PATIENCE)


class SnapshotParams(msgspec.Struct):
    """A snapshot of a stack."""

    snapshot_id: str


DELETE_SNAPSHOT = Order("orchestration.delete_snapshot", SnapshotParams, patience=PATIENCE)
