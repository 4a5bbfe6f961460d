"""Alarms on events: what happens in a project is compared with what its alarms wait for.

Events are this cloud's own (decision 12). Their types are ``compute.server.update`` and the like; ``traits`` are the
resource's id and what the event shows of it.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Mapping
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.alarm.domain import rules, turning
from tane.services.alarm.domain.turning import ALARM
from tane.services.alarm.store import alarms as store
from tane.services.event import interface as events
from tane.web.errors import BadRequest

CURSOR, AT_ONCE, MOST = "events", 500, 100_000
MEMORY, FRESH_SECONDS = "alarm.nobody_waits", 60.0


def nobody_waits(core: Core) -> bool:
    """Whether it is known that no alarm waits for an event, so that none need be looked at."""
    seen = core.memory.get(MEMORY)
    return seen is not None and time.monotonic() - seen < FRESH_SECONDS


def look(core: Core) -> int:
    """Compare what happened since the last time; returns how many alarms went off."""
    gone_off = 0
    while True:
        with core.db.read() as tx:
            waiting = store.enabled(tx, events=True, limit=MOST)
            if not waiting:
                core.memory[MEMORY] = time.monotonic()
                return gone_off
            position = store.cursor(tx, CURSOR)
            rows = events.after(tx, position or 0, AT_ONCE)
        core.memory.pop(MEMORY, None)
        if not rows:
            return gone_off
        by_project: dict[str, list[Any]] = {}
        for row in waiting:
            by_project.setdefault(row.project_id, []).append(row)
        with core.db.write() as tx:
            for event in rows:
                if event.type.startswith("alarm."):
                    continue  # An alarm that waits for itself would never rest.
                for row in by_project.get(event.project_id or "", ()):
                    if matches(row.rule, event):
                        gone_off += _go_off(tx, row, event)
            store.move_cursor(tx, CURSOR, rows[-1].id)


def begin(core: Core, tx: Tx) -> None:
    """An alarm will wait for events: when it is the only one, for those from now on."""
    if not store.enabled(tx, events=True, limit=1):
        store.move_cursor(tx, CURSOR, events.newest(tx))
    tx.after_commit(lambda: core.memory.pop(MEMORY, None))


def _go_off(tx: Any, row: Any, event: Any) -> bool:
    now = store.get(tx, row.id)
    if now is None:
        return False
    told = {"event_type": f"{event.type}.{event.action}", "message_id": str(event.id), "traits": _traits(event)}
    reason = f"Event <id={event.id},event_type={told['event_type']}> hits the query <query={row.rule['query']}>."
    if now.state != ALARM or now.repeat_actions:
        return turning.turn(tx, now, ALARM, reason, {"type": "event", "event": told})
    return False


def matches(rule: Mapping[str, Any], event: Any) -> bool:
    if not fnmatch.fnmatchcase(f"{event.type}.{event.action}", rule["event_type"]):
        return False
    traits = _traits(event)
    for one in rule["query"]:
        name = one["field"].removeprefix("traits.")
        if name not in traits or traits[name] is None:
            return False
        try:
            wanted, found = rules.converted(one["type"], one["value"]), rules.converted(one["type"], traits[name])
        except BadRequest:
            return False
        if not rules.COMPARE[one["op"]](found, wanted):
            return False
    return True


def _traits(event: Any) -> dict[str, Any]:
    return {
        **event.data,
        "resource_id": event.resource_id,
        "project_id": event.project_id,
        "tenant_id": event.project_id,
        "user_id": event.user_id,
        "event_type": f"{event.type}.{event.action}",
    }
