"""The cloud that is fuzzed: in process, with simulated hosts, and callers of every role in two projects."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tane.app import SERVICES, Cloud, make_core
from tane.clock import SystemClock
from tane.config import Config
from tane.core import Core
from tane.web.routes import Service
from tests.api.compute_support import make_flavor
from tests.api.network_support import public
from tests.databases import Databases
from tests.resources import one_of_each
from tests.support import HOST_ID, ApiCloud, Caller, fake_hosts, register

PATIENCE = 10.0
ALIKE = {
    "os-quota-sets": "projects",
    "quotas": "projects",
    "os-simple-tenant-usage": "projects",
    "network-ip-availabilities": "networks",
    "v3": "projects",
    "members": "projects",
}
"""Path segments before the id of something that is made elsewhere."""


@dataclass
class Actor:
    """A caller, and the word that stands in every name it gives."""

    name: str
    caller: Caller
    mark: str
    is_admin: bool = False


@dataclass
class World:
    """``known``: ids by the path segment before them, each with the project it belongs to ("" is everybody's).
    ``fixed`` are those the callers themselves need: nothing of them may be changed or deleted."""

    api: ApiCloud
    rng: random.Random
    actors: list[Actor] = field(default_factory=list)
    known: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)

    def remember(self, kind: str, resource_id: str, project: str) -> None:
        entry = (resource_id, project)
        ids = self.known.setdefault(ALIKE.get(kind, kind), [])
        if entry not in ids:
            ids.append(entry)

    def forget(self, resource_id: str) -> None:
        for kind, ids in self.known.items():
            self.known[kind] = [entry for entry in ids if entry[0] != resource_id]

    def pick(self, kind: str, project: str, *, foreign: float = 0.25, strict: bool = False) -> str | None:
        """Mostly an id of the project or of nobody, at times another project's, at times one that is not there."""
        ids = self.known.get(ALIKE.get(kind, kind), [])
        own = [resource_id for resource_id, owner in ids if owner in (project, "")]
        others = [resource_id for resource_id, owner in ids if owner not in (project, "")]
        chosen = others if others and not strict and (not own or self.rng.random() < foreign) else own
        # The newest first: what was made early is often gone.
        return self.rng.choice(chosen[-6:]) if chosen else None

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """:raises TimeoutError: no answer within ten seconds."""
        client = self.api._client
        return self.api.wait(asyncio.wait_for(client.request(method, path, **request), PATIENCE))  # type: ignore[no-any-return]


@contextmanager
def world(
    databases: Databases,
    folder: Path,
    rng: random.Random,
    services: Sequence[Service] = SERVICES,
    prepare: Callable[[Core], None] = lambda core: None,
) -> Iterator[World]:
    """A cloud of its own with two projects that have one resource of every kind each."""
    folder.mkdir()
    database = databases.new(folder)
    config = Config(state_dir=folder, bcrypt_rounds=4, handler_threads=2, database_url=database)
    core = make_core(config, clock=SystemClock(), hosts=fake_hosts(), services=services)
    prepare(core)
    register(core)
    with asyncio.Runner() as runner:
        api = ApiCloud(Cloud(core, services), runner)
        try:
            yield populate(World(api, rng))
        finally:
            api.close()
            core.close()
            databases.drop(database)


def populate(here: World) -> World:
    api, admin = here.api, here.api.admin
    flavor, external = make_flavor(admin), public(api)
    marks = {project: f"zq{project}{here.rng.randrange(16**8):08x}" for project in ("red", "blue", "free")}
    people = [("mia", "red", "member"), ("ron", "red", "reader"), ("bob", "blue", "member")]
    here.actors = [Actor("admin", admin, "adm", is_admin=True)]
    for name, project, role in people:
        here.actors.append(Actor(f"{role} of {project}", api.new_user(name, project, role), marks[project]))
    here.actors.append(Actor("unscoped", unscoped(api, "mia"), marks["free"]))
    for actor in (here.actors[1], here.actors[3]):
        project = actor.caller.project_id
        made = one_of_each(api, actor.caller, name=f"{actor.mark}x", flavor_id=flavor, external_id=external)
        for kind, resource_id in made.items():
            if kind != "v3":
                here.remember(kind, resource_id, project)
        here.remember("projects", project, project)
        here.remember("users", actor.caller.user_id, project)
    for kind, resource_id in (("flavors", flavor), ("networks", external), ("external", external)):
        here.remember(kind, resource_id, "")
    here.remember("hosts", "host-1", "")
    for kind in ("os-hypervisors", "os-services", "agents"):
        here.remember(kind, HOST_ID, "")
    for path, kind in (
        ("/identity/v3/users", "users"),
        ("/identity/v3/roles", "roles"),
        ("/identity/v3/projects", "projects"),
        ("/identity/v3/domains", "domains"),
        ("/identity/v3/services", "services"),
        ("/identity/v3/endpoints", "endpoints"),
        ("/identity/v3/regions", "regions"),
        (f"/volume/v3/{admin.project_id}/types", "types"),
    ):
        [found] = [value for value in admin.get(path).json().values() if isinstance(value, list)]
        for row in found:
            here.fixed.add(row["id"])
            if kind not in ("users", "projects"):
                here.remember(kind, row["id"], "")
    return here


def unscoped(api: ApiCloud, user: str) -> Caller:
    token = api.login(user, f"{user}-secret").token
    method = {"methods": ["token"], "token": {"id": token}}
    answer = api.call("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": method, "scope": "unscoped"}})
    return Caller(api, answer.headers["x-subject-token"])
