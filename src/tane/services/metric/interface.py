"""What other services, and the composition root, may ask of metrics."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import structlog

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import aggregates, gathering, operations, prometheus, resources
from tane.services.metric.domain.aggregates import Reading, Wanted, Window
from tane.services.metric.domain.ends import Asked, Shared
from tane.services.metric.domain.measures import listen
from tane.services.metric.domain.metrics import beyond, ordered
from tane.services.metric.domain.operations import Budget
from tane.services.metric.domain.prometheus import Unreachable
from tane.services.metric.domain.series import METHODS
from tane.services.metric.store import database
from tane.web.context import Context
from tane.web.errors import NotFound
from tane.wire.meters import Meters

__all__ = [
    "METHODS",
    "Asked",
    "Budget",
    "Owner",
    "Together",
    "Unreachable",
    "ask_prometheus",
    "beyond",
    "budget",
    "check_query",
    "listen",
    "measured",
    "ordered",
    "values_of",
]

log = structlog.get_logger()


def measured(core: Core, host_id: str, meters: Meters) -> None:
    """A host tells what it measured."""
    gathering.take(core, host_id, meters)


def ask_prometheus(core: Core, query: str) -> list[float]:
    """What the operator's Prometheus says of a query now: the finite values of a vector or scalar, in its order.

    :raises BadRequest: it cannot say anything of that. :raises Unreachable:
    """
    return prometheus.ask(core, query)


@dataclass(frozen=True)
class Owner:
    """A project as one who only sees what is its own, whatever roles whoever asks has."""

    core: Core
    project_id: str
    user_id: str = ""

    @property
    def context(self) -> Context:
        return Context("req-alarm", user_id=self.user_id, project_id=self.project_id)


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
    with Together(owner.core) as together:
        return together.values_of(owner, asked, spent)


class Together:
    """Values for many who ask, as they are at one moment, in a read transaction. What they ask for is looked up at once
    as far as it is told before; the rest when it is asked for."""

    def __init__(self, core: Core, wanted: Iterable[tuple[Owner, Asked]] = ()) -> None:
        self._core, self._wanted = core, wanted
        self._open = ExitStack()

    def __enter__(self) -> Together:
        with ExitStack() as undo:
            undo.callback(self._open.close)
            self._shared = Shared(self._core, self._begin())
            try:
                self._shared.look((owner.context, asked) for owner, asked in self._wanted)
            except Exception:
                # Whoever it was, the others are read one by one.
                log.error("series cannot be looked up together", error=traceback.format_exc())
                self._open.close()
                self._shared = Shared(self._core, self._begin())
            undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def _begin(self) -> Tx:
        return self._open.enter_context(database.of(self._core).read())

    def renew(self) -> None:
        """Go on in another transaction: something went wrong in this one."""
        self._open.close()
        self._shared.tx = self._begin()

    def values_of(self, owner: Owner, asked: Asked, spent: Budget) -> tuple[list[float], list[int]]:
        """As :func:`values_of`."""
        core, ctx, shared = owner.core, owner.context, self._shared
        reading = Reading(shared.tx, spent, shared)
        window = Window(asked.start(shared.now), shared.now, asked.granularity, 0.0, None)
        if asked.resource is not None:
            metric = shared.named(ctx, *asked.resource, asked.name)
            return aggregates.values(reading, metric, asked.method, window)[-asked.periods :], [metric.number]
        plain = asked.method.removeprefix("rate:")
        if asked.ids:
            rows = [shared.metric(ctx, one) for one in asked.ids]
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
