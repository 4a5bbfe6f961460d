"""Route tables: what a service's ``routes.py`` is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tane.config import Config
from tane.db import Tx
from tane.db.recording import Recorded
from tane.finding import Finding
from tane.held import Held
from tane.jobs import Operation, Reconciler
from tane.web.context import Context
from tane.web.errors import ApiError
from tane.web.policy import Policy, Rule
from tane.web.request import Request
from tane.web.sockets import WebSocketRoute
from tane.web.versions import Microversions, version

if TYPE_CHECKING:
    from tane.core import Core

Handler = Callable[[Request], Any] | Callable[[Request], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """One line of the API.

    A handler that is a plain function runs in a thread; a coroutine function runs on the event loop (streams).
    ``policy`` None means that anyone may call it, with a token or without. ``action`` names the single key of the body
    where many actions share one path. ``body`` is the schema; without one the body is ignored. ``stream``: the handler
    reads the body itself. ``at_once`` answers on the event loop from what is remembered, without any wait; where it
    returns None, the handler is called as ever. ``since`` / ``until`` bound the microversions that have the route.
    ``ruled`` false: access rules of application credentials do not shut it. ``also``: rules of other services whose
    work it does; what a site refuses there is refused here.
    """

    method: str
    path: str
    handler: Handler
    policy: str | None
    body: type[msgspec.Struct] | None = None
    status: int = 200
    action: str | None = None
    since: str | None = None
    until: str | None = None
    stream: bool = False
    summary: str = ""
    at_once: Callable[[Request], Any] | None = None
    ruled: bool = True
    also: Sequence[str] = ()

    def refused_by(self, policy: Policy, ctx: Context, target: Mapping[str, Any] | None) -> str | None:
        """The rule that does not let the caller make the call on ``target``; None: it may."""
        if self.policy is not None and not policy.allows(self.policy, ctx, target):
            return self.policy
        return next((rule for rule in self.also if not policy.allows(rule, ctx)), None)

    def speaks(self, spoken: tuple[int, int]) -> bool:
        return (self.since is None or version(self.since) <= spoken) and (
            self.until is None or spoken <= version(self.until)
        )


@dataclass(frozen=True)
class CatalogEntry:
    """A service of this cloud as the catalogue shows it; ``path`` follows the cloud's URL."""

    type: str
    name: str
    path: str


@dataclass(frozen=True)
class Told:
    """What an error's document may say of the request: its id, and the path it asked for."""

    request_id: str
    path: str


Check = Callable[[Tx], Iterator[Finding]]
"""A check of a cloud's own rows by the doctor."""


@dataclass(frozen=True, eq=False)
class Service:
    """A service, and all that the house asks of it: ``app.py`` names it, and nothing else has to know it.

    ``forbidden`` is the message of a refused caller, with ``{rule}`` in it. ``aliases``: (alias, root) pairs; what lies
    under a root is served under its alias too. ``strict_paths``: a collection with a slash at its end is not found, as
    in the real service; ``loose_paths``: any path may have one, and several where one is meant. ``target``: what a
    request's policy rule is checked against; without one it is something of the caller's own. ``types``: its types in
    the catalogue, where they are not its name; ``catalog``: its entries there.
    ``error_pages``: errors are HTML unless JSON is asked for, as in services built on webob alone. ``counted``: what
    `tane status` counts, in words and by what follows FROM. ``checks``: the doctor's, of its rows. ``events``: whose
    changes are told. ``raw_paths``: paths are the client's bytes, as object storage has them: decoded once, then cut at
    slashes; the last field of a route takes all that is left. ``own_admission``: its handlers admit callers themselves,
    by :meth:`Request.authenticate`, since its resources may be open to strangers. ``at_root``: paths that are also
    served without the prefix; of raw ones, those below. ``error_document``: (body, content type) of an error, where
    that is no JSON. ``known_errors``: what an error of the house's is among the service's own. ``request_id``: draws
    one, where it has another form than ``req-UUID``. ``domain``: a host name that is the service's own ("": none):
    there it has no prefix, and what stands before the name is the path's first part. ``holds``: what of its rows keeps
    who is no administrator of the cloud from deleting their project, and which the doctor looks for afterwards;
    ``holds_apart``: (core, projects) → how many of what it keeps in a database of its own, by noun.
    """

    name: str
    prefix: str
    routes: Sequence[Route]
    rules: Sequence[Rule]
    error_shape: Callable[[ApiError], dict[str, object]]
    microversions: Microversions | None = None
    operations: Sequence[Operation[Any]] = ()
    reconcilers: Sequence[Reconciler] = ()
    web_sockets: Sequence[WebSocketRoute] = ()
    forbidden: str = "Policy doesn't allow {rule} to be performed."
    request_id_header: str = "x-openstack-request-id"
    extra_request_id_headers: Sequence[str] = field(default=())
    aliases: Sequence[tuple[str, str]] = ()
    strict_paths: bool = False
    loose_paths: bool = False
    target: Callable[[Request], Mapping[str, Any]] | None = None
    types: Sequence[str] = ()
    error_pages: bool = False
    catalog: Sequence[CatalogEntry] = ()
    counted: Sequence[tuple[str, str]] = ()
    checks: Sequence[Check] = ()
    events: Sequence[Recorded] = ()
    raw_paths: bool = False
    own_admission: bool = False
    at_root: Sequence[str] = ()
    error_document: Callable[[ApiError, Told], tuple[bytes, str]] | None = None
    known_errors: Callable[[ApiError], ApiError] | None = None
    request_id: Callable[[], str] | None = None
    domain: Callable[[Config], str] | None = None
    holds: Sequence[Held] = ()
    holds_apart: Callable[[Core, Sequence[str]], Mapping[str, int]] | None = None

    @property
    def known_as(self) -> Sequence[str]:
        """Its types in the catalogue, as access rules name them."""
        return self.types or (self.name,)
