"""Each call of the APIs is made by a page of the portal, or the portal's README says why not."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import tane.services.dashboard as portal
from tane.app import SERVICES
from tane.services.dashboard.domain.describing import Call
from tane.services.dashboard.resources import ALL
from tane.web.routes import Route

HOME = Path(portal.__file__).parent
LINE = re.compile(r"^\| (\S+) \| (\S+ ?[^|]*?) \| ([^|]+) \|$", re.M)


def made() -> set[tuple[str, str, str, str]]:
    """(service, method, path with its places blank, key) of what pages call."""
    found = set()
    for kind in ALL:
        calls = [(kind.listing, ""), (kind.showing, "")]
        calls += [(action.call, action.key) for action in [*kind.actions, *([kind.create] if kind.create else [])]]
        found |= {(text, key) for text, key in calls if text}
    for file in (HOME / "api").glob("*.py"):
        found |= {(text, "") for text in re.findall(r'Call\.of\(\s*"([^"]+)"', file.read_text())}
    return {(*_parts(text), key) for text, key in found}


def _parts(text: str) -> tuple[str, str, str]:
    call = Call.of(text)
    return call.service, call.method, _blank(call.path)


def _blank(path: str) -> str:
    return re.sub(r"{[^}]*}", "{}", path)


def told() -> list[tuple[str, str, str]]:
    """(service, pattern of calls, reason) of the README."""
    text = (HOME / "README.md").read_text()
    return LINE.findall(text.partition("## Calls without a page")[2])[1:]


def name(route: Route) -> str:
    return f"{route.method} {_blank(route.path)}".strip() + (f" {route.action}" if route.action else "")


def test_every_call_has_its_page_or_its_reason() -> None:
    calls, reasons, missing, used = made(), told(), [], set()
    assert len(reasons) > 100
    for service in SERVICES:
        for route in service.routes:
            if service.name == "dashboard" or route.until is not None:
                continue
            called = (service.name, route.method, _blank(route.path), route.action or "") in calls
            called |= route.action is None and any(
                (service.name, route.method, _blank(route.path)) == one[:3] for one in calls
            )
            why = [one for one in reasons if one[0] in ("*", service.name) and fnmatchcase(name(route), one[1].strip())]
            used.update(why)
            if not called and not why:
                missing.append(f"{service.name} {name(route)}")
    assert missing == []
    assert [one for one in reasons if one not in used] == [], "reasons for calls that are not there"


def test_every_call_of_the_table_is_one_of_the_apis() -> None:
    known = {(service.name, route.method, _blank(route.path)) for service in SERVICES for route in service.routes}
    actions = {(service.name, _blank(route.path), route.action) for service in SERVICES for route in service.routes}
    for service, method, path, key in made():
        if service != "object":
            assert (service, method, path) in known, (service, method, path)
        if key and path.endswith("/action"):
            assert (service, path, key) in actions, (service, path, key)
