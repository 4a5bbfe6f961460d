"""One request of a page: who visits, what the API tells him, the page that is made of it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import structlog

from tane.core import Core
from tane.services.dashboard.domain import forms, sessions
from tane.services.dashboard.domain.describing import Action, Call, Field, Kind, Row
from tane.services.dashboard.domain.messages import LANGUAGES, N_, Words, preferred
from tane.services.dashboard.domain.sentences import sentence
from tane.services.dashboard.domain.sessions import Session
from tane.services.event import interface as event
from tane.services.identity import interface as identity
from tane.shares import Full, TakesLong
from tane.web import codec, inside
from tane.web.context import Context
from tane.web.errors import ApiError, Busy, Conflict, Forbidden, NotFound, Unauthorized
from tane.web.request import Request, Response

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()
HTML = "text/html; charset=utf-8"
PREFIX = "/dashboard"
THEMES = ("auto", "light", "dark")
FORM_TOKEN = "csrf"
SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language, HX-Request",
}
"""Of every page. Scripts and styles are files of the portal; nothing in a page is one."""
YEAR = 31_536_000
MAY, MOST_REMEMBERED = "dashboard.may", 500
"""Visitors, by their rights, for whom it is remembered which calls they may make."""


class Nobody(Exception):
    """There is no session: the visitor is led to the login."""


@dataclass
class Visit:
    """A visit. ``session`` is None on pages that are open (the login)."""

    request: Request
    words: Words
    theme: str
    session: Session | None = None
    told: dict[str, Any] = field(default_factory=dict)
    """What was asked for once in this visit and may be wanted again."""
    elsewhere: str = ""
    """Another address than the one of the login, from which this session is used as well."""
    cursor: int = 0
    """The event before which nothing is news to a page: it is read before what the page shows."""

    @property
    def core(self) -> Core:
        return self.request.core

    @property
    def ctx(self) -> Context:
        return self.request.ctx

    @property
    def fragment(self) -> bool:
        """Whether a part of a page is asked for."""
        return self.request.headers.get("hx-request") == "true" and "hx-boosted" not in self.request.headers

    def places(self, **more: str) -> dict[str, str]:
        """What stands for the caller in paths."""
        inner = self.request.param("in") or ""
        return {"project": self.ctx.project_id or "-", "user": self.ctx.user_id, "in": inner or "-", **more}

    @property
    def here(self) -> str:
        """The address to come back to this page by: its own, with its query; of what a form was answered with, the
        form's, or that of the list it came from."""
        from tane.services.dashboard.api import lists
        from tane.services.dashboard.resources import KINDS

        request = self.request
        inner, kind = request.param("in") or "", KINDS.get(request.path.get("kind", ""))
        if request.method == "GET":
            return request.raw_path + (f"?{urlencode(request.query)}" if request.query else "")
        if kind is None:
            return PREFIX
        if "/bulk/" in request.url_path:
            return lists.home(kind, inner)
        return request.raw_path + (f"?{urlencode({'in': inner})}" if inner else "")

    def as_member(self) -> Visit:
        """The visit of who were no more than a member of the project: what lists tell of it."""
        if not self.ctx.is_admin:
            return self
        request = copy.copy(self.request)
        request.ctx = replace(self.ctx, roles=("member", "reader"), site_admin=False)
        return replace(self, request=request)

    def as_member_of(self, kind: Kind, offering: Field) -> Visit:
        """Who asks for what a field offers: of the project's own kinds nobody sees more than a member."""
        return self.as_member() if kind.own or offering.own else self

    def call(self, call: Call, body: Any = None, query: Any = (), spoken: str | None = None, **places: str) -> Any:
        """Ask the API as the visitor."""
        path = call.at(self.places(**places))
        long = self.request.may_take_long
        return inside.call(
            self.core, self.ctx, call.service, call.method, path, body, query=query, spoken=spoken, long=long
        )

    async def in_thread(self, function: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """What asks the API, or makes a page, in a thread; in one for what takes long, when it turns out to."""
        try:
            return await self.core.in_thread(function, *args, **more)
        except TakesLong:
            self.request.may_take_long = True
            return await self.core.in_long_thread(self.ctx.project_id, function, *args, **more)

    async def ask(self, call: Call, body: Any = None, spoken: str | None = None, query: Any = (), **places: str) -> Any:
        """The same on the event loop, for every call that answers with a document: also one that waits, or hashes."""
        path = call.at(self.places(**places))
        headers, remote = {"content-type": forms.content_type(call)}, self.request.remote
        told = {"query": query, "spoken": spoken, "headers": headers, "remote": remote}
        answer = await inside.ask(self.core, self.ctx, call.service, call.method, path, body, **told)
        if answer.stream is not None or answer.file is not None:
            await answer.close()
            return None
        if isinstance(answer.body, bytes):
            return codec.parse(answer.body) if answer.body.startswith((b"{", b"[")) else None
        return None if answer.body is None else codec.parse(codec.encode(answer.body))

    def refusal(self, error: ApiError, labels: Mapping[str, str] | None = None) -> str:
        """What an API said, in the visitor's language where its form is known. ``labels``: of the form's fields."""
        return sentence(self.words, error.message, labels) if error.message else self.words(error.title)

    def may(self, call: Call, key: str = "") -> bool:
        """Whether the visitor's role may make a call at all."""
        known = self._answers()
        if (call, key) not in known:
            sample = {key: None} if key and call.path.endswith("/action") else None
            path = call.at(self.places(**{"id": "0", "in": "0"}))
            known[call, key] = inside.may(self.core, self.ctx, call.service, call.method, path, sample)
        return known[call, key]

    def creates(self, kind: Kind) -> Action | None:
        """The action that makes one of a kind, where the visitor may."""
        create = kind.create
        return create if create is not None and self.may(create.target, create.key) else None

    def _answers(self) -> dict[tuple[Call, str], bool]:
        """What :meth:`may` has said to who comes with the same rights. The rules change with a start of the cloud
        alone; every page asks some sixty times, which would be half of what it costs."""
        if MAY not in self.told:
            ctx = self.ctx
            scope = (ctx.project_id, ctx.domain_id, ctx.system_scope)
            by = (ctx.application_credential_id, ctx.trust_id, ctx.access_token_id)
            who = (ctx.user_id, ctx.roles, ctx.site_admin, scope, by)
            everybody = self.core.memory.setdefault(MAY, {})
            self.told[MAY] = everybody[who] = everybody.pop(who, {})
            for key in list(everybody)[:-MOST_REMEMBERED]:
                everybody.pop(key, None)
        known: dict[tuple[Call, str], bool] = self.told[MAY]
        return known

    def followed(self) -> dict[str, str]:
        """The types of events that the rows of some page change by, with what such a resource is called."""
        from tane.services.dashboard.resources import ALL

        seen = (kind for kind in ALL if kind.event and (self.ctx.is_admin or not kind.admin))
        return {kind.event: self.words(kind.one) for kind in seen}

    def projects(self) -> list[Row]:
        """The projects the visitor may go to."""
        if "projects" not in self.told:
            found = [] if self.session is None or self.ctx.application_credential_id else self._projects()
            self.told["projects"] = found
        return list(self.told["projects"])

    def _projects(self) -> list[Row]:
        try:
            found = inside.call(self.core, self.ctx, "identity", "GET", "/v3/auth/projects")["projects"]
        except ApiError:
            return []
        return sorted(found, key=lambda row: str(row["name"]))[:500]

    def page(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        """A page made of a template."""
        from tane.services.dashboard.api import lists, menu
        from tane.services.dashboard.domain import rendering

        shown = {
            "visit": self,
            "_": self.words,
            "language": self.words.language,
            "languages": LANGUAGES,
            "themes": THEMES,
            "theme": self.theme,
            "csrf": sessions.form_token(self.session.secret, self.ctx.project_id or "") if self.session else "",
            "prefix": PREFIX,
            "home": lists.home,
            "menu": menu.sections(self) if self.session and not self.fragment else (),
            **values,
        }
        text = rendering.render(template, shown)
        return Response(text.encode(), status, {**SAFE, **(headers or {})}, HTML)

    def go(self, path: str, cookies: Sequence[str] = (), **query: str) -> Response:
        """Lead the browser to another page of the portal."""
        where = PREFIX + path + (f"?{urlencode(query)}" if query else "")
        return Response(None, 303, {**SAFE, "Location": where}, cookies=cookies)

    def cookie(self, name: str, value: str, *, seconds: int | None = None, strict: bool = False) -> str:
        """A ``Set-Cookie`` line. Scripts read none of them."""
        parts = [f"{name}={quote(value, safe='')}", "Path=/", "HttpOnly", f"SameSite={'Strict' if strict else 'Lax'}"]
        if seconds is not None:
            parts.append(f"Max-Age={seconds}")
        if self.encrypted:
            parts.append("Secure")
        return "; ".join(parts)

    @property
    def encrypted(self) -> bool:
        return self.request.base_url.startswith("https:")

    def own_cookie(self, name: str) -> str:
        """With TLS no other host or plain page can have set it."""
        return f"__Host-{name}" if self.encrypted else name


def cookies(request: Request) -> dict[str, str]:
    """What the browser sent; ours have no quotes around them. The one for the longest path comes first, and counts."""
    from urllib.parse import unquote

    found: dict[str, str] = {}
    for pair in request.headers.get("cookie", "")[:8192].split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            found.setdefault(name, unquote(value))
    return found


def visit(request: Request) -> Visit:
    """The visitor's language and theme, before anybody knows who he is."""
    sent = cookies(request)
    language, theme = sent.get("tane-language", ""), sent.get("tane-theme", "")
    if language not in LANGUAGES:
        language = preferred(request.headers.get("accept-language", ""))
    return Visit(request, Words(language), theme if theme in THEMES else "auto")


def known(request: Request) -> Visit:
    """The visitor behind the session's cookie. :raises Nobody:"""
    found = visit(request)
    session = sessions.find(request.core, cookies(request).get(found.own_cookie("tane-session"), ""))
    if session is None:
        raise Nobody
    try:
        request.ctx = identity.authenticate(request.core, session.token, request.ctx.request_id)
    except Unauthorized:
        sessions.close_if_over(request.core, session)
        raise Nobody from None
    request.count_for(request.ctx.project_id or session.user_id)
    found.session = session
    found.elsewhere = _elsewhere(request, session)
    request.admitted()
    if request.method == "GET" and not found.fragment:
        with request.core.db.read() as tx:
            found.cursor = event.newest(tx)
    return found


ELSEWHERE, MOST_ELSEWHERE = "dashboard.elsewhere", 1000


def _elsewhere(request: Request, session: Session) -> str:
    """The address from which a session was used that is not the one of its login; who came from there, and who has
    logged in, are both told."""
    seen: dict[str, str] = request.core.memory.setdefault(ELSEWHERE, {})
    away = session.address and request.remote and not near(request.remote[:64], session.address)
    if away and session.id not in seen:
        seen[session.id] = request.remote[:64]
        for key in list(seen)[:-MOST_ELSEWHERE]:
            seen.pop(key, None)
        log.warning("a session is used from another address", user=session.user_id, address=request.remote[:64])
    return seen.get(session.id, "")


def near(one: str, other: str) -> bool:
    """Whether two addresses may be one browser's: of one network (/24, /48), as behind a carrier's translation or with
    addresses that change each day; or of the two families, as with happy eyeballs (RFC 8305)."""
    try:
        first, second = ip_address(one), ip_address(other)
    except ValueError:
        return one == other
    if first.version != second.version:
        return True
    shift = 8 if first.version == 4 else 80
    return int(first) >> shift == int(second) >> shift


def wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") or request.headers.get("hx-request") == "true"


def nobody(request: Request) -> Response:
    """Who has no session: browsers go to the login and come back; others are refused."""
    if not wants_page(request):
        raise Unauthorized("The portal needs a session: log in at /dashboard/login.")
    found = visit(request)
    if found.fragment:
        return Response(None, 401, {**SAFE, "HX-Redirect": f"{PREFIX}/login?ended=1"})
    ended = {} if request.method == "GET" else {"ended": "1"}
    return found.go("/login", next=found.here, **ended)


def error_page(request: Request, error: ApiError, found: Visit | None = None) -> Response:
    """What the API said, on a page. Errors are pages for browsers and the API's own document for others."""
    if not wants_page(request):
        raise error
    found = found or visit(request)
    headers = dict(error.headers)
    return found.page(
        "error.html",
        error.status,
        headers,
        title=found.words(error.title),
        code=error.status,
        sentence=found.refusal(error),
    )


Page = Callable[[Visit], Response]


def page(function: Page) -> Callable[[Request], Response]:
    """A page that is shown to who is logged in."""

    @functools.wraps(function)
    def serve(request: Request) -> Response:
        found = None
        try:
            found = known(request)
            return function(found)
        except Nobody:
            return nobody(request)
        except Full as error:
            return error_page(request, Busy(f"Too much of this runs already: {error}; try again later."), found)
        except ApiError as error:
            return error_page(request, error, found)

    return serve


def waiting(function: Callable[[Visit], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The same for what streams or waits."""

    @functools.wraps(function)
    async def serve(request: Request) -> Response:
        core, found = request.core, None
        try:
            found = await core.in_thread(known, request)
            return await function(found)
        except Nobody:
            from tane.services.dashboard.api import typed

            return await typed.login_page(request) or nobody(request)
        except Full as error:
            busy = Busy(f"Too much of this runs already: {error}; try again later.")
            return await core.in_thread(error_page, request, busy, found)
        except ApiError as error:
            return await core.in_thread(error_page, request, error, found)

    return serve


class Elsewhere(Conflict):
    """A form is of another project than the session is in by now: what it says was not meant for this one."""


def check_form(found: Visit, given: Mapping[str, Sequence[str]], *, everywhere: bool = False) -> None:
    """``everywhere``: the form means the same in every project.

    :raises Forbidden: it is not one that this session was shown. :raises Elsewhere:
    """
    assert found.session is not None
    sent = (found.request.headers.get("x-csrf-token") or next(iter(given.get(FORM_TOKEN, ())), ""))[:200]
    project = sessions.form_project(found.session.secret, sent)
    if project is None:
        raise Forbidden(found.words("This form is not from your session: load its page again."))
    check_origin(found)
    if project != sessions.short(found.ctx.project_id) and not everywhere:
        raise Elsewhere(went(found))


def went(found: Visit) -> str:
    """What is told of a form that is of another project."""
    here = found.ctx.project_name or "–"
    return found.words(N_("You went to another project meanwhile, so nothing was done. This is “{here}”."), here=here)


def check_origin(found: Visit) -> None:
    """:raises Forbidden: a page of another origin sent the form."""
    headers = found.request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is not None:
        # Browsers say it to sites with TLS alone. A proxy that ends TLS changes the scheme, not the host; no page of
        # another site makes a browser name another host than the one it asks.
        own = (urlsplit(found.request.base_url).netloc, headers.get("host", ""))
        site = "same-origin" if urlsplit(origin).netloc in own else "cross-site"
    if site not in ("same-origin", "none", None):
        raise Forbidden(found.words("Forms of other sites are not taken."))


def missing(found: Visit) -> NotFound:
    return NotFound(found.words("There is no such page."))
