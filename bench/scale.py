"""``bench/run scale --hosts 150 --servers 40000``: a cloud of its own with many simulated hosts that joined it.

The hosts are real at their end of the line: each has joined by a token of its own, with a certificate, and is asked
over TLS; that no guest runs there is all that is simulated. They live in few processes beside the cloud, on the same
cores, so that figures of speed are those of the machine, and figures of memory and CPU those of the cloud alone.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.cloud import Cloud, pss_mb, tree_cpu
from bench.questions import lift_quotas, refuse_errors, server_needs

PROCESSES = 3
NETWORKS = 100
BULK = 100
AT_ONCE = 4
PAGES, PAGE = 200, 100
IDLE_SECONDS = 60.0
CHANGES, CHANGES_SECONDS = 20, 30.0
"""A second, and how long."""
ALL = "all_tenants=1"


class Agents:
    """The processes of the simulated hosts."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tane-bench-hosts-"))
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, tokens: list[str]) -> None:
        share = -(-len(tokens) // PROCESSES)
        for first in range(0, len(tokens), share):
            command = [sys.executable, "-m", "bench.agents", str(self.folder), str(first + 1)]
            with (self.folder / f"{first}.log").open("w") as written:
                begun = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=written, stderr=written, text=True)
            assert begun.stdin is not None
            begun.stdin.write("\n".join(tokens[first : first + share]))
            begun.stdin.close()
            self.processes.append(begun)

    def refuse_ended(self) -> None:
        for one in self.processes:
            if one.poll() is not None:
                raise RuntimeError(f"a process of hosts has ended: {self._log_end()}")

    def _log_end(self) -> str:
        return " / ".join(log.read_text()[-500:] for log in self.folder.glob("*.log"))

    def stop(self) -> None:
        for one in self.processes:
            one.terminate()
        for one in self.processes:
            one.wait(30)
        shutil.rmtree(self.folder)


class Scale:
    """One cloud that grows. What it shows stands in ``figures``, in the order of measuring."""

    def __init__(self, pid: int, agents: Agents) -> None:
        self.pid = pid
        self.agents = agents
        self.cloud = Cloud(pid, disposable=True)
        self.figures: dict[str, float] = {}

    def note(self, name: str, value: float) -> None:
        self.figures[name] = round(value, 2)
        print(f"{name}: {round(value, 2)}", file=sys.stderr, flush=True)

    async def begin(self) -> None:
        await self.cloud.login()
        await lift_quotas(self.cloud)
        self.compute = self.cloud.url("compute")
        self.network = self.cloud.url("network", suffix="/v2.0")
        self.hosts = self.cloud.auth_url.removesuffix("/identity/v3") + "/hosts"

    async def join(self, count: int) -> None:
        made = [await self.cloud.call("POST", f"{self.hosts}/tokens", {"token": {}}) for _ in range(count)]
        begun = time.monotonic()
        self.agents.start([answer.json()["token"]["token"] for answer in made])
        await self._connected(count)
        self.note("hosts joined a second", count / (time.monotonic() - begun))

    async def _connected(self, count: int) -> None:
        def ready(body: Any) -> bool:
            self.agents.refuse_ended()
            return sum(host["state"] == "up" and host["connected"] for host in body["hosts"]) >= count

        await self.cloud.until(self.hosts, ready, every=0.5)

    async def grow(self, servers: int) -> None:
        image, first, flavor = await server_needs(
            self.cloud, self.compute, self.cloud.url("image", suffix="/v2"), self.network
        )
        networks = [first]
        for number in range(1, NETWORKS):
            answer = await self.cloud.call("POST", f"{self.network}/networks", {"network": {"name": f"n{number}"}})
            networks.append(answer.json()["network"]["id"])
            subnet = {"network_id": networks[-1], "ip_version": 4, "cidr": f"10.{100 + number}.0.0/16"}
            await self.cloud.call("POST", f"{self.network}/subnets", {"subnet": subnet})
        turn, left = itertools.cycle(networks), servers
        begun = time.monotonic()

        async def boots() -> None:
            nonlocal left
            while left:
                count = min(BULK, left)
                left -= count
                name = f"many-{left}"
                wanted = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": next(turn)}]}
                body = {"server": {**wanted, "min_count": count}}
                await self.cloud.call("POST", f"{self.compute}/servers", body)
                building = f"{self.compute}/servers?limit=1&status=BUILD&name={name}-"
                await self.cloud.until(building, lambda body: not body["servers"], every=0.3)
                if left % 2000 < BULK:
                    passed = time.monotonic() - begun
                    print(f"{servers - left} servers after {passed:.0f} s", file=sys.stderr, flush=True)

        await asyncio.gather(*(boots() for _ in range(AT_ONCE)))
        self.note("boots a second", servers / (time.monotonic() - begun))
        await refuse_errors(self.cloud, self.compute)

    async def pages(self) -> None:
        """A hundred servers each, from anywhere in the list, in detail and not."""
        ids = [server["id"] for server in await self._some_servers(20)]
        for what in ("servers", "servers/detail"):
            took = []
            for _ in range(PAGES):
                path = f"{self.compute}/{what}?limit={PAGE}&marker={random.choice(ids)}"
                begun = time.perf_counter()
                await self.cloud.call("GET", path)
                took.append(time.perf_counter() - begun)
            self.note(f"page of {PAGE} {what}, p95 ms", statistics.quantiles(took, n=20)[-1] * 1000)

    async def _some_servers(self, pages: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        path = f"{self.compute}/servers?limit=1000"
        for _ in range(pages):
            page = (await self.cloud.call("GET", path)).json()["servers"]
            found += page
            if len(page) < 1000:
                break
            path = f"{self.compute}/servers?limit=1000&marker={page[-1]['id']}"
        return found

    async def idle(self) -> None:
        # What the boots left behind is not idle.
        await asyncio.sleep(IDLE_SECONDS)
        self.note("idle, % of a core", 100 * await self._used(lambda: asyncio.sleep(IDLE_SECONDS)))
        self.note("memory of the cloud, MB PSS", pss_mb([self.pid]))

    async def changes(self) -> None:
        """Other names for servers and other groups for ports, in turn."""
        servers = await self._some_servers(1)
        group = (
            await self.cloud.call("POST", f"{self.network}/security-groups", {"security_group": {"name": "other"}})
        ).json()["security_group"]["id"]
        query = f"limit={int(CHANGES * CHANGES_SECONDS)}&device_owner=compute:nova&fields=id&fields=security_groups"
        ports = (await self.cloud.call("GET", f"{self.network}/ports?{query}")).json()["ports"]
        late = 0.0

        async def work() -> None:
            nonlocal late
            begun = time.monotonic()
            for number in range(int(CHANGES * CHANGES_SECONDS)):
                due = begun + number / CHANGES
                await asyncio.sleep(max(due - time.monotonic(), 0))
                late = max(late, time.monotonic() - due)
                if number % 2:
                    path = f"{self.compute}/servers/{servers[number % len(servers)]['id']}"
                    await self.cloud.call("PUT", path, {"server": {"name": f"renamed-{number}"}})
                else:
                    port = ports[number % len(ports)]
                    body = {"port": {"security_groups": [*port["security_groups"], group]}}
                    await self.cloud.call("PUT", f"{self.network}/ports/{port['id']}", body)

        begun = time.monotonic()
        used = await self._used(work)
        self.note("changes a second", CHANGES * CHANGES_SECONDS / (time.monotonic() - begun))
        self.note(f"at {CHANGES:g} changes a second, % of a core", 100 * used)
        self.note("of them the latest began late by, s", late)

    async def _used(self, work: Callable[[], Any]) -> float:
        """CPU seconds a second."""
        before, begun = tree_cpu(self.pid), time.monotonic()
        await work()
        return (tree_cpu(self.pid) - before) / (time.monotonic() - begun)

    async def settled(self, own: Any, count: int) -> None:
        """From the stop of the cloud to all hosts back, and to a new server that runs."""
        await self.cloud.http.aclose()
        begun = time.monotonic()
        own.restart()
        self.pid, self.cloud = own.pid, Cloud(own.pid, disposable=True)
        await self.cloud.login()
        await self._connected(count)
        self.note("all hosts connected after a restart, s", time.monotonic() - begun)
        waiting = f"{self.network}/ports?limit=1&status=BUILD&fields=id"
        await self.cloud.until(waiting, lambda body: not body["ports"], every=0.5)
        await self._probe()
        self.note("a new server runs after a restart, s", time.monotonic() - begun)

    async def _probe(self) -> None:
        """A server that is made now has its address: what was due to the hosts before it has been done."""
        [kept] = (await self.cloud.call("GET", f"{self.compute}/servers/detail?limit=1")).json()["servers"]
        wanted = {"name": "probe", "imageRef": kept["image"]["id"], "networks": "auto"}
        networks = (await self.cloud.call("GET", f"{self.network}/networks?name=bench")).json()["networks"]
        flavors = (await self.cloud.call("GET", f"{self.compute}/flavors")).json()["flavors"]
        [flavor] = [one["id"] for one in flavors if one["name"].startswith("bench-")]
        body = {"server": {**wanted, "flavorRef": flavor, "networks": [{"uuid": networks[0]["id"]}]}}
        made = (await self.cloud.call("POST", f"{self.compute}/servers", body)).json()["server"]["id"]
        path = f"{self.compute}/servers/{made}"
        await self.cloud.until(path, lambda body: body["server"]["status"] == "ACTIVE", every=0.1)


def run(own: Callable[[int], AbstractContextManager[Any]], hosts: int, servers: int) -> str:
    """``own(1)`` is a cloud with a ``pid`` that can ``restart()``. The figures as one line."""
    agents, cloud = Agents(), own(1)
    try:
        with cloud:
            scale = Scale(cloud.pid, agents)  # type: ignore[attr-defined]  # As said above.
            asyncio.run(_measure(scale, cloud, hosts, servers))
            agents.refuse_ended()
    finally:
        agents.stop()
    figures = ", ".join(f"{name} {value:g}" for name, value in scale.figures.items())
    return f"scale: {hosts} hosts, {servers} servers: {figures}"


async def _measure(scale: Scale, own: Any, hosts: int, servers: int) -> None:
    await scale.begin()
    await scale.join(hosts)
    await scale.grow(servers)
    await scale.pages()
    await scale.idle()
    await scale.changes()
    await scale.settled(own, hosts)
    await scale.cloud.http.aclose()
