"""What is measured as Prometheus reads it (text format 0.0.4).

Names and labels are those of Ceilometer's own exporter (``ceilometer_cpu{resource=…}``), so that what was drawn for it
fits; what is the cloud's own begins with ``tane_``, its process's with ``process_`` as Prometheus' clients have it.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.jobs import store as jobs
from tane.services.metric.domain import latest
from tane.services.metric.domain.measured import Thing, Values
from tane.services.metric.domain.meters import COUNTERS, UNITS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PROCESS = Path("/proc/self")
NAMES = ("display_name", "host_name", "name")
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sample:
    labels: Labels
    value: float


def of_project(core: Core, project_id: str) -> bytes:
    """What is measured of a project's resources."""
    return _text(_families((thing, values) for thing, values in latest.every(core) if thing.project_id == project_id))


def of_cloud(core: Core) -> bytes:
    """What is measured of everybody's and of hosts, and the cloud itself."""
    families = _families(latest.every(core))
    return _text({**own(core), **families})


def _families(told: Iterable[tuple[Thing, Values]]) -> dict[tuple[str, str], list[Sample]]:
    """(name, kind) → samples."""
    found: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
    for thing, (names, values) in told:
        known = labels_of(thing.text, thing.type, thing.project_id, dict(thing.attributes))
        for name, value in zip(names, values, strict=True):
            kind = "counter" if name in COUNTERS else "gauge"
            labels = (*known, ("unit", UNITS[name]))
            found[name_of(name), kind].append(Sample(labels, value))
    return found


def name_of(meter: str) -> str:
    return "ceilometer_" + meter.replace(".", "_")


def labels_of(text: str, kind: str, project_id: str | None, attributes: Mapping[str, Any]) -> Labels:
    """Labels of a resource, but for its values' units. ``text``: its id; ``kind``: its type."""
    label = next((attributes[name] for name in NAMES if attributes.get(name)), "")
    return (
        ("resource", text),
        ("resource_name", str(label)),
        ("project", project_id or ""),
        ("type", kind),
        *((("vm_instance", str(attributes["instance_id"])),) if attributes.get("instance_id") else ()),
    )


def own(core: Core) -> dict[tuple[str, str], list[Sample]]:
    """What is told of the cloud itself: (name, kind) → samples."""
    with core.db.read() as tx:
        return _own(core, tx)


def _own(core: Core, tx: Tx) -> dict[tuple[str, str], list[Sample]]:
    unfinished, late, owed = jobs.numbers(tx)
    rows = hosts.all_hosts(tx)
    connected = {agent.host_id for agent in core.hosts.reached()}
    counted = [pair for service in core.services for pair in service.counted]
    return {
        ("tane_resources", "gauge"): [
            Sample((("kind", name),), float(tx.scalar(sql(f"SELECT count(*) FROM {table}")))) for name, table in counted
        ],
        ("tane_host_up", "gauge"): [Sample((("host", row.name),), float(hosts.is_up(tx, row))) for row in rows],
        ("tane_host_connected", "gauge"): [Sample((("host", row.name),), float(row.id in connected)) for row in rows],
        ("tane_host_enabled", "gauge"): [Sample((("host", row.name),), float(row.enabled)) for row in rows],
        ("tane_jobs_unfinished", "gauge"): [Sample((), float(unfinished))],
        ("tane_jobs_late", "gauge"): [Sample((), float(late))],
        ("tane_steps_owed", "gauge"): [Sample((), float(owed))],
        ("process_cpu_seconds_total", "counter"): [Sample((), time.process_time())],
        ("process_resident_memory_bytes", "gauge"): [Sample((), float(_resident()))],
        ("process_open_fds", "gauge"): [Sample((), float(len([*(PROCESS / "fd").iterdir()])))],
    }


def _resident() -> int:
    return int((PROCESS / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _text(families: dict[tuple[str, str], list[Sample]]) -> bytes:
    return "".join(_lines(families)).encode(errors="replace")


def _lines(families: dict[tuple[str, str], list[Sample]]) -> Iterator[str]:
    for (name, kind), samples in families.items():
        yield f"# TYPE {name} {kind}\n"
        for sample in samples:
            labels = ",".join(f'{key}="{value.translate(_ESCAPED)}"' for key, value in sample.labels)
            yield f"{name}{{{labels}}} {sample.value!r}\n" if labels else f"{name} {sample.value!r}\n"
