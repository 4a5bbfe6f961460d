"""Samples that users send: of one metric, of many, of the metrics of resources by their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import access, measures, metrics, timespans
from tane.services.metric.domain.errors import Told, invalid
from tane.services.metric.domain.metrics import Making
from tane.services.metric.domain.resources import MOST_METRICS
from tane.services.metric.store import database
from tane.services.metric.store import metrics as store
from tane.services.metric.store import resources as resource_store
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

Samples = tuple[list[int], list[float]]


def samples_of(told: Any, now: float, *where: str) -> Samples:
    """Moments and values of a list of ``{"timestamp", "value"}``. :raises Told: there is something else in it."""
    if not isinstance(told, list):
        raise invalid("unexpected measures format", *where)
    times: list[int] = []
    values: list[float] = []
    for one in told:
        if not isinstance(one, dict) or "timestamp" not in one:
            raise invalid("unexpected measures format", *where)
        try:
            times.append(timespans.moment(one["timestamp"], now))
        except ValueError as error:
            raise invalid(f"unexpected timestamp '{error}'", *where) from None
        try:
            value = float(one["value"])
            if not math.isfinite(value):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise invalid("unexpected measures value", *where) from None
        values.append(value)
    return times, values


def _read(told: Any, now: float, *where: str) -> Samples | Told:
    """The same, but what is wrong is given back: who may not feed the metric is told that first.

    All of a body is read before the transaction begins, as nobody else writes metrics meanwhile.
    """
    try:
        return samples_of(told, now, *where)
    except Told as error:
        return error


def _now(core: Core) -> float:
    return timespans.of_naive(core.clock.now()) / timespans.SECOND


def to_metric(core: Core, ctx: Context, metric_id: str, told: Any) -> None:
    measures.make_room(core)
    found = _read(told, _now(core))
    with database.of(core).write() as tx:
        row = metrics.seen(core, ctx, tx, metric_id)
        access.require(access.owns(core, ctx, row))
        _write(tx, [(row, found)])
    measures.taken(core, [row.number])


def to_metrics(core: Core, ctx: Context, told: Mapping[str, Any]) -> None:
    measures.make_room(core)
    now = _now(core)
    found = {}
    for text, one in told.items():
        try:
            found[metrics.identifier(text)] = _read(one, now, text)
        except NotFound:
            raise invalid("not a valid value", text) from None
    with database.of(core).write() as tx:
        rows = {row.id: row for row in store.of_ids(tx, found)}
        missing = sorted(one for one in found if one not in rows or not access.sees(core, ctx, rows[one]))
        if missing:
            raise BadRequest(f"Unknown metrics: {', '.join(missing)}")
        for row in rows.values():
            access.require(access.owns(core, ctx, row))
        numbers = _write(tx, [(rows[one], samples) for one, samples in found.items()])
    measures.taken(core, numbers)


def to_resources(core: Core, ctx: Context, told: Mapping[str, Any], *, create: bool) -> None:
    """``create``: make the metrics that the resources do not have yet."""
    measures.make_room(core)
    who, now = access.creator(ctx), _now(core)
    by_id = {}
    for text, named in told.items():
        if not isinstance(named, dict):
            raise invalid("expected a dictionary", text)
        by_id[access.resource_id(text, who)[1]] = (text, named)
    samples = {
        (resource_id, name): _read_of(text, name, one, now)
        for resource_id, (text, named) in by_id.items()
        for name, one in named.items()
    }
    with database.of(core).write() as tx:
        there = {row.id: row for row in resource_store.of_ids(tx, list(by_id)) if access.sees(core, ctx, row)}
        known: dict[str, dict[str, Any]] = {}
        for row in store.of_resources(tx, there):
            known.setdefault(row.resource_id, {})[row.name] = row
        new: list[dict[str, Any]] = []
        unknown: list[str] = []
        lost = []
        making = Making(core, ctx, tx)
        for resource_id, (text, named) in by_id.items():
            fresh = [name for name in named if name not in known.get(resource_id, {})]
            if fresh and not create:
                unknown += [f"{resource_id}/{name}" for name in fresh]
            elif fresh and resource_id not in there:
                lost.append({"resource_id": resource_id, "original_resource_id": text})
            elif fresh and len(known.get(resource_id, {})) + len(fresh) > MOST_METRICS:
                raise BadRequest(f"Invalid input: a resource has at most {MOST_METRICS} metrics")
            elif fresh and len(new) + len(fresh) > MOST_METRICS:
                raise BadRequest(f"Invalid input: at most {MOST_METRICS} metrics are made at a time")
            elif fresh:
                access.require(access.owns(core, ctx, there[resource_id]))
                new += [making.one(name, *_described(text, name, named[name]), resource_id) for name in fresh]
        if lost:
            raise Told("Unknown resources", lost)
        if unknown:
            raise BadRequest(f"Unknown metrics: {', '.join(sorted(unknown))}")
        store.add(tx, new)
        if new:
            for row in store.of_ids(tx, [one["id"] for one in new]):
                known.setdefault(row.resource_id, {})[row.name] = row
        wanted = []
        for resource_id, name in samples:
            row = known[resource_id][name]
            access.require(access.owns(core, ctx, row))
            wanted.append((row, samples[resource_id, name]))
        numbers = _write(tx, wanted)
    measures.taken(core, numbers)


def _described(text: str, name: str, one: Any) -> tuple[str | None, str | None]:
    if not isinstance(one, dict):
        return None, None
    return metrics.definition_of(name, {key: value for key, value in one.items() if key != "measures"})


def _read_of(text: str, name: str, one: Any, now: float) -> Samples | Told:
    if isinstance(one, dict):
        if "measures" not in one:
            return invalid("required key not provided", text, name, "measures")
        for key in one:
            if key not in ("measures", "archive_policy_name", "unit"):
                return invalid("extra keys not allowed", text, name, key)
        one = one["measures"]
    return _read(one, now, text, name)


def _write(tx: Tx, wanted: Sequence[tuple[Any, Samples | Told]]) -> list[int]:
    """Take samples of metrics in; their numbers. :raises Told: what was read is none."""
    numbers: list[int] = []
    times: list[int] = []
    values: list[float] = []
    for row, found in wanted:
        if isinstance(found, Told):
            raise found
        numbers += [row.number] * len(found[0])
        times += found[0]
        values += found[1]
    measures.append(tx, numbers, times, values)
    return list(dict.fromkeys(numbers))
