"""Mounts the services' route tables on Falcon: authentication, policy, versions, decoding, errors."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import re
import traceback
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

import falcon
import falcon.asgi
import structlog
from falcon.routing import CompiledRouter

from tane.core import Core
from tane.db import DatabaseUnavailable, DoesNotFit, HeldTooLong
from tane.db.paging import TooManyKeys
from tane.db.recording import ASKER
from tane.linux import peers
from tane.shares import OWNER, Full, TakesLong
from tane.web import codec, domains, mounting, pages
from tane.web.access import permits
from tane.web.addresses import Addresses
from tane.web.context import Context
from tane.web.errors import (
    ApiError,
    BadRequest,
    Busy,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from tane.web.incoming import Incoming
from tane.web.limits import Requests, origin
from tane.web.protocol import FREE_BODY, KNOWN, ZERO_COPY
from tane.web.request import CURRENT, FilePart, NeedsHashing, Request, Response
from tane.web.routes import Route, Service, Told
from tane.web.sockets import REFUSED, SocketEndpoint
from tane.web.versions import Version

log = structlog.get_logger()


class Authenticator(Protocol):
    """Who stands behind a token; both take (core, token, request id)."""

    def authenticate(self, core: Core, token: str, request_id: str) -> Context:
        """:raises Unauthorized: for a token that is not valid."""
        ...

    def recall(self, core: Core, token: str, request_id: str) -> Context | None:
        """The same from memory, without any wait; None where that cannot tell."""
        ...

    def owner(self, core: Core, token: str) -> str | None:
        """The project (else the user) that a token says it is for, if this cloud issued it; without any wait. Whether
        it is still good is another question. None where that cannot tell."""
        ...


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
NO_VERSION: Version = (0, 0)
INCOMING = "tane.incoming"
LARGE_ANSWER = 1 << 20
"""Bytes of an answer that is kept until its client has taken it, from which on it counts as a long one."""
CHUNK = 1 << 20
TOO_COMPLEX = ("Expression tree is too large", "too many SQL variables", "parser stack overflow", "stack depth limit")
NO_PATH = "The resource could not be found: there is no such path, or what it is for is not done here."
"""What a database says of a query that a client's many filters made too large."""


class Application(falcon.asgi.App[Any, Any]):
    """Falcon's application, with bodies that handlers read into their buffers, and files that are sent.

    Falcon takes the first event of a request's body; the rest of a streamed one is read past it. Of a response stream
    it passes on what comes, so that a part of a file reaches the server as such: the kernel sends it where the server
    can (``tane.web.protocol``). ``endpoints``: what answers at the paths of the router, which other clouds of the
    process have, too.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint | SocketEndpoint], router: CompiledRouter) -> None:
        super().__init__(router=router)
        self._endpoints = endpoints
        self.domains: tuple[domains.Domain, ...] = ()
        self.loose: tuple[str, ...] = ()
        """Prefixes of services under which several slashes are one."""

    async def __call__(  # type: ignore[override]  # Falcon's own has another signature than its base, too.
        self, scope: dict[str, Any], receive: Any, send: Any
    ) -> None:
        async def send_parts(event: dict[str, Any]) -> None:
            part = event.get("body")
            if not isinstance(part, FilePart):
                await send(event)
            elif ZERO_COPY in scope.get("extensions", {}):
                where = {"file": part.file, "offset": part.offset, "count": part.length}
                await send({"type": ZERO_COPY, **where, "more_body": True})
            else:
                async for data in _read(part):
                    await send({**event, "body": data})

        scope[mounting.ENDPOINTS] = self._endpoints
        if scope["type"] == "http":
            domains.find(self.domains, scope)
            if "//" in scope["path"] and self.loose and scope["path"].startswith(self.loose):
                scope["path"] = re.sub("/{2,}", "/", scope["path"])
            incoming = scope[INCOMING] = Incoming(scope, receive)
            try:
                await super().__call__(scope, incoming.event, send_parts)
            finally:
                incoming.leave()
        else:
            await super().__call__(scope, receive, send)


async def _read(part: FilePart) -> AsyncIterator[bytes]:
    """For servers without the extension. A file that is too short ends the body early."""
    offset, end = part.offset, part.offset + part.length
    while offset < end:
        data = await asyncio.to_thread(os.pread, part.file.fileno(), min(CHUNK, end - offset), offset)
        if not data:
            return
        offset += len(data)
        yield data


class Outgoing:
    """A response body that is a part of a file; the file is closed with it."""

    def __init__(self, part: FilePart) -> None:
        self._part = part

    async def __aiter__(self) -> AsyncIterator[FilePart]:
        if self._part.length:
            yield self._part

    async def close(self) -> None:
        self._part.file.close()


def build(core: Core, services: Iterable[Service], identity: Authenticator) -> falcon.asgi.App[Any, Any]:
    """The ASGI application of all ``services``."""
    services, addresses, requests = tuple(services), Addresses(core.config), Requests(core.config.limits)
    endpoints: dict[str, Endpoint | SocketEndpoint] = {}
    raw: dict[Service, dict[str, Endpoint]] = {}
    for here in mounting.mounted(services):
        if here.socket is not None:
            endpoints[here.path] = SocketEndpoint(core, here.socket)
            continue
        endpoint = Endpoint(core, here.service, here.routes, identity, addresses, requests)
        endpoints[here.path] = endpoint
        if here.below:
            raw.setdefault(here.service, {})[here.path] = endpoint
    app = Application(endpoints, router=mounting.router(services))
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    app.add_error_handler(falcon.HTTPError, _falcon_error)
    app.loose = tuple(f"{service.prefix}/" for service in services if service.loose_paths)
    app.domains = domains.of(services, core.config)
    for service, below in raw.items():
        app.add_sink(RawPaths(service.prefix, below), f"{service.prefix}/")
        for root in service.at_root:
            if root.endswith("/"):
                app.add_sink(RawPaths("", below), root)
    return app


async def _falcon_error(req: Any, resp: Any, error: falcon.HTTPError, params: Any, ws: Any = None) -> None:
    """What Falcon refuses before a route is found (unknown path, unknown method)."""
    code = int(str(error.status).split()[0])
    if ws is not None:
        await ws.close(REFUSED + code)
        return
    if code == 405 and req.scope["path"].endswith("/"):
        # DELETE …/volumes/ is no call of the collection but one whose id is missing.
        error, code = falcon.HTTPNotFound(), 404
    resp.status = error.status
    message = error.description or (NO_PATH if code == 404 else error.title)
    resp.data = codec.encode({"error": {"code": code, "title": error.title, "message": message}})
    resp.content_type = "application/json"
    headers: Any = error.headers or {}
    for name, value in headers.items() if isinstance(headers, dict) else headers:
        resp.set_header(name, value)


class RawPaths:
    """Finds the route of a path that is the client's own bytes: names may hold ``//``, a slash at their end, anything
    but NUL."""

    def __init__(self, prefix: str, endpoints: Mapping[str, Endpoint]) -> None:
        self._prefix = prefix.encode()
        self._by_depth = {
            path.count("/"): (endpoint, re.findall(r"{(\w+)}", path)) for path, endpoint in endpoints.items()
        }
        self._deepest = max(self._by_depth)
        self._start = next(iter(endpoints)).partition("{")[0].encode()

    async def __call__(self, req: Any, resp: Any, **groups: Any) -> None:
        path = unquote_to_bytes(req.scope["raw_path"].removeprefix(self._prefix))
        parts = path.split(b"/", self._deepest)[1:]
        while parts and not parts[-1]:
            parts.pop()
        problem: ApiError | None = None
        try:
            names = [part.decode() for part in parts]
        except UnicodeDecodeError:
            names, problem = ["?"] * len(parts), PreconditionFailed("Invalid UTF8 or contains NULL")
        if b"\0" in path:
            problem = PreconditionFailed("Invalid UTF8 or contains NULL")
        elif "" in names or len(names) not in self._by_depth or not path.startswith(self._start):
            problem = NotFound("The resource could not be found.")
        endpoint, fields = self._by_depth.get(len(names)) or self._by_depth[self._deepest]
        if problem is None and req.method not in endpoint.by_method:
            problem = MethodNotAllowed("The method is not allowed for this resource.")
            resp.set_header("Allow", ", ".join(sorted(endpoint.by_method)))
        await endpoint.handle(req.method, req, resp, dict(zip(fields, names[-len(fields) :], strict=False)), problem)


class Endpoint:
    """All routes of one path, of one cloud."""

    def __init__(
        self,
        core: Core,
        service: Service,
        routes: Sequence[Route],
        identity: Authenticator,
        addresses: Addresses,
        requests: Requests,
    ) -> None:
        self.core = core
        self.service = service
        self.identity = identity
        self.addresses = addresses
        self.requests = requests
        self.by_method: dict[str, list[Route]] = {}
        for route in routes:
            self.by_method.setdefault(route.method, []).append(route)
        if "GET" in self.by_method:
            self.by_method.setdefault("HEAD", self.by_method["GET"])

    async def handle(
        self,
        method: str,
        req: falcon.asgi.Request,
        resp: falcon.asgi.Response,
        path: dict[str, str],
        problem: ApiError | None = None,
    ) -> None:
        """Answer one request; ``problem``: what was found wrong with its address.

        A slash at the end is accepted where clients send one: when a version root is read, or a collection of a service
        without ``strict_paths``. Elsewhere it is an id that is missing (``DELETE …/volumes/``): as with any other empty
        id nothing is found, which is 404.
        """
        service = self.service
        request_id = service.request_id() if service.request_id else f"req-{uuid.uuid4()}"
        resp.set_header(service.request_id_header, request_id)
        for name in service.extra_request_id_headers:
            resp.set_header(name, request_id)
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                if problem is not None:
                    raise problem
                await self._answer(method, req, resp, path, request_id)
        except ApiError as error:
            self._error(req, resp, error)
        except Full as error:
            self._error(req, resp, Busy(f"Too much of this runs already: {error}; try again later."))
        except HeldTooLong as error:
            self._error(req, resp, TooLarge(str(error)))
        except falcon.HTTPError as error:
            # Falcon's own reading of a header, such as a Content-Length that is no number.
            self._error(req, resp, BadRequest(error.description or error.title or "Malformed request"))
        except DatabaseUnavailable as error:
            if any(words in str(error.orig) for words in TOO_COMPLEX):
                self._error(req, resp, BadRequest("There are too many or too complex conditions in the request."))
                return
            log.error("database unavailable", method=method, path=req.path, error=str(error.orig))
            told = f"The cloud's database cannot be used now ({error.orig}); try again later."
            self._error(req, resp, Unavailable(told))
        except TooManyKeys as error:
            self._error(req, resp, BadRequest(str(error)))
        except UnicodeEncodeError as error:
            log.error("half a surrogate pair in a text", method=method, path=req.path, error=error.reason)
            self._error(req, resp, BadRequest("A text has half a surrogate pair, which is no character."))
        except DoesNotFit as error:
            log.error("a value does not fit its column", method=method, path=req.path, error=str(error.orig))
            told = str(error.orig).splitlines()[0]
            self._error(req, resp, BadRequest(f"A value of the request does not fit: {told}"))
        except Exception:
            log.error(
                "request failed", method=method, path=req.path, error=traceback.format_exc(), request_id=request_id
            )
            self._error(
                req,
                resp,
                ApiError(f"Unexpected error. The log tells more under the request id {request_id}."),
            )

    def _error(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, error: ApiError) -> None:
        if self.service.known_errors is not None:
            error = self.service.known_errors(error)
        resp.status = falcon.code_to_http_status(error.status)
        if isinstance(error, Unauthorized):
            resp.set_header("WWW-Authenticate", f"Keystone uri='{self.core.config.url}/identity'")
        for name, value in error.headers.items():
            resp.set_header(name, value)
        if self.service.error_document is not None:
            told = Told(resp.get_header(self.service.request_id_header) or "", str(req.scope["path"]))
            data, resp.content_type = self.service.error_document(error, told)
            resp.data, resp.stream = b"" if req.method == "HEAD" else data, None
            return
        kind = pages.wanted(req.get_header("accept")) if self.service.error_pages else pages.JSON
        if kind == pages.JSON:
            resp.data = codec.encode(error.body or self.service.error_shape(error))
            resp.content_type = kind
        else:
            resp.data = pages.page(error) if kind == pages.HTML else pages.text(error)
            resp.content_type = f"{kind}; charset=UTF-8"
        resp.stream = None

    async def _answer(
        self, method: str, req: falcon.asgi.Request, resp: falcon.asgi.Response, path: dict[str, str], request_id: str
    ) -> None:
        core, service = self.core, self.service
        headers = req.headers_lower
        spoken = NO_VERSION
        if service.microversions is not None:
            spoken = service.microversions.negotiate(headers)
            for name, value in service.microversions.headers(spoken).items():
                resp.set_header(name, value)
        candidates = self.by_method[method]
        reads_many = method in ("GET", "HEAD") and not candidates[0].path.endswith("}")
        reads_many &= candidates[0].policy is None or not service.strict_paths
        strict = not reads_many and not service.loose_paths
        empty = "" in path.values() or (strict and req.scope["path"].endswith("/"))
        if not service.raw_paths and (empty or "\0" in req.scope["path"]):
            raise NotFound("The resource could not be found.")
        ctx = Context(request_id)
        token = headers.get("x-auth-token", "")
        guarded = any(route.policy is not None for route in candidates)
        if guarded and not token and not service.own_admission:
            raise Unauthorized("The request you have made requires authentication.")
        raw, data, caller = b"", None, None
        whose = self._whose(req.scope, headers, token)
        OWNER.set(whose)
        req.scope[INCOMING].remember = functools.partial(self.requests.remember, headers.get("cookie", ""))
        if guarded and (token or service.own_admission):
            # A long body is kept until all of it is there.
            long = (req.content_length or 0) > core.config.limits.anonymous_body or "transfer-encoding" in headers
            long &= not candidates[0].stream
            if long and token:
                caller = await self._caller(token, request_id)
            req.scope[INCOMING].place = self.requests.enter(whose, large=long)
        has_body = method in ("POST", "PUT", "PATCH") or bool(req.content_length)
        if has_body and not candidates[0].stream:
            if guarded and token and (req.content_length is None or req.content_length > FREE_BODY):
                caller = caller or await self._caller(token, request_id)
                req.scope[KNOWN] = True
            limit = core.config.max_body_bytes
            raw = await self._read(req, limit if guarded and token else min(limit, core.config.limits.anonymous_body))
        if candidates[0].action is not None:
            route, data = self._action(candidates, raw, spoken)
        else:
            route = next((r for r in candidates if r.speaks(spoken)), None) or _no_route(req.path)
        base = self.addresses.base(req.scope, headers)
        request = Request(
            core=core,
            ctx=ctx,
            method=method,
            path=path,
            url_path=req.path,
            query=_query(req.query_string, core.config.limits.query_parameters),
            headers=headers,
            version=spoken,
            base_url=base,
            service_url=base + service.prefix.format_map(path),
            raw=raw,
            remote=self.addresses.client(req.scope, headers),
            stream=req.scope[INCOMING] if route.stream else None,
            raw_query=req.query_string,
            raw_path=(req.scope.get(domains.SENT) or req.scope.get("raw_path", b"")).decode("latin-1"),
            subdomain=req.scope.get(domains.SUBDOMAIN, ""),
            grow=req.scope[INCOMING].grow,
            count_for=req.scope[INCOMING].count_for,
            admitted=functools.partial(req.scope.__setitem__, KNOWN, True),
        )
        if service.own_admission:
            request.authenticate = functools.partial(self._known, req.scope, route, request, token)
        CURRENT.set(request)
        ASKER.set(lambda: request.ctx)
        answer = self._at_once(route, request, token, data) if route.at_once is not None else None
        if answer is not None:
            pass
        elif inspect.iscoroutinefunction(route.handler):
            if not service.own_admission:
                await core.in_thread(self._admit, route, request, token, data, caller)
                req.scope[KNOWN] = True
            # It may wait for long, and what was sent may be much longer than what was said.
            raw, data = b"", None
            if route.body is not None:
                request.raw = b""
            answer = await route.handler(request)
        else:
            work = functools.partial(self._serve, route, request, token, data, caller)
            try:
                answer = await core.in_thread(work)
            except NeedsHashing:
                request.may_hash = True
                answer = await core.in_hashing_thread(_owner(req.scope, request.remote), work)
            except TakesLong:
                request.may_take_long = True
                owner = request.ctx.project_id or f"from {_owner(req.scope, request.remote)}"
                answer = await core.in_long_thread(owner, work)
        if not isinstance(answer, Response):
            answer = Response(answer)
        try:
            self._send(method, resp, route, answer)
            if len(resp.data or b"") + answer.held > LARGE_ANSWER:
                req.scope[INCOMING].grow()
        except BaseException:
            await answer.close()
            raise

    async def _caller(self, token: str, request_id: str) -> Context:
        """Who asks. :raises Unauthorized: the token is not valid."""
        if self.core.db.glances_are_cheap and (known := self.identity.recall(self.core, token, request_id)):
            caller = known
        else:
            caller = await self.core.in_thread(self.identity.authenticate, self.core, token, request_id)
        self.requests.learn(token, caller)
        return caller

    def _whose(self, scope: dict[str, Any], headers: Mapping[str, str], token: str) -> str:
        """Whom a request counts for: the project of its token or session, else the address it comes from."""
        owner = self.requests.owner(token or headers.get("cookie", ""))
        owner = owner or (self.identity.owner(self.core, token) if token else None)
        return owner or f"from {_owner(scope, self.addresses.client(scope, headers))}"

    def _serve(self, route: Route, request: Request, token: str, data: Any, caller: Context | None) -> Any:
        self._admit(route, request, token, data, caller)
        answer = route.handler(request)
        if not isinstance(answer, Response):
            answer = Response(answer)
        if answer.body is not None and not isinstance(answer.body, bytes):
            # A long list takes its time: not that of the event loop.
            answer.body = codec.encode(answer.body)
        return answer

    def _at_once(self, route: Route, request: Request, token: str, data: Any) -> Any:
        """The answer from memory, or None: then a thread is needed."""
        if not self.core.db.glances_are_cheap or route.at_once is None:
            return None
        caller = None
        if route.policy is not None:
            caller = self.identity.recall(self.core, token, request.ctx.request_id)
            if caller is None:
                return None
        self._admit(route, request, token, data, caller)
        return route.at_once(request)

    def _admit(self, route: Route, request: Request, token: str, data: Any, caller: Context | None = None) -> None:
        """Authentication, policy, then the body: a caller who may not call learns nothing of the schema."""
        if route.policy is not None and not self.service.own_admission:
            service = self.service
            request.ctx = self._permitted(route, request, token, caller)
            target = service.target(request) if service.target else None
            if (rule := route.refused_by(self.core.policy, request.ctx, target)) is not None:
                raise _forbidden(self.service, rule)
        if route.body is not None:
            if data is not None:
                request.body = codec.convert(route.body, data, request.version)
            else:
                if not request.raw:
                    codec.judge_media(request.headers.get("content-type"))
                    raise BadRequest("Malformed request body: a JSON object is expected, the body is empty")
                request.body = codec.decode(route.body, request.raw, request.version)

    def _known(self, scope: dict[str, Any], route: Route, request: Request, token: str) -> Context:
        """The caller of a service that admits callers itself. :raises Unauthorized:"""
        ctx = self._permitted(route, request, token)
        scope[KNOWN] = True
        return ctx

    def _permitted(self, route: Route, request: Request, token: str, caller: Context | None = None) -> Context:
        """Who a token stands for, if its access rules let this call be made. :raises Unauthorized:"""
        if not token:
            raise Unauthorized("The request you have made requires authentication.")
        ctx = caller or self.identity.authenticate(self.core, token, request.ctx.request_id)
        self.requests.learn(token, ctx)
        rules = ctx.access_rules
        refused = rules is not None and not permits(rules, self.service.known_as, request.method, request.url_path)
        if route.ruled and refused:
            raise Unauthorized("The request you have made requires authentication.")
        return ctx

    def _action(self, candidates: list[Route], raw: bytes, spoken: Version) -> tuple[Route, Any]:
        data = codec.parse(raw)
        if not isinstance(data, dict) or len(data) != 1:
            raise BadRequest("Malformed request body: an object with exactly one action is expected")
        name = next(iter(data))
        for route in candidates:
            if route.action == name and route.speaks(spoken):
                return route, data
        if any(route.action == name for route in candidates):
            raise NotFound(f"The action '{name}' does not exist in this microversion.")
        raise BadRequest(f"There is no such action: {name}")

    async def _read(self, req: falcon.asgi.Request, limit: int) -> bytes:
        """The body. Most come in one piece; others are put together as they come: pieces may be of a byte each."""
        if (req.content_length or 0) > limit:
            raise TooLarge(f"Request is too large: at most {limit} bytes are accepted.")
        raw, more = b"", bytearray()
        async for part in req.stream:
            if len(raw) + len(more) + len(part) > limit:
                raise TooLarge(f"Request is too large: at most {limit} bytes are accepted.")
            if raw:
                more += part
            else:
                raw = part
        if more:
            raw += more
        req.scope[INCOMING].forget()
        if raw:
            codec.judge_media(req.content_type)
        return raw

    def _send(self, method: str, resp: falcon.asgi.Response, route: Route, answer: Response) -> None:
        resp.status = falcon.code_to_http_status(answer.status or route.status)
        for name, value in answer.headers.items():
            resp.set_header(name, value)
        for cookie in answer.cookies:
            resp.append_header("Set-Cookie", cookie)
        if answer.file is not None:
            resp.content_type = answer.content_type or "application/octet-stream"
            resp.content_length = answer.file.length
            if method == "HEAD":
                answer.file.file.close()
            else:
                resp.stream = Outgoing(answer.file)  # type: ignore[assignment]
            return
        if answer.stream is not None:
            resp.content_type = answer.content_type or "application/octet-stream"
            if answer.length is not None:
                resp.content_length = answer.length
            if method != "HEAD":
                resp.stream = answer.stream  # type: ignore[assignment]
            return
        if answer.body is None:
            if answer.content_type:
                resp.content_type = answer.content_type
            return
        body = answer.body if isinstance(answer.body, bytes) else codec.encode(answer.body)
        resp.content_type = answer.content_type or "application/json"
        if method == "HEAD":
            resp.content_length = len(body)
        else:
            resp.data = body


def _owner(scope: Mapping[str, Any], remote: str) -> str:
    """Whom a turn counts for: an address, or a user of this machine, who may have any address of the loopback network
    and shares each with all others."""
    client, server = scope.get("client"), scope.get("server")
    if client and server and client[0] == remote and server[1]:
        user = peers.user_of((client[0], client[1]), (server[0], server[1]))
        if user is not None:
            return f"user {user}"
    return origin(remote)


def _query(text: str, most: int) -> list[tuple[str, str]]:
    """:raises BadRequest: too many parameters, or one with a NUL."""
    try:
        query = parse_qsl(text, keep_blank_values=True, max_num_fields=most)
    except ValueError:
        raise BadRequest(f"There are more than {most} query parameters.") from None
    if "%00" in text:
        for name, value in query:
            codec.refuse_nul(name, name + value)
    return query


def _no_route(path: str) -> Route:
    raise NotFound(f"The resource {path} does not exist in this microversion.")


def _forbidden(service: Service, rule: str) -> ApiError:
    return Forbidden(service.forbidden.format(rule=rule), type="PolicyNotAuthorized")
