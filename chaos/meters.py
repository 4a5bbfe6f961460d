"""What agents measured, and what the cloud wrote down of it: each interval once, whatever was killed meanwhile.

An agent numbers its batches, and each has the host itself in it. So of each run of an agent the cloud must have as many
samples of its host as the last number that it heard says; and one that was taken twice would lie beside itself.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from pathlib import Path

from chaos.hosts import machines, up
from tane.cli.common import State
from tane.linux import process
from tests.e2e.real import RealCloud

INTERVAL, LOOK_SECONDS = 2, 0.5
SETTINGS = f"[metric]\ninterval = {INTERVAL}\n"
METRIC = "hardware.memory.total"
SECOND = 1_000_000_000


def prepare(cloud: RealCloud) -> None:
    """Before the cloud starts."""
    with (cloud.folder / "tane.toml").open("a") as settings:
        settings.write(SETTINGS)


def join(cloud: RealCloud) -> None:
    """Let the machines that joined measure as often."""
    for machine in machines(cloud):
        with (machine.folder / "tane.toml").open("a") as settings:
            settings.write(SETTINGS)
        process.stop(State.of(machine.folder).pidfile, timeout_seconds=30.0)
        up(machine)


class Books:
    """Reads along what is written down: it lies there for ten minutes before it is folded."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "metrics.db"
        self._last = 0
        self._moments: defaultdict[str, list[int]] = defaultdict(list)
        self._heard: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Everything new, and what each agent's last number was then."""
        if not self._file.exists():
            return
        try:
            with sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=10) as database:
                database.execute("BEGIN")
                self._read(database)
        except sqlite3.OperationalError:
            # The cloud makes its tables, or was killed and nobody has put its database right yet.
            return

    def _read(self, database: sqlite3.Connection) -> None:
        hosts = dict(
            database.execute(
                "SELECT m.number, r.original_resource_id FROM metric m JOIN resource r ON m.resource_id = r.id "
                "WHERE r.type = 'host' AND m.name = ?",
                (METRIC,),
            )
        )
        query = "SELECT sequence, metrics, times FROM batch WHERE sequence > ? ORDER BY sequence"
        for sequence, metrics, times in database.execute(query, (self._last,)):
            self._last = sequence
            numbers, moments = array("I", metrics), array("q", times)
            for number, host_id in hosts.items():
                begin, end = bisect_left(numbers, number), bisect_right(numbers, number)
                self._moments[host_id] += moments[begin:end]
        for host_id, run, number in database.execute("SELECT host_id, run, sequence FROM sender"):
            self._heard[host_id][run] = number

    def settle(self, seconds: float) -> None:
        """Until each agent told something new: the oldest comes first."""
        before, until = {host_id: len(found) for host_id, found in self._moments.items()}, time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()
            if all(len(self._moments[host_id]) >= count + 3 for host_id, count in before.items()):
                return
            time.sleep(LOOK_SECONDS)

    @property
    def count(self) -> int:
        return sum(map(len, self._moments.values()))

    @property
    def lost(self) -> list[str]:
        """Of hosts: intervals that an agent numbered, and of which nothing is there."""
        told = []
        for host_id, runs in self._heard.items():
            numbered, there = sum(number + 1 for number in runs.values()), len(self._moments[host_id])
            if there < numbered:
                told.append(f"{numbered - there} of {numbered} intervals of host {host_id}")
        return told

    @property
    def doubled(self) -> list[str]:
        told = []
        for host_id, found in self._moments.items():
            ordered = sorted(found)
            near = sum(b - a < INTERVAL * SECOND // 4 for a, b in itertools.pairwise(ordered))
            if near:
                told.append(f"{near} intervals of host {host_id}")
        return told
