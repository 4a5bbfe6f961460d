"""Sends the questions and judges the answers: server errors, hangs, leaks."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import structlog

from fuzz import chains, values
from fuzz.questions import Question, ask
from fuzz.world import Actor, World, world
from tane.agent.network.fake import FakeNetwork
from tane.app import SERVICES
from tane.core import Core
from tane.web.routes import Route, Service
from tane.wire.grammar import checked
from tests.databases import Databases
from tests.support import HOST_ID

WORLD_REQUESTS = 2500
"""How long a cloud is used: what callers make and delete in it goes stale."""
JOBS_EVERY = 150
CHAIN_EVERY = 25
SPOILT = 0.1
"""How often a step of a chain that may succeed has something wrong in its body."""
PRIVATE = re.compile(r"zq(?:red|blue)[0-9a-f]+|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
OPEN = ("public", "community")
ID_LENGTH = 32
"""Of the shortest ids, which have no dashes; names are open, too, and stand in paths of others."""


class Hunt:
    """``services`` are asked, in clouds that ``prepare`` was called for.

    ``defects``: each distinct one, how often it was met, and the first request that showed it.
    """

    def __init__(
        self,
        databases: Databases,
        folder: Path,
        rng: random.Random,
        only: str = "",
        services: Sequence[Service] = SERVICES,
        prepare: Callable[[Core], None] = lambda core: None,
    ) -> None:
        self.databases, self.folder, self.rng, self.only = databases, folder, rng, only
        self.services, self.prepare = services, prepare
        self.sent = self.chained = self.errors = self.leaks = 0
        self.defects: dict[str, tuple[int, str]] = {}
        self.statuses: Counter[int] = Counter()
        self._log: list[MutableMapping[str, Any]] = []
        self._owners: dict[str, str] = {}
        self._open: set[str] = set()
        self._told: dict[str, set[str]] = {}

    def run(self, requests: int) -> None:
        before = structlog.get_config()
        structlog.configure(processors=[self._note], cache_logger_on_first_use=False)
        try:
            while self.sent < requests:
                with world(
                    self.databases, self.folder / f"cloud{self.sent}", self.rng, self.services, self.prepare
                ) as here:
                    self._explore(here, min(WORLD_REQUESTS, requests - self.sent))
        finally:
            structlog.configure(**before)

    def _note(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        if method in ("error", "exception", "critical"):
            self._log.append(event)
        raise structlog.DropEvent

    def _explore(self, here: World, requests: int) -> None:
        routes = [(service, route) for service in self.services for route in service.routes]
        routes = [pair for pair in routes if self.only in f"{pair[1].method} {pair[0].prefix}{pair[1].path}"]
        # What makes something is asked more often, so that there is something to ask about.
        weights = [3 if _makes(route) else 0.4 if route.method == "DELETE" else 1 for _, route in routes]
        self._owners = {
            resource_id: owner for ids in here.known.values() for resource_id, owner in ids if len(resource_id) > 20
        }
        self._open = {resource_id for resource_id, owner in self._owners.items() if not owner}
        ground = chains.prepare(here)
        for number in range(requests):
            service, route = self.rng.choices(routes, weights)[0]
            self._send(here, ask(here, service, route))
            if not self.only and number % CHAIN_EVERY == CHAIN_EVERY - 1:
                self._chain(here, ground)
            if number % JOBS_EVERY == JOBS_EVERY - 1:
                self._run_jobs(here)

    def _chain(self, here: World, ground: dict[str, str]) -> None:
        """A chain of calls by two tenants, at times with a step repeated or spoilt on the way."""
        name = self.rng.choice(list(chains.CHAINS))
        this = chains.pair(here, ground)
        for step in chains.CHAINS[name]:
            response = self._step(this, step, name)
            if response is None or (step.must and not step.refused and response.status_code >= 300):
                break
            if step.keep and (found := chains.kept(step, response)) is not None:
                this.names[step.keep] = found
        with here.api.core.db.read() as tx:
            for wrong in chains.wrongs(tx, ground["plaza"], ground["external"]):
                self.errors += 1
                self._found(f"{wrong}", f"after the chain '{name}'")

    def _step(self, this: chains.Pair, step: chains.Step, name: str) -> httpx.Response | None:
        body = chains.body_of(this, step)
        if body is not None and not step.refused and self.rng.random() < SPOILT:
            body = values.spoil(body, self.rng)
        content = None if body is None else json.dumps(body).encode(errors="surrogatepass")
        asked = chains.question(this, step, content)
        self.chained += 1
        response = self._send(this.here, asked, remember=False)
        if response is not None and step.refused and response.status_code < 300:
            self.errors += 1
            self._found(f"{asked.line}: a tenant may what is another's ({name})", f"{asked.path} {content!r}")
        return response

    def _run_jobs(self, here: World) -> None:
        """A job that is tried again without end holds up its resource for good: that is a defect, too."""
        told = f"after request {self.sent}"
        try:
            here.api.run_jobs()
        except TimeoutError:
            self.errors += 1
            self._found("jobs that do not end", told)
        self._judge_log("a job", told)
        self._judge_document(here, told)

    def _judge_document(self, here: World, told: str) -> None:
        """What the host was told must have the form its types say: it becomes files, arguments and rules there."""
        duty = here.api.core.hosts.agent(HOST_ID).network
        assert isinstance(duty, FakeNetwork)
        if duty.state is None:
            return
        try:
            checked(duty.state)
        except ValueError as error:
            self.errors += 1
            self._found(f"a host's document: {error}", told)

    def _send(self, here: World, question: Question, *, remember: bool = True) -> httpx.Response | None:
        """The answer; None when there was none."""
        self.sent += remember
        request = {
            "headers": list(_raw(question.headers)),
            "content": question.content,
            "params": question.query or None,
        }
        told = f"{question.actor.name}: {question.path[:200]} {question.query} {(question.content or b'')[:300]!r}"
        try:
            response = here.send(question.route.method, question.path, **request)
        except httpx.InvalidURL:
            return None
        except Exception as error:  # What gets out of the application is the worst of the server's errors.
            self._found(f"{question.line}: {type(error).__name__}: {str(error)[:200]}", told)
            self.errors += 1
            return None
        self.statuses[response.status_code] += 1
        self._judge_log(question.line, told)
        if response.status_code >= 500 and not _not_done(response):
            self.errors += 1
            if not any(defect.startswith(question.line) for defect in self.defects):
                self._found(f"{question.line}: {response.status_code} {response.text[:200]}", told)
        everyone = question.actor.is_admin and question.route.method in ("POST", "PUT", "PATCH")
        for actor in here.actors if everyone else (question.actor,):
            # What a body named (as the device of a port), or an administrator put together, is read there again.
            told_to = self._told.setdefault(actor.caller.project_id, set())
            told_to.update(PRIVATE.findall(question.text if question.actor.is_admin else str(question.content)))
        self._learn(here, question, response, remember=remember)
        if not question.actor.is_admin:
            self._judge_leaks(question, response, told)
        if response.status_code == 401 and question.headers["X-Auth-Token"] == question.actor.caller.token:
            _log_in(here, question.actor)
        return response

    def _judge_log(self, where: str, told: str) -> None:
        for event in self._log:
            text = str(event.get("error", event.get("event")))
            lines = [line.strip() for line in text.strip().splitlines()]
            places = [line for line in lines if "/tane/" in line]
            if where == "a job":
                self.errors += 1
                where = f"job {event.get('operation', event.get('reconciler', ''))}"
            self._found(f"{where}: {_last(lines)[:300]} [{places[-1].split('/tane/')[-1] if places else ''}]", told)
        self._log.clear()

    def _found(self, defect: str, example: str) -> None:
        # Ids differ from one occurrence to the next.
        defect = re.sub(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|zq[a-z]+[0-9a-f]+", "…", defect)
        times, first = self.defects.get(defect, (0, example))
        self.defects[defect] = (times + 1, first)

    def _learn(self, here: World, question: Question, response: httpx.Response, *, remember: bool) -> None:
        """Remember what was made (for other questions to name it), whose it is, and what is open to others."""
        found = _json(response)
        for row in _objects(found):
            resource_id = row.get("id")
            if isinstance(resource_id, str) and (_is_open(row) or row.get("network_id") in self._open):
                self._open.add(resource_id)
                self._open.add(str(row.get("name")))
        if question.route.method == "DELETE" and response.status_code < 300:
            here.forget(question.path.split("/")[-1])
        if question.route.method != "POST" or response.status_code >= 300 or not isinstance(found, dict):
            return
        row = next((value for value in found.values() if isinstance(value, dict)), found)
        if question.collection == "members":
            self._open.add(str(row.get("image_id")))
        resource_id = row.get("id") or row.get("port_id") or row.get("name")
        if isinstance(resource_id, str | int):
            told = row.get("project_id") or row.get("tenant_id") or row.get("owner")
            project = str(told or question.actor.caller.project_id)
            if remember:
                here.remember(question.collection, str(resource_id), project)
            if told or not question.actor.is_admin:
                self._owners.setdefault(str(resource_id), project)

    def _judge_leaks(self, question: Question, response: httpx.Response, told: str) -> None:
        own, sent = question.actor.mark, question.text
        known = self._open | self._told.get(question.actor.caller.project_id, set())
        for token in set(PRIVATE.findall(response.text)) - known:
            if token in sent:
                continue
            if token.startswith("zq"):
                foreign = not token.startswith(own) and own[:4] != "zqfr"
            else:
                owner = self._owners.get(token)
                foreign = owner is not None and owner != question.actor.caller.project_id
            # Parts of an open resource (an image's metadata) do not say whose they are; the path does.
            of_open = any(len(part) >= ID_LENGTH and part in self._open for part in question.path.split("/"))
            if foreign and not of_open and not self._may_tell(response, token, question.actor.caller.project_id):
                self.leaks += 1
                rows = [row for row in _objects(_json(response)) if token in str(row.values())]
                defect = f"{question.line}: leak of another project's {_field(response, token)}"
                self._found(defect, f"{told}\n    {token} in {str(rows[-1:])[:1000]}")

    def _may_tell(self, response: httpx.Response, token: str, project: str) -> bool:
        """Whether every object that tells the token is open to all, or (a port) on a network of the reader's."""
        holders = [row for row in _objects(_json(response)) if "id" in row and token in str(list(row.values()))]
        own = {resource_id for resource_id, owner in self._owners.items() if owner == project}
        return bool(holders) and all(row["id"] in self._open or row.get("network_id") in own for row in holders)


def _makes(route: Route) -> bool:
    return route.method == "POST" and route.action is None


def _log_in(here: World, actor: Actor) -> None:
    names = {"admin": ("admin", "admin"), "member of red": ("mia", "red"), "reader of red": ("ron", "red")}
    name, project = names.get(actor.name, ("bob", "blue"))
    if actor.name != "unscoped":
        secret = f"{name}-secret" if name != "admin" else "correct horse battery"
        actor.caller = here.api.login(name, secret, project)


def _raw(headers: dict[str, str]) -> Any:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


def _not_done(response: httpx.Response) -> bool:
    """The documented answer of what is not done: 501 with a message (on a page of the portal, as an alert)."""
    if response.status_code == 501 and 'role="alert"' in response.text:
        return True
    return response.status_code == 501 and any(
        row.get("message") or row.get("detail") for row in _objects(_json(response))
    )


def _json(response: httpx.Response) -> Any:
    try:
        return msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return None


def _objects(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


def _is_open(row: dict[str, Any]) -> bool:
    return bool(
        row.get("visibility") in OPEN
        or row.get("shared")
        or row.get("router:external")
        or row.get("os-flavor-access:is_public")
        or row.get("is_public")
    )


def _field(response: httpx.Response, token: str) -> str:
    names = {name for row in _objects(_json(response)) for name, value in row.items() if value == token}
    return ", ".join(sorted(names)) or "text"


def _last(lines: list[str]) -> str:
    """The line that names the exception: SQLAlchemy's tell the statement after it."""
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Violation|[A-Z]\w+): ", line)]
    return named[-1] if named else lines[-1] if lines else ""
