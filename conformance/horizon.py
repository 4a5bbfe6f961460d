"""Horizon, OpenStack's dashboard: installed, set up as our guide says, every panel loaded by two users."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance import inhabit, packages
from conformance.browser import Browser, Page
from conformance.cloud import Cloud, provision
from conformance.panels import CALLS, DEFECTS, WIZARD, registered
from tane.web import tls

VERSION = "27.0.0"
PACKAGES = (f"horizon=={VERSION}",)
GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "horizon.md"
ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|(?<=/)\d+(?=/)")
NEVER = re.compile(r"/auth/|/i18n/|/settings/|\.zip$|/header/")
"""What logs out, switches the project or the language."""


@dataclass(frozen=True)
class Visit:
    """One page, tab or call of a panel by one user. ``cause``: why it counts as failed, empty when it does not."""

    user: str
    panel: str
    path: str
    status: int
    seconds: float
    cause: str
    boxes: int = 0
    own: bool = False
    """Whether it is the panel itself, not what lies behind it."""
    refused: tuple[str, ...] = ()
    """Calls that the cloud answered with an error, which a page may well expect."""
    defect: str = ""
    """Why the page fails with any cloud."""


@dataclass(frozen=True)
class Outcome:
    visits: list[Visit]
    hidden: list[str]

    @property
    def failed(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.cause and not visit.defect]


def run(cloud: Cloud, folder: Path) -> Outcome:
    """Walk through Horizon's panels against ``cloud``, with settings and logs in ``folder``."""
    programs = packages.install(f"horizon-{VERSION}", PACKAGES)
    provisions = provision(cloud, folder)
    users = [inhabit.administrator(cloud, provisions), inhabit.member(cloud, provisions)]
    environment = set_up(cloud, folder)
    panels = registered(programs, environment)
    visits: list[Visit] = []
    hidden: list[str] = []
    with serving(programs, environment, folder / "horizon.log") as (base, log, _):
        for user in users:
            walk = Walk(Browser(base), user, log)
            walk.log_in()
            # The menu, and the leaves of the settings, which stand in no menu.
            shown = [link for path in ("/project/", "/settings/") for link in walk.browser.get(path).links()]
            for panel in panels:
                found = walk.panel(panel.name, panel.path) if panel.path in shown or not panel.menu else []
                if not found or found[0].status == 403:
                    hidden.append(f"{user.name} {panel.name}")
                    continue
                visits += found
                print("\n".join(map(line, found)), flush=True)
    return Outcome(visits, hidden)


def set_up(cloud: Cloud, folder: Path) -> dict[str, str]:
    """Write the guide's settings into ``folder``; returns the environment in which Horizon finds them."""
    [settings] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    local = folder / "settings" / "local"
    local.mkdir(parents=True)
    (local / "__init__.py").touch()
    (local / "local_settings.py").write_text(settings)
    files = tls.files(cloud.state.config())
    return {
        **os.environ,
        "OS_AUTH_URL": f"{cloud.url}/identity/v3",
        **({"OS_CACERT": str(files.ca)} if files and files.ca else {}),
        "PYTHONPATH": str(folder / "settings"),
        "PYTHONWARNINGS": "ignore",
        "DJANGO_SETTINGS_MODULE": "openstack_dashboard.settings",
    }


@contextmanager
def serving(programs: Path, environment: dict[str, str], log: Path) -> Iterator[tuple[str, Path, int]]:
    """Django's development server on loopback; yields its address, its log and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [str(programs / "python"), "-m", "django", "runserver", "--noreload", address]
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as server:
        try:
            _answers(f"http://{address}", server)
            yield f"http://{address}", log, server.pid
        finally:
            server.terminate()


def _answers(base: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until it does. :raises RuntimeError: it ended, or two minutes passed."""
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            if Browser(base).get("/auth/login/").status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("Horizon did not start")


class Walk:
    """One user's way through the panels."""

    def __init__(self, browser: Browser, user: inhabit.Inhabitant, log: Path) -> None:
        self.browser, self.user, self._log = browser, user, log
        self._seen: set[str] = set()

    def log_in(self) -> None:
        """:raises RuntimeError: the user is not let in."""
        self.browser.get("/auth/login/")
        fields = {"username": self.user.name, "password": self.user.password, "domain": "Default", "region": "default"}
        page = self.browser.post("/auth/login/", fields)
        if "/auth/login" in page.url or page.status != 200:
            raise RuntimeError(f"Horizon does not let {self.user.name} in: {page.status} {page.errors()}")

    def panel(self, name: str, path: str) -> list[Visit]:
        """The panel itself, its tabs, what its scripts ask, and one page of each kind that it leads to."""
        own, visit = self._visit(name, path, own=True)
        visits = [visit]
        tabs = re.findall(r'href="(\?[\w-]+=[\w-]+)" data-toggle="tab"', own.text)
        for tab in tabs:
            visits.append(self._visit(name, f"{path}{tab}", ajax=True)[1])
        for call in self._calls(name):
            visits += self._call(name, call)
        for link in own.links():
            if link.startswith((path, f"/{name.split('/')[0]}/")):
                visits += self._behind(name, link)
        return visits

    def _calls(self, name: str) -> tuple[str, ...]:
        """What scripts ask for. Those of identity are for administrators; a member's page is made by the server."""
        if name.startswith("identity/") and self.user.name != "admin":
            return ()
        return CALLS.get(name, ()) + (WIZARD if name == "project/instances" else ())

    def _behind(self, name: str, link: str) -> list[Visit]:
        """One page of each kind, with its tabs."""
        kind = ID.sub("ID", link.split("?")[0])
        if kind in self._seen or NEVER.search(link):
            return []
        self._seen.add(kind)
        page, visit = self._visit(name, link)
        tabs = re.findall(r'href="(\?[\w-]+=[\w-]+)" data-toggle="tab"', page.text)
        return [visit] + [self._visit(name, f"{link.split('?')[0]}{tab}", ajax=True)[1] for tab in tabs]

    def _call(self, name: str, call: str) -> list[Visit]:
        """A call that a script of the panel makes; ``{}`` in it is the id of the first item of the call without it."""
        head, brace, tail = call.partition("{}")
        page, visit = self._visit(name, head, ajax=True)
        if not brace or visit.cause:
            return [visit]
        items = json.loads(page.text).get("items", [])
        if not items:
            return [Visit(self.user.name, name, call, page.status, 0, "it lists nothing")]
        identity = items[0].get("id") or items[0]["keypair"]["name"]
        return [self._visit(name, f"{head}{identity}{tail}", ajax=True)[1]]

    def _visit(self, name: str, path: str, *, own: bool = False, ajax: bool = False) -> tuple[Page, Visit]:
        self._seen.add(ID.sub("ID", path.split("?")[0]))
        before = self._log.stat().st_size
        page = self.browser.get(path, **({"X-Requested-With": "XMLHttpRequest"} if ajax else {}))
        errors = page.errors() if "html" in page.headers.get("content-type", "") or page.errors() else []
        with self._log.open(errors="replace") as file:
            file.seek(before)
            told = file.read()
        refused, cause = _refused(told), _cause(page, errors, path)
        if cause:
            cause = f"{cause}; {_reason(told)}"
        if page.status == 403 and not own and not refused:
            cause = ""  # Horizon's own rules: a link that it shows to who may not follow it.
        defect = DEFECTS.get(ID.sub("ID", path.split("?")[0]), "")
        visit = Visit(self.user.name, name, path, page.status, page.seconds, cause, len(errors), own, refused, defect)
        return page, visit


def _cause(page: Page, errors: list[str], path: str) -> str:
    if page.endless:
        return f"endless: nothing after {page.seconds:.0f} s"
    if errors:
        return " / ".join(errors)
    if page.status >= 400:
        return f"status {page.status}"
    return "sent to the login" if "/auth/login" in page.url and "/auth/" not in path else ""


def _reason(log: str) -> str:
    """What the server's log tells of it: the last exceptions, each once."""
    raised = re.findall(r"^(?:[\w.]+(?:Error|Exception|Found|Request|Forbidden|Fault|Unavailable)\b:? .*)$", log, re.M)
    return " | ".join(list(dict.fromkeys(raised))[-2:])[:600] or "nothing in the log"


def _refused(log: str) -> tuple[str, ...]:
    """``GET http://…: 501`` for each call of the cloud that the log shows with an error."""
    asked, found = "", []
    for text in log.splitlines():
        if request := re.search(r"REQ: curl .*?-X (\w+) (\S+)", text):
            asked = f"{request[1]} {request[2]}"
        elif (answer := re.search(r"RESP: \[(\d+)\]", text)) and int(answer[1]) >= 400:
            found.append(f"{asked}: {answer[1]}")
    return tuple(dict.fromkeys(found))


def line(visit: Visit) -> str:
    mark = "ok    " if not visit.cause else "defect" if visit.defect else "FAILED"
    text = f"{mark} {visit.user:<17} {visit.status} {visit.seconds:5.1f} s  {'' if visit.own else '  '}{visit.path}"
    notes = [*([visit.defect or visit.cause] if visit.cause else []), *(f"the cloud: {call}" for call in visit.refused)]
    return "\n       ".join([text, *notes])


def last_line(outcome: Outcome) -> str:
    """The figures: of the panels, then of what lies behind them."""
    own = [visit for visit in outcome.visits if visit.own]
    behind = [visit for visit in outcome.visits if not visit.own]
    loaded = sum(visit.status == 200 for visit in own)
    boxes = sum(visit.boxes for visit in outcome.failed)
    endless = sum(visit.status == 0 for visit in outcome.visits)
    failed = sum(bool(visit.cause) and not visit.defect for visit in behind)
    return (
        f"horizon: {len(own)} panels, {loaded} loaded, {boxes} error boxes, {endless} endless; "
        f"behind them {len(behind)} pages, tabs and calls, {failed} failed; {len(outcome.hidden)} panels hidden"
    )
