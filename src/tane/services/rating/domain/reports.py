"""What was used and what it costs: computed from facts and prices when it is asked for, to the second.

A month that is closed is rated by what was known when it was closed. What is used without a valid price costs nothing,
but is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from tane.core import Core
from tane.db import Tx
from tane.services.rating.domain import money, months
from tane.services.rating.domain.kinds import BY_SERVICE
from tane.services.rating.domain.prices import Point, Prices, Step, of_row
from tane.services.rating.store import facts as store
from tane.services.rating.store import rules, settings
from tane.services.rating.store.facts import Wanted
from tane.web.errors import BadRequest

__all__ = ["Question", "Wanted", "summed", "tenants", "total"]
HASHMAP = "hashmap"
MODULE, SCOPE = "module", "scope"
MOST_FACTS, MOST_PIECES, MOST_SUMS = 300_000, 300_000, 50_000
LIMIT = "The period holds too much: at most {most} {what} are looked at. Ask for a shorter one, or for less of it."
Span = tuple[datetime, datetime]


class Line(NamedTuple):
    """A fact, or that part of it that lies in the period and has one price. ``price``: of all of it, for an hour."""

    fact: Any
    begin: datetime
    end: datetime
    price: Decimal

    @property
    def seconds(self) -> int:
        return seconds_in(self.fact, self.begin, self.end)

    @property
    def price_seconds(self) -> Decimal:
        return money.times(self.price, Decimal(self.seconds))

    @property
    def quantity(self) -> Decimal:
        """In the service's unit."""
        return quantity(self.fact)


def seconds_in(fact: Any, begin: datetime, end: datetime) -> int:
    """For how long of a part of its time it was used. Several short times that are kept as one are spread over it: cut
    anyhow, the parts add up to them."""
    if fact.seconds is None:
        return int((end - begin).total_seconds())
    span = int((fact.ended_at - fact.begun_at).total_seconds())
    first, last = (int((at - fact.begun_at).total_seconds()) for at in (begin, end))
    return int(fact.seconds * last // span - fact.seconds * first // span)


def quantity(fact: Any) -> Decimal:
    return money.times(Decimal(fact.amount), BY_SERVICE[fact.service].factor)


@dataclass(frozen=True)
class Knowledge:
    """As what was known when: of some time the prices, and when rating was switched off (name → spans)."""

    prices: Prices
    off: Sequence[Span]
    scopes_off: Mapping[str, Sequence[Span]]

    def lines(self, fact: Any, begin: datetime, end: datetime) -> Iterator[Line]:
        begin = max(begin, fact.begun_at)
        end = end if fact.ended_at is None else min(end, fact.ended_at)
        if begin >= end:
            return
        point = Point(fact.service, fact.project_id, quantity(fact), fact.description)
        steps: Sequence[Step] = self.prices.steps(point, begin, end)
        for off in (*self.off, *self.scopes_off.get(fact.project_id, ())):
            steps = [part for step in steps for part in _without(step, off)]
        for step in steps:
            yield Line(fact, *step)


def _without(step: Step, off: Span) -> Iterator[Step]:
    """The step, costing nothing in that span."""
    begin, end = max(step.begin, off[0]), min(step.end, off[1])
    if begin >= end:
        yield step
        return
    if step.begin < begin:
        yield Step(step.begin, begin, step.price)
    yield Step(begin, end, money.ZERO)
    if end < step.end:
        yield Step(end, step.end, step.price)


def known(tx: Tx, begin: datetime, end: datetime, at: datetime | None) -> Knowledge:
    """What counts in that time, as it was known ``at`` (None: now)."""
    prices = Prices(of_row(row) for row in rules.valid(tx, begin, end, at))
    off = _off(settings.switched(tx, MODULE, HASHMAP)).get(HASHMAP, ())
    return Knowledge(prices, off, _off(settings.switched(tx, SCOPE)))


def _off(rows: Sequence[Any]) -> dict[str, list[Span]]:
    """Name → the spans in which it was switched off; everything is on until somebody says otherwise."""
    found: dict[str, list[Span]] = {}
    since: dict[str, datetime] = {}
    for row in rows:
        at = row.at.replace(microsecond=0)
        if row.enabled and row.name in since:
            found.setdefault(row.name, []).append((since.pop(row.name), at))
        elif not row.enabled:
            since.setdefault(row.name, at)
    for name, begin in since.items():
        found.setdefault(name, []).append((begin, datetime.max))
    return found


def parts(tx: Tx, begin: datetime, end: datetime) -> list[tuple[datetime, datetime, datetime | None]]:
    """The period cut at months that were closed: (begin, end, as of when it is rated; None: as of now)."""
    found: list[tuple[datetime, datetime, datetime | None]] = []
    at = begin
    for row in settings.closings(tx):
        first, after = months.bounds(row.month)
        if after <= at or first >= end:
            continue
        if at < first:
            found.append((at, first, None))
        found.append((max(at, first), min(after, end), row.closed_at))
        at = after
    if at < end:
        found.append((at, end, None))
    return found


def lines(tx: Tx, wanted: Wanted, most: int | None = MOST_FACTS) -> Iterator[Line]:
    """Everything that was used in a period until now, in the order of services, resources and time within each month
    that is closed. :raises BadRequest: there are more than ``most`` facts."""
    for begin, end, at in parts(tx, wanted.begin, min(wanted.end, _now(tx))):
        knowledge = known(tx, begin, end, at)
        for fact in found(tx, replace(wanted, begin=begin, end=end), most):
            yield from knowledge.lines(fact, begin, end)


def found(tx: Tx, wanted: Wanted, most: int | None = MOST_FACTS) -> Iterator[Any]:
    """:raises BadRequest: there are more than ``most``."""
    for number, fact in enumerate(store.each(tx, wanted)):
        if most is not None and number >= most:
            raise BadRequest(LIMIT.format(most=most, what="changes"))
        yield fact


def _now(tx: Tx) -> datetime:
    return tx.now.replace(microsecond=0)


def total(core: Core, wanted: Wanted) -> Decimal:
    """What it costs. :raises BadRequest: it is too much to be looked at."""
    with core.db.read() as tx:
        return money.rounded(money.total(line.price_seconds for line in lines(tx, wanted)))


# ---------------------------------------------------------------------------------------------------------- summary

TIMES = ("time", "time-d", "time-w", "time-m", "time-y")
Key = tuple[Any, ...]


@dataclass
class Sum:
    """``quantity_seconds`` and ``price_seconds`` are of an hour's unit and price, times seconds."""

    begin: datetime
    end: datetime
    by: Mapping[str, str]
    quantity_seconds: Decimal = money.ZERO
    price_seconds: Decimal = money.ZERO

    def add(self, amount: Decimal, price: Decimal, seconds: Decimal) -> None:
        self.quantity_seconds = money.EXACT.add(self.quantity_seconds, money.times(amount, seconds))
        self.price_seconds = money.EXACT.add(self.price_seconds, money.times(price, seconds))

    @property
    def quantity(self) -> Decimal:
        return money.rounded(self.quantity_seconds)

    @property
    def rate(self) -> Decimal:
        return money.rounded(self.price_seconds)


@dataclass(frozen=True)
class Question:
    """``by``: what to group by, in order; ``only``: attribute → the values one of which it has."""

    wanted: Wanted
    by: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] | None = None


def summed(core: Core, question: Question) -> list[Sum]:
    """Sums by group, in the order of the groups. :raises BadRequest: it is too much to be looked at."""
    with core.db.read() as tx:
        return _summed(tx, question)


def _summed(tx: Tx, question: Question) -> list[Sum]:
    wanted, sums = question.wanted, dict[Key, Sum]()
    used = dict[Key, dict[tuple[Decimal, Decimal], int]]()
    frame = next((name for name in question.by if name in TIMES), None)
    names = [name for name in question.by if name not in TIMES]
    if not names and frame is None:
        sums[()] = Sum(wanted.begin, wanted.end, {})
    pieces = 0
    for line in lines(tx, wanted):
        if not passes(line.fact, question.only):
            continue
        by = {name: attribute(line.fact, name) for name in names}
        amount = line.quantity
        for begin, end, first, last in _framed(line, frame, wanted):
            pieces += 1
            if pieces > MOST_PIECES:
                raise BadRequest(LIMIT.format(most=MOST_PIECES, what="parts"))
            key = (*((first,) if frame else ()), *by.values())
            if key not in sums:
                if len(sums) == MOST_SUMS:
                    raise BadRequest(LIMIT.format(most=MOST_SUMS, what="sums"))
                sums[key] = Sum(first, last, by)
            # Most parts of a sum have the same amount and price: these are multiplied once for all their seconds.
            alike, rate = used.setdefault(key, {}), (amount, line.price)
            alike[rate] = alike.get(rate, 0) + seconds_in(line.fact, begin, end)
    for key, alike in used.items():
        for (amount, price), seconds in alike.items():
            sums[key].add(amount, price, Decimal(seconds))
    return [sums[key] for key in sorted(sums)]


def attribute(fact: Any, name: str) -> str:
    """What the fact is by one of CloudKitty's attributes; empty where it has none such."""
    if name in ("type", "service"):
        return str(fact.service)
    if name in ("id", "project_id"):
        return str(fact.resource_id if name == "id" else fact.project_id)
    return str(fact.description.get(name, ""))


def passes(fact: Any, only: Mapping[str, tuple[str, ...]] | None) -> bool:
    return all(attribute(fact, name) in values for name, values in (only or {}).items())


def _framed(line: Line, frame: str | None, wanted: Wanted) -> Iterator[tuple[datetime, datetime, datetime, datetime]]:
    """(begin, end, the frame's begin, its end) of each part of a line that lies in one frame."""
    if frame is None:
        yield line.begin, line.end, wanted.begin, wanted.end
        return
    at = line.begin
    while at < line.end:
        first, last = _frame(at, frame)
        until = min(last, line.end)
        yield at, until, first, last
        at = until


def _frame(at: datetime, frame: str) -> tuple[datetime, datetime]:
    day = datetime(at.year, at.month, at.day)
    if frame == "time":
        hour = at.replace(minute=0, second=0)
        return hour, hour + timedelta(hours=1)
    if frame == "time-d":
        return day, day + timedelta(days=1)
    if frame == "time-w":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if frame == "time-m":
        first = datetime(at.year, at.month, 1)
        return first, months.after(first)
    return datetime(at.year, 1, 1), datetime(at.year + 1, 1, 1)


def tenants(core: Core, begin: datetime, end: datetime, most: int) -> list[str]:
    """The projects that have used anything in that time."""
    with core.db.read() as tx:
        return store.projects(tx, begin, end, most)
