"""``bench/run telemetry``: the figures of metrics and alarms beside what they are to be, by one command: a sample from
a host's batch to the chunks, a day of one metric, 10,000 alarms, the room of a month and the share of a processor of
40,000 servers.

The month is one of ``--servers`` servers with 15 meters each, by a clock of its own, at the default policy: a tenth of
the guests works (all counters move at random), the others rest (of theirs only the processor's and the incoming
packets' move); what it takes is multiplied. ``--days`` cuts it short.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench import alarms, meters
from tane.agent.meters import Shown, batch_of
from tane.app import make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tane.hosts import Hosts
from tane.services.metric.domain import expiry, gathering, measures, timespans
from tane.services.metric.store import database
from tane.services.metric.store import metrics as metric_store
from tane.wire.documents import Meters

SERVERS, METERS, MINUTES_OF_DAY = 40_000, 15, 24 * 60
WORKING = 10
"""One guest in so many works."""
INCOMING = ("network.incoming.bytes", "network.incoming.packets")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/run telemetry", description=__doc__)
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    sample = meters.measure()
    print(f"a sample, end to end, {meters.GUESTS * METERS} a batch: {sample:.2f} µs of CPU (to be: 3)")
    share = SERVERS * METERS / 60 * sample / 1e6
    print(f"40,000 servers × 15 meters a minute: {share:.1%} of a processor (to be: 3 %)")
    took = alarms.measure(10_000)
    print(f"10,000 alarms whose states stay: {took:.2f} s of CPU (to be: 1)")
    month(options.servers, options.days)


def month(servers: int, days: int) -> None:
    """Let some days go by, and tell what is left on the disk."""
    draw = random.Random(15)
    with tempfile.TemporaryDirectory(prefix="tane-bench-") as folder:
        clock = ManualClock()
        core = make_core(Config(state_dir=Path(folder)), clock=clock, hosts=Hosts())
        meters.write_servers(core, servers)
        shown: list[dict[str, float]] = [{} for _ in range(servers)]
        begun = time.process_time()
        for minute in range(days * MINUTES_OF_DAY):
            clock.advance(60)
            gathering.take(core, meters.HOST, _batch(minute, shown, draw))
            if measures.is_due(core):
                measures.fold(core)
                expiry.forget(core)
        measures.fold(core)
        cpu = time.process_time() - begun
        with database.of(core).read() as tx:
            tx.connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        size = sum(file.stat().st_size for file in Path(folder).glob("metrics.db*"))
        used = _chunk_bytes(core)
        day = min(_a_day(core, number) for number in range(0, servers, max(1, servers // 20)))
        samples = servers * METERS * days * MINUTES_OF_DAY
        print(f"a day of one metric: {day:.2f} ms of CPU (to be: 5)")
        factor = SERVERS / servers * 30 / days / 2**30
        print(f"{servers} servers × {METERS} meters × {days} days: {samples} samples, {cpu:.0f} s of CPU")
        print(f"on the disk {size / 2**20:.1f} MiB, of which chunks {used / 2**20:.1f} MiB")
        print(
            f"40,000 servers, 30 days: {size * factor:.1f} GiB, chunks {used * factor:.1f} GiB (to be: 4); "
            f"{used / samples:.2f} bytes of chunks a sample"
        )
        core.close()


def _chunk_bytes(core: Core) -> int:
    with database.of(core).read() as tx:
        return int(tx.connection.exec_driver_sql("SELECT coalesce(sum(length(data) + 20), 0) FROM chunk").scalar() or 0)


def _batch(minute: int, shown: list[dict[str, float]], draw: random.Random) -> Meters:
    found = []
    for number, counters in enumerate(shown):
        works = number % WORKING == 0
        one = meters.guest(number)

        def moved(name: str, scale: float, counters: dict[str, float] = counters, moves: bool = works) -> float:
            if moves:
                counters[name] = counters.get(name, 0.0) + int(abs(draw.gauss(scale, scale / 4)))
            return counters.get(name, 0.0)

        values = {"cpu": moved("cpu", 3e10 if works else 2e8, moves=True), "power.state": 1.0, "memory.resident": 512.0}
        found.append(Shown("guest", one, None, values))
        disk = {
            f"disk.device.{way}.{what}": moved(way + what, 5e5)
            for way in ("read", "write")
            for what in ("bytes", "requests")
        }
        found.append(Shown("disk", one, "root", disk))
        names = [
            f"network.{way}.{what}"
            for way in meters.WAYS
            for what in ("bytes", "packets", "packets.drop", "packets.error")
        ]
        net = {
            name: moved(name, 3e4, moves=(works or name in INCOMING) and not name.endswith(("drop", "error")))
            for name in names
        }
        found.append(Shown("nic", one, one, net))
    return batch_of(found, "bench", minute)


def _a_day(core: Core, number: int) -> float:
    """Milliseconds of CPU to read a day of a guest's use of processors."""
    with database.of(core).read() as tx:
        row = metric_store.named(tx, meters.guest(number), "cpu")
        one = measures.series_of(tx, row)
        begun = time.process_time()
        waiting = measures.waiting_of(tx, [one.number]).get(one.number)
        step = one.policy.definitions[0].granularity
        stop, start = timespans.of_naive(tx.now), timespans.of_naive(tx.now - timedelta(days=1))
        measures.read(tx, one, [step], "rate:mean", start, stop, waiting=waiting)
        return (time.process_time() - begun) * 1000


if __name__ == "__main__":
    main()
