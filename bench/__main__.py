"""``bench/run [QUESTION …]``: measure the cloud that ``OS_*`` names; ``--own`` starts a simulated one for it.

Prints a Markdown table, writes JSON with ``--json FILE``. The CPU column needs ``--pid`` (or ``--own``): the root
process of the cloud's services on this machine. Compare the CPU of two clouds from one sitting; wall times are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import hosts, scale
from bench.cloud import Cloud, pss_mb
from bench.questions import LONG, QUESTIONS

MANY_HOSTS = 12
"""Enough simulated hosts for the servers of the long questions."""
COLUMNS = ("measurement", "p50_ms", "per_second", "mb_per_second", "cpu_ms_per_op", "spread", "operations")


async def ask(names: list[str], pids: Sequence[int], rounds: int, *, disposable: bool) -> list[dict[str, Any]]:
    """Every question, ``rounds`` times; the median of each column, and the spread of the CPU figure."""
    collected: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for name in names:
            cloud = Cloud(*pids[:1], helpers=pids[1:], disposable=disposable)
            await cloud.login()
            async for figure in (QUESTIONS | LONG)[name](cloud):
                row = figure.row()
                print(f"{row['measurement']}: {row['p50_ms']} ms", file=sys.stderr, flush=True)
                collected.setdefault(row["measurement"], []).append(row)
            await cloud.http.aclose()
    return [merge(rows) for rows in collected.values()]


def merge(rows: list[dict[str, Any]]) -> dict[str, Any]:
    merged = dict(rows[0])
    for column in ("p50_ms", "per_second", "mb_per_second", "cpu_ms_per_op"):
        values = [row[column] for row in rows if row[column] is not None]
        merged[column] = round(statistics.median(values), 2) if values else None
    cpu = [row["cpu_ms_per_op"] for row in rows if row["cpu_ms_per_op"] is not None]
    merged["spread"] = f"{min(cpu)}–{max(cpu)}" if cpu else None
    return merged


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join("" if row.get(c) is None else str(row[c]) for c in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


class OwnCloud:
    """A cloud with simulated hosts in a folder of its own, for as long as the measurement takes."""

    def __init__(self, port: int, hosts: int) -> None:
        self.folder = tempfile.mkdtemp(prefix="tane-bench-")
        self.port = port
        self.hosts = hosts

    def _tane(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "tane.cli", arguments[0], "--state", self.folder, *arguments[1:]]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def __enter__(self) -> list[dict[str, Any]]:
        """Start it twice: the first start makes the database, the second is the cold start that counts."""
        mode = ("--mode", "simulated", "--port", str(self.port))
        os.environ["TANE_LOG_LEVEL"] = "warning"
        os.environ["TANE_SIMULATED_HOSTS"] = str(self.hosts)
        self._tane("up", *mode)
        self._tane("down")
        begun = time.perf_counter()
        self._tane("up")
        seconds = time.perf_counter() - begun
        for line in self._tane("openrc").splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            os.environ[name] = value.strip("'")
        time.sleep(2)  # idle means that what a start leaves behind has been done
        return [
            {"measurement": "cold start to all APIs answering, s (with the command)", "p50_ms": round(seconds * 1000)},
            {"measurement": "idle PSS of all processes, MB", "operations": round(pss_mb([self.pid]), 1)},
        ]

    def restart(self) -> None:
        self._tane("down")
        self._tane("up")

    @property
    def pid(self) -> int:
        return int((Path(self.folder) / "run" / "tane.pid").read_text().split()[0])

    def __exit__(self, *exc: object) -> None:
        self._tane("down", "--purge")


def main() -> None:
    # Being told to end must not leave a cloud behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__.split("\n")[0])
    parser.add_argument("questions", nargs="*", help=", ".join([*(QUESTIONS | LONG), "hosts", "scale"]))
    parser.add_argument(
        "--pid", type=int, action="append", default=[], help="of the cloud, then of its database server"
    )
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--port", type=int, default=8771)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sizes", default="0,1000,3000,10000", help="of hosts: with how many servers there")
    parser.add_argument("--fill", choices=("servers", "ports"), default="servers", help="of hosts: what is made")
    parser.add_argument("--hosts", type=int, default=150, help="of scale")
    parser.add_argument("--servers", type=int, default=40_000, help="of scale")
    parser.add_argument("--layout", default="", help="of hosts: one or hundred; both when it is not given")
    arguments = parser.parse_args()
    own_cloud = functools.partial(OwnCloud, arguments.port)
    if arguments.questions == ["hosts"]:
        if not arguments.own:
            parser.error("hosts is asked of a cloud of its own: --own")
        sizes = [int(size) for size in arguments.sizes.split(",")]
        print(hosts.table(hosts.run(own_cloud, sizes, arguments.fill, arguments.layout)))
        return
    if arguments.questions == ["scale"]:
        print(scale.run(own_cloud, arguments.hosts, arguments.servers))
        return
    unknown = set(arguments.questions) - set(QUESTIONS | LONG)
    if unknown:
        parser.error(f"no such question: {', '.join(sorted(unknown))}")
    names = arguments.questions or list(QUESTIONS)
    if arguments.own:
        own = OwnCloud(arguments.port, MANY_HOSTS if set(names) & set(LONG) else 1)
        with own as start:
            rows = start + asyncio.run(ask(names, [own.pid, *arguments.pid], arguments.rounds, disposable=True))
    else:
        rows = asyncio.run(ask(names, arguments.pid, arguments.rounds, disposable=False))
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


main()
