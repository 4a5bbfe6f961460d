"""Shared by the handlers: bodies to values, lists to views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from tane.web.request import Request


def given(part: msgspec.Struct) -> dict[str, Any]:
    """The fields of a body that were present."""
    return {name: getattr(part, name) for name in part.__struct_fields__ if getattr(part, name) is not msgspec.UNSET}


def given_with_extra(request: Request, name: str, part: msgspec.Struct) -> dict[str, Any]:
    """The same, with the attributes the schema does not know under ``extra`` (Keystone keeps them)."""
    sent: dict[str, Any] = msgspec.json.decode(request.raw)[name]
    known = set(part.__struct_fields__)
    return {**given(part), "extra": {k: v for k, v in sent.items() if k not in known}}


def filters(request: Request, names: Iterable[str], flags: Iterable[str] = ()) -> dict[str, Any]:
    """Equality filters of a list call; other query parameters are ignored, as Keystone does."""
    found: dict[str, Any] = {name: request.param(name) for name in names if request.param(name) is not None}
    found.update({name: request.flag(name) for name in flags if request.param(name) is not None})
    return found


def listing(request: Request, kind: str, views: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    query = f"?{'&'.join(f'{n}={v}' for n, v in request.query)}" if request.query else ""
    return {
        kind: list(views),
        "links": {"self": request.base_url + request.url_path + query, "next": None, "previous": None},
    }


def with_self(request: Request, collection: str, view: dict[str, Any]) -> dict[str, Any]:
    view["links"] = {"self": request.link(f"/{collection}/{view['id']}")}
    return view


View = Callable[[Request, Any], dict[str, Any]]
