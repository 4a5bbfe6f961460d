"""Archive policies: for how long which periods are kept, and which values of them."""

from __future__ import annotations

import itertools
from typing import Any

from tane import wildcards
from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import timespans
from tane.services.metric.domain.errors import invalid
from tane.services.metric.domain.series import METHODS, Definition, Policy
from tane.services.metric.store import archive_policies as store
from tane.services.metric.store import database
from tane.web.errors import BadRequest, Conflict, NotFound

USUAL = ("mean", "min", "max", "sum", "std", "count")
MOST_POINTS = 1 << 31


def every(core: Core) -> list[Any]:
    with database.of(core).read() as tx:
        return store.every(tx)


def get(core: Core, name: str) -> Any:
    with database.of(core).read() as tx:
        return found(tx, name)


def found(tx: Tx, name: str) -> Any:
    row = store.get(tx, name)
    if row is None:
        raise NotFound(f"Archive policy {name} does not exist")
    return row


def policy_of(tx: Tx, name: str) -> Policy:
    row = store.get(tx, name)
    assert row is not None  # Metrics hold their policies.
    return policy(row)


def policy(row: Any) -> Policy:
    definitions = tuple(Definition(granularity, points) for granularity, points in row.definition)
    return Policy(row.name, row.back_window, definitions, tuple(row.aggregation_methods))


def create(core: Core, name: str, back_window: int, methods: list[str] | None, definition: list[Any]) -> Any:
    wanted = methods_of(methods)
    items = items_of(definition)
    with database.of(core).write() as tx:
        if store.get(tx, name) is not None:
            raise Conflict(f"Archive policy {name} already exists")
        store.add(tx, name=name, back_window=back_window, definition=items, aggregation_methods=wanted)
        return store.get(tx, name)


def methods_of(wanted: list[str] | None) -> list[str]:
    """``*`` is all, ``-name`` and ``+name`` change the usual ones or those that are named. :raises BadRequest:"""
    wanted = list(USUAL if wanted is None else wanted)
    plain = [name.lstrip("+-") for name in wanted]
    wrong = sorted({name for name in plain if name != "*" and name not in METHODS})
    if wrong:
        raise invalid("not a valid value", "aggregation_methods", "0")
    if "*" in wanted:
        found = set(METHODS)
    elif all(name[:1] in ("-", "+") for name in wanted):
        found = set(USUAL)
    else:
        found = {name for name in wanted if name[:1] not in ("-", "+")}
    for name in wanted:
        if name.startswith("-"):
            found.discard(name[1:])
        elif name.startswith("+"):
            found.add(name[1:])
    if not found:
        raise BadRequest("At least one aggregation method is needed")
    return sorted(found)


def items_of(definition: list[Any]) -> list[list[int | None]]:
    """Of granularity, points and timespan two say the third. :raises BadRequest:"""
    items = sorted(_item(one) for one in definition)
    for (granularity, _), (other, _) in itertools.pairwise(items):
        if granularity == other:
            raise BadRequest(f"More than one archive policy uses granularity `{granularity / timespans.SECOND}'")
    return [list(item) for item in items]


def _item(one: Any) -> tuple[int, int | None]:
    granularity, points, timespan = _span(one, "granularity"), one.points, _span(one, "timespan")
    if granularity is None:
        if points is None or timespan is None:
            raise BadRequest("At least two of granularity/points/timespan must be provided")
        granularity = timespan // points
        if granularity <= 0:
            raise BadRequest("Granularity should be > 0")
    elif points is not None and timespan is not None and granularity * points != timespan:
        raise BadRequest("timespan ≠ granularity × points")
    if points is None and timespan is not None:
        points = timespan // granularity
        if points <= 0:
            raise BadRequest("Calculated number of points is < 0")
    if points is not None and points * granularity > timespans.LAST:
        raise BadRequest("Timespan is too long")
    return granularity, points


def _span(one: Any, name: str) -> int | None:
    value = getattr(one, name)
    if value is None:
        return None
    try:
        return timespans.span(value)
    except ValueError as error:
        raise invalid(str(error), "definition", name) from None


def update(core: Core, name: str, definition: list[Any], back_window: int | None) -> Any:
    """Other points; the granularities stay. :raises BadRequest: they do not."""
    with database.of(core).write() as tx:
        row = found(tx, name)
        items = items_of(definition)

        def unsupported(reason: str) -> BadRequest:
            return BadRequest(f"Archive policy {name} does not support change: {reason}")

        if len(items) != len(row.definition):
            raise unsupported("Cannot add or drop granularities")
        old, new = ([item[0] for item in list_] for list_ in (row.definition, items))
        for granularity in new:
            if granularity not in old:
                shown = granularity / timespans.SECOND if granularity is not None else granularity
                raise unsupported(f"{shown} granularity interval was changed")
        changed: dict[str, Any] = {"definition": items}
        if back_window is not None:
            changed["back_window"] = back_window
        store.change(tx, name, **changed)
        return store.get(tx, name)


def delete(core: Core, name: str) -> None:
    with database.of(core).write() as tx:
        found(tx, name)
        if store.in_use(tx, name):
            raise BadRequest(f"Archive policy {name} is still in use")
        store.remove(tx, name)


def rules(core: Core) -> list[Any]:
    with database.of(core).read() as tx:
        return store.rules(tx)


def rule(core: Core, name: str) -> Any:
    with database.of(core).read() as tx:
        return _rule(tx, name)


def _rule(tx: Tx, name: str) -> Any:
    row = store.rule(tx, name)
    if row is None:
        raise NotFound(f"Archive policy rule {name} does not exist")
    return row


def create_rule(core: Core, name: str, pattern: str, policy_name: str) -> Any:
    with database.of(core).write() as tx:
        if store.rule(tx, name) is not None:
            raise Conflict(f"Archive policy rule {name} already exists")
        if store.get(tx, policy_name) is None:
            raise BadRequest(f"Archive policy {policy_name} does not exist")
        store.add_rule(tx, name=name, metric_pattern=pattern, archive_policy_name=policy_name)
        return store.rule(tx, name)


def rename_rule(core: Core, name: str, new: str) -> Any:
    with database.of(core).write() as tx:
        _rule(tx, name)
        if store.rule(tx, new) is not None:
            raise BadRequest(
                f"Archive policy rule {name} does not support change: Archive policy rule {new} already exists."
            )
        store.rename_rule(tx, name, new)
        return store.rule(tx, new)


def delete_rule(core: Core, name: str) -> None:
    with database.of(core).write() as tx:
        _rule(tx, name)
        store.remove_rule(tx, name)


def for_metric(rules: list[Any], name: str | None) -> str:
    """The policy that a rule says for a metric's name. :raises BadRequest: none does."""
    for row in rules:
        if wildcards.matches(row.metric_pattern, name or ""):
            return str(row.archive_policy_name)
    raise BadRequest(
        f"No archive policy name specified and no archive policy rule found matching the metric name {name}"
    )
