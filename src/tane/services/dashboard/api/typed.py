"""What was typed into a form whose session had ended: kept through the login of the same user, and shown again. Nothing
of it was done.

Between the form and the login it is in the page of the login, in the browser alone; after the login in this process,
for the next page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from tane.core import Core
from tane.services.dashboard.api.incoming import read_of_stranger
from tane.services.dashboard.api.visit import FORM_TOKEN, Visit, cookies, visit
from tane.services.dashboard.domain import forms, sessions
from tane.services.dashboard.domain.describing import Action
from tane.services.dashboard.resources import KINDS
from tane.web import codec
from tane.web.errors import ApiError
from tane.web.request import Request, Response

MEMORY = "dashboard.typed"
FIELD = "kept"
MOST, LASTS = 50, timedelta(minutes=5)
"""Forms that are kept after their login, of all users; the oldest are forgotten."""
BESIDE = 4096
"""Bytes of the login's own fields."""


@dataclass(frozen=True)
class Typed:
    path: str
    project: str
    """In which it was typed."""
    values: dict[str, list[str]]
    until: datetime


async def login_page(request: Request) -> Response | None:
    """The login, with what this form holds in it; None where that is not to be kept: the form is none of the pages'
    own, was not shown to this browser, is too long, or holds a file."""
    from tane.services.dashboard.api import login

    action = action_of(request)
    if action is None:
        return None
    found = visit(request)
    try:
        given = await read_of_stranger(request, into(action))
    except ApiError:
        return None
    secret = cookies(request).get(found.own_cookie("tane-session"), "")[: sessions.LONGEST]
    project = sessions.form_project(secret, given.one(FORM_TOKEN)[:200]) if secret else None
    if project is None:
        return None
    fields = await request.core.in_thread(forms.inputs, request.core, action)
    names = [one.field.name for one in fields if one.kind not in ("password", "file")]
    values = {name: given.values[name] for name in names if name in given.values}
    text = codec.encode({"project": project, "values": values}).decode()
    if len(quote_plus(text)) > request.core.config.limits.anonymous_body - BESIDE:
        return None
    within = request.param("in")
    where = request.url_path + (f"?in={quote_plus(within)}" if within else "")
    return await request.core.in_thread(login.with_typed, found, where, text)


def into(action: Action | None) -> dict[str, str]:
    """The files of a form that are the text of a field, with the field's name."""
    return {field.name: field.into for field in action.fields if field.into} if action is not None else {}


def action_of(request: Request) -> Action | None:
    """The action that a form is of."""
    kind = KINDS.get(request.path.get("kind", ""))
    if request.method != "POST" or kind is None:
        return None
    if name := request.path.get("action"):
        return kind.action(name)
    return kind.create if request.url_path.endswith(f"/new/{kind.name}") else None


def keep(core: Core, session_id: str, where: str, text: str) -> bool:
    """After the login, for the form's own page. False: it is not what a login carries."""
    try:
        found = codec.parse(text.encode())
    except ApiError:
        return False
    values = found.get("values") if isinstance(found, dict) else None
    if not isinstance(values, dict) or not all(
        isinstance(texts, list) and all(isinstance(one, str) for one in texts) for texts in values.values()
    ):
        return False
    kept: dict[str, Typed] = core.memory.setdefault(MEMORY, {})
    kept.pop(session_id, None)
    kept[session_id] = Typed(where.partition("?")[0], str(found.get("project")), values, core.clock.now() + LASTS)
    for key in list(kept)[:-MOST]:
        kept.pop(key, None)
    return True


def take(found: Visit) -> Typed | None:
    """What this session's login brought for this very page; once."""
    if found.session is None or not found.request.param("typed"):
        return None
    kept: Typed | None = found.core.memory.get(MEMORY, {}).get(found.session.id)
    if kept is None or found.request.url_path != kept.path or kept.until < found.core.clock.now():
        return None
    found.core.memory[MEMORY].pop(found.session.id, None)
    return kept
