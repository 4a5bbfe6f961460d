"""What a thing costs, and from when until when: CloudKitty's hashmap, with each price at the seconds it is valid for.

A price is for :data:`~tane.services.rating.domain.money.PERIOD` and one unit. In each group the dearest flat mapping
that fits counts, times all rates that fit; a threshold of a field adds to the one or multiplies the other, one of a
service does so with what they come to; groups add up. Of two mappings for the same value, that of the project counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from tane.services.rating.domain.money import EXACT, ONE, ZERO, times, total

MINUS_ONE = Decimal(-1)
DEFAULT_GROUP = "_DEFAULT_"


class Step(NamedTuple):
    """A price in [``begin``, ``end``), for all of the amount."""

    begin: datetime
    end: datetime
    price: Decimal


@dataclass(frozen=True)
class Rule:
    """A mapping or threshold as far as it prices. ``level`` None: a mapping; ``field`` None: of the service itself."""

    begins: datetime
    ends: datetime | None
    service: str
    field: str | None
    group: str
    tenant_id: str | None
    value: str | None
    level: Decimal | None
    flat: bool
    cost: Decimal

    def counts(self, begin: datetime) -> bool:
        return self.begins <= begin and (self.ends is None or begin < self.ends)


def of_row(row: Any) -> Rule:
    return Rule(
        row.begins,
        row.ends,
        row.service_name,
        row.field_name,
        row.group_name or DEFAULT_GROUP,
        row.tenant_id,
        row.value,
        None if row.level is None else Decimal(row.level),
        row.type == "flat",
        Decimal(row.cost),
    )


@dataclass(frozen=True)
class Point:
    """What is priced: so many units of a service, used by a project, described by fields."""

    service: str
    project_id: str
    quantity: Decimal
    description: Mapping[str, str]


@dataclass
class _Of:
    """The rules of one service: those of its fields' values by field and value, all others."""

    by_value: dict[tuple[str, str], list[Rule]] = field(default_factory=dict)
    others: list[Rule] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    tenants: set[str] = field(default_factory=set)
    known: dict[tuple[Any, ...], _Course] = field(default_factory=dict)

    def add(self, rule: Rule) -> None:
        if rule.tenant_id is not None:
            self.tenants.add(rule.tenant_id)
        if rule.field is not None:
            self.fields.add(rule.field)
        if rule.field is not None and rule.level is None:
            self.by_value.setdefault((rule.field, rule.value or ""), []).append(rule)
        else:
            self.others.append(rule)

    def fitting(self, point: Point) -> list[Rule]:
        """Whatever counts for it somewhen."""
        named = ((name, point.description[name]) for name in self.fields if name in point.description)
        found = [rule for key in named for rule in self.by_value.get(key, ())]
        found += [rule for rule in self.others if _fits(rule, point)]
        return [rule for rule in found if rule.tenant_id in (None, point.project_id)]


class _Course(NamedTuple):
    """The price before the first moment, between each two, after the last: one more than there are moments."""

    moments: list[datetime]
    prices: list[Decimal]


class Prices:
    """The prices of some time, ready to be asked for often."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._services: dict[str, _Of] = {}
        for rule in rules:
            self._services.setdefault(rule.service, _Of()).add(rule)

    def steps(self, point: Point, begin: datetime, end: datetime) -> list[Step]:
        """Its prices from ``begin`` to ``end``, without a gap."""
        of = self._services.get(point.service)
        if of is None:
            return [Step(begin, end, ZERO)]
        moments, prices = self._course(of, point)
        found: list[Step] = []
        place, at = bisect_right(moments, begin), begin
        while at < end:
            until = min(end, moments[place]) if place < len(moments) else end
            price = prices[place]
            if found and found[-1].price == price:
                found[-1] = Step(found[-1].begin, until, price)
            else:
                found.append(Step(at, until, price))
            place, at = place + 1, until
        return found

    def _course(self, of: _Of, point: Point) -> _Course:
        """What is alike as far as any rule looks costs the same."""
        tenant = point.project_id if point.project_id in of.tenants else None
        described = tuple(point.description.get(name) for name in of.fields)
        key = (tenant, point.quantity, described)
        known = of.known.get(key)
        if known is None:
            rules = of.fitting(point)
            moments = sorted({at for rule in rules for at in (rule.begins, rule.ends) if at is not None})
            prices = [_priced([rule for rule in rules if rule.counts(at)], point.quantity) for at in moments]
            known = of.known[key] = _Course(moments, [ZERO, *prices])
        return known


@dataclass
class _Group:
    flat: Decimal = ZERO
    rate: Decimal = ONE
    level: Decimal = MINUS_ONE
    best: Rule | None = None


def _priced(rules: Sequence[Rule], quantity: Decimal) -> Decimal:
    """The price of all of it at a moment at which just these rules count."""
    groups: dict[str, _Group] = {}
    for rule in _own_first(rules):
        group = groups.setdefault(rule.group, _Group())
        if rule.level is not None:
            if rule.level > group.level:
                group.level, group.best = rule.level, rule
        elif rule.flat:
            group.flat = max(group.flat, rule.cost)
        else:
            group.rate = times(group.rate, rule.cost)
    return total(_of_group(group, quantity) for group in groups.values())


def _own_first(rules: Sequence[Rule]) -> Iterable[Rule]:
    """Of those for the same thing that of the project; of several the newest. Those of services come first."""
    one: dict[tuple[Any, ...], Rule] = {}
    for rule in sorted(rules, key=lambda rule: rule.tenant_id is not None):
        one[rule.field, rule.group, rule.value, rule.level] = rule
    return sorted(one.values(), key=lambda rule: rule.field is not None)


def _fits(rule: Rule, point: Point) -> bool:
    """Whether one that is not of a value counts: a mapping of the service, or a threshold that is reached."""
    if rule.level is None:
        return True
    if rule.field is None:
        return point.quantity >= rule.level
    try:
        return Decimal(point.description.get(rule.field, "")) >= rule.level
    except InvalidOperation:
        return False


def _of_group(group: _Group, quantity: Decimal) -> Decimal:
    flat, rate, best = group.flat, group.rate, group.best
    if best is not None and best.field is not None:
        flat, rate = (EXACT.add(flat, best.cost), rate) if best.flat else (flat, times(rate, best.cost))
    found = times(times(rate, flat), quantity)
    if best is not None and best.field is None:
        found = EXACT.add(found, best.cost) if best.flat else times(found, best.cost)
    return found
