"""What tests of the API share: simulated hosts, and callers that speak HTTP to a cloud in process."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select

from tane.agent.compute.drivers.fake import CAPABILITIES, FakeCompute
from tane.agent.network.fake import FakeNetwork
from tane.agent.volume.drivers.fake import FakeVolume
from tane.app import Cloud
from tane.clock import ManualClock
from tane.core import Core
from tane.hosts import HostAgent, Hosts, store
from tane.jobs.reconcile import reconcile_forever
from tane.services.identity import tables
from tane.services.network import SERVICE as NETWORK
from tane.services.network.reconcilers import converge

ADMIN_PASSWORD = "correct horse battery"
OFFERED = {**msgspec.to_builtins(CAPABILITIES), "pool_gb": CAPABILITIES.disk_gb}
JOBS_SECONDS = 60.0
"""Jobs that have not ended by then never do."""
EACH_FIFTH_BY_DAY = pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.nightly)])
"""Of the moments at which a process can be killed, of the texts that are tried; the others are for the night."""
EACH_THIRD_BY_DAY = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.nightly)])
"""Of the worlds in which a host is lost."""
PAUSE = 30.0
"""Jobs pause at most so long between two tries; leases, which are due as well, last longer."""


HOST_ID = "0f5a1e0c-6a55-4f6b-9a51-000000000001"


def fake_hosts() -> Hosts:
    """A registry with one simulated host, ``host-1``."""
    hosts = Hosts()
    hosts.add(HostAgent(HOST_ID, "host-1", FakeCompute("host-1"), FakeNetwork(), FakeVolume()))
    return hosts


OTHER_HOST_ID = "0f5a1e0c-6a55-4f6b-9a51-000000000002"


def second_host(core: Core) -> FakeCompute:
    """Let another simulated host, ``host-2``, come in."""
    compute = FakeCompute("host-2")
    agent = HostAgent(OTHER_HOST_ID, "host-2", compute, FakeNetwork(), FakeVolume())
    core.hosts.add(agent)
    with core.db.write() as tx:
        store.register(tx, OTHER_HOST_ID, "host-2", agent.roles, None, OFFERED)
    return compute


def register(core: Core) -> None:
    """Write the simulated hosts into the registry, as a starting cloud does."""
    with core.db.write() as tx:
        for agent in core.hosts.reached():
            store.register(tx, agent.host_id, agent.name, agent.roles, None, OFFERED)


@dataclass
class Caller:
    """Someone with a token. Methods take a path below the cloud's root and return the response."""

    api: ApiCloud
    token: str
    project_id: str = ""
    user_id: str = ""

    def request(self, method: str, path: str, *, expect: int | None = None, **kwargs: Any) -> httpx.Response:
        """``expect``: the status the test relies on; another one fails with the body in the message."""
        headers = {"X-Auth-Token": self.token, **kwargs.pop("headers", {})}
        response = self.api.call(method, path, headers=headers, **kwargs)
        if expect is not None:
            assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def get(self, path: str, expect: int | None = 200, **kwargs: Any) -> httpx.Response:
        return self.request("GET", path, expect=expect, **kwargs)

    def post(self, path: str, json: Any = None, expect: int | None = None, **kwargs: Any) -> httpx.Response:
        return self.request("POST", path, json=json, expect=expect, **kwargs)

    def put(self, path: str, json: Any = None, expect: int | None = None, **kwargs: Any) -> httpx.Response:
        return self.request("PUT", path, json=json, expect=expect, **kwargs)

    def patch(self, path: str, json: Any = None, expect: int | None = None, **kwargs: Any) -> httpx.Response:
        return self.request("PATCH", path, json=json, expect=expect, **kwargs)

    def delete(self, path: str, expect: int | None = 204, **kwargs: Any) -> httpx.Response:
        return self.request("DELETE", path, expect=expect, **kwargs)


class ApiCloud:
    """A cloud whose application is called in process."""

    def __init__(self, cloud: Cloud, runner: asyncio.Runner) -> None:
        self.cloud = cloud
        self.core = cloud.core
        self._runner = runner
        self._admin: tuple[datetime, Caller] | None = None
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=cloud.app),
            base_url="http://cloud.test",
            headers={"Accept": "application/json"},
        )

    def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **kwargs))

    def forget_cookies(self) -> None:
        """All callers share one client, but no cookies."""
        self._client.cookies.clear()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert isinstance(self.core.clock, ManualClock)
        self.core.clock.advance(seconds)

    def run_jobs(self) -> None:
        """Run every job that is written, to its end; hosts follow the desired network meanwhile."""
        self._runner.run(self._run_jobs())

    async def _run_jobs(self) -> None:
        beside = [
            asyncio.create_task(reconcile_forever(self.core, NETWORK.reconcilers)),
            asyncio.create_task(self._let_time_pass()),
        ]
        try:
            await asyncio.wait_for(self.cloud.runner.drain(), JOBS_SECONDS)
        finally:
            for task in beside:
                task.cancel()
            for task in beside:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await converge(self.core)

    async def _let_time_pass(self) -> None:
        """A job that pauses is due by the clock, which stands still: move it there once nothing else is to be done."""
        runner, clock = self.cloud.runner, self.core.clock
        before = None
        while isinstance(clock, ManualClock):
            await asyncio.sleep(0.2)
            due = None if runner._tasks else await self.core.in_thread(runner._next_due)
            # Seen twice: a job that is being claimed just now is nobody's task yet.
            if due is not None and due == before and not runner._tasks:
                left = (due - clock.now()).total_seconds()
                if 0 < left <= PAUSE:
                    clock.advance(left)
            before = due

    def wait(self, work: Any) -> Any:
        """Run a coroutine on the cloud's loop."""
        return self._runner.run(work)

    def login(self, user: str, password: str, project: str | None = None, **scope: Any) -> Caller:
        body: dict[str, Any] = {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}},
                }
            }
        }
        if project is not None:
            body["auth"]["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
        elif scope:
            body["auth"]["scope"] = scope
        response = self.call("POST", "/identity/v3/auth/tokens", json=body)
        assert response.status_code == 201, response.text
        token = response.json()["token"]
        return Caller(
            self, response.headers["x-subject-token"], token.get("project", {}).get("id", ""), token["user"]["id"]
        )

    @property
    def admin(self) -> Caller:
        """The administrator, with a token that was given out at this moment."""
        now = self.core.clock.now()
        if self._admin is None or self._admin[0] != now:
            self._admin = (now, self.admin_again())
        return self._admin[1]

    def admin_again(self) -> Caller:
        """The administrator, with a token of its own: one that may be taken back."""
        return self.login("admin", ADMIN_PASSWORD, "admin")

    def new_user(self, name: str, project: str, role: str = "member") -> Caller:
        """A user with ``role`` on a project, both made when they are not there; logged in."""
        admin = self.admin
        with self.core.db.read() as tx:
            there = tx.scalar(select(tables.project.c.id).where(tables.project.c.name == project))
            wanted = tx.scalar(select(tables.role.c.id).where(tables.role.c.name == role))
        if there is None:
            there = admin.post("/identity/v3/projects", {"project": {"name": project}}, 201).json()["project"]["id"]
        body = {"user": {"name": name, "password": f"{name}-secret"}}
        user = admin.post("/identity/v3/users", body, 201).json()["user"]
        admin.put(f"/identity/v3/projects/{there}/users/{user['id']}/roles/{wanted}", expect=204)
        return self.login(name, f"{name}-secret", project)

    def close(self) -> None:
        self._runner.run(self._client.aclose())
