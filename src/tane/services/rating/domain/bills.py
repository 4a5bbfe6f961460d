"""A project's bill of a month: each line explained, and a total that is the sum of its lines.

A month that is closed keeps the prices that were known when it was closed. What becomes known later of that time is a
line of the bill after the last one that is closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.rating.domain import facts, money, months, reports
from tane.services.rating.domain.kinds import BY_SERVICE
from tane.services.rating.domain.reports import Line
from tane.services.rating.store import rules, settings
from tane.services.rating.store.facts import Wanted
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict


@dataclass
class BillLine:
    """``price``: of all of it, for an hour; ``seconds``: for how long within ``begin`` to ``end``. A correction has a
    month and no resource."""

    service: str
    resource_id: str
    name: str
    what: str
    begin: datetime
    end: datetime
    seconds: int
    quantity: Decimal
    unit: str
    price: Decimal
    amount: Decimal = money.ZERO


@dataclass(frozen=True)
class Bill:
    project_id: str
    month: str
    begin: datetime
    end: datetime
    closed_at: datetime | None
    until: datetime
    """Up to when it is counted: the end of the month, or now."""
    lines: list[BillLine]

    @property
    def total(self) -> Decimal:
        return money.total(line.amount for line in self.lines)


def bill(core: Core, project_id: str, month: str) -> Bill:
    """:raises BadRequest: the month is none, has not begun, or is no longer known."""
    kept = core.config.rating.kept_months
    with core.db.read() as tx:
        if months.bounds(month)[0] < facts.kept_since(core, tx):
            raise BadRequest(f"Invalid input for field/attribute month. Value: '{month}'. {kept} months are kept")
        return billed(tx, project_id, month)


def billed(tx: Tx, project_id: str, month: str) -> Bill:
    begin, end = months.bounds(month)
    now = tx.now.replace(microsecond=0)
    if begin > now:
        raise BadRequest(f"Invalid input for field/attribute month. Value: '{month}'. it has not begun yet")
    closed = {row.month: row.closed_at for row in settings.closings(tx)}
    lines = list(_grouped(tx, Wanted(begin, end, project_id)))
    lines += _corrections(tx, project_id, month, closed)
    return Bill(project_id, month, begin, end, closed.get(month), min(end, now), lines)


def _grouped(tx: Tx, wanted: Wanted) -> Iterator[BillLine]:
    """A line for each resource, way of being and price, however often it came back to it."""
    grouped: dict[tuple[Any, ...], BillLine] = {}
    seconds: dict[tuple[Any, ...], int] = {}
    # Whoever changes much has a bill all the same.
    for line in reports.lines(tx, wanted, most=None):
        fact = line.fact
        what = described(line)
        key = (fact.service, fact.resource_id, what, line.price)
        one = grouped.get(key)
        if one is None:
            kept = (fact.service, fact.resource_id, fact.name, what, line.begin, line.end, 0)
            one = grouped[key] = BillLine(*kept, line.quantity, BY_SERVICE[fact.service].unit, line.price)
        one.end, one.name = line.end, fact.name
        seconds[key] = one.seconds = one.seconds + line.seconds
    for one in grouped.values():
        one.amount = money.rounded(money.times(one.price, Decimal(one.seconds)))
        yield one


def described(line: Line) -> str:
    """What it is, for a person."""
    fact, kept = line.fact, line.fact.description
    if fact.service == "instance":
        return f"{kept.get('flavor_name', '')}, {kept.get('state', '')}"
    size = f"{money.plain(line.quantity.quantize(money.DIGITS))} {BY_SERVICE[fact.service].unit}"
    named = kept.get("volume_type") or kept.get("disk_format") or kept.get("state")
    return f"{named}, {size}" if named and BY_SERVICE[fact.service].unit in ("GiB", "MiB") else named or size


# ---------------------------------------------------------------------------------------------------------- closing


def close(core: Core, ctx: Context, month: str) -> None:
    """From now on the bills of that month stand. :raises BadRequest: it is not over. :raises Conflict: it is closed, or
    another one has to be before it, or what was used in it is not all counted yet."""
    _, end = months.bounds(month)
    with core.db.write() as tx:
        if end > tx.now:
            raise BadRequest(f"Invalid input for field/attribute month. Value: '{month}'. it is not over yet")
        closed = [row.month for row in settings.closings(tx)]
        if month in closed:
            raise Conflict(f"Month {month} is closed")
        if closed and month != months.following(closed[-1]):
            raise Conflict(f"Months are closed one after another: {months.following(closed[-1])} is the next")
        told, _ = facts.told_until(tx)
        if told < end:
            raise Conflict(f"What was used is counted until {told.isoformat(timespec='seconds')} as yet: try again")
        settings.close(tx, month, ctx.user_id)


def closings(core: Core) -> list[Any]:
    """Closed months, the oldest first."""
    with core.db.read() as tx:
        return settings.closings(tx)


def _corrections(tx: Tx, project_id: str, month: str, closed: Mapping[str, datetime]) -> Iterator[BillLine]:
    """What closed months would cost by what became known since the last of them was billed."""
    before = [one for one in sorted(closed) if one < month]
    if not before or month != months.following(before[-1]):
        return
    since, until = closed[before[-1]], closed.get(month)
    for one in before:
        begin, end = months.bounds(one)
        if not rules.late(tx, since, until, end):
            continue
        wanted = Wanted(begin, end, project_id)
        difference = _value(tx, wanted, until) - _value(tx, wanted, since)
        if difference:
            what = f"correction of {one}: prices that became known after it was closed"
            kept = ("correction", "", one, what, begin, end, 0, money.ZERO, "")
            yield BillLine(*kept, money.ZERO, difference)


def _value(tx: Tx, wanted: Wanted, at: datetime | None) -> Decimal:
    knowledge = reports.known(tx, wanted.begin, wanted.end, at)
    found = reports.found(tx, wanted, most=None)
    lines = (line for fact in found for line in knowledge.lines(fact, wanted.begin, wanted.end))
    return money.rounded(money.total(line.price_seconds for line in lines))
