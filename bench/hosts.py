"""``bench/run --own hosts``: what a boot and a changed port cost as servers become many, on 30 simulated hosts.

Two clouds, one after the other: all servers in one network, and spread over a hundred. ``--sizes`` says with how many
servers there, ``--fill ports`` puts ports on the hosts in bulk instead of making servers, which is much faster and the
same for the network. What counts is each figure's ratio to that of the empty cloud.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

from bench.cloud import Cloud, tree_cpu
from bench.questions import lift_quotas, refuse_errors, server_needs

HOSTS = 30
LAYOUTS = {"one network": 1, "a hundred networks": 100}
BULK = 100
SETTLE_SECONDS = 2.0
"""What is left of a change when it has been answered is done by then."""


@dataclass
class Row:
    """One line of the table. ``cpu_*`` in ms for each, with what the hosts in this process did for it."""

    networks: str
    servers: int
    active_ms: float
    boots_per_second: float
    cpu_boot_ms: float
    cpu_changed_port_ms: float
    cpu_idle_percent: float


class Layout:
    """A cloud whose servers are spread over some networks."""

    def __init__(self, cloud: Cloud, networks: int, fill: str) -> None:
        self.cloud = cloud
        self.count = networks
        self.fill = fill
        self.there = 0
        self.networks: list[str] = []

    async def prepare(self) -> None:
        cloud = self.cloud
        await lift_quotas(cloud)
        self.compute, self.network = cloud.url("compute"), cloud.url("network", suffix="/v2.0")
        image, network = cloud.url("image", suffix="/v2"), self.network
        self.image, first, self.flavor = await server_needs(cloud, self.compute, image, network)
        self.networks = [first]
        for number in range(1, self.count):
            made = (await cloud.call("POST", f"{network}/networks", {"network": {"name": f"n{number}"}})).json()
            self.networks.append(made["network"]["id"])
            subnet = {"network_id": self.networks[-1], "ip_version": 4, "cidr": f"10.{100 + number}.0.0/16"}
            await cloud.call("POST", f"{network}/subnets", {"subnet": subnet})
        found = (await cloud.call("GET", f"{network}/agents")).json()["agents"]
        self.hosts = [agent["host"] for agent in found]
        self.turn = itertools.cycle(self.networks)

    def _server(self, name: str, network_id: str, count: int = 1) -> dict[str, Any]:
        return {
            "server": {
                "name": name,
                "imageRef": self.image,
                "flavorRef": self.flavor,
                "networks": [{"uuid": network_id}],
                "min_count": count,
            }
        }

    async def grow(self, size: int) -> None:
        """Until there are ``size`` servers (or ports on hosts)."""
        while self.there < size:
            count = min(BULK, size - self.there)
            if self.fill == "servers":
                await self.cloud.call("POST", f"{self.compute}/servers", self._server("many", next(self.turn), count))
                building = f"{self.compute}/servers?limit=1&status=BUILD"
                await self.cloud.until(building, lambda body: not body["servers"], every=0.2)
            else:
                ports = [
                    {"network_id": network_id, "binding:host_id": random.choice(self.hosts)}
                    for network_id in itertools.islice(self.turn, count)
                ]
                await self.cloud.call("POST", f"{self.network}/ports", {"ports": ports})
            self.there += count
        await refuse_errors(self.cloud, self.compute)
        waiting = f"{self.network}/ports?limit=1&status=BUILD&fields=id"
        await self.cloud.until(waiting, lambda body: not body["ports"], every=0.2)
        await asyncio.sleep(SETTLE_SECONDS)

    async def boot(self, _: int) -> None:
        body = self._server("one", next(self.turn))
        server = (await self.cloud.call("POST", f"{self.compute}/servers", body)).json()["server"]
        path = f"{self.compute}/servers/{server['id']}"
        await self.cloud.until(path, lambda body: body["server"]["status"] == "ACTIVE", every=0.01)
        self.there += 1

    async def row(self, name: str) -> Row:
        size = self.there
        idle = await self._idle()
        singles = await self.cloud.measure("", self.boot, count=12, warm_up=2)
        many, cpu_boot = await self._cpu(lambda: self.cloud.measure("", self.boot, count=80, at_once=8), idle)
        _, cpu_port = await self._cpu(self._change_ports, idle)
        await refuse_errors(self.cloud, self.compute)
        return Row(
            name,
            size,
            round(statistics.median(singles.latencies) * 1000, 1),
            round(80 / many.seconds, 1),
            round(cpu_boot * 1000 / 80, 1),
            round(cpu_port * 1000 / 40, 2),
            round(idle * 100, 1),
        )

    async def _idle(self, seconds: float = 10.0) -> float:
        """CPU seconds a second of a cloud that nobody asks anything."""
        before = self._used()
        await asyncio.sleep(seconds)
        return (self._used() - before) / seconds

    async def _cpu(self, work: Callable[[], Any], idle: float) -> tuple[Any, float]:
        """What ``work`` answers, and the CPU seconds it took beyond those of the idle cloud."""
        before, begun = self._used(), time.perf_counter()
        answer = await work()
        await asyncio.sleep(SETTLE_SECONDS)
        return answer, max(self._used() - before - idle * (time.perf_counter() - begun), 0.0)

    def _used(self) -> float:
        assert self.cloud.pid is not None
        return tree_cpu(self.cloud.pid)

    async def _change_ports(self) -> None:
        """Another security group for ports of servers, forth and back."""
        body = {"security_group": {"name": f"g{secrets.token_hex(3)}"}}
        group = (await self.cloud.call("POST", f"{self.network}/security-groups", body)).json()["security_group"]
        found = (await self.cloud.call("GET", f"{self.network}/ports?limit=20&device_owner=compute:nova")).json()
        for port in found["ports"]:
            for groups in (port["security_groups"], [*port["security_groups"], group["id"]])[::-1]:
                path = f"{self.network}/ports/{port['id']}"
                await self.cloud.call("PUT", path, {"port": {"security_groups": groups}})
                await asyncio.sleep(0.05)


async def measure(pid: int, name: str, networks: int, sizes: Sequence[int], fill: str) -> list[Row]:
    cloud = Cloud(pid, disposable=True)
    await cloud.login()
    layout = Layout(cloud, networks, fill)
    await layout.prepare()
    rows = []
    for size in sizes:
        await layout.grow(size)
        await cloud.login()
        rows.append(await layout.row(name))
        print(rows[-1], flush=True)
    await cloud.http.aclose()
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows, and one line: by how much the worst of each figure is worse than the empty cloud's."""
    names = [field.name for field in fields(Row)]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(getattr(row, name)) for name in names) + " |" for row in rows]
    worst = dict.fromkeys(("active_ms", "boots_per_second", "cpu_boot_ms", "cpu_changed_port_ms"), 0.0)
    first: dict[str, Row] = {}
    for row in rows:
        empty = first.setdefault(row.networks, row)
        for name in worst:
            ratio = max(getattr(row, name), 0.01) / max(getattr(empty, name), 0.01)
            worst[name] = max(worst[name], 1 / ratio if name == "boots_per_second" else ratio)
    figures = ", ".join(f"{name} {value:.2f}×" for name, value in worst.items())
    return "\n".join([*lines, f"hosts: worst against the empty cloud: {figures}"])


def run(own: Callable[[int], AbstractContextManager[Any]], sizes: Sequence[int], fill: str, only: str) -> list[Row]:
    """``own(hosts)`` is a cloud of that many simulated hosts with a ``pid``."""
    rows = []
    for name, networks in LAYOUTS.items():
        if only in name:
            cloud: Any = own(HOSTS)
            with cloud:
                rows += asyncio.run(measure(cloud.pid, name, networks, sizes, fill))
    return rows
