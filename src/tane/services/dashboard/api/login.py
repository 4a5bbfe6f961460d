"""Coming in, going out, changing project, language and look."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from tane.services.dashboard.api import typed as typing
from tane.services.dashboard.api.incoming import Form, read, read_of_stranger
from tane.services.dashboard.api.visit import (
    FORM_TOKEN,
    PREFIX,
    THEMES,
    YEAR,
    Nobody,
    Visit,
    check_form,
    check_origin,
    cookies,
    error_page,
    known,
    visit,
    waiting,
)
from tane.services.dashboard.domain import sessions
from tane.services.dashboard.domain.messages import LANGUAGES
from tane.services.identity import interface as identity
from tane.shares import Full
from tane.web import inside
from tane.web.errors import ApiError, Busy, Forbidden, Unauthorized
from tane.web.request import Request, Response

BEFORE = "tane-login"
"""The cookie that ties a form of the login to the browser it was shown in."""
OWNER = "tane-owner"
"""Whose the session's cookie is, told to nobody else: what was typed in it comes back to that user alone."""
LOGIN_SECONDS = 3600
MOST_OF_ADDRESS = 2000
"""Characters of the page that one comes back to."""


def show(request: Request) -> Response:
    """The login. Who is in already is led to the overview."""
    try:
        known(request)
    except Nobody:
        return _form(visit(request), notice=request.param("ended") == "1", come_back=request.param("next") or "")
    return visit(request).go("")


def _form(
    found: Visit,
    problem: str = "",
    status: int = 200,
    typed: Form | None = None,
    notice: bool = False,
    come_back: str = "",
    kept: str = "",
) -> Response:
    secret = secrets.token_urlsafe(24)
    cookie = found.cookie(found.own_cookie(BEFORE), secret, seconds=LOGIN_SECONDS, strict=True)
    shown = {name: typed.one(name) if typed else "" for name in ("user", "domain", "credential", "way")}
    answer = found.page(
        "login.html",
        status,
        problem=problem,
        typed=shown,
        before=secret,
        ended=notice,
        come_back=_own(come_back),
        kept=kept or (typed.one(typing.FIELD) if typed else ""),
    )
    answer.cookies = (cookie,)
    return answer


def with_typed(found: Visit, where: str, text: str) -> Response:
    """The login before a form that was sent without a session. ``text``: what it holds."""
    return _form(found, "", 401, None, True, where, text)


def _own(path: str) -> str:
    """A page of the portal to come back to; anything else is none: nobody is led elsewhere."""
    page, _, query = path.partition("?")
    plain = page == PREFIX or page.startswith(f"{PREFIX}/")
    plain = plain and not any(one in page.lower() for one in ("//", "..", "%2e", "%5c"))
    text = path.isprintable() and path.isascii() and not any(one in path for one in "\\ #") and "?" not in query
    return path if plain and text and len(path) < MOST_OF_ADDRESS else ""


async def enter(request: Request) -> Response:
    """Log in with a password (and a passcode), or with an application credential."""
    core = request.core
    found = visit(request)
    try:
        given = await read_of_stranger(request)
        before = cookies(request).get(found.own_cookie(BEFORE), "")
        if not before or not sessions.same(before[:100], given.one(FORM_TOKEN)[:100]):
            raise Forbidden(found.words("This form is not from your session: load its page again."))
        check_origin(found)
    except ApiError as error:
        return await core.in_thread(error_page, request, error, found)
    try:
        token, document = await _token(found, _auth(given), request)
        if identity.is_of_guests(document["user"]["domain"]["id"]):
            # Good for two calls of programs: every page would be a refusal.
            await _revoke(request, token)
            raise Unauthorized("The portal is no place for the users of guests.")
        token, document = await _scoped(found, token, document, request)
    except Unauthorized:
        wrong = found.words("The name, the password or the passcode is wrong.")
        return await core.in_thread(_form, found, wrong, 401, given, False, given.one("next"))
    except Full as error:
        busy = Busy(f"Too much of this runs already: {error}; try again later.")
        return await core.in_thread(_form, found, found.refusal(busy), 503, given)
    except ApiError as error:
        return await core.in_thread(_form, found, found.refusal(error), error.status, given)
    user_id, until = document["user"]["id"], _time(document["expires_at"])
    session = await core.in_thread(sessions.open_session, core, user_id, token, until, request.remote[:64])
    where = _own(given.one("next")).removeprefix(PREFIX)
    gone = found.cookie(found.own_cookie(BEFORE), "", seconds=0, strict=True)
    sent = cookies(request)
    former = sent.get(found.own_cookie("tane-session"), "")[: sessions.LONGEST]
    same = sessions.same(sent.get(found.own_cookie(OWNER), "")[:100], sessions.owner_mark(former, user_id))
    if former and same and (text := given.one(typing.FIELD)):
        brought = typing.keep(core, session.id, PREFIX + where, text)
        where += ("&" if "?" in where else "?") + "typed=1" if brought else ""
    mark = found.cookie(found.own_cookie(OWNER), sessions.owner_mark(session.secret, user_id))
    return found.go(where, (found.cookie(found.own_cookie("tane-session"), session.secret), mark, gone))


def _auth(given: Form) -> dict[str, Any]:
    if given.one("way") == "credential":
        credential = {"id": given.one("credential").strip(), "secret": given.one("secret")}
        return {"identity": {"methods": ["application_credential"], "application_credential": credential}}
    domain = given.one("domain").strip() or "Default"
    user = {"name": given.one("user").strip(), "domain": {"name": domain}}
    identity_: dict[str, Any] = {
        "methods": ["password"],
        "password": {"user": {**user, "password": given.one("password")}},
    }
    if passcode := given.one("passcode").strip():
        identity_["methods"].append("totp")
        identity_["totp"] = {"user": {**user, "passcode": passcode}}
    return {"identity": identity_}


async def _token(found: Visit, auth: dict[str, Any], request: Request) -> tuple[str, Any]:
    """:raises ApiError: as identity answers. Hashing is throttled by where the request comes from."""
    core, ctx = request.core, request.ctx
    answer = await inside.ask(
        core, ctx, "identity", "POST", "/v3/auth/tokens", {"auth": auth}, query={"nocatalog": ""}, remote=request.remote
    )
    from tane.web import codec

    body = answer.body if isinstance(answer.body, bytes) else codec.encode(answer.body)
    return answer.headers["X-Subject-Token"], codec.parse(body)["token"]


async def _scoped(found: Visit, token: str, document: Any, request: Request) -> tuple[str, Any]:
    """A token without a scope opens little: go to the project that was used last, else to the first."""
    if "project" in document or "domain" in document or "system" in document:
        return token, document
    core = request.core
    request.ctx = await core.in_thread(identity.authenticate, core, token, request.ctx.request_id)
    rows = (await core.in_thread(inside.call, core, request.ctx, "identity", "GET", "/v3/auth/projects"))["projects"]
    if not rows:
        return token, document
    last = cookies(request).get("tane-project", "")
    wanted = next((row for row in rows if row["id"] == last), None) or min(rows, key=lambda row: str(row["name"]))
    fresh = await _in_project(found, token, str(wanted["id"]), request)
    await _revoke(request, token)
    return fresh


async def _in_project(found: Visit, token: str, project_id: str, request: Request) -> tuple[str, Any]:
    identity_ = {"methods": ["token"], "token": {"id": token}}
    return await _token(found, {"identity": identity_, "scope": {"project": {"id": project_id}}}, request)


async def _revoke(request: Request, token: str) -> None:
    """End a token, as its own user. That it is over already is as good."""
    core = request.core
    try:
        ctx = await core.in_thread(identity.authenticate, core, token, request.ctx.request_id)
        subject = {"x-subject-token": token}
        await inside.ask(core, ctx, "identity", "DELETE", "/v3/auth/tokens", headers=subject)
    except ApiError:
        return


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.rstrip("Z"))


@waiting
async def leave(found: Visit) -> Response:
    """Log out: the session ends, and the token with it."""
    given, session = await read(found.request), found.session
    check_form(found, given.values, everywhere=True)
    assert session is not None
    await found.core.in_thread(sessions.close, found.core, session)
    await _revoke(found.request, session.token)
    gone = found.cookie(found.own_cookie("tane-session"), "", seconds=0)
    return found.go("/login", (gone,))


@waiting
async def switch(found: Visit) -> Response:
    """Go to another project."""
    given, session, core = await read(found.request), found.session, found.core
    check_form(found, given.values, everywhere=True)
    assert session is not None
    project_id = given.one("project")
    token, document = await _in_project(found, session.token, project_id, found.request)
    await core.in_thread(sessions.change_token, core, session, token, _time(document["expires_at"]))
    # Last: other windows of the browser ask by the session all the time.
    await _revoke(found.request, session.token)
    return found.go("", (found.cookie("tane-project", project_id, seconds=YEAR),))


async def prefer(request: Request) -> Response:
    """Choose the language or the look; the browser remembers it."""
    found = visit(request)
    try:
        given = await read_of_stranger(request)
        check_origin(found)
    except ApiError as error:
        return await request.core.in_thread(error_page, request, error, found)
    kept = []
    if (language := given.one("language")) in LANGUAGES:
        kept.append(found.cookie("tane-language", language, seconds=YEAR))
    if (theme := given.one("theme")) in THEMES:
        kept.append(found.cookie("tane-theme", theme, seconds=YEAR))
    return found.go(_own(given.one("next")).removeprefix(PREFIX), kept)
