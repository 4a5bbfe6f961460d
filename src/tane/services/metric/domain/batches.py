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
from tane.services.metric.domain.resources import now_of
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


def to_metric(core: Core, ctx: Context, metric_id: str, told: Any) -> None:
    measures.make_room(core)
    with database.of(core).write() as tx:
        row = metrics.seen(core, ctx, tx, metric_id)
        access.require(access.owns(core, ctx, row))
        times, values = samples_of(told, now_of(tx))
        measures.append(tx, [row.number] * len(times), times, values)
    measures.taken(core, [row.number])


def to_metrics(core: Core, ctx: Context, told: Mapping[str, Any]) -> None:
    measures.make_room(core)
    with database.of(core).write() as tx:
        ids = {}
        for text in told:
            try:
                ids[metrics.identifier(text)] = text
            except NotFound:
                raise invalid("not a valid value", text) from None
        rows = {row.id: row for row in store.of_ids(tx, ids)}
        missing = sorted(one for one in ids if one not in rows or not access.sees(core, ctx, rows[one]))
        if missing:
            raise BadRequest(f"Unknown metrics: {', '.join(missing)}")
        for row in rows.values():
            access.require(access.owns(core, ctx, row))
        numbers = _write(tx, [(rows[one], told[text], (text,)) for one, text in ids.items()])
    measures.taken(core, numbers)


def to_resources(core: Core, ctx: Context, told: Mapping[str, Any], *, create: bool) -> None:
    """``create``: make the metrics that the resources do not have yet."""
    measures.make_room(core)
    who = access.creator(ctx)
    with database.of(core).write() as tx:
        by_id = {}
        for text, named in told.items():
            if not isinstance(named, dict):
                raise invalid("expected a dictionary", text)
            by_id[access.resource_id(text, who)[1]] = (text, named)
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
        for resource_id, (text, named) in by_id.items():
            for name, one in named.items():
                access.require(access.owns(core, ctx, known[resource_id][name]))
                wanted.append((known[resource_id][name], _list_of(text, name, one), (text, name)))
        numbers = _write(tx, wanted)
    measures.taken(core, numbers)


def _described(text: str, name: str, one: Any) -> tuple[str | None, str | None]:
    if not isinstance(one, dict):
        return None, None
    return metrics.definition_of(name, {key: value for key, value in one.items() if key != "measures"})


def _list_of(text: str, name: str, one: Any) -> Any:
    if isinstance(one, dict):
        if "measures" not in one:
            raise invalid("required key not provided", text, name, "measures")
        for key in one:
            if key not in ("measures", "archive_policy_name", "unit"):
                raise invalid("extra keys not allowed", text, name, key)
        return one["measures"]
    return one


def _write(tx: Tx, wanted: Sequence[tuple[Any, Any, tuple[str, ...]]]) -> list[int]:
    numbers: list[int] = []
    times: list[int] = []
    values: list[float] = []
    now = now_of(tx)
    for row, told, where in wanted:
        of_one = samples_of(told, now, *where)
        numbers += [row.number] * len(of_one[0])
        times += of_one[0]
        values += of_one[1]
    measures.append(tx, numbers, times, values)
    return list(dict.fromkeys(numbers))
