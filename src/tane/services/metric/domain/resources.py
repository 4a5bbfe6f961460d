"""Resources: what metrics belong to, with attributes by their type, and what they were before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import access, resource_types, timespans
from tane.services.metric.domain.errors import invalid, no_resource
from tane.services.metric.domain.filters import Conditions
from tane.services.metric.domain.metrics import Keys, Making, beyond, definition_of, exceeded, order_of, ordered, room
from tane.services.metric.domain.operations import METRIC_STEPS, Budget
from tane.services.metric.store import database
from tane.services.metric.store import metrics as metric_store
from tane.services.metric.store import resources as store
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound

OWN = ("started_at", "ended_at", "user_id", "project_id", "metrics")
COLUMNS = (
    *("id", "original_resource_id", "type", "creator", "project_id", "user_id", "started_at", "ended_at"),
    *("revision_start", "revision_end"),
)
MOST_METRICS, AT_ONCE = 1000, 500
"""Metrics of a resource, and resources that go in one transaction."""
ROW_STEPS = 50
"""What it costs to read a resource, in values that are looked at."""


def now_of(tx: Tx) -> float:
    return timespans.of_naive(tx.now) / timespans.SECOND


def found(core: Core, ctx: Context, tx: Tx, type_name: str, text: str) -> Any:
    """A resource that the caller sees. :raises NotFound:"""
    declared, resource_id = resource_types.found(tx, type_name), identifier(ctx, text)
    return judged(core, ctx, declared, resource_id, store.get(tx, resource_id))


def identifier(ctx: Context, text: str) -> str:
    """What the caller means by an id. :raises NotFound: nothing has it."""
    try:
        return access.resource_id(text, access.creator(ctx))[1]
    except BadRequest:
        raise no_resource(text) from None


def judged(core: Core, ctx: Context, declared: Any, resource_id: str, row: Any) -> Any:
    """``row``: the resource with that id. :raises NotFound: it is none of that type that the caller sees."""
    kinds = (row.type, resource_types.GENERIC) if row is not None else ()
    if declared.name not in kinds or not access.sees_resource(core, ctx, row):
        raise no_resource(resource_id)
    return row


def get(core: Core, ctx: Context, type_name: str, text: str) -> tuple[Any, list[Any]]:
    with database.of(core).read() as tx:
        row = found(core, ctx, tx, type_name, text)
        return row, metric_store.of_resources(tx, [row.id])


def create(core: Core, ctx: Context, type_name: str, told: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    told = dict(told)
    if "id" not in told:
        raise invalid("required key not provided", "id")
    with database.of(core).write() as tx:
        declared = resource_types.found(tx, type_name)
        original, resource_id = access.resource_id(told.pop("id"), access.creator(ctx))
        own, attributes = _read(tx, declared.attributes, told, whole=True)
        _require_project(core, ctx, own)
        own.setdefault("started_at", tx.now)
        own.setdefault("ended_at", None)
        _require_order(own["started_at"], own["ended_at"])
        if store.get(tx, resource_id) is not None:
            raise Conflict(f"Resource {resource_id} already exists")
        if room(core, tx, ctx.project_id, "resources", store.count_of_project) <= 0:
            raise exceeded("resources")
        wanted = own.pop("metrics", None)
        store.add(
            tx,
            id=resource_id,
            original_resource_id=original,
            type=type_name,
            creator=access.creator(ctx),
            created_by_project_id=ctx.project_id,
            revision_start=tx.now,
            attributes=attributes,
            **own,
        )
        if wanted is not None:
            put_metrics(core, ctx, tx, resource_id, wanted)
        return store.get(tx, resource_id), metric_store.of_resources(tx, [resource_id])


def _read(
    tx: Tx, declared: Mapping[str, Any], told: Mapping[str, Any], *, whole: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    own: dict[str, Any] = {}
    for name in OWN:
        if name not in told:
            continue
        value = told[name]
        if name == "metrics":
            if not isinstance(value, dict):
                raise invalid("expected a dictionary", name)
        elif name in ("user_id", "project_id"):
            if value is not None and (not isinstance(value, str) or len(value) > 255):
                raise invalid("expected str", name)
        elif not (name == "ended_at" and value is None):
            try:
                value = timespans.naive(timespans.moment(value, now_of(tx)))
            except ValueError as error:
                raise invalid(str(error), name) from None
        own[name] = value
    rest = {key: value for key, value in told.items() if key not in OWN}
    return own, resource_types.values_of(declared, rest, now_of(tx), whole=whole)


def _require_project(core: Core, ctx: Context, own: Mapping[str, Any]) -> None:
    """Nobody makes things in the name of another project: its alarms would believe them."""
    wanted = own.get("project_id")
    access.require(wanted in (None, ctx.project_id) or access.for_others(core, ctx))


def _require_order(started: datetime, ended: datetime | None) -> None:
    if ended is not None and started > ended:
        raise BadRequest("Start timestamp cannot be after end timestamp")


def update(
    core: Core, ctx: Context, type_name: str, text: str, told: Mapping[str, Any], check: Any
) -> tuple[Any, list[Any]]:
    """``check(row)``: raises where the caller expected another revision."""
    with database.of(core).write() as tx:
        row = found(core, ctx, tx, type_name, text)
        access.require(access.owns(core, ctx, row))
        check(row)
        declared = resource_types.found(tx, type_name)
        own, attributes = _read(tx, declared.attributes, told, whole=False)
        _require_project(core, ctx, own)
        _require_order(own.get("started_at", row.started_at), own.get("ended_at", row.ended_at))
        wanted = own.pop("metrics", None)
        changed = {name: value for name, value in own.items() if value != getattr(row, name)}
        merged = {**row.attributes, **attributes}
        if merged != row.attributes:
            changed["attributes"] = merged
        if changed:
            store.keep_revision(tx, row, tx.now)
            store.change(tx, row.id, revision_start=tx.now, **changed)
        if wanted is not None:
            metric_store.remove_of_resources(tx, [row.id])
            put_metrics(core, ctx, tx, row.id, wanted)
        return store.get(tx, row.id), metric_store.of_resources(tx, [row.id])


def put_metrics(core: Core, ctx: Context, tx: Tx, resource_id: str, wanted: Mapping[str, Any]) -> None:
    """Give a resource metrics by name: new ones that are described, or those of the caller with an id."""
    if len(wanted) > MOST_METRICS:
        raise BadRequest(f"Invalid input: a resource has at most {MOST_METRICS} metrics")
    making, new = Making(core, ctx, tx), []
    for name, told in wanted.items():
        if "/" in name:
            raise BadRequest("'/' is not supported in metric name")
        if not isinstance(told, str):
            new.append(making.one(name, *definition_of(name, told), resource_id))
            continue
        try:
            metric_id = access.resource_id(told, "")[0]
            [row] = metric_store.of_ids(tx, [metric_id])
        except ValueError:
            raise BadRequest(f"Metric {told} does not exist") from None
        if not access.owns(core, ctx, row):
            raise BadRequest(f"Metric {told} does not exist")
        metric_store.place(tx, row.id, resource_id, name)
    metric_store.add(tx, new)


def add_metrics(core: Core, ctx: Context, type_name: str, text: str, wanted: Mapping[str, Any]) -> list[Any]:
    with database.of(core).write() as tx:
        row = found(core, ctx, tx, type_name, text)
        access.require(access.owns(core, ctx, row))
        there = metric_store.of_resources(tx, [row.id])
        for one in there:
            if one.name in wanted:
                raise Conflict(f"Named metric {one.name} already exists")
        if len(there) + len(wanted) > MOST_METRICS:
            raise BadRequest(f"Invalid input: a resource has at most {MOST_METRICS} metrics")
        put_metrics(core, ctx, tx, row.id, wanted)
        return metric_store.of_resources(tx, [row.id])


def delete(core: Core, ctx: Context, type_name: str, text: str, check: Any) -> None:
    with database.of(core).write() as tx:
        row = found(core, ctx, tx, type_name, text)
        access.require(access.owns(core, ctx, row))
        check(row)
        remove(tx, [row.id])


def remove(tx: Tx, ids: Sequence[str]) -> int:
    metric_store.remove_of_resources(tx, ids)
    return store.remove(tx, ids)


def delete_found(core: Core, ctx: Context, type_name: str, query: Any, budget: Budget) -> int:
    """:raises BadRequest: :raises TakesLong: it is more than ``budget``."""
    if not query:
        raise BadRequest("caution: the query can not be empty, or it will delete entire database")
    # Nobody else writes metrics meanwhile: they are looked for before.
    with database.of(core).read() as tx:
        rows = search(core, ctx, tx, type_name, query, limit=budget.room(ROW_STEPS) + 1, spend=budget.spend)
    budget.spend(len(rows) * ROW_STEPS)
    gone, count = [row.id for row in rows if access.owns(core, ctx, row)], 0
    for begin in range(0, len(gone), AT_ONCE):
        with database.of(core).write() as tx:
            count += remove(tx, gone[begin : begin + AT_ONCE])
    return count


def search(
    core: Core,
    ctx: Context,
    tx: Tx,
    type_name: str,
    query: Any = None,
    *,
    history: bool = False,
    sorts: Sequence[str] = (),
    marker: str | None = None,
    limit: int | None = None,
    spend: Callable[[int], object] | None = None,
) -> list[Any]:
    """The resources of a type that the caller sees and that answer to ``query``. ``spend`` is told before how many
    rows are to be compared with how many conditions."""
    declared = resource_types.found(tx, type_name)
    shown = store.view(history)
    wanted: list[Any] = [] if type_name == resource_types.GENERIC else [shown.c.type == type_name]
    project = access.visible(core, ctx)
    if project is not None:
        wanted.append(or_(shown.c.project_id == project, shown.c.created_by_project_id == project))
    if query:
        conditions = Conditions(shown, type_name, declared.attributes, now_of(tx), access.creator(ctx))
        condition = conditions.of(query)
        if spend is not None:
            spend(store.count(tx, shown, wanted) * conditions.count)
        wanted.append(condition)
    # What is no column is looked up in the attributes.
    columns = {name: shown.c[name] for name in COLUMNS}
    columns |= {name: shown.c.attributes[name].as_string() for name in declared.attributes}
    last = ("id", "revision") if history else ("id",)
    keys = order_of(sorts, tuple(columns), last)
    columns["revision"] = shown.c.revision
    if marker is not None:
        wanted.append(beyond(columns, keys, _marked(core, ctx, tx, shown, marker, history, keys)))
    return store.listed(tx, shown, [and_(*wanted)] if wanted else [], ordered(columns, keys), limit)


class _Marked:
    """The row after which a page begins, with its attributes as if they were columns."""

    def __init__(self, row: Any, names: Sequence[str]) -> None:
        for name in names:
            setattr(self, name, getattr(row, name) if hasattr(row, name) else row.attributes.get(name))


def _marked(core: Core, ctx: Context, tx: Tx, shown: Any, marker: str, history: bool, keys: Keys) -> Any:
    resource_id, _, revision = marker.partition("@")
    number = -1
    if history:
        try:
            number = int(revision[:18])
        except ValueError:
            resource_id = ""
    row = store.at_revision(tx, shown, resource_id, number)
    if row is None or not access.sees(core, ctx, row):
        raise BadRequest(f"Invalid pagination: `Invalid marker: `{marker}''")
    return _Marked(row, [name for name, *_ in keys])


def listed(
    core: Core,
    ctx: Context,
    type_name: str,
    query: Any,
    *,
    history: bool,
    sorts: Sequence[str],
    marker: str | None,
    limit: int,
    budget: Budget,
) -> tuple[list[Any], dict[str, list[Any]]]:
    """(resources, metrics by resource)."""
    how: dict[str, Any] = {"history": history, "sorts": sorts, "marker": marker, "limit": limit}
    with database.of(core).read() as tx:
        rows = search(core, ctx, tx, type_name, query, **how, spend=budget.spend)
        budget.spend(metric_store.count_of_resources(tx, [row.id for row in rows]) * METRIC_STEPS)
        return rows, by_resource(tx, rows)


def history(
    core: Core, ctx: Context, type_name: str, text: str, sorts: Sequence[str], marker: str | None, limit: int
) -> tuple[list[Any], dict[str, list[Any]]]:
    with database.of(core).read() as tx:
        row = found(core, ctx, tx, type_name, text)
        query = {"=": {"id": row.id}}
        rows = search(core, ctx, tx, type_name, query, history=True, sorts=sorts, marker=marker, limit=limit)
        return rows, by_resource(tx, rows)


def by_resource(tx: Tx, rows: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in metric_store.of_resources(tx, [row.id for row in rows]):
        found.setdefault(one.resource_id, []).append(one)
    return found


def metric_named(core: Core, ctx: Context, type_name: str, text: str, name: str) -> str:
    """The id of a resource's metric. :raises NotFound:"""
    with database.of(core).read() as tx:
        row = found(core, ctx, tx, type_name, text)
        metric = metric_store.named(tx, row.id, name)
        if metric is None:
            raise NotFound(f"Metric {name} does not exist")
        return str(metric.id)
