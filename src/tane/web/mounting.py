"""Where routes are: the tree of paths is the same for every cloud of a process, what answers there is each cloud's own.

Building the tree takes a tenth of a second, as long as everything else of a cloud in process.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import falcon
import falcon.asgi
from falcon.routing import CompiledRouter

from tane.web.routes import Route, Service
from tane.web.sockets import WebSocketRoute

ENDPOINTS = "tane.endpoints"
"""In the scope of a request: the cloud's endpoints by their path."""


@dataclass(frozen=True)
class Mounted:
    """What is at one path, and at which others. ``below``: paths that a service reads itself (``raw_paths``)."""

    path: str
    also_at: tuple[str, ...]
    service: Service
    routes: Sequence[Route] = ()
    socket: WebSocketRoute | None = None
    below: bool = False

    @property
    def methods(self) -> set[str]:
        found = {route.method for route in self.routes}
        return found | {"HEAD"} if "GET" in found else found


def mounted(services: Sequence[Service]) -> Iterator[Mounted]:
    """Every path of ``services``, in the order of their tables."""
    for service in services:
        paths: dict[str, list[Route]] = {}
        for route in service.routes:
            paths.setdefault(route.path, []).append(route)
        for path, routes in paths.items():
            at_root = (path,) if path in service.at_root else ()
            if service.raw_paths and "{" in path:
                yield Mounted(path, at_root, service, routes, below=True)
                continue
            aliases = (
                service.prefix + alias + path.removeprefix(root)
                for alias, root in service.aliases
                if path.startswith(root)
            )
            # Requests arrive without their trailing slash, so a route must not have one either.
            yield Mounted((service.prefix + path).rstrip("/"), (*at_root, *aliases), service, routes)
        for socket in service.web_sockets:
            yield Mounted(service.prefix + socket.path, (), service, socket=socket)


class Gate:
    """What Falcon calls at a path: it passes the request on to the cloud that it came to."""

    def __init__(self, here: Mounted) -> None:
        self._path = here.path
        for method in here.methods:
            setattr(self, f"on_{method.lower()}", self._responder(method))

    def _responder(self, method: str) -> Callable[..., Awaitable[None]]:
        async def respond(req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
            await req.scope[ENDPOINTS][self._path].handle(method, req, resp, path)

        return respond


class SocketGate:
    """The same for a WebSocket."""

    def __init__(self, here: Mounted) -> None:
        self._path = here.path

    async def on_websocket(self, req: falcon.asgi.Request, socket: falcon.asgi.WebSocket) -> None:
        await req.scope[ENDPOINTS][self._path].on_websocket(req, socket)


@functools.lru_cache(maxsize=4)
def router(services: tuple[Service, ...]) -> CompiledRouter:
    """The tree of all paths."""
    found = CompiledRouter()
    mounting: falcon.asgi.App[Any, Any] = falcon.asgi.App(router=found)
    for here in mounted(services):
        gate = SocketGate(here) if here.socket is not None else Gate(here)
        for path in here.also_at if here.below else (here.path, *here.also_at):
            mounting.add_route(path, gate)
    return found
