"""What other services, and the composition root, may ask of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.services.metric.domain import aggregates, gathering, metrics, operations, resources, timespans
from tane.services.metric.domain.aggregates import Reading, Wanted, Window
from tane.services.metric.domain.measures import listen
from tane.services.metric.domain.metrics import beyond, ordered
from tane.services.metric.domain.operations import Budget
from tane.services.metric.domain.series import METHODS
from tane.services.metric.store import database
from tane.services.metric.store import metrics as metric_store
from tane.web.context import Context
from tane.web.errors import NotFound
from tane.wire.documents import Meters

__all__ = [
    "METHODS",
    "Asked",
    "Budget",
    "Owner",
    "beyond",
    "budget",
    "check_query",
    "listen",
    "measured",
    "ordered",
    "values_of",
]


def measured(core: Core, host_id: str, meters: Meters) -> None:
    """A host tells what it measured."""
    gathering.take(core, host_id, meters)


@dataclass(frozen=True)
class Owner:
    """A project as one who only sees what is its own, whatever roles whoever asks has."""

    core: Core
    project_id: str
    user_id: str = ""

    @property
    def context(self) -> Context:
        return Context("req-alarm", user_id=self.user_id, project_id=self.project_id)


@dataclass(frozen=True)
class Asked:
    """Values of one series, for an alarm. ``seconds``: a period; ``periods``: how many before now.

    One of: ``resource`` (type, id) and ``name``; ``ids`` of metrics; ``query`` (type, tree) and ``name``.
    """

    method: str
    seconds: int
    periods: int
    name: str = ""
    resource: tuple[str, str] | None = None
    ids: tuple[str, ...] = ()
    query: tuple[str, Any] | None = None


def check_query(owner: Owner, type_name: str, query: Any) -> None:
    """:raises BadRequest: it is none of resources of that type. :raises NotFound: there is no such type."""
    with database.of(owner.core).read() as tx:
        resources.search(owner.core, owner.context, tx, type_name, query, limit=0)


def budget() -> Budget:
    """What an alarm may cost: as much as a request."""
    return Budget(long=True)


def values_of(owner: Owner, asked: Asked, spent: Budget) -> tuple[list[float], list[int]]:
    """(values, the oldest first; numbers of the metrics that they are of). ``spent``: the budget of all that is asked
    for the same alarm.

    :raises NotFound: there is no such metric, resource or aggregation. :raises BadRequest: they do not fit together.
    """
    core, ctx = owner.core, owner.context
    with database.of(core).read() as tx:
        reading = Reading(tx, spent)
        now = timespans.of_naive(tx.now)
        start = now - asked.seconds * (asked.periods + 1) * timespans.SECOND
        window = Window(start, now, asked.seconds * timespans.SECOND, 0.0, None)
        if asked.resource is not None:
            row = resources.found(core, ctx, tx, *asked.resource)
            metric = metric_store.named(tx, row.id, asked.name)
            if metric is None:
                raise NotFound(f"Metric {asked.name} does not exist")
            return _last(aggregates.across(reading, [metric], asked.method, None, window, None), asked), [metric.number]
        plain = asked.method.removeprefix("rate:")
        if asked.ids:
            rows = [metrics.seen(core, ctx, tx, one) for one in asked.ids]
            reading.count(len(rows))
            wanted = [Wanted(row, plain, (row.id, plain)) for row in rows]
        else:
            assert asked.query is not None
            found = reading.resources(core, ctx, *asked.query)
            by_resource = reading.by_resource(found)
            wanted = aggregates.named(reading, found, by_resource, [(asked.name, plain)])
            if not wanted:
                raise NotFound(f"Metric {asked.name} does not exist")
        tree = ["aggregate", asked.method, ["metric", *dict.fromkeys(one.key for one in wanted)]]
        if asked.method not in operations.AGGREGATIONS:
            raise NotFound(f"Aggregation {asked.method} does not exist")
        shown = aggregates.measured(reading, wanted, tree, window)["aggregated"]
        return _last(shown, asked), [one.metric.number for one in wanted]


def _last(points: Iterable[Any], asked: Asked) -> list[float]:
    return [value for _, _, value in points if value == value][-asked.periods :]
