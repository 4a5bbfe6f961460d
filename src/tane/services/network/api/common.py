"""What the handlers share: bodies, the policy of single attributes, and lists with Neutron's filters and paging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Boolean, ColumnElement, Integer, Table, false, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.network.schemas import given
from tane.services.network.store.rows import among, tags
from tane.services.network.tables import resource_tag
from tane.web.codec import iso
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden, NotFound
from tane.web.request import Request

Related = dict[str, Any]
EXTERNAL = "router:external"
TRUE_UNLESS_SAID = ("enable_snat",)
"""Attributes whose default is true; the others' is empty or false. Asking for the default is asking for nothing."""


@dataclass(frozen=True)
class Collection:
    """A resource as its lists show it.

    ``names`` are filters and sort keys whose column has another name; ``special`` are filters that are no column:
    name → condition of the wanted values. ``visible(ctx)`` is the condition under which a caller who is no
    administrator sees a row; ``related(tx, rows)`` loads what the views need beside the rows, in a fixed number of
    queries; ``view(request, row, related)`` makes one view.
    """

    single: str
    plural: str
    table: Table
    visible: Callable[[Context], ColumnElement[bool]]
    related: Callable[[Tx, Sequence[Row[Any]]], Related]
    view: Callable[[Request, Row[Any], Related], dict[str, Any]]
    missing: Callable[[str], NotFound]
    names: Mapping[str, str] = field(default_factory=dict)
    special: Mapping[str, Callable[[list[str]], ColumnElement[bool]]] = field(default_factory=dict)

    def column(self, name: str) -> Any:
        """The column of an API attribute, or None."""
        known = self.names.get(name, "project_id" if name == "tenant_id" else name)
        return self.table.c.get(known)


def bodies(request: Request, collection: Collection, verb: str) -> tuple[list[dict[str, Any]], bool]:
    """The resources a request brings, and whether they came as a bulk request.

    :raises BadRequest: neither form. :raises Forbidden: an attribute the caller may not set.
    """
    sent = msgspec.json.decode(request.raw)
    one, many = getattr(request.body, collection.single, None), getattr(request.body, collection.plural, None)
    bulk = isinstance(many, list)
    if bulk == isinstance(one, msgspec.Struct) or many == []:
        raise BadRequest(
            f"Resource body required: '{collection.single}' or '{collection.plural}'", type="HTTPBadRequest"
        )
    for item in sent[collection.plural] if bulk else [sent[collection.single]]:
        check_attributes(request, f"{verb}_{collection.single}", item)
    parts: list[Any] = many if bulk and many is not None else [one]
    return [_ready(part) for part in parts], bulk


def _ready(part: Any) -> dict[str, Any]:
    values = given(part)
    if "description" in values:
        values["description"] = values["description"] or ""
    return values


def check_attributes(request: Request, action: str, item: Mapping[str, Any]) -> None:
    """:raises Forbidden: an attribute that has a rule of its own, which the caller does not pass."""
    for name, value in item.items():
        default = action.startswith("create_") and bool(value) == (name in TRUE_UNLESS_SAID)
        rule = f"{action}:{name}"
        if not default and rule in request.core.policy.rules and not request.allows(rule):
            if name == EXTERNAL:
                raise Forbidden(
                    "Only an administrator may make a network external. Ask your administrator, or use an external "
                    f"network that is there as the gateway of your router. (rule:{rule} is disallowed by policy)",
                    type="PolicyNotAuthorized",
                )
            raise Forbidden(f"rule:{rule} is disallowed by policy", type="PolicyNotAuthorized")
        if isinstance(value, dict):
            check_attributes(request, rule, value)


# ----------------------------------------------------------------------------------------------------------- lists


def index(request: Request, collection: Collection) -> dict[str, Any]:
    """A list: filters by any attribute, ``fields``, sorting, paging."""
    limit = request.number("limit") or None
    reverse = request.flag("page_reverse")
    order = _order(request, collection, by_id=limit is not None, reverse=reverse)
    with request.core.db.read() as tx:
        statement = select(collection.table).where(*_conditions(request, collection))
        statement = page(statement, order, _marker(request, tx, collection, order), limit)
        found = tx.all(statement)
        if reverse:
            found.reverse()
        views = _views(request, tx, collection, found)
    answer: dict[str, Any] = {collection.plural: [_trimmed(request, view) for view in views]}
    if limit is not None:
        answer[f"{collection.plural}_links"] = _links(request, found, limit, reverse=reverse)
    return answer


def show(request: Request, collection: Collection, row_id: str) -> dict[str, Any]:
    """One resource. :raises NotFound: it is not there, or not for this caller."""
    table = collection.table
    with request.core.db.read() as tx:
        statement = select(table).where(table.c.id == row_id)
        if not request.ctx.is_admin:
            statement = statement.where(collection.visible(request.ctx))
        row = tx.first(statement)
        if row is None:
            raise collection.missing(row_id)
        [view] = _views(request, tx, collection, [row])
    return {collection.single: _trimmed(request, view)}


def made(request: Request, collection: Collection, row_ids: Sequence[str], *, bulk: bool = False) -> dict[str, Any]:
    """The answer to a request that made or changed resources: the views in the order of ``row_ids``."""
    with request.core.db.read() as tx:
        by_id = {row.id: row for row in among(tx, collection.table, "id", row_ids)}
        found = [by_id[row_id] for row_id in row_ids if row_id in by_id]
        views = _views(request, tx, collection, found)
    if bulk:
        return {collection.plural: views}
    if not views:
        raise collection.missing(row_ids[0])
    return {collection.single: views[0]}


def _views(request: Request, tx: Tx, collection: Collection, found: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    related = collection.related(tx, found)
    related["tags"] = tags(tx, [row.id for row in found])
    return [collection.view(request, row, related) for row in found]


def standard(row: Row[Any], related: Related) -> dict[str, Any]:
    """What every view ends with."""
    return {
        "tenant_id": row.project_id,
        "project_id": row.project_id,
        "description": row.description,
        "tags": related["tags"].get(row.id, []),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "revision_number": row.revision_number,
    }


def _trimmed(request: Request, view: dict[str, Any]) -> dict[str, Any]:
    wanted = [name for value in request.params("fields") for name in value.split(",") if name]
    return {name: view[name] for name in view if name in wanted} if wanted else view


PAGING = frozenset(("fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"))
TAG_FILTERS = frozenset(("tags", "tags-any", "not-tags", "not-tags-any"))


def _conditions(request: Request, collection: Collection) -> list[Any]:
    conditions: list[Any] = [] if request.ctx.is_admin else [collection.visible(request.ctx)]
    wanted: dict[str, list[str]] = {}
    for name, value in request.query:
        if name not in PAGING:
            wanted.setdefault(name, []).append(value)
    for name, values in wanted.items():
        if name in TAG_FILTERS:
            conditions.append(_tagged(collection.table, name, values))
        elif name in collection.special:
            conditions.append(collection.special[name](values))
        elif (column := collection.column(name)) is not None:
            conditions.append(_equal(name, column, values))
    return conditions


def _equal(name: str, column: Any, values: list[str]) -> Any:
    if isinstance(column.type, Boolean):
        return column.in_([_boolean(name, value) for value in values])
    if isinstance(column.type, Integer):
        numbers = [int(value) for value in values if value.lstrip("-").isdigit()]
        return column.in_(numbers) if numbers else false()
    return column.in_(values)


def _boolean(name: str, value: str) -> bool:
    if value.lower() in ("true", "1", "t", "yes", "on"):
        return True
    if value.lower() in ("false", "0", "f", "no", "off"):
        return False
    raise BadRequest(
        f"Invalid input for operation: '{value}' cannot be converted to boolean for {name}.", type="InvalidInput"
    )


def _tagged(table: Table, name: str, values: list[str]) -> Any:
    """``tags``: has all; ``tags-any``: has one; with ``not-`` in front the contrary."""
    names = [tag for value in values for tag in value.split(",")]

    def has(some: list[str]) -> Any:
        mine = resource_tag.c.resource_id == table.c.id
        return select(resource_tag.c.tag).where(mine, resource_tag.c.tag.in_(some)).exists()

    if name.endswith("tags-any"):
        condition = has(names)
    else:
        condition = has(names[:1])
        for tag in names[1:]:
            condition = condition & has([tag])
    return ~condition if name.startswith("not-") else condition


def _order(request: Request, collection: Collection, *, by_id: bool, reverse: bool) -> list[tuple[Any, bool]]:
    keys, directions = request.params("sort_key"), request.params("sort_dir")
    if directions and len(directions) != len(keys):
        raise BadRequest("The number of sort_keys and sort_dirs must be same", type="HTTPBadRequest")
    order: list[tuple[Any, bool]] = []
    for key, direction in zip(keys, directions or ["asc"] * len(keys), strict=True):
        column = collection.column(key)
        if column is None:
            raise BadRequest(f"['{key}'] is invalid attribute for sort keys", type="HTTPBadRequest")
        if direction not in ("asc", "desc"):
            raise BadRequest(
                f"{direction} is invalid value for sort_dirs, valid value is 'asc' and 'desc'", type="HTTPBadRequest"
            )
        order.append((column, direction == "desc"))
    if not order and not by_id:
        order.append((collection.table.c.created_at, False))
    order.append((collection.table.c.id, False))
    return [(column, descending != reverse) for column, descending in order]


def _marker(request: Request, tx: Tx, collection: Collection, order: list[tuple[Any, bool]]) -> list[Any] | None:
    marker = request.param("marker")
    if not marker:
        return None
    statement = select(collection.table).where(collection.table.c.id == marker)
    if not request.ctx.is_admin:
        statement = statement.where(collection.visible(request.ctx))
    row = tx.first(statement)
    if row is None:
        raise collection.missing(marker)
    return [getattr(row, column.name) for column, _ in order]


def _links(request: Request, found: Sequence[Row[Any]], limit: int, *, reverse: bool) -> list[dict[str, str]]:
    """A next link where more may follow, a previous one where some may come before (as Neutron decides it)."""
    full = len(found) >= limit
    kept = [(name, value) for name, value in request.query if name not in ("marker", "page_reverse")]
    base = request.base_url + request.url_path
    links = []
    if found and (full or reverse):
        links.append({"rel": "next", "href": f"{base}?{urlencode([*kept, ('marker', found[-1].id)])}"})
    if full or not reverse:
        marker = [("marker", found[0].id)] if found else []
        links.append({"rel": "previous", "href": f"{base}?{urlencode([*kept, *marker, ('page_reverse', 'True')])}"})
    return links


def own(table: Table) -> Callable[[Context], ColumnElement[bool]]:
    """Visible to its project only."""
    return lambda ctx: table.c.project_id == ctx.project_id


def nothing_related(tx: Tx, found: Sequence[Row[Any]]) -> Related:
    return {}
