"""Which filters a list takes, from whom and since when (Cinder's "generalized resource filters").

Before 3.31 a member's filter that the list does not have is ignored; from 3.31 on it is refused. An administrator may
filter by every attribute, and finds nothing by what is none.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tane.services.volume.store import conditions
from tane.web import codec
from tane.web.codec import whole
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.versions import Version

GENERAL: Version = (3, 31)
LIKE: Version = (3, 34)
OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte")
RESOURCES: dict[str, tuple[str, ...]] = {
    "volume": (
        "name",
        "name~",
        "status",
        "metadata",
        "bootable",
        "migration_status",
        "availability_zone",
        "group_id",
        "size",
        "created_at",
        "updated_at",
        "consumes_quota",
    ),
    "backup": ("name", "status", "volume_id"),
    "snapshot": ("name", "name~", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"),
    "group": ("name",),
    "group_snapshot": ("name", "status", "group_id"),
    "attachment": ("volume_id", "status", "instance_id", "attach_status"),
    "message": ("resource_uuid", "resource_type", "event_id", "request_id", "message_level"),
    "pool": ("name", "volume_type"),
    "volume_type": ("is_public", "extra_specs"),
}
"""What members may filter by: Cinder's ``resource_filters.json``, with ``name~`` switched on as a site may."""

PAGING = ("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants")

Condition = Callable[[Request, str], list[Any]]


@dataclass(frozen=True)
class Filters:
    """The filters of one list: each name with what it asks of the table. ``before``: those that members had before
    ``general``, where they are the same as since. ``since``: older versions ignore it. ``besides``: parameters of the
    list that are no filters."""

    resource: str
    known: Mapping[str, Condition]
    before: tuple[str, ...] = ()
    since: Mapping[str, Version] = field(default_factory=dict)
    general: Version = GENERAL
    besides: tuple[str, ...] = ()


def listed(resource: str | None) -> dict[str, tuple[str, ...]]:
    """The table, or its row of one resource; nothing of an unknown one."""
    return {name: names for name, names in RESOURCES.items() if resource in (None, "", name)}


def given(request: Request, filters: Filters) -> dict[str, str]:
    """The filters of a request that count. :raises BadRequest: one of them is none, and the version says so."""
    found = {name: value for name, value in reversed(request.query) if name not in (*PAGING, *filters.besides)}
    if request.version >= (3, 45):
        found.pop("with_count", None)
    found = {name: value for name, value in found.items() if request.version >= filters.since.get(name, (3, 0))}
    if request.ctx.is_admin and filters.resource != "pool":
        return found
    if request.version < filters.general:
        return {name: value for name, value in found.items() if name in filters.before}
    check(request, filters.resource, found)
    return found


def check(request: Request, resource: str, found: Mapping[str, str]) -> None:
    """:raises BadRequest: a member filters a resource by what it is not filtered by."""
    allowed = RESOURCES[resource]
    wrong = [name for name in found if name not in allowed or (name.endswith("~") and request.version < LIKE)]
    if wrong:
        raise BadRequest(f"Invalid filters {','.join(wrong)} are found in query options.")


def of(request: Request, filters: Filters) -> list[Any]:
    """What the filters of a request ask of the table. :raises BadRequest:"""
    found: list[Any] = []
    for name, value in given(request, filters).items():
        wanted = filters.known.get(name)
        if name.endswith("~") and request.version < LIKE:
            continue
        found += [conditions.nothing()] if wanted is None else wanted(request, value)
    return found


# ------------------------------------------------------------------------------------------------------- conditions


def equal(column: Any) -> Condition:
    return lambda request, value: [column == value]


def like(column: Any) -> Condition:
    """The column has the value somewhere in it."""
    return lambda request, value: [conditions.contains(column, value)]


def flag(name: str, column: Any) -> Condition:
    """A boolean column; before 3.2 everything but "false" was true."""

    def condition(request: Request, value: str) -> list[Any]:
        if request.version < (3, 2):
            return [column == (value.lower() != "false")]
        if value.lower() not in ("t", "true", "1", "f", "false", "0"):
            raise BadRequest(f"Invalid input received: {name}={value}")
        return [column == (value.lower() in ("t", "true", "1"))]

    return condition


def all_true(name: str) -> Condition:
    """Of a boolean attribute that is true in every row. :raises BadRequest: the value is no boolean."""

    def condition(request: Request, value: str) -> list[Any]:
        return [] if request.flag(name) else [conditions.nothing()]

    return condition


def number(column: Any) -> Condition:
    """An integer column; what is no number is in none of its rows."""

    def condition(request: Request, value: str) -> list[Any]:
        wanted = whole(value)
        return [conditions.nothing()] if wanted is None else [column == wanted]

    return condition


def never(request: Request, value: str) -> list[Any]:
    """Of an attribute that is empty in every row."""
    return [conditions.nothing()]


def always(request: Request, value: str) -> list[Any]:
    """Of what is looked at elsewhere."""
    return []


def times(column: Any) -> Condition:
    """``gt:…,lt:…``. :raises BadRequest: no ISO 8601 time."""
    return lambda request, value: [_time(column, text) for text in value.split(",") if text]


def _time(column: Any, text: str) -> Any:
    operator, _, value = text.partition(":")
    if operator not in OPERATORS:
        operator, value = "eq", text
    moment = codec.moment(value)
    if moment is None:
        raise BadRequest(f"Invalid input received: {column.name} filter: '{text}' is no ISO 8601 time")
    return conditions.compare(column, operator, moment)


def pairs(name: str, column: Any) -> Condition:
    """``{'key':'value'}``: each pair is in the JSON object of the column."""
    return lambda request, value: conditions.holds(column, dictionary(name, value))


def dictionary(name: str, text: str) -> dict[str, str]:
    """:raises BadRequest: the text is none of words."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadRequest(f"Invalid input received: the filter {name} must be a dictionary, it is {text}")
    words = {str(key): str(value) for key, value in found.items()}
    for word in (*words, *words.values()):
        codec.refuse_half(word)
        codec.refuse_nul(name, word)
    return words
