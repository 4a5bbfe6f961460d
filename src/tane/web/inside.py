"""Calls of the cloud's own API from inside it, as a user: the same routes, policy, schemas and rules, without HTTP.

What lets one service act for a user on all others (orchestration) goes through here: whatever the user may not do by a
request of his own, it may not do for him. In :meth:`tane.db.Database.joining` a call takes part in a transaction.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from tane.core import Core
from tane.web import codec
from tane.web.access import permits
from tane.web.context import Context
from tane.web.errors import Forbidden, NotFound
from tane.web.request import CURRENT, Request, Response
from tane.web.routes import Route, Service
from tane.web.versions import Version, version

MEMORY = "web.inside"
Found = tuple[Service, Route, dict[str, str]]


def call(
    core: Core,
    ctx: Context,
    service: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    spoken: str | None = None,
) -> Any:
    """What the service answers to ``ctx``: the body as Python values, None where it is empty.

    ``service`` is its name, ``path`` that below its prefix. ``spoken``: a microversion; the newest when None.

    :raises ApiError: as the client of the call would get it. :raises NotFound: there is no such route.
    """
    newest = _service(core, service).microversions
    spoken_version: Version = (0, 0) if newest is None else version(spoken) if spoken else newest.maximum
    where, route, fields = _find(core, service, method, path, body, spoken_version)
    _check_rules(ctx, where, method, path)
    base = core.config.url
    request = Request(
        core=core,
        ctx=ctx,
        method=method,
        path=fields,
        url_path=where.prefix + path,
        query=list(query.items()) if isinstance(query, Mapping) else list(query),
        headers={},
        version=spoken_version,
        base_url=base,
        service_url=base + where.prefix,
        raw=b"" if body is None else codec.encode(body),
        may_hash=True,
    )
    if route.policy is not None:
        target = where.target(request) if where.target else None
        if not core.policy.allows(route.policy, ctx, target):
            raise Forbidden(where.forbidden.format(rule=route.policy), type="PolicyNotAuthorized")
    if route.body is not None:
        request.body = codec.decode(route.body, request.raw, spoken_version)
    outer = CURRENT.set(request)
    try:
        answer = route.handler(request)
    finally:
        CURRENT.reset(outer)
    if isinstance(answer, Response):
        answer = answer.body
    if isinstance(answer, bytes):
        return codec.parse(answer) if answer else None
    return None if answer is None else codec.parse(codec.encode(answer))


def check_rules(core: Core, ctx: Context, service: str, method: str, path: str) -> None:
    """For what a service does itself instead of by a call. :raises Forbidden: the caller's application credential has
    access rules, of which none names that call."""
    if ctx.access_rules is not None:
        _check_rules(ctx, _service(core, service), method, path)


def _check_rules(ctx: Context, where: Service, method: str, path: str) -> None:
    if ctx.access_rules is not None and not permits(ctx.access_rules, where.known_as, method, where.prefix + path):
        raise Forbidden(f"The application credential's access rules do not allow {method} {where.prefix}{path}.")


def part(text: str) -> str:
    """An id or name as one segment of a path."""
    return quote(text, safe="")


def _service(core: Core, name: str) -> Service:
    for service in core.services:
        if service.name == name:
            return service
    raise NotFound(f"This cloud has no service {name}.")


def _find(core: Core, service: str, method: str, path: str, body: Any, spoken: Version) -> Found:
    routes = core.memory.get(MEMORY)
    if routes is None:
        routes = core.memory.setdefault(MEMORY, _index(core.services))
    action = next(iter(body)) if isinstance(body, dict) and len(body) == 1 else None
    for where, route, pattern in routes.get((service, method, path.count("/")), ()):
        match = pattern.fullmatch(path)
        if match and route.speaks(spoken) and route.action in (None, action):
            fields = {name: unquote(value) for name, value in match.groupdict().items()}
            return where, route, fields
    raise NotFound(f"The resource {path} does not exist.")


def _index(services: Sequence[Service]) -> dict[tuple[str, str, int], list[tuple[Service, Route, re.Pattern[str]]]]:
    """The routes that a thread can serve, by service, method and depth; literal paths come before those with fields."""
    found: dict[tuple[str, str, int], list[tuple[Service, Route, re.Pattern[str]]]] = {}
    for service in services:
        for route in service.routes:
            if service.own_admission or route.stream or inspect.iscoroutinefunction(route.handler):
                continue
            for path in _paths(service, route.path):
                pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path) + r"\Z")
                found.setdefault((service.name, route.method, path.count("/")), []).append((service, route, pattern))
    for routes in found.values():
        routes.sort(key=lambda one: one[1].path.count("{"))
    return found


def _paths(service: Service, path: str) -> list[str]:
    aliased = [alias + path.removeprefix(root) for alias, root in service.aliases if path.startswith(root)]
    return [path, *aliased]
