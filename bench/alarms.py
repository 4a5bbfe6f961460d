"""``bench/run alarms``: what it takes to evaluate alarms, each of a server's use of processors, in a hundred projects
while half an hour of samples waits to be folded. What a thousand cost tells what more of them do."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from bench.meters import GUESTS, HOST, batch, guest, write_servers
from tane.app import make_core
from tane.clock import ManualClock
from tane.config import Config
from tane.core import Core
from tane.for_hosts import ForHost, as_called
from tane.hosts import Hosts
from tane.services.alarm.domain import evaluation
from tane.services.alarm.tables import alarm
from tane.services.compute.tables import server

ALARMS, PROJECTS, MINUTES = 1000, 100, 31


def main() -> None:
    measure(ALARMS)


def measure(count: int) -> float:
    """Tell what a round of so many alarms costs, in seconds of CPU."""
    with tempfile.TemporaryDirectory(prefix="tane-bench-") as folder:
        clock = ManualClock()
        core = make_core(Config(state_dir=Path(folder)), clock=clock, hosts=Hosts())
        write_servers(core)
        with core.db.write() as tx:
            for number in range(GUESTS):
                mine = update(server).where(server.c.id == guest(number))
                tx.execute(mine.values(project_id=f"p{number % PROJECTS}"))
            tx.execute(insert(alarm), [_alarm(number, tx.now) for number in range(count)])
        cloud: Any = as_called(ForHost(core, HOST))
        with asyncio.Runner() as runner:
            for minute in range(MINUTES):
                clock.advance(60)
                runner.run(cloud.measured(batch(minute)))
        print(f"the first round of {count} alarms, which gives each a state: {_round(core):.2f} s of CPU")
        took = min(_round(core) for _ in range(3))
        print(f"a round of {count} alarms whose states stay: {took:.2f} s of CPU ({took / count * 1e6:.0f} µs each)")
        core.close()
        return took


def _alarm(number: int, now: Any) -> dict[str, Any]:
    rule = {
        "metric": "cpu",
        "resource_id": guest(number % GUESTS),
        "resource_type": "instance",
        "aggregation_method": "rate:mean",
        "granularity": 300,
        "evaluation_periods": 2,
        "threshold": 1e9 if number % 2 else 0.0,
        "comparison_operator": "gt",
    }
    actions = {f"{state}_actions": [] for state in ("ok", "alarm", "insufficient_data")}
    return {
        **actions,
        "time_constraints": [],
        "id": str(uuid.UUID(int=number)),
        "project_id": f"p{number % GUESTS % PROJECTS}",
        "user_id": "u",
        "name": f"alarm {number}",
        "description": "",
        "type": "gnocchi_resources_threshold",
        "rule": rule,
        "enabled": True,
        "severity": "low",
        "state": "insufficient data",
        "state_reason": "",
        "state_timestamp": now,
        "timestamp": now,
        "repeat_actions": False,
    }


def _round(core: Core) -> float:
    """Evaluate all; seconds of CPU."""
    watching = evaluation.watch(core)
    watching.whole_round = 0.0
    begun = time.process_time()
    turned = evaluation.evaluate(core)
    while any(watching.waiting.values()):
        turned += evaluation.evaluate(core)
    took = time.process_time() - begun
    print(f"({turned} changed their state)")
    return took


if __name__ == "__main__":
    main()
