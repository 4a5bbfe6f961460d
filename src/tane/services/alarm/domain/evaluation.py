"""What an alarm says now: its rule compared with the last values of its series. Three answers: alarm, ok, and that
there are too few values to tell, which is never a reason to scale.

Which metrics an alarm looks at is remembered in this process, so that it is evaluated when one of them has a new value.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
import traceback
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from tane.core import Core
from tane.db import Tx
from tane.services.alarm.domain import alarms, cron, rules, turning
from tane.services.alarm.domain.turning import ALARM, OK, UNKNOWN
from tane.services.alarm.store import alarms as store
from tane.services.metric import interface as metric
from tane.web import codec
from tane.web.errors import ApiError

MEMORY = "alarm.watch"
AT_ONCE, TURNS_AT_ONCE = 500, 200
"""Alarms that are read at once, and that turn in one transaction."""
FEW_RULES = 5
"""Of a composite alarm, that are looked up with those of the other alarms."""
MOST_SERIES = 2000
"""That one alarm looks at: as many as one request may."""
MOST_CAUSES = 8 << 10
"""Bytes of the rules that an action of a composite alarm is told."""
FEW_SECONDS, MOST_SECONDS = 1.0, 5.0
"""Of a round: for the alarms of a project among all others, and for those of all projects that take longer."""
log = structlog.get_logger()
REST, EVER = timedelta(seconds=1), datetime(1970, 1, 1)


class Watch:
    """Which alarms look at which metrics, and which of them have news."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._by_metric: dict[int, set[str]] = {}
        self._of_alarm: dict[str, frozenset[int]] = {}
        self._news: set[str] = set()
        self._last: dict[str, datetime] = {}
        self.whole_round = 0.0
        self.waiting: dict[str, dict[str, None]] = {}
        """Alarms of projects that take long, by project in the order of their turns: who waits longest is the first."""

    def taken(self, numbers: Iterable[int]) -> None:
        """These metrics have new values."""
        with self._lock:
            if not self._by_metric:
                return
            hit = self._by_metric.keys() & set(numbers)
            for number in hit:
                self._news |= self._by_metric[number]
        if hit:
            self._core.db.signals.notify(alarms.TOPIC)

    def news(self, now: datetime) -> list[str]:
        """Whom new values concern; who was evaluated within the last second comes later."""
        with self._lock:
            found = sorted(one for one in self._news if now - self._last.get(one, EVER) >= REST)
            self._news -= set(found)
        return found

    @property
    def has_news(self) -> bool:
        return bool(self._news)

    def evaluated(self, alarm_id: str, now: datetime) -> None:
        self._last[alarm_id] = now

    def looks_at(self, alarm_id: str, numbers: Iterable[int]) -> None:
        with self._lock:
            now, before = frozenset(numbers), self._of_alarm.get(alarm_id, frozenset())
            if now == before:
                return
            self._of_alarm.pop(alarm_id, None)
            for number in before - now:
                self._by_metric[number].discard(alarm_id)
                if not self._by_metric[number]:
                    del self._by_metric[number]
            for number in now - before:
                self._by_metric.setdefault(number, set()).add(alarm_id)
            if now:
                self._of_alarm[alarm_id] = now

    def only(self, living: set[str]) -> None:
        """Other alarms are gone."""
        for alarm_id in self._of_alarm.keys() - living:
            self.looks_at(alarm_id, ())
        for alarm_id in self._last.keys() - living:
            del self._last[alarm_id]


def watch(core: Core) -> Watch:
    found: Watch | None = core.memory.get(MEMORY)
    if found is None:
        found = core.memory[MEMORY] = Watch(core)
        metric.listen(core, found.taken)
    return found


def evaluate(core: Core) -> int:
    """One pass: those with news, and all of them once an interval. Returns how many changed their state."""
    watching = watch(core)
    if time.monotonic() - watching.whole_round >= core.config.alarm.evaluation_interval or not watching.whole_round:
        watching.whole_round = time.monotonic()
        return _round(core, watching, _everything(core, watching))
    ids = set(watching.news(core.clock.now()))
    with core.db.read() as tx:
        rows = [row for row in store.of_ids(tx, sorted(ids)) if row.type != rules.EVENT]
        # What was made or changed since the last round is looked at for the first time.
        rows += [row for row in store.unseen(tx, AT_ONCE, [*watching.waiting]) if row.id not in ids]
    return _round(core, watching, (rows[begin : begin + AT_ONCE] for begin in range(0, len(rows), AT_ONCE)))


def _everything(core: Core, watching: Watch) -> Iterator[Sequence[Any]]:
    after = ""
    living: set[str] = set()
    while True:
        with core.db.read() as tx:
            rows = store.enabled(tx, events=False, after=after, limit=AT_ONCE)
        if not rows:
            watching.only(living)
            return
        living |= {row.id for row in rows}
        yield rows
        after = rows[-1].id


def _round(core: Core, watching: Watch, pages: Iterable[Sequence[Any]]) -> int:
    """Evaluate alarms; how many changed their state. What is quickly done comes first: a project whose alarms take long
    is left for the end, and waits for its turn there."""
    later: dict[str, list[str]] = {}
    spent: defaultdict[str, float] = defaultdict(float)

    def is_quick(row: Any) -> bool:
        if row.project_id in watching.waiting or spent[row.project_id] > FEW_SECONDS:
            later.setdefault(row.project_id, []).append(row.id)
            return False
        return True

    turned = sum(_together(core, watching, [row for row in rows if is_quick(row)], spent, is_quick) for rows in pages)
    return turned + _in_turn(core, watching, later)


def _in_turn(core: Core, watching: Watch, later: Mapping[str, Sequence[str]]) -> int:
    """Alarms of projects that take long, ``MOST_SECONDS`` of all of them: who is not done goes on in the next round,
    and comes after the others then."""
    for project, ids in later.items():
        watching.waiting.setdefault(project, {}).update(dict.fromkeys(ids))
    turned, left = 0, MOST_SECONDS
    for project in [*watching.waiting]:
        if left <= 0:
            break
        begun, mine = time.monotonic(), watching.waiting.pop(project)
        turned += _of_one(core, watching, mine, begun + left)
        spent = time.monotonic() - begun
        left -= spent
        if mine or spent > FEW_SECONDS:
            watching.waiting[project] = mine
    return turned


def _of_one(core: Core, watching: Watch, waiting: dict[str, None], until: float) -> int:
    """``waiting``: the ids of a project's alarms, of which those are taken out that are done."""
    turned = 0

    def is_timely(row: Any) -> bool:
        if time.monotonic() >= until:
            return False
        del waiting[row.id]
        return True

    while waiting and time.monotonic() < until:
        ids = list(itertools.islice(waiting, AT_ONCE))
        with core.db.read() as tx:
            rows = [row for row in store.of_ids(tx, ids) if row.type != rules.EVENT]
        for gone in set(ids) - {row.id for row in rows}:
            del waiting[gone]
        turned += _together(core, watching, rows, defaultdict(float), is_timely)
    return turned


def _together(
    core: Core,
    watching: Watch,
    rows: Sequence[Any],
    spent: defaultdict[str, float],
    takes: Callable[[Any], bool],
) -> int:
    """Evaluate alarms, and keep what they say together; how many changed their state. What goes wrong with one is told
    in the log and ends no round. ``spent``: counts the seconds of each project; ``takes``: whether it is an alarm's
    turn, asked just before."""
    turned, left = 0, deque(rows)
    while left:
        # What the others say is not kept waiting longer than FEW_SECONDS, nor is what was looked up older.
        begun = core.clock.now()
        seen: list[str] = []
        verdicts: list[tuple[Any, Verdict]] = []
        with metric.Together(core, _asked_by(core, left)) as together:
            started = time.monotonic()
            while left:
                row = left.popleft()
                if not takes(row):
                    continue
                before = time.monotonic()
                seen.append(row.id)
                watching.evaluated(row.id, begun)
                try:
                    verdict = verdict_of(core, watching, row, together)
                    if verdict is not None and (verdict[0] != row.state or turning.repeats_now(core, row.id)):
                        verdicts.append((row, verdict))
                except Exception:
                    log.error("an alarm cannot be evaluated", alarm=row.id, error=traceback.format_exc())
                    together.renew()
                now = time.monotonic()
                spent[row.project_id] += now - before
                if now - started > FEW_SECONDS:
                    break
        turned += keep(core, seen, verdicts, begun)
    return turned


def _asked_by(core: Core, rows: Iterable[Any]) -> Iterator[tuple[metric.Owner, metric.Asked]]:
    """What alarms will ask for, as far as it is worth looking up for all of them together."""
    for row in rows:
        owner = metric.Owner(core, row.project_id, row.user_id)
        parts = rules.leaves(row.rule) if row.type == rules.COMPOSITE else [row.rule]
        for rule in itertools.islice(parts, FEW_RULES):
            kind = rule["type"] if row.type == rules.COMPOSITE else row.type
            if kind != rules.RESOURCES:
                yield owner, _asked(kind, rule)


def keep(core: Core, seen: Sequence[str], verdicts: Sequence[tuple[Any, Verdict]], begun: datetime) -> int:
    """These were evaluated at that moment, and this is what was said; how many changed their state."""
    if not seen:
        return 0
    parts = range(TURNS_AT_ONCE, len(verdicts), TURNS_AT_ONCE)
    turned = _keep_together(core, seen, verdicts[:TURNS_AT_ONCE], begun)
    return turned + sum(_keep_together(core, (), verdicts[one : one + TURNS_AT_ONCE], begun) for one in parts)


def _keep_together(core: Core, seen: Sequence[str], verdicts: Sequence[tuple[Any, Verdict]], begun: datetime) -> int:
    try:
        with core.db.write() as tx:
            store.evaluated(tx, seen, begun)
            return sum(_turn(core, tx, *one) for one in verdicts)
    except Exception:
        # One of them it was: the others are kept each for itself.
        log.error("alarms cannot be turned together", error=traceback.format_exc())
        return sum(_alone(core, *one) for one in verdicts)


def _turn(core: Core, tx: Tx, row: Any, verdict: Verdict) -> bool:
    return turning.turn(core, tx, row, *verdict) and verdict[0] != row.state


def _alone(core: Core, row: Any, verdict: Verdict) -> bool:
    try:
        with core.db.write() as tx:
            return _turn(core, tx, row, verdict)
    except Exception:
        log.error("an alarm cannot be turned", alarm=row.id, error=traceback.format_exc())
        return False


Verdict = tuple[str, str, dict[str, Any]]
"""(state, reason, its data)."""


@dataclass
class Outcome:
    """``state`` None: some values are outside and some inside; ``trend`` is what the last one says."""

    state: str | None
    trend: str | None
    values: Sequence[float]
    outside: int = 0
    reason: str = ""


def is_timely(core: Core, row: Any) -> bool:
    """Whether its time constraints let it be evaluated now."""
    now = core.clock.now()
    return not row.time_constraints or any(
        cron.within(one["start"], one["duration"], one["timezone"], now) for one in row.time_constraints
    )


def verdict_of(core: Core, watching: Watch, row: Any, together: metric.Together) -> Verdict | None:
    """What is to be told of an alarm; None: nothing. ``together``: reads the values."""
    if not is_timely(core, row):
        return None
    owner = metric.Owner(core, row.project_id, row.user_id)
    seen: list[int] = []
    try:
        if row.type == rules.COMPOSITE:
            return _composite(owner, row, seen, together)
        return single(row, of_rule(owner, row.type, row.rule, seen, metric.budget(), together))
    finally:
        watching.looks_at(row.id, seen)


def of_rule(
    owner: metric.Owner,
    kind: str,
    rule: Mapping[str, Any],
    seen: list[int],
    spent: metric.Budget,
    together: metric.Together,
) -> Outcome:
    """What a threshold says. ``seen``: the metrics that were looked at for the alarm, as often as they were; ``spent``:
    on all of its rules."""
    if len(seen) >= MOST_SERIES:
        return Outcome(UNKNOWN, None, [], reason=f"The rules look at more than {MOST_SERIES} metrics together")
    try:
        values, numbers = together.values_of(owner, _asked(kind, rule), spent)
    except ApiError as error:
        return Outcome(UNKNOWN, None, [], reason=error.message)
    seen.extend(numbers)
    return outcome(rule, values, f"No datapoint for granularity {rule['granularity']}")


def outcome(rule: Mapping[str, Any], values: Sequence[float], nothing: str) -> Outcome:
    """What values say of a threshold; ``nothing``: the reason where there are none."""
    needed = rule["evaluation_periods"]
    if not values:
        return Outcome(UNKNOWN, None, [], reason=nothing)
    if len(values) < needed:
        return Outcome(UNKNOWN, None, values, reason=f"{needed} datapoints are unknown")
    compare = rules.COMPARE[rule["comparison_operator"]]
    outside = [compare(value, rule["threshold"]) for value in values]
    if all(outside) or not any(outside):
        return Outcome(ALARM if outside[0] else OK, None, values, sum(outside))
    return Outcome(None, ALARM if outside[-1] else OK, values, sum(outside))


def _asked(kind: str, rule: Mapping[str, Any]) -> metric.Asked:
    usual = (rule["aggregation_method"], rule["granularity"], rule["evaluation_periods"])
    if kind == rules.RESOURCE:
        return metric.Asked(*usual, name=rule["metric"], resource=(rule["resource_type"], rule["resource_id"]))
    if kind == rules.METRICS:
        return metric.Asked(*usual, ids=tuple(rule["metrics"]))
    return metric.Asked(*usual, name=rule["metric"], query=(rule["resource_type"], rules.query_of(rule)))


def single(row: Any, found: Outcome) -> Verdict | None:
    """(state, reason, its data) where something is to be told; Aodh's words."""
    last = _last(found)
    if found.trend is not None:
        if row.state != UNKNOWN and not row.repeat_actions:
            return None
        return _reasoned(row, found.trend if row.state == UNKNOWN else row.state, found)
    if found.state == UNKNOWN:
        if row.state == UNKNOWN:
            return None
        count = row.rule["evaluation_periods"]
        return (
            UNKNOWN,
            found.reason,
            {"type": "threshold", "disposition": "unknown", "count": count, "most_recent": last},
        )
    assert found.state is not None
    if found.state == row.state and not row.repeat_actions:
        return None
    return _reasoned(row, found.state, found)


def _last(found: Outcome) -> float | str | None:
    """JSON has no numbers without end: they are written as Prometheus does."""
    last = found.values[-1] if found.values else None
    return last if last is None or math.isfinite(last) else "+Inf" if last > 0 else "-Inf"


def _reasoned(row: Any, state: str, found: Outcome) -> Verdict:
    disposition = "inside" if state == OK else "outside"
    count = len(found.values) - found.outside if state == OK else found.outside
    last = _last(found)
    begin = f"Transition to {state}" if row.state != state else f"Remaining as {state}"
    reason = f"{begin} due to {count} samples {disposition} threshold, most recent: {last}"
    return state, reason, {"type": "threshold", "disposition": disposition, "count": count, "most_recent": last}


def _composite(owner: metric.Owner, row: Any, seen: list[int], together: metric.Together) -> Verdict | None:
    named: list[tuple[str, str, dict[str, Any]]] = []
    spent = metric.budget()

    def state_of(rule: Mapping[str, Any]) -> tuple[str, str]:
        """(state, how it is written)."""
        if len(rule) > 1:
            found = of_rule(owner, rule["type"], rule, seen, spent, together)
            state = found.state
            if found.trend is not None:
                # It wavers: what was said before stands, unless nothing was.
                state = found.trend if row.state == UNKNOWN else OK if found.trend == ALARM else ALARM
            name = f"rule{len(named) + 1}"
            named.append((name, str(state), dict(rule)))
            return str(state), name
        [(word, inner)] = rule.items()
        states, names = zip(*(state_of(one) for one in inner), strict=True)
        decisive, other = (OK, ALARM) if word == "and" else (ALARM, OK)
        whole = decisive if decisive in states else other if all(one == other for one in states) else UNKNOWN
        return whole, f"({f' {word} '.join(names)})"

    state, form = state_of(row.rule)
    if state == row.state and not (row.repeat_actions and state != UNKNOWN):
        return None
    causes = {name: rule for name, found, rule in named if found == state}
    what = {ALARM: "outside their threshold.", OK: "inside their threshold.", UNKNOWN: "state evaluated to unknown."}[
        state
    ]
    turn = "transition to" if state != row.state else "remaining as"
    reason = (
        f"Composite rule alarm with composition form: {form} {turn} {state}, due to rules: {', '.join(causes)} {what}"
    )
    return state, reason, {"type": "composite", "composition_form": form, "causative_rules": _told(causes)}


def _told(causes: Mapping[str, Any]) -> dict[str, Any]:
    """The first of the rules, as far as they fit: each action is told them, and kept with them."""
    room, found = MOST_CAUSES, {}
    for name, rule in causes.items():
        room -= len(codec.encode(rule))
        if room < 0:
            break
        found[name] = rule
    return found
