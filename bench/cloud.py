"""A cloud under test: calls by its catalogue, and the CPU its processes used."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A call was answered with an error."""


@dataclass
class Figure:
    """One measurement: the latencies of its operations, the wall time of all, the server's CPU time per operation."""

    name: str
    latencies: list[float]
    seconds: float
    cpu_seconds: float | None
    megabytes: float = 0.0
    operations: int = 0
    rounds: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """As it stands in the table: medians, and the spread of the rounds' CPU figures."""
        count = self.operations or len(self.latencies)
        return {
            "measurement": self.name,
            "p50_ms": round(statistics.median(self.latencies) * 1000, 2) if self.latencies else None,
            "per_second": round(count / self.seconds, 1) if count else None,
            "mb_per_second": round(self.megabytes / self.seconds, 1) if self.megabytes else None,
            "cpu_ms_per_op": None if self.cpu_seconds is None else round(1000 * self.cpu_seconds / count, 2),
            "operations": count,
        }


def tree_cpu(root: int) -> float:
    """CPU seconds of a process and all its children so far."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            fields = text[text.rindex(")") + 2 :].split()
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = (int(fields[11]) + int(fields[12])) / TICK
    total, todo = 0.0, [root]
    while todo:
        pid = todo.pop()
        total += used.get(pid, 0.0)
        todo += children.get(pid, [])
    return total


def pss_mb(pids: Iterable[int]) -> float:
    """Proportional set size of processes together, in MB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


class Cloud:
    """The cloud that ``OS_*`` names. ``pid``: the root process of its services on this machine, for CPU figures;
    ``helpers``: those of what works for it (a database server).

    ``disposable``: it is gone after the measurement, so that what was made need not be deleted one by one.
    """

    def __init__(self, pid: int | None = None, helpers: Sequence[int] = (), *, disposable: bool = False) -> None:
        self.pid = pid
        self.helpers = helpers
        self.disposable = disposable
        self.auth_url = os.environ["OS_AUTH_URL"].rstrip("/")
        if not self.auth_url.endswith("/v3"):
            self.auth_url += "/v3"
        self.http = httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=64))
        self.token = ""
        self.catalog: list[dict[str, Any]] = []

    def password_body(self) -> dict[str, Any]:
        environment = os.environ
        user = {
            "name": environment["OS_USERNAME"],
            "password": environment["OS_PASSWORD"],
            "domain": {"id": environment.get("OS_USER_DOMAIN_ID", "default")},
        }
        project = {
            "name": environment["OS_PROJECT_NAME"],
            "domain": {"id": environment.get("OS_PROJECT_DOMAIN_ID", "default")},
        }
        identity = {"methods": ["password"], "password": {"user": user}}
        return {"auth": {"identity": identity, "scope": {"project": project}}}

    async def login(self) -> None:
        response = await self.http.post(f"{self.auth_url}/auth/tokens", json=self.password_body())
        if response.status_code != 201:
            raise Failed(f"login: {response.status_code} {response.text[:300]}")
        self.token = response.headers["x-subject-token"]
        body = response.json()["token"]
        self.catalog, self.project_id = body["catalog"], body["project"]["id"]

    def url(self, *types: str, suffix: str = "") -> str:
        """The public endpoint of the first of ``types`` that the catalogue has; ``suffix`` is added when missing."""
        for wanted in types:
            for service in self.catalog:
                if service["type"] == wanted:
                    [url, *_] = [e["url"].rstrip("/") for e in service["endpoints"] if e["interface"] == "public"]
                    return url if url.endswith(suffix) else url + suffix
        raise Failed(f"the catalogue has none of {types}")

    async def call(self, method: str, url: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        headers = {"X-Auth-Token": self.token, **kwargs.pop("headers", {})}
        response = await self.http.request(method, url, json=body, headers=headers, **kwargs)
        if response.status_code >= 400:
            raise Failed(f"{method} {url}: {response.status_code} {response.text[:300]}")
        return response

    async def until(self, url: str, ready: Callable[[Any], bool], *, seconds: float = 300, every: float = 0.05) -> None:
        """Ask every ``every`` seconds until ``ready(body)``."""
        deadline = time.monotonic() + seconds
        while not ready((await self.call("GET", url)).json()):
            if time.monotonic() > deadline:
                raise Failed(f"{url}: not ready after {seconds} s")
            await asyncio.sleep(every)

    async def measure(
        self, name: str, work: Callable[[int], Awaitable[Any]], *, count: int, at_once: int = 1, warm_up: int = 0
    ) -> Figure:
        """Run ``work(0…count-1)`` with ``at_once`` workers after ``warm_up`` uncounted calls (negative numbers)."""
        for number in range(warm_up):
            await work(-1 - number)
        numbers = iter(range(count))
        latencies: list[float] = []

        async def worker() -> None:
            for number in numbers:
                begun = time.perf_counter()
                await work(number)
                latencies.append(time.perf_counter() - begun)

        cpu = self._cpu()
        begun = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        seconds = time.perf_counter() - begun
        return Figure(name, latencies, seconds, self._cpu() - cpu if self.pid else None)

    def _cpu(self) -> float:
        return sum(tree_cpu(pid) for pid in (self.pid, *self.helpers) if pid)
