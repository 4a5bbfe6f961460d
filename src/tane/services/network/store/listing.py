"""Lists of the network API as SQL: filters by any attribute, visibility, order, paging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Boolean, ColumnElement, DateTime, Integer, String, Table, false, or_, select, true
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.db.paging import page
from tane.services.network.tables import resource_tag
from tane.web import codec
from tane.web.codec import whole
from tane.web.context import Context
from tane.web.errors import BadRequest
from tane.wire import grammar

Filters = Mapping[str, list[str]]
_FORMS: Mapping[str, Callable[[str], str]] = {
    "mac_address": grammar.mac,
    "cidr": lambda text: str(grammar.network(text)),
    "remote_ip_prefix": lambda text: str(grammar.interface(text)),
    **dict.fromkeys(
        ("ip_address", "gateway_ip", "floating_ip_address", "fixed_ip_address"), lambda text: str(grammar.address(text))
    ),
}
ALMOST_A_SECOND = timedelta(microseconds=999_999)
MOST_VALUES = 500
"""Of one filter: each may be a term of its own in the statement, of which a database has at most a thousand."""
OF_ADMINISTRATORS = frozenset(
    (
        *("network_type", "physical_network", "segment_id", "bridged"),
        *("host_id", "binding_host", "device_order", "made_for_server"),
        *("gateway_port_id", "transit_segment", "floating_port_id", "forwarded", "fault"),
    )
)
"""Columns whose attributes only administrators are shown, or nobody: what one can look for, one can find out."""
TAG_FILTERS = frozenset(("tags", "tags-any", "not-tags", "not-tags-any"))


@dataclass(frozen=True)
class Listing:
    """How a table is listed.

    ``visible(ctx)`` is the condition under which a caller who is no administrator sees a row. ``names`` are filters and
    sort keys whose column has another name; ``special`` are filters that are no column: name → condition of the wanted
    values.
    """

    table: Table
    visible: Callable[[Context], ColumnElement[bool]]
    names: Mapping[str, str] = field(default_factory=dict)
    special: Mapping[str, Callable[[list[str]], ColumnElement[bool]]] = field(default_factory=dict)

    def column(self, ctx: Context, name: str) -> Any:
        """The column of an API attribute by which the caller may filter and sort, or None."""
        known = self.names.get(name, "project_id" if name == "tenant_id" else name)
        found = self.table.c.get(known)
        if found is None or isinstance(found.type, JSON) or (known in OF_ADMINISTRATORS and not ctx.is_admin):
            return None
        return found


def own(table: Table) -> Callable[[Context], ColumnElement[bool]]:
    """Visible to its project only."""
    return lambda ctx: mine(table, ctx)


def mine(table: Table, ctx: Context) -> ColumnElement[bool]:
    """What belongs to no project (the ports of gateways) is not the own of a caller without one."""
    return table.c.project_id == ctx.project_id if ctx.project_id else false()


def one(tx: Tx, listing: Listing, ctx: Context, row_id: str) -> Row[Any] | None:
    """The row, when the caller sees it."""
    statement = select(listing.table).where(listing.table.c.id == row_id)
    return tx.first(statement if ctx.is_admin else statement.where(listing.visible(ctx)))


def find(
    tx: Tx,
    listing: Listing,
    ctx: Context,
    filters: Filters,
    order: Sequence[tuple[Any, bool]],
    after: Row[Any] | None,
    limit: int | None,
) -> list[Row[Any]]:
    """The rows the caller sees, after the row ``after``. Filters that mean nothing here are ignored, as upstream does.

    :raises BadRequest: a value that its column cannot have.
    """
    conditions: list[Any] = [] if ctx.is_admin else [listing.visible(ctx)]
    for name, values in filters.items():
        if len(values) > MOST_VALUES:
            raise BadRequest(
                f"Invalid input for {name}. Reason: more than {MOST_VALUES} values.", type="HTTPBadRequest"
            )
        if name in TAG_FILTERS:
            conditions.append(_tagged(listing.table, name, values))
        elif name in listing.special:
            conditions.append(listing.special[name](values))
        elif (column := listing.column(ctx, name)) is not None:
            conditions.append(_equal(name, column, values))
    marker = None if after is None else [getattr(after, column.name) for column, _ in order]
    return tx.all(page(select(listing.table).where(*conditions), order, marker, limit))


def _equal(name: str, column: Any, values: list[str]) -> Any:
    if isinstance(column.type, Boolean):
        return column.in_([_boolean(name, value) for value in values])
    if isinstance(column.type, Integer):
        numbers = [number for value in values if (number := whole(value)) is not None]
        return column.in_(numbers) if numbers else false()
    if isinstance(column.type, DateTime):
        return or_(
            false(), *(column.between(moment, moment + ALMOST_A_SECOND) for moment in map(_moment, values) if moment)
        )
    if isinstance(column.type, String):
        return column.in_([canonical(column.name, value) for value in values])
    return true()


def canonical(name: str, value: str) -> str:
    """A filter's value in the form the column keeps: the same address may be written in many ways."""
    try:
        return _FORMS[name](value) if name in _FORMS else value
    except ValueError:
        return value


def _moment(value: str) -> datetime | None:
    """What a resource shows: whole seconds, of UTC."""
    moment = codec.moment(value)
    return moment and moment.replace(microsecond=0)


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
    names = list(dict.fromkeys(tag for value in values for tag in value.split(",")))
    if len(names) > MOST_VALUES:
        raise BadRequest(f"Invalid input for {name}. Reason: more than {MOST_VALUES} tags.", type="HTTPBadRequest")

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
