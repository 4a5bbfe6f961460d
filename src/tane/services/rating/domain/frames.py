"""What was used hour by hour, as CloudKitty stores it: here it is computed for the page that is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.rating.domain import money, reports
from tane.services.rating.domain.reports import LIMIT
from tane.services.rating.store.facts import Wanted
from tane.web.errors import BadRequest

HOUR = timedelta(seconds=money.PERIOD)
MOST_HOURS, MOST_UNPAGED = 24 * 366 * 10, 10_000


@dataclass(frozen=True)
class Frame:
    """What was used of one resource in an hour that begins at ``begin``; quantity in units times hours."""

    begin: datetime
    end: datetime
    fact: Any
    quantity: Decimal
    price: Decimal


def page(
    core: Core, wanted: Wanted, only: Mapping[str, tuple[str, ...]] | None, offset: int, limit: int | None
) -> tuple[int, list[Frame]]:
    """(how many there are in all, those of the page). :raises BadRequest: the period is too long; without a limit: they
    are too many."""
    with core.db.read() as tx:
        return _page(tx, wanted, only, offset, limit)


def _page(
    tx: Tx, wanted: Wanted, only: Mapping[str, tuple[str, ...]] | None, offset: int, limit: int | None
) -> tuple[int, list[Frame]]:
    end = min(wanted.end, tx.now.replace(microsecond=0))
    facts = [fact for fact in reports.found(tx, wanted) if reports.passes(fact, only)]
    spans = [_hours(fact, wanted.begin, end) for fact in facts]
    if any(last - first > MOST_HOURS for first, last in spans):
        raise BadRequest(LIMIT.format(most=MOST_HOURS, what="hours"))
    total = sum(last - first for first, last in spans)
    if limit is None and total > MOST_UNPAGED:
        raise BadRequest(LIMIT.format(most=MOST_UNPAGED, what="hours of resources"))
    hours = _hours_of_page(spans, offset, total if limit is None else limit)
    return total, list(_frames(tx, wanted, facts, spans, hours))


def _hours(fact: Any, begin: datetime, end: datetime) -> tuple[int, int]:
    """The first hour (since 1970) in which it was used, and that after the last."""
    begin = max(begin, fact.begun_at)
    end = end if fact.ended_at is None else min(end, fact.ended_at)
    if begin >= end:
        return 0, 0
    return _seconds(begin) // money.PERIOD, -(-_seconds(end) // money.PERIOD)


EPOCH = datetime(1970, 1, 1)


def _seconds(at: datetime) -> int:
    return int((at - EPOCH).total_seconds())


def _hours_of_page(spans: Sequence[tuple[int, int]], offset: int, limit: int) -> list[tuple[int, int, int]]:
    """(hour, the first of its frames that is on the page, the one after the last)."""
    more: dict[int, int] = {}
    for first, last in spans:
        more[first] = more.get(first, 0) + 1
        more[last] = more.get(last, 0) - 1
    found: list[tuple[int, int, int]] = []
    passed = at_once = 0
    for hour, after in itertools.pairwise(sorted(more)):
        at_once += more[hour]
        if not at_once:
            continue
        # Hours of which none is on the page are passed over together.
        for place in range(hour + min(max(0, (offset - passed) // at_once), after - hour), after):
            before = passed + (place - hour) * at_once
            if before >= offset + limit:
                return found
            found.append((place, max(0, offset - before), min(at_once, offset + limit - before)))
        passed += (after - hour) * at_once
    return found


def _frames(
    tx: Tx,
    wanted: Wanted,
    facts: Sequence[Any],
    spans: Sequence[tuple[int, int]],
    hours: Sequence[tuple[int, int, int]],
) -> Iterator[Frame]:
    if not hours:
        return
    now = tx.now.replace(microsecond=0)
    first = EPOCH + hours[0][0] * HOUR
    last = EPOCH + (hours[-1][0] + 1) * HOUR
    begin, end = max(first, wanted.begin), min(last, wanted.end, now)
    parts = [(since, until, reports.known(tx, since, until, at)) for since, until, at in reports.parts(tx, begin, end)]
    used: dict[int, list[Any]] = {hour: [] for hour, _, _ in hours}
    for fact, (one, after) in zip(facts, spans, strict=True):
        for hour in range(max(one, hours[0][0]), min(after, hours[-1][0] + 1)):
            used[hour].append(fact)
    for hour, skip, until_ in hours:
        since = EPOCH + hour * HOUR
        for fact in used[hour][skip:until_]:
            lines = [
                line
                for part_begin, part_end, knowledge in parts
                for line in knowledge.lines(fact, max(since, part_begin), min(since + HOUR, part_end))
            ]
            quantity = money.total(money.times(line.quantity, Decimal(line.seconds)) for line in lines)
            price = money.total(line.price_seconds for line in lines)
            yield Frame(since, since + HOUR, fact, money.rounded(quantity), money.rounded(price))
