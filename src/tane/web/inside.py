"""Calls of the cloud's own API from inside it, as a user: the same routes, policy, schemas and rules, without HTTP.

What lets one service act for a user on all others (orchestration, the portal) goes through here: whatever the user may
not do by a request of his own, it may not do for him. In :meth:`tane.db.Database.joining` a call takes part in a
transaction.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote

from tane.core import Core
from tane.db import HeldTooLong
from tane.shares import TakesLong
from tane.web import codec
from tane.web.access import permits
from tane.web.context import Context
from tane.web.errors import Forbidden, NotFound, TooLarge
from tane.web.limits import origin
from tane.web.request import CURRENT, BodyStream, NeedsHashing, Request, Response
from tane.web.routes import Route, Service
from tane.web.versions import Version, version

MEMORY = "web.inside"
MEMORY_OF_ALL = "web.inside.all"
Found = tuple[Service, Route, dict[str, str]]
Query = Mapping[str, str] | Sequence[tuple[str, str]]


def call(
    core: Core,
    ctx: Context,
    service: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: Query = (),
    spoken: str | None = None,
    long: bool = False,
) -> Any:
    """What the service answers to ``ctx``: the body as Python values, None where it is empty.

    ``service`` is its name, ``path`` that below its prefix. ``spoken``: a microversion; the newest when None.
    ``long``: this is a thread for what computes for seconds (``Core.in_long_thread``).

    :raises ApiError: as the client of the call would get it. :raises NotFound: there is no such route.
    :raises TakesLong: and the thread is not one for that.
    """
    where, route, request = _asked(core, ctx, service, method, path, body, query, spoken)
    request.may_hash, request.may_take_long = True, long
    answer = _answer(where, route, request)
    if isinstance(answer, Response):
        answer = answer.body
    if isinstance(answer, bytes):
        return codec.parse(answer) if answer else None
    return None if answer is None else codec.parse(codec.encode(answer))


async def ask(
    core: Core,
    ctx: Context,
    service: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: Query = (),
    spoken: str | None = None,
    headers: Mapping[str, str] | None = None,
    stream: BodyStream | None = None,
    remote: str = "",
) -> Response:
    """The same for every route, on the event loop: also those that stream a body in or out, that wait, and that hash a
    password, which is throttled for ``remote`` as a request from there is. The answer is as the handler made it: who
    asks sends it on, or closes it.

    Of a service whose paths are raw each name in ``path`` is one :func:`part`.
    """
    where, route, request = _asked(core, ctx, service, method, path, body, query, spoken, everything=True)
    request.headers, request.stream, request.remote = headers or {}, stream, remote
    if not inspect.iscoroutinefunction(route.handler):
        try:
            answer = await core.in_thread(_answer, where, route, request)
        except NeedsHashing:
            request.may_hash = True
            answer = await core.in_hashing_thread(origin(remote), _answer, where, route, request)
        except TakesLong:
            request.may_take_long = True
            answer = await core.in_long_thread(ctx.project_id or ctx.user_id, _answer, where, route, request)
    else:
        _admit(where, route, request)
        with _at_work(request):
            answer = await route.handler(request)
    return answer if isinstance(answer, Response) else Response(answer)


def may(core: Core, ctx: Context, service: str, method: str, path: str, body: Any = None) -> bool:
    """Whether policy and access rules let the caller make this call on something of its own. What a page shows goes by
    this; what is done goes by the call itself."""
    try:
        where, route, request = _asked(core, ctx, service, method, path, body, (), None, everything=True, encoded=False)
    except (Forbidden, NotFound):
        return False
    if route.policy is None:
        return True
    try:
        target = where.target(request) if where.target else None
    except NotFound:  # The rule is about a resource that the path only stands for.
        target = None
    return core.policy.allows(route.policy, ctx, target)


def route_of(core: Core, service: str, method: str, path: str, body: Any = None) -> Route:
    """The line of the route table behind a call. :raises NotFound: there is none."""
    return _find(core, service, method, path, body, _spoken(core, service, None), everything=True)[1]


def _spoken(core: Core, service: str, spoken: str | None) -> Version:
    newest = _service(core, service).microversions
    return (0, 0) if newest is None else version(spoken) if spoken else newest.maximum


def told(service: Service, spoken: str | None = None) -> str:
    """The value of ``OpenStack-API-Version`` that a request from outside needs to be understood as :func:`call`; ""
    where the service has no microversions."""
    known = service.microversions
    return "" if known is None else f"{known.service_type} {spoken or '.'.join(map(str, known.maximum))}"


def _asked(
    core: Core,
    ctx: Context,
    service: str,
    method: str,
    path: str,
    body: Any,
    query: Query,
    spoken: str | None,
    *,
    everything: bool = False,
    encoded: bool = True,
) -> tuple[Service, Route, Request]:
    """:raises NotFound: there is no such route. :raises Forbidden: by the credential's access rules."""
    speaks = _spoken(core, service, spoken)
    where, route, fields = _find(core, service, method, path, body, speaks, everything=everything)
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
        version=speaks,
        base_url=base,
        service_url=base + where.prefix,
        raw=b"" if body is None or not encoded else codec.encode(body),
        raw_path=where.prefix + path,
    )
    if where.own_admission:
        request.authenticate = lambda: ctx
    return where, route, request


def _admit(where: Service, route: Route, request: Request) -> None:
    """:raises Forbidden: by policy. :raises BadRequest: the body is not what the route takes."""
    if route.policy is not None and not where.own_admission:
        target = where.target(request) if where.target else None
        if (rule := route.refused_by(request.core.policy, request.ctx, target)) is not None:
            raise Forbidden(where.forbidden.format(rule=rule), type="PolicyNotAuthorized")
    if route.body is not None:
        request.body = codec.decode(route.body, request.raw, request.version)


def _answer(where: Service, route: Route, request: Request) -> Any:
    _admit(where, route, request)
    with _at_work(request):
        return route.handler(request)


@contextmanager
def _at_work(request: Request) -> Iterator[None]:
    """While a call is answered. :raises TooLarge: it would keep the database from others for too long."""
    outer = CURRENT.set(request)
    try:
        yield
    except HeldTooLong as error:
        raise TooLarge(str(error)) from None
    finally:
        CURRENT.reset(outer)


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


def _find(
    core: Core, service: str, method: str, path: str, body: Any, spoken: Version, *, everything: bool = False
) -> Found:
    name = MEMORY_OF_ALL if everything else MEMORY
    routes = core.memory.get(name)
    if routes is None:
        routes = core.memory.setdefault(name, _index(core.services, everything))
    action = next(iter(body)) if isinstance(body, dict) and len(body) == 1 else None
    for where, route, template in routes.get((service, method, path.count("/")), ()):
        match = _pattern(template).fullmatch(path)
        if match and route.speaks(spoken) and route.action in (None, action):
            fields = {name: unquote(value) for name, value in match.groupdict().items()}
            return where, route, fields
    raise NotFound(f"The resource {path} does not exist.")


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    """Of those that are asked for alone: a route's is compiled when something first has its depth."""
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template) + r"\Z")


def _index(
    services: Sequence[Service], everything: bool
) -> dict[tuple[str, str, int], list[tuple[Service, Route, str]]]:
    """The routes (else only those that a thread can serve) by service, method and depth; literal paths come before
    those with fields."""
    found: dict[tuple[str, str, int], list[tuple[Service, Route, str]]] = {}
    for service in services:
        for route in service.routes:
            waits = service.own_admission or route.stream or inspect.iscoroutinefunction(route.handler)
            if waits and not everything:
                continue
            for path in _paths(service, route.path):
                found.setdefault((service.name, route.method, path.count("/")), []).append((service, route, path))
    for routes in found.values():
        routes.sort(key=lambda one: one[1].path.count("{"))
    return found


def _paths(service: Service, path: str) -> list[str]:
    aliased = [alias + path.removeprefix(root) for alias, root in service.aliases if path.startswith(root)]
    return [path, *aliased]
