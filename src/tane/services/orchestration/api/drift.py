"""What has become of a stack's resources behind its back: a call that Heat has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tane.services.orchestration.api.common import stack_of
from tane.services.orchestration.domain import drift, showing
from tane.services.orchestration.domain.drift import Seen
from tane.web.request import Request

MENDS = {
    "create": "It is made again.",
    "replace": "Another takes its place.",
    "update": "It is changed in place.",
    "none": "No update mends it.",
    "": "",
}


def show(request: Request) -> dict[str, Any]:
    """Compare the resources of a stack, and of those nested in it, with what it set

    ``drift_status`` is IN_SYNC, MODIFIED, DELETED or NOT_CHECKED; ``mend`` what an update with ``converge`` does.
    """
    stack_id, name = stack_of(request)
    stack, found = drift.compare(request.core, request.ctx, stack_id, name)
    listed = [one for seen in found for one in seen.all()]
    states = [one.status for one in listed]
    count = {state: states.count(state) for state in ("IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED")}
    return {
        "drift": {
            "stack_id": stack.id,
            "stack_name": stack.name,
            "stack_drift_status": "DRIFTED" if count["MODIFIED"] or count["DELETED"] else "IN_SYNC",
            "counts": count,
            "resources": [_view(one) for one in listed],
        }
    }


def _view(one: Seen) -> dict[str, Any]:
    row = one.row
    shown: dict[str, Any] = {
        "resource_name": row.name,
        "resource_type": row.type,
        "physical_resource_id": row.physical_id or "",
        "stack_name": one.stack.name,
        "drift_status": one.status,
        "drift_status_reason": one.reason,
        "differences": [
            {**_difference(one, name), "unmended": one.unmended.get(name)} for name in sorted(one.differences)
        ],
        "mend": {"action": one.mend or None, "reason": MENDS[one.mend]},
    }
    return shown if one.parent is None else {**shown, "parent_resource": one.parent}


def _difference(one: Seen, name: str) -> Mapping[str, Any]:
    found = one.differences[name]
    values = showing.visible({"expected": found.wanted, "actual": found.now}, one.secrets)
    return {"property": name, **values}
