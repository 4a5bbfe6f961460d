"""What the handlers share: bodies, the policy of single attributes, and lists with Neutron's filters and paging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import once_each
from tane.services.network.policies import PORT_ATTRIBUTES
from tane.services.network.schemas import given
from tane.services.network.store import listing
from tane.services.network.store.listing import MOST_VALUES, Listing
from tane.services.network.store.rows import among, tags
from tane.web.codec import iso
from tane.web.errors import BadRequest, Forbidden, NotFound
from tane.web.request import Request

Related = dict[str, Any]
EXTERNAL = "router:external"
SETTING = "distributed"
"""What it is unless it is said, a setting of the cloud tells."""
TRUE_UNLESS_SAID = ("enable_snat",)
"""Attributes whose default is true; the others' is empty or false. Asking for the default is asking for nothing."""


@dataclass(frozen=True)
class Collection:
    """A resource as requests and answers name it.

    ``related(tx, rows)`` loads what the views need beside the rows, in a fixed number of queries; ``view(request, row,
    related)`` makes one view; ``missing(id)`` is said when it is not there.
    """

    single: str
    plural: str
    listing: Listing
    related: Callable[[Tx, Sequence[Row[Any]]], Related]
    view: Callable[[Request, Row[Any], Related], dict[str, Any]]
    missing: Callable[[str], NotFound]


def bodies(request: Request, collection: Collection, verb: str) -> tuple[list[dict[str, Any]], bool]:
    """The resources a request brings, and whether they came as a bulk request.

    :raises BadRequest: neither form. :raises Forbidden: an attribute the caller may not set.
    """
    sent = request.body.plain(msgspec.json.decode(request.raw))
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
        default = action.startswith("create_") and name != SETTING and bool(value) == (name in TRUE_UNLESS_SAID)
        rule = f"{action}:{name}"
        # The rules of a port's attributes wait until its network is known.
        decided = rule in request.core.policy.rules and rule not in PORT_ATTRIBUTES
        if not default and decided and not request.allows(rule):
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
    order = _order(request, collection.listing, by_id=limit is not None, reverse=reverse)
    filters: dict[str, list[str]] = {}
    for name, value in request.query:
        if name not in PAGING:
            filters.setdefault(name, []).append(value)
    with request.core.db.read() as tx:
        after, marker = None, request.param("marker")
        if marker:
            after = _require(tx, request, collection, marker)
        found = listing.find(tx, collection.listing, request.ctx, filters, order, after, limit)
        if reverse:
            found.reverse()
        views = _views(request, tx, collection, found)
    answer: dict[str, Any] = {collection.plural: [_trimmed(request, view) for view in views]}
    if limit is not None:
        answer[f"{collection.plural}_links"] = _links(request, found, limit, reverse=reverse)
    return answer


def show(request: Request, collection: Collection, row_id: str) -> dict[str, Any]:
    """One resource. :raises NotFound: it is not there, or not for this caller."""
    with request.core.db.read() as tx:
        [view] = _views(request, tx, collection, [_require(tx, request, collection, row_id)])
    return {collection.single: _trimmed(request, view)}


def _require(tx: Tx, request: Request, collection: Collection, row_id: str) -> Row[Any]:
    row = listing.one(tx, collection.listing, request.ctx, row_id)
    if row is None:
        raise collection.missing(row_id)
    return row


def made(request: Request, collection: Collection, row_ids: Sequence[str], *, bulk: bool = False) -> dict[str, Any]:
    """The answer to a request that made or changed resources: the views in the order of ``row_ids``."""
    with request.core.db.read() as tx:
        by_id = {row.id: row for row in among(tx, collection.listing.table, "id", row_ids)}
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


def _order(request: Request, shown: Listing, *, by_id: bool, reverse: bool) -> list[tuple[Any, bool]]:
    keys, directions = request.params("sort_key"), request.params("sort_dir")
    if directions and len(directions) != len(keys):
        raise BadRequest("The number of sort_keys and sort_dirs must be same", type="HTTPBadRequest")
    order: list[tuple[Any, bool]] = []
    if len(keys) > MOST_VALUES:
        raise BadRequest(f"Invalid input for sort_key. Reason: more than {MOST_VALUES} values.", type="HTTPBadRequest")
    for key, direction in once_each(list(zip(keys, directions or ["asc"] * len(keys), strict=True))):
        column = shown.column(request.ctx, key)
        if column is None:
            raise BadRequest(f"['{key}'] is invalid attribute for sort keys", type="HTTPBadRequest")
        if direction not in ("asc", "desc"):
            raise BadRequest(
                f"{direction} is invalid value for sort_dirs, valid value is 'asc' and 'desc'", type="HTTPBadRequest"
            )
        order.append((column, direction == "desc"))
    if not order and not by_id:
        order.append((shown.table.c.created_at, False))
    order.append((shown.table.c.id, False))
    return [(column, descending != reverse) for column, descending in order]


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


def nothing_related(tx: Tx, found: Sequence[Row[Any]]) -> Related:
    return {}
