"""Shared by the handlers: bodies to values, lists to views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from tane.services.identity.store.rows import COMPARISONS
from tane.web import codec
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import IN_PATHS, Request

DEFAULT_DOMAIN = "default"
IN_QUERIES = "/:,@"
"""What stands in a query as it is; all else is percent-encoded."""


def given(part: msgspec.Struct) -> dict[str, Any]:
    """The fields of a body that were present."""
    values = {name: getattr(part, name) for name in part.__struct_fields__}
    return {name: msgspec.to_builtins(value) for name, value in values.items() if value is not msgspec.UNSET}


def given_with_extra(request: Request, name: str, part: msgspec.Struct) -> dict[str, Any]:
    """The same, with the attributes the schema does not know under ``extra`` (Keystone keeps them)."""
    sent: dict[str, Any] = msgspec.json.decode(request.raw)[name]
    known = {*part.__struct_fields__, "id", "links"}
    return {**given(part), "extra": {k: v for k, v in sent.items() if k not in known}}


def filters(request: Request, names: Iterable[str], flags: Iterable[str] = ()) -> dict[str, Any]:
    """Filters of a list call: equality, or ``name__contains`` and the like; other query parameters are ignored, as
    Keystone does."""
    found: dict[str, Any] = {}
    known = set(names)
    for name, value in reversed(request.query):
        field, _, comparison = name.partition("__")
        if field in known and (name == field or comparison in COMPARISONS):
            found[name] = value
    found.update({name: request.flag(name) for name in flags if request.param(name) is not None})
    return found


def home_domain(ctx: Context) -> str:
    """The domain of what a caller creates without naming one: that of the token."""
    return ctx.domain_id or ctx.project_domain_id or DEFAULT_DOMAIN


def require_allowed(request: Request, rule: str, target: Mapping[str, Any]) -> None:
    """For what only the handler can tell of its target. :raises Forbidden: the caller does not pass the rule."""
    if not request.allows(rule, target):
        raise Forbidden(f"You are not authorized to perform the requested action: {rule}.")


def present(request: Request, name: str) -> bool:
    """Whether a query parameter is switched on: it is there, with a value or without, and not 0 or false."""
    value = request.param(name)
    return value is not None and value.lower() not in ("0", "false")


def own_link(request: Request) -> dict[str, str]:
    query = f"?{urlencode(request.query, safe=IN_QUERIES)}" if request.query else ""
    return {"self": request.base_url + quote(request.url_path, safe=IN_PATHS) + query}


def listing(request: Request, kind: str, views: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {kind: list(views), "links": {**own_link(request), "next": None, "previous": None}}


def with_self(request: Request, collection: str, view: dict[str, Any]) -> dict[str, Any]:
    view["links"] = {"self": request.link(f"/v3/{collection}/{view['id']}")}
    return view


def moment(name: str, text: str | None) -> datetime | None:
    """A time in a body, as naive UTC. :raises BadRequest: it is none."""
    found = None if text is None else codec.moment(text)
    if text is not None and found is None:
        raise BadRequest(f"Invalid input for field '{name}': '{text}' is not a time as 2026-01-31T12:00:00Z.")
    return found


View = Callable[[Request, Any], dict[str, Any]]


def require(request: Request, rule: str, kind: str, **attributes: Any) -> None:
    """The same for a target of a kind with these attributes."""
    require_allowed(request, rule, {f"target.{kind}.{name}": value for name, value in attributes.items()})
