"""An alarm turns: its new state is kept with the reason, and what is to be done is ordered, in one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from tane.db import Tx
from tane.jobs import enqueue
from tane.services.alarm.orders import NOTIFY, NotifyParams
from tane.services.alarm.store import alarms as store
from tane.web.context import Context

UNKNOWN, OK, ALARM = "insufficient data", "ok", "alarm"


def record(tx: Tx, row: Any, kind: str, detail: Mapping[str, Any], ctx: Context | None = None) -> None:
    """Write down what happened to an alarm; ``ctx``: who did it, the cloud itself when None."""
    store.add_change(
        tx,
        event_id=str(uuid.uuid4()),
        alarm_id=row.id,
        type=kind,
        detail=json.dumps(detail),
        user_id=ctx.user_id if ctx else None,
        project_id=ctx.project_id if ctx else None,
        on_behalf_of=row.project_id,
        severity=row.severity,
        timestamp=tx.now,
    )


def turn(tx: Tx, row: Any, state: str, reason: str, reason_data: Mapping[str, Any]) -> bool:
    """An evaluation says ``state``: keep it, and have done what is to be done. Whether anything was."""
    now = store.get(tx, row.id)
    if now is None or not now.enabled or now.rule != row.rule or now.state != row.state:
        return False  # Somebody changed it meanwhile: the next round sees.
    changed = now.state != state
    if changed:
        store.change(tx, row.id, state=state, state_reason=reason, state_timestamp=tx.now, evaluate_timestamp=tx.now)
        record(tx, now, "state transition", {"state": state, "transition_reason": reason})
    elif not now.repeat_actions:
        return False
    told = {
        "alarm_name": now.name,
        "alarm_id": now.id,
        "severity": now.severity,
        "previous": now.state,
        "current": state,
        "reason": reason,
        "reason_data": dict(reason_data),
    }
    for action in getattr(now, f"{state.replace(' ', '_')}_actions"):
        enqueue(tx, NOTIFY, NotifyParams(now.id, now.project_id, action, told), resource=f"alarm:{now.id}")
    return True
