"""Route table of the portal. Most pages come of the table of resources (``resources/``): one line here serves all
kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from tane.web.request import Request
from tane.web.routes import Route

OPEN = "dashboard:open"
HERE = "tane.services.dashboard.api"


def later(module: str, name: str, summary: str) -> Callable[[Request], Any]:
    """A handler that is loaded with its first request: a cloud whose portal nobody opens does not carry it."""

    def handler(request: Request) -> Any:
        return getattr(import_module(f"{HERE}.{module}"), name)(request)

    handler.__doc__ = summary
    return handler


def waits(module: str, name: str, summary: str) -> Callable[[Request], Any]:
    """The same for a coroutine."""

    async def handler(request: Request) -> Any:
        return await getattr(import_module(f"{HERE}.{module}"), name)(request)

    handler.__doc__ = summary
    return handler


def page(path: str, module: str, name: str, summary: str) -> Route:
    return Route("GET", path, later(module, name, summary), OPEN, summary=summary)


def form(path: str, module: str, name: str, summary: str) -> Route:
    """A form's body is read by its handler: it may hold a file."""
    return Route("POST", path, waits(module, name, summary), OPEN, stream=True, summary=summary)


def slow(path: str, module: str, name: str, summary: str) -> Route:
    return Route("GET", path, waits(module, name, summary), OPEN, summary=summary)


ROUTES = (
    Route(
        "GET", "/static/{file}", later("files", "static", "A file of the portal"), None, summary="A file of the portal"
    ),
    Route("GET", "/login", later("login", "show", "The login"), None, summary="The login"),
    Route("POST", "/login", waits("login", "enter", "Log in"), None, stream=True, summary="Log in"),
    Route("POST", "/prefer", waits("login", "prefer", "Choose"), None, stream=True, summary="Choose language and look"),
    form("/logout", "login", "leave", "Log out: the session and its token end"),
    form("/project", "login", "switch", "Go to another project"),
    page("/", "pages", "overview", "The overview, with quotas"),
    page("/tasks", "live", "tasks", "What is done just now, step by step"),
    page("/consoles", "consoles", "show", "Consoles of several servers"),
    page("/search", "live", "search", "Find by name, address or id"),
    page("/charts", "charts", "project", "What the project uses, as charts"),
    page("/bill", "bills", "bill", "What the project pays"),
    page("/prices", "prices", "show", "What things cost"),
    slow("/happened", "happened", "show", "What has happened, newest first"),
    page("/topology", "live", "topology", "Networks as a picture"),
    # A stream, so that its handler hears when the browser is gone.
    replace(slow("/events", "live", "events", "What happens, as server-sent events"), stream=True),
    page("/access", "files", "access", "Where the APIs are"),
    page("/access/{file}", "files", "download", "clouds.yaml or openrc"),
    slow("/containers", "objects", "containers", "Containers of objects"),
    slow("/objects", "objects", "objects", "The objects of a container"),
    slow("/object", "objects", "download", "Download an object"),
    form("/objects", "objects", "change", "Make and delete containers, folders and objects; upload"),
    page("/new/{kind}", "pages", "new", "The form of a new resource"),
    form("/new/{kind}", "pages", "act", "Make a resource"),
    form("/undo", "undoing", "undo", "Take back what was just done"),
    form("/bulk/{kind}", "pages", "bulk", "One action on several resources"),
    page("/row/{kind}/{resource_id}", "pages", "fragment", "One row of a list"),
    page("/{kind}", "pages", "index", "A list of resources"),
    page("/{kind}/{resource_id}", "pages", "show", "A resource"),
    slow("/{kind}/{resource_id}/{action}", "pages", "ask", "The form of an action"),
    form("/{kind}/{resource_id}/{action}", "pages", "act", "Do something to a resource"),
)
