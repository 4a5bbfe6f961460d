"""Alarms of the type prometheus: what the operator's Prometheus says of their queries now. It may take its time over
one: projects are asked for in turn, each one query at a time, so that none keeps the others waiting."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import structlog

from tane.core import Core
from tane.services.alarm.domain import evaluation, promql, turning
from tane.services.alarm.domain.evaluation import Outcome, Verdict
from tane.services.alarm.domain.turning import UNKNOWN
from tane.services.alarm.store import alarms as store
from tane.services.metric import interface as metric
from tane.web.errors import ApiError

AT_ONCE, AT_A_TIME = 500, 4
"""Alarms of a pass, and queries that are asked at a time."""
PASS_SECONDS, OF_ONE = 20.0, 10.0
"""Of a pass, and of it for one project: what is left is first of its project in the next, and the project last."""
MEMORY, REMEMBERED = "alarm.asking", 3600.0
"""When each project was asked for last, whatever alarms it has by now; for so many seconds."""
AWAY = "Prometheus does not answer"
log = structlog.get_logger()


def evaluate(core: Core) -> int:
    """Ask for those that are due; how many changed their state."""
    begun = core.clock.now()
    with core.db.read() as tx:
        rows = store.asking(tx, begun - timedelta(seconds=core.config.alarm.evaluation_interval), AT_ONCE)
    if not rows:
        return 0
    turns = _Turns(rows, core.memory.setdefault(MEMORY, {}))
    with ThreadPoolExecutor(min(AT_A_TIME, len(turns.left)), thread_name_prefix="tane-asking") as pool:
        for _ in range(min(AT_A_TIME, len(turns.left))):
            pool.submit(_work, core, turns)
    if turns.reasons:
        with core.db.write() as tx:
            store.explain(tx, UNKNOWN, turns.reasons)
    return evaluation.keep(core, turns.seen, turns.verdicts, begun)


class _Turns:
    """Whose alarm is the next."""

    def __init__(self, rows: Sequence[Any], asked: dict[str, float]) -> None:
        now = time.monotonic()
        self._lock, self._until = threading.Lock(), now + PASS_SECONDS
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._asked = asked
        for project in [project for project, at in asked.items() if now - at > REMEMBERED]:
            del asked[project]
        waiting: dict[str, deque[Any]] = {}
        for row in rows:
            waiting.setdefault(row.project_id, deque()).append(row)
        self.left = {
            project: waiting[project] for project in sorted(waiting, key=lambda one: asked.get(one, -math.inf))
        }
        self.seen: list[str] = []
        self.verdicts: list[tuple[Any, Verdict]] = []
        self.reasons: dict[str, str] = {}
        """Why alarms that had too little data before have it still: of a new one nothing else would tell."""

    def take(self) -> tuple[Any, deque[Any]] | None:
        """An alarm, and what is left of its project, whom nobody else asks for until it is given back."""
        with self._lock:
            if not self.left or time.monotonic() >= self._until:
                return None
            project = next(iter(self.left))
            rows = self.left.pop(project)
            self._asked[project] = time.monotonic()
            return rows.popleft(), rows

    def give_back(self, row: Any, rows: deque[Any], verdict: Verdict | None, seconds: float) -> None:
        with self._lock:
            self.seen.append(row.id)
            if verdict is not None:
                self.verdicts.append((row, verdict))
            self._spent[row.project_id] += seconds
            if rows and self._spent[row.project_id] < OF_ONE:
                self.left[row.project_id] = rows

    def explain(self, row: Any, reason: str) -> None:
        if reason != row.state_reason:
            with self._lock:
                self.reasons[row.id] = reason


def _work(core: Core, turns: _Turns) -> None:
    while (taken := turns.take()) is not None:
        row, rows = taken
        begun, verdict = time.monotonic(), None
        try:
            found = _verdict(core, turns, row)
            if found is not None and (found[0] != row.state or turning.repeats_now(core, row.id)):
                verdict = found
        except Exception:
            log.error("an alarm cannot be evaluated", alarm=row.id, error=traceback.format_exc())
        turns.give_back(row, rows, verdict, time.monotonic() - begun)


def _verdict(core: Core, turns: _Turns, row: Any) -> Verdict | None:
    if not evaluation.is_timely(core, row):
        return None
    found = _outcome(core, row)
    if found.state == row.state == UNKNOWN:
        turns.explain(row, found.reason)
    return evaluation.single(row, found)


def _outcome(core: Core, row: Any) -> Outcome:
    if not core.config.prometheus.query_url:
        return Outcome(UNKNOWN, None, [], reason="This cloud knows no Prometheus any more")
    try:
        values = metric.ask_prometheus(core, promql.constrained(row.rule["query"], row.project_id))
    except ApiError as error:
        return Outcome(UNKNOWN, None, [], reason=error.message)
    except metric.Unreachable as error:
        # Where it is concerns nobody but the operator.
        log.warning("Prometheus does not answer", error=str(error))
        return Outcome(UNKNOWN, None, [], reason=AWAY)
    return evaluation.outcome(row.rule, values, "The query has no values of this project")
