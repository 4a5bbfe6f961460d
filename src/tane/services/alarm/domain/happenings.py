"""Alarms on events: what happens in a project is compared with what its alarms wait for.

Events are this cloud's own (decision 12). Their types are ``compute.server.update`` and the like; ``traits`` are the
resource's id and what the event shows of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.alarm.domain import rules, turning
from tane.services.alarm.domain.turning import ALARM
from tane.services.alarm.orders import CAUSED
from tane.services.alarm.store import alarms as store
from tane.services.event import interface as events
from tane.web.errors import BadRequest
from tane.wildcards import Wildcard

CURSOR, AT_ONCE, MOST = "events", 500, 100_000
MEMORY, FRESH_SECONDS = "alarm.nobody_waits", 60.0
WAITING = "alarm.waiting"
TURNS = 200
"""Alarms that go off in one transaction."""


def nobody_waits(core: Core) -> bool:
    """Whether it is known that no alarm waits for an event, so that none need be looked at."""
    seen = core.memory.get(MEMORY)
    return seen is not None and time.monotonic() - seen < FRESH_SECONDS


def look(core: Core) -> int:
    """Compare what happened since the last time; returns how many alarms went off."""
    gone_off = 0
    while True:
        with core.db.read() as tx:
            waiting = _waiting(core, tx)
            if not waiting:
                core.memory[MEMORY] = time.monotonic()
                return gone_off
            position = store.cursor(tx, CURSOR)
            rows = events.after(tx, position or 0, AT_ONCE)
        core.memory.pop(MEMORY, None)
        if not rows:
            return gone_off
        hits = _hits(waiting, rows)
        gone_off += _go_off(core, hits)
        with core.db.write() as tx:
            store.move_cursor(tx, CURSOR, rows[-1].id)


def begin(core: Core, tx: Tx) -> None:
    """An alarm will wait for events: when it is the only one, for those from now on."""
    if not store.enabled(tx, events=True, limit=1):
        store.move_cursor(tx, CURSOR, events.newest(tx))

    def forget() -> None:
        core.memory.pop(MEMORY, None)
        core.memory.pop(WAITING, None)

    tx.after_commit(forget)


# ---------------------------------------------------------------------------------------------------------- matching
# Nothing of it is done in a transaction that writes: a tenant says how much there is to compare.


@dataclass(frozen=True)
class Waits:
    """An alarm, ready to be compared: ``conditions`` are (trait, comparison, kind, value)."""

    alarm_id: str
    type: Wildcard
    conditions: tuple[tuple[str, Callable[[Any, Any], bool], str, Any], ...]


@dataclass(frozen=True)
class _Held:
    """What is kept of all that wait, by project, until one of them changes."""

    version: tuple[int, datetime | None]
    by_project: Mapping[str, Sequence[Waits]]


def _waiting(core: Core, tx: Tx) -> Mapping[str, Sequence[Waits]]:
    version = store.version_of_waiting(tx)
    held: _Held | None = core.memory.get(WAITING)
    if held is None or held.version != version:
        by_project: dict[str, list[Waits]] = {}
        for row in store.enabled(tx, events=True, limit=MOST):
            ready = prepared(row)
            if ready is not None:
                by_project.setdefault(row.project_id, []).append(ready)
        held = core.memory[WAITING] = _Held(version, by_project)
    return held.by_project


def prepared(row: Any) -> Waits | None:
    """None: a value in it is not of its type, so that it never matches."""
    conditions = []
    for one in row.rule["query"]:
        try:
            value = rules.converted(one["type"], one["value"])
        except BadRequest:
            return None
        conditions.append((one["field"].removeprefix("traits."), rules.COMPARE[one["op"]], one["type"], value))
    return Waits(row.id, Wildcard(row.rule["event_type"]), tuple(conditions))


class _Event:
    """What is compared of an event: each trait is converted once, whatever the number of alarms."""

    def __init__(self, row: Any) -> None:
        self.type = f"{row.type}.{row.action}"
        self._traits = _traits(row)
        self._converted: dict[tuple[str, str], Any] = {}

    def trait(self, name: str, kind: str) -> Any:
        """None: there is none, or it is not of that kind."""
        key = (name, kind)
        if key not in self._converted:
            value = self._traits.get(name)
            try:
                self._converted[key] = None if value is None else rules.converted(kind, value)
            except BadRequest:
                self._converted[key] = None
        return self._converted[key]


def matches(waits: Waits, event: _Event) -> bool:
    if not waits.type.matches(event.type):
        return False
    for name, compare, kind, wanted in waits.conditions:
        found = event.trait(name, kind)
        if found is None or not compare(found, wanted):
            return False
    return True


def _hits(waiting: Mapping[str, Sequence[Waits]], rows: Sequence[Any]) -> dict[str, Any]:
    """The first event that each alarm was waiting for: an alarm that is one tells no more by the next."""
    hits: dict[str, Any] = {}
    for row in rows:
        if row.type.startswith("alarm.") or (row.request_id or "").startswith(CAUSED):
            continue  # An alarm that waits for itself, or for what its own actions do, would never rest.
        event = _Event(row)
        for one in waiting.get(row.project_id or "", ()):
            if one.alarm_id not in hits and matches(one, event):
                hits[one.alarm_id] = row
    return hits


def _go_off(core: Core, hits: Mapping[str, Any]) -> int:
    with core.db.read() as tx:
        there = store.of_ids(tx, list(hits))
    rows = [row for row in there if row.state != ALARM or (row.repeat_actions and turning.repeats_now(core, row.id))]
    gone_off = 0
    for begin_ in range(0, len(rows), TURNS):
        with core.db.write() as tx:
            gone_off += sum(_turn(core, tx, row, hits[row.id]) for row in rows[begin_ : begin_ + TURNS])
    return gone_off


def _turn(core: Core, tx: Tx, row: Any, event: Any) -> bool:
    told = {"event_type": f"{event.type}.{event.action}", "message_id": str(event.id), "traits": _traits(event)}
    reason = f"Event <id={event.id},event_type={told['event_type']}> hits the query <query={row.rule['query']}>."
    return turning.turn(core, tx, row, ALARM, reason, {"type": "event", "event": told})


def _traits(event: Any) -> dict[str, Any]:
    return {
        **event.data,
        "resource_id": event.resource_id,
        "project_id": event.project_id,
        "tenant_id": event.project_id,
        "user_id": event.user_id,
        "event_type": f"{event.type}.{event.action}",
    }
