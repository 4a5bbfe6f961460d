"""Requests of the portal's pages: a browser with the actor's session, its forms filled in rightly or wrongly."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from urllib.parse import quote, urlencode

from fuzz.world import Actor, World
from tane.services.dashboard.api import typed, undoing
from tane.services.dashboard.domain import sessions
from tane.services.dashboard.domain.describing import Action, Kind
from tane.services.dashboard.domain.sessions import Session
from tane.services.dashboard.resources import ALL, KINDS
from tane.web.routes import Route, Service

COLLECTIONS = {
    "floating-ips": "floatingips",
    "keypairs": "os-keypairs",
    "server-groups": "os-server-groups",
    "volume-types": "types",
    "transfers": "os-volume-transfer",
    "external-networks": "networks",
    "all-servers": "servers",
    "rules": "security-group-rules",
    "aggregates": "os-aggregates",
}
"""How the API calls what a page of the portal is about."""
QUERIES = (
    *("q", "marker", "all", "done", "container", "prefix", "name", "cursor", "next"),
    *("undo", "undone", "typed", "versions", "version-id", "version_marker", "project_id", "month", "member_status"),
    *("panels", "resource", "network_id", "device_id", "volume_id", "source_compute"),
)
ORDERS = ("make", "folder", "share", "versions", "restore", "delete", "remove", "upload")
ODD = ("", "\"'><script>", "種" * 300, "-1", "9" * 40, "a=b\nc", "a,b", "10.9.0.0/24", "..", "{{7*7}}", "\r\n", "0")


def session(here: World, actor: Actor) -> Session:
    """The actor's session, opened with its token."""
    core = here.api.core
    until = core.clock.now() + timedelta(hours=1)
    key = f"fuzz.session {actor.caller.token}"
    if key not in core.memory:
        user = actor.caller.user_id or "0"
        core.memory[key] = sessions.open_session(core, user, actor.caller.token, until, "192.0.2.1")
    found: Session = core.memory[key]
    return found


def ask(
    here: World, service: Service, route: Route, actor: Actor, project: str
) -> tuple[str, dict[str, str], bytes | None, list[tuple[str, str]]]:
    """(path, headers, body, query) of a request to one of the portal's routes."""
    rng, mine, core = here.rng, session(here, actor), here.api.core
    kind = rng.choice(ALL)
    action = rng.choice([*kind.actions, *([kind.create] if kind.create else [])] or [Action("x", "", "compute GET /x")])
    names = {"kind": kind.name, "action": action.name, "file": rng.choice(("portal.css", "openrc", "clouds.yaml", "x"))}
    names["resource_id"] = identifier(here, kind, project)
    for name in names:
        if rng.random() < 0.05:
            names[name] = rng.choice(ODD) or "%00"
    path = service.prefix + route.path
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    headers = {"Cookie": f"tane-session={mine.secret}", "Accept": "text/html", "X-Auth-Token": actor.caller.token}
    if rng.random() < 0.1:
        headers["HX-Request"] = "true"
    query = [("in", identifier(here, rng.choice(ALL), project))] if rng.random() < 0.3 else []
    for name in QUERIES:
        if rng.random() < 0.1:
            query.append((name, rng.choice((*ODD, "1", "create"))))
    mark = [name for name, one in core.memory.get(undoing.MEMORY, {}).items() if one.owner == mine.id][-1:]
    if route.method == "GET" and rng.random() < 0.1:
        values = {one.name: [rng.choice(ODD)] for one in action.fields}
        typed.keep(core, mine.id, path, json.dumps({"project": rng.choice((project, "", None)), "values": values}))
        query += [("typed", "1"), *(("undo", one) for one in mark)]
    if route.path == "/events":
        # One that is right never ends.
        query = [("cursor", rng.choice(("x", "-1", "²")))]
    if route.method != "POST":
        return path, headers, None, query
    # These would end the token that the actor has for everything else.
    ends = route.path in ("/logout", "/project")
    # Now and then of a page of another project.
    token = sessions.form_token(mine.secret, "0" if rng.random() < 0.05 else actor.caller.project_id)
    fields = [
        ("csrf", "no" if ends or rng.random() < 0.05 else token),
        ("action", action.name),
        ("sure", "yes"),
    ]
    fields += [("undo", one) for one in mark if rng.random() < 0.7]
    fields += filled(here, action, actor, project, rng)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return path, headers, urlencode(fields, errors="surrogatepass").encode(), query


def identifier(here: World, kind: Kind, project: str) -> str:
    """What the callers themselves need is left alone: a page's form may change or delete it."""
    found = here.pick(COLLECTIONS.get(kind.name, kind.name), project)
    return found if found and found not in here.fixed else "6f1c5e9e-5bb2-4f33-9c33-7a1c14e8a333"


def filled(here: World, action: Action, actor: Actor, project: str, rng: random.Random) -> list[tuple[str, str]]:
    """A form's fields, mostly as they should be."""
    found = [("id", identifier(here, rng.choice(ALL), project)), ("container", f"{actor.mark}c")]
    found += [
        ("what", rng.choice(ORDERS)),
        ("hours", rng.choice(("1", "24", *ODD))),
        ("keep", rng.choice(("yes", "no"))),
    ]
    found += [(name, rng.choice(ODD)) for name in ("undo", "kept", "version", "name") if rng.random() < 0.2]
    for field in action.fields:
        if rng.random() < 0.15:
            found.append((field.name, rng.choice(ODD)))
        elif field.ref:
            found.append((field.name, identifier(here, KINDS[field.ref], project)))
        elif field.choices:
            found.append((field.name, rng.choice(field.choices)[0]))
        elif field.kind == "number":
            found.append((field.name, str(rng.randint(0, 4))))
        elif field.default and not str(field.default).startswith("="):
            found.append((field.name, str(field.default)))
        else:
            found.append((field.name, f"{actor.mark}{rng.randrange(16**6):06x}"))
    return found
