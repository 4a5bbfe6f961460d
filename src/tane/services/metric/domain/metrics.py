"""Metrics: a name, a policy, perhaps a resource."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, false, or_

from tane import quota
from tane.core import Core
from tane.db import Tx
from tane.db.paging import once_each
from tane.services.metric.domain import access, archive_policies
from tane.services.metric.domain.errors import Told, invalid, no_metric, no_resource
from tane.services.metric.store import archive_policies as policy_store
from tane.services.metric.store import database
from tane.services.metric.store import metrics as store
from tane.services.metric.store import resources as resource_store
from tane.services.metric.tables import metric
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden

LIMITS = {"metrics": 50_000, "resources": 20_000}
"""Per project, of what its users make; what the cloud measures of it does not count."""
SORTABLE = ("id", "name", "unit", "creator", "archive_policy_name", "resource_id")
FILTERS = ("creator", "name", "id", "unit", "archive_policy_name", "status", "resource_id")


def identifier(text: str) -> str:
    """:raises NotFound: it is no UUID, so that nothing has it."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise no_metric(text) from None


def get(core: Core, ctx: Context, metric_id: str) -> Any:
    """A metric that the caller sees, with its policy and resource: (metric, policy, resource)."""
    with database.of(core).read() as tx:
        row = seen(core, ctx, tx, metric_id)
        policy = policy_store.get(tx, row.archive_policy_name)
        resource = resource_store.get(tx, row.resource_id) if row.resource_id else None
        return row, policy, resource


def seen(core: Core, ctx: Context, tx: Tx, metric_id: str) -> Any:
    """:raises NotFound: it is not there, or another project's."""
    rows = store.of_ids(tx, [identifier(metric_id)])
    if not rows or not access.sees(core, ctx, rows[0]):
        raise no_metric(metric_id)
    return rows[0]


def listed(
    core: Core, ctx: Context, wanted: Mapping[str, str], sorts: Sequence[str], marker: str | None, limit: int
) -> tuple[list[Any], dict[str, Any]]:
    """(metrics, policies by name)."""
    keys = order_of(sorts, SORTABLE, ("id",))
    with database.of(core).read() as tx:
        conditions = [metric.c[name] == value for name, value in wanted.items() if name != "status"]
        if wanted.get("status", "active") != "active":
            return [], {}
        after = []
        if marker is not None:
            rows = store.of_ids(tx, [marker])
            if not rows or not access.sees(core, ctx, rows[0]):
                raise BadRequest(f"Invalid pagination: `Invalid marker: `{marker}''")
            after = [beyond(metric.c, keys, rows[0])]
        order = ordered(metric.c, keys)
        found = store.listed(tx, access.visible(core, ctx), conditions, order, after, limit)
        return found, {row.name: row for row in policy_store.every(tx)}


Keys = Sequence[tuple[str, bool, bool]]
"""(column, whether it rises, whether NULL comes first)."""


def order_of(sorts: Sequence[str], sortable: Sequence[str], last: Sequence[str]) -> Keys:
    """The keys of ``name:asc``, ``name:desc-nullslast`` and the like."""
    keys: list[tuple[str, bool, bool]] = []
    for text in sorts:
        name, _, way = text.partition(":")
        if name not in sortable:
            raise BadRequest(f"Invalid pagination: `Sort key supplied is invalid: {name}'")
        direction, _, nulls = way.partition("-")
        if direction not in ("", "asc", "desc") or nulls not in ("", "nullsfirst", "nullslast"):
            raise BadRequest(f"Invalid pagination: `Unknown sort direction, must be one of: asc, desc: {way}'")
        up = direction != "desc"
        keys.append((name, up, nulls == "nullsfirst" if nulls else up))
    found = once_each(keys)
    return [*found, *((name, True, True) for name in last if all(name != key for key, *_ in found))]


def ordered(columns: Any, keys: Keys) -> list[Any]:
    found = []
    for name, up, nulls_first in keys:
        way = columns[name].asc() if up else columns[name].desc()
        found.append(way.nulls_first() if nulls_first else way.nulls_last())
    return found


def beyond(columns: Any, keys: Keys, row: Any) -> Any:
    """What comes after ``row`` in the order of ``keys``."""
    parts: list[Any] = []
    same: list[Any] = []
    for name, up, nulls_first in keys:
        column, value = columns[name], getattr(row, name)
        if value is None:
            if nulls_first:
                parts.append(and_(*same, column.is_not(None)))
            same.append(column.is_(None))
            continue
        later = column > value if up else column < value
        parts.append(and_(*same, later if nulls_first else or_(later, column.is_(None))))
        same.append(column == value)
    return or_(false(), *parts)


class Making:
    """Makes metrics in one transaction: rules and policies are read once, the quota is counted once."""

    def __init__(self, core: Core, ctx: Context, tx: Tx) -> None:
        self._core, self._ctx, self._tx = core, ctx, tx
        self._rules: list[Any] | None = None
        self._policies: set[str] | None = None
        self._left: int | None = None

    def one(
        self, name: str | None, policy: str | None, unit: str | None, resource_id: str | None = None
    ) -> dict[str, Any]:
        """The row of a new metric, to be added. :raises BadRequest: no such policy. :raises Forbidden: too many."""
        if name is not None and "/" in name:
            raise BadRequest("'/' is not supported in metric name")
        if policy is None:
            if self._rules is None:
                self._rules = policy_store.rules(self._tx)
            policy = archive_policies.for_metric(self._rules, name)
        if self._policies is None:
            self._policies = {row.name for row in policy_store.every(self._tx)}
        if policy not in self._policies:
            raise BadRequest(f"Archive policy {policy} does not exist")
        self._count()
        return {
            "id": str(uuid.uuid4()),
            "name": name,
            "unit": unit,
            "creator": access.creator(self._ctx),
            "created_by_project_id": self._ctx.project_id,
            "archive_policy_name": policy,
            "resource_id": resource_id,
            "counter": False,
        }

    def _count(self) -> None:
        if self._left is None:
            self._left = room(self._core, self._tx, self._ctx.project_id, "metrics", store.count_of_project)
        if self._left <= 0:
            raise exceeded("metrics")
        self._left -= 1


def room(core: Core, tx: Tx, project_id: str, what: str, counted: Any) -> int:
    """How many more of something a project may make."""
    with core.db.read() as control:
        most = quota.limits(control, "metric", project_id, LIMITS)[what]
    return 1 << 30 if most == quota.UNLIMITED else most - counted(tx, project_id)


def exceeded(what: str) -> Forbidden:
    return Forbidden(f"Quota exceeded for {what} of the project.")


def create(
    core: Core, ctx: Context, name: str | None, policy: str | None, unit: str | None, resource: str | None
) -> Any:
    with database.of(core).write() as tx:
        resource_id = None
        making = Making(core, ctx, tx)
        row = making.one(name, policy, unit)
        if resource is not None:
            if name is None:
                raise Told("Attribute value error", "name", "Name cannot be null if resource_id is not null")
            resource_id = access.resource_id(resource, access.creator(ctx))[1]
            found = resource_store.get(tx, resource_id)
            if found is None or not access.sees(core, ctx, found):
                raise no_resource(resource_id)
            access.require(access.owns(core, ctx, found))
            if store.named(tx, resource_id, name) is not None:
                raise BadRequest(f"Named metric {name} already exists")
        row["resource_id"] = resource_id
        store.add(tx, [row])
        return store.of_ids(tx, [row["id"]])[0]


def delete(core: Core, ctx: Context, metric_id: str) -> None:
    with database.of(core).write() as tx:
        row = seen(core, ctx, tx, metric_id)
        access.require(access.owns(core, ctx, row))
        store.remove(tx, [row.id])


def definition_of(name: str, told: Any) -> tuple[str | None, str | None]:
    """(archive policy, unit) of a metric that is described inside a resource."""
    if not isinstance(told, dict):
        raise invalid("expected a dictionary", "metrics", name)
    for key, value in told.items():
        if key not in ("archive_policy_name", "unit", "name"):
            raise invalid("extra keys not allowed", "metrics", name, key)
        if not isinstance(value, str) or len(value) > (31 if key == "unit" else 255):
            raise invalid("expected str", "metrics", name, key)
    return told.get("archive_policy_name"), told.get("unit")
