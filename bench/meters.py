"""``bench/run meters``: what a sample costs, from a host's batch on the wire to the chunks that are kept and read.

667 guests of a host show 15 values each, once a minute for some hours. CPU is of this process; reading is of one metric
over three hours.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import JSON as Json
from sqlalchemy import Boolean, DateTime, Float, Integer, Table, insert

from tane.agent.meters import Shown, batch_of
from tane.app import make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tane.for_hosts import ForHost, as_called
from tane.hosts import Hosts
from tane.hosts import store as hosts
from tane.services.compute.tables import server
from tane.services.metric.domain import measures, timespans
from tane.services.metric.store import database
from tane.services.metric.store import metrics as metric_store
from tane.services.network.tables import network, port
from tane.wire.documents import Meters

HOST, GUESTS, MINUTES = "0f5a1e0c-6a55-4f6b-9a51-000000000001", 667, 181
WAYS = ("incoming", "outgoing")


def main() -> None:
    measure()


def measure() -> float:
    """Tell what samples cost; microseconds of CPU of one, end to end."""
    with tempfile.TemporaryDirectory(prefix="tane-bench-") as folder:
        clock = ManualClock()
        core = make_core(Config(state_dir=Path(folder)), clock=clock, hosts=Hosts())
        write_servers(core)
        cloud: Any = as_called(ForHost(core, HOST))
        taking = folding = samples = 0.0
        wall = 0.0
        with asyncio.Runner() as runner:
            # What is made at the first sight of a guest comes once.
            runner.run(cloud.measured(batch(0)))
            for minute in range(1, MINUTES):
                clock.advance(60)
                begun, at = time.process_time(), time.perf_counter()
                told = batch(minute)
                begun = time.process_time()
                runner.run(cloud.measured(told))
                taking += time.process_time() - begun
                wall += time.perf_counter() - at
                samples += GUESTS * 15
                if minute % 60 == 0:
                    begun = time.process_time()
                    measures.fold(core)
                    folding += time.process_time() - begun
        print(f"samples: {samples:.0f} in batches of {GUESTS * 15}")
        print(f"CPU to take one in: {taking / samples * 1e6:.2f} µs")
        print(f"CPU to fold one, {core.config.metric.archive_policy}: {folding / samples * 1e6:.2f} µs")
        print(f"CPU of both: {(taking + folding) / samples * 1e6:.2f} µs")
        size = sum(file.stat().st_size for file in Path(folder).glob("metrics.db*"))
        print(f"disk: {size / samples:.1f} bytes a sample ({size >> 20} MB)")
        print(f"one metric over three hours is read in {_reading(core, 3):.2f} ms of CPU")
        core.close()
        return (taking + folding) / samples * 1e6


def write_servers(core: Core, count: int = GUESTS) -> None:
    """The guests' rows: each has a card whose id is its own."""
    with core.db.write() as tx:
        hosts.register(tx, HOST, "host-1", ("compute",), None, {})
        usual, net = usual_row(server, tx.now), usual_row(network, tx.now)
        owned = [{"number": number + 1, "id": guest(number), "project_id": "p"} for number in range(count)]
        tx.execute(insert(server), [{**usual, **one, "host_id": HOST} for one in owned])
        tx.execute(insert(network), [{**net, "id": HOST, "project_id": "p"}])
        card = {**usual_row(port, tx.now), "network_id": HOST, "device_order": 1}
        for one in owned:
            at = {"device_id": one["id"], "mac_address": f"{one['number']:012x}"}
            tx.execute(insert(port).values({**card, "id": one["id"], "project_id": "p", **at}))


def usual_row(table: Table, now: Any) -> dict[str, Any]:
    """A row of that table in which nothing is said."""
    row: dict[str, Any] = {}
    for column in table.c:
        usual: Any = ""
        if isinstance(column.type, Boolean):
            usual = False
        elif isinstance(column.type, Integer | Float):
            usual = 1
        elif isinstance(column.type, DateTime):
            usual = now
        elif isinstance(column.type, Json):
            usual = {"original_name": "tiny"}
        row[column.name] = None if column.nullable else usual
    return row


def guest(number: int) -> str:
    return f"0f5a1e0c-6a55-4f6b-9a51-{number:012}"


def batch(minute: int) -> Meters:
    found = []
    for number in range(GUESTS):
        one, step = guest(number), float(minute * (1000 + number))
        found.append(
            Shown("guest", one, None, {"cpu": step * 1e6, "power.state": 1.0, "memory.resident": 512.0 + minute % 7})
        )
        disk = {f"disk.device.{way}.{what}": step for way in ("read", "write") for what in ("bytes", "requests")}
        found.append(Shown("disk", one, "root", disk))
        names = ("bytes", "packets", "packets.drop", "packets.error")
        found.append(Shown("nic", one, one, {f"network.{way}.{what}": step for way in WAYS for what in names}))
    return batch_of(found, "bench", minute)


def _reading(core: Core, hours: int) -> float:
    """Milliseconds of CPU to read one metric over some hours."""
    took = []
    for number in range(20):
        with database.of(core).read() as tx:
            row = metric_store.named(tx, guest(number), "cpu")
            one = measures.series_of(tx, row)
            begun = time.process_time()
            stop = timespans.of_naive(tx.now)
            start = timespans.of_naive(tx.now - timedelta(hours=hours))
            waiting = measures.waiting_of(tx, [one.number]).get(one.number)
            step = one.policy.definitions[0].granularity
            measures.read(tx, one, [step], "mean", start, stop, waiting=waiting)
            took.append(time.process_time() - begun)
    return sorted(took)[len(took) // 2] * 1000


if __name__ == "__main__":
    main()
