"""An alarm turns: its new state is kept with the reason, and what is to be done is ordered, in one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.alarm.orders import CAUSED, NOTIFY, NotifyParams
from tane.services.alarm.store import alarms as store
from tane.web.context import Context

UNKNOWN, OK, ALARM = "insufficient data", "ok", "alarm"
MOST_CHANGES, MOST_CHANGE_BYTES = 1000, 256 << 10
"""Of an alarm's history: of more the oldest goes. The longest change is shorter than that."""


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
    number, length = store.size_of_changes(tx, row.id)
    if number > MOST_CHANGES or length > MOST_CHANGE_BYTES:
        # More than the one too many goes, so that it is not looked for at each change.
        store.forget_all_but(tx, row.id, MOST_CHANGES * 3 // 4, MOST_CHANGE_BYTES * 3 // 4)


def turn(core: Core, tx: Tx, row: Any, state: str, reason: str, reason_data: Mapping[str, Any]) -> bool:
    """An evaluation says ``state``: keep it, and have done what is to be done. Whether anything was."""
    now = store.get(tx, row.id)
    if now is None or not now.enabled or now.rule != row.rule or now.state != row.state:
        return False  # Somebody changed it meanwhile: the next round sees.
    changed = now.state != state
    if changed:
        store.change(tx, row.id, state=state, state_reason=reason, state_timestamp=tx.now)
        record(tx, now, "state transition", {"state": state, "transition_reason": reason})
    elif not (now.repeat_actions and repeats_now(core, now.id)):
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
    _order(tx, now, getattr(now, f"{state.replace(' ', '_')}_actions"), told, news=changed)
    tx.after_commit(lambda: _keep(core, now.id))
    return True


def _order(tx: Tx, row: Any, actions: Sequence[str], told: dict[str, Any], *, news: bool) -> None:
    """Of each action one job is at work at most, and one more waits: that one then tells what is so by now.

    ``news``: the alarm changed. What is only said again is not, while an action of it is still to be done.
    """
    if not actions:
        return
    resource = f"alarm:{row.id}"
    waiting: dict[str, list[int]] = {}
    for one in jobs.unfinished(tx, resource):
        if one.operation == NOTIFY.name:
            waiting.setdefault(one.params["action"], []).append(one.id)
    # What the action changes is known by this request as the alarm's own doing.
    by = Context(f"{CAUSED}{row.id}", project_id=row.project_id)
    for action in actions:
        before = waiting.get(action, [])
        params = NotifyParams(row.id, row.project_id, action, told)
        if not before or (news and len(before) == 1):
            jobs.enqueue(tx, NOTIFY, params, resource=resource, by=by)
        elif news:
            jobs.restate(tx, before[-1], params)


# ---------------------------------------------------------------------------------------------------------- repeating

MEMORY = "alarm.told"


def repeats_now(core: Core, alarm_id: str) -> bool:
    """Whether an alarm that repeats may say again what it said: once an interval, however often it is evaluated."""
    last = _times(core).get(alarm_id)
    return last is None or core.clock.now() - last >= timedelta(seconds=core.config.alarm.evaluation_interval)


def _keep(core: Core, alarm_id: str) -> None:
    _times(core)[alarm_id] = core.clock.now()


def forget(core: Core, alarm_id: str) -> None:
    """An alarm is gone."""
    _times(core).pop(alarm_id, None)


def _times(core: Core) -> dict[str, datetime]:
    """When alarms were told last, by their ids. Only in this process: one alone evaluates, and a restart costs one
    repetition too many."""
    found: dict[str, datetime] = core.memory.setdefault(MEMORY, {})
    return found
