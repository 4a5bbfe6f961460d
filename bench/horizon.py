"""What the portal's pages cost in Horizon, OpenStack's dashboard, against the same cloud at the same time."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cloud import tree_cpu
from conformance import horizon, packages
from conformance.browser import Browser
from conformance.cloud import Cloud
from conformance.inhabit import Inhabitant
from conformance.panels import WIZARD

ROUNDS = 8
INSTANCES = "/project/instances/"
COUNTERPARTS: dict[str, tuple[str, ...]] = {
    "": ("/project/",),
    "/servers": (INSTANCES,),
    "/servers/{server}": (INSTANCES + "{server}/",),
    "/new/servers": WIZARD,
    "/networks": ("/project/networks/",),
    "/topology": ("/project/network_topology/", "/project/network_topology/json"),
    "/images": ("/project/images", "/api/glance/images/"),
    "/projects": ("/identity/", "/api/keystone/projects/"),
}
"""The portal's pages and what a browser asks of Horizon for the same: a page, or what its scripts ask for."""


@dataclass(frozen=True)
class Beside:
    """``cost(page)``: CPU milliseconds of Horizon and of the cloud that it asks, as a page of ours counts both."""

    browser: Browser
    pids: tuple[int, int]
    server: str

    def cost(self, page: str) -> float | None:
        """None where Horizon has nothing like the page.

        :raises RuntimeError: Horizon does not show it.
        """
        if page not in COUNTERPARTS:
            return None
        paths = [path.replace("{server}", self.server) for path in COUNTERPARTS[page]]
        self._ask(paths)
        before = self._used()
        for _ in range(ROUNDS):
            self._ask(paths)
        return (self._used() - before) / ROUNDS * 1000

    def usual(self) -> float:
        """The median of all that have a counterpart."""
        return statistics.median(cost for page in COUNTERPARTS if (cost := self.cost(page)) is not None)

    def _used(self) -> float:
        return sum(map(tree_cpu, self.pids))

    def _ask(self, paths: list[str]) -> None:
        for path in paths:
            script = {"X-Requested-With": "XMLHttpRequest"} if path.startswith("/api/") or path.endswith("json") else {}
            answer = self.browser.get(path, **script)
            if answer.status != 200 or "/auth/login" in answer.url:
                raise RuntimeError(f"Horizon answers {answer.status} for {path}: {answer.errors()}")


@contextmanager
def beside(cloud: Cloud, pid: int, server: str) -> Iterator[Beside]:
    """A Horizon of this ``cloud``, with its administrator logged in; installed the first time (some minutes)."""
    programs = packages.install(f"horizon-{horizon.VERSION}", horizon.PACKAGES)
    with tempfile.TemporaryDirectory(prefix="tane-bench-horizon-") as folder:
        log = Path(folder) / "horizon.log"
        with horizon.serving(programs, horizon.set_up(cloud, Path(folder)), log) as (base, _, other):
            walk = horizon.Walk(Browser(base), Inhabitant("admin", cloud.state.admin_password()), log)
            walk.log_in()
            yield Beside(walk.browser, (pid, other), server)
