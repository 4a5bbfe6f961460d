"""What the cloud itself measures is written here: resources and metrics are made when they are first seen.

What is known of them is remembered in this process, so that a batch costs no look-up for what has not changed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import access, resources
from tane.services.metric.domain.meters import COUNTERS, UNITS
from tane.services.metric.store import database
from tane.services.metric.store import metrics as metric_store
from tane.services.metric.store import resources as store

MEMORY = "metric.known"
AT_ONCE = 500
"""Things that are made in one transaction."""
FRESH_SECONDS = 600.0
"""What is remembered is looked up anew then: another process may have deleted a metric."""


@dataclass(frozen=True)
class Thing:
    """A resource as it should be. ``text``: its id as Ceilometer writes it; ``attributes`` fit its type."""

    text: str
    type: str
    project_id: str | None
    user_id: str | None
    attributes: tuple[tuple[str, Any], ...]
    started_at: datetime | None = None

    @property
    def id(self) -> str:
        return identity(self.text)


def identity(text: str) -> str:
    return access.resource_id(text, access.CLOUD)[1]


Values = tuple[tuple[str, ...], tuple[float, ...]]
"""Names of meters, and what they show."""


@dataclass
class Known:
    """``shapes``: the numbers of metrics by the names that come together."""

    thing: Thing
    numbers: dict[str, int]
    shapes: dict[tuple[str, ...], list[int]]


class Writer:
    """Collects the samples of one moment, in one transaction of the metrics' database."""

    def __init__(self, core: Core, tx: Tx, at: int) -> None:
        self._core, self._tx, self._at = core, tx, at
        self._known = remembered(core)
        self.numbers: list[int] = []
        self.values: list[float] = []
        self._later: list[tuple[Thing, tuple[str, ...], tuple[float, ...]]] = []

    def add(self, thing: Thing, names: tuple[str, ...], values: tuple[float, ...]) -> None:
        known = self._known.get(thing.text)
        same = known is not None and (known.thing is thing or known.thing == thing)
        numbers = known.shapes.get(names) if known is not None and same else None
        if numbers is None:
            self._later.append((thing, names, values))
            return
        self.numbers += numbers
        self.values += values

    def finish(self) -> tuple[list[int], list[int], list[float]]:
        """(numbers of metrics, moments, values) of all that was added."""
        if self._later:
            found = _ensure(self._core, self._tx, self._known, self._later)
            for thing, names, values in self._later:
                known = found[thing.text]
                known.shapes[names] = [known.numbers[name] for name in names]
                self.numbers += known.shapes[names]
                self.values += values
            # What is rolled back is not there: it must not be remembered.
            self._tx.after_commit(lambda: remembered(self._core).update(found))
        return self.numbers, [self._at] * len(self.numbers), self.values


def prepare(core: Core, wanted: Sequence[tuple[Thing, Values]]) -> None:
    """Where there is much that is not known yet it is made before its samples are written: in parts, between which
    others write."""
    known = remembered(core)
    new = [
        one
        for one in wanted
        if (there := known.get(one[0].text)) is None or (there.thing is not one[0] and there.thing != one[0])
    ]
    if len(new) <= AT_ONCE:
        return
    for begin in range(0, len(new), AT_ONCE):
        with database.of(core).write() as tx:
            writer = Writer(core, tx, 0)
            for thing, values in new[begin : begin + AT_ONCE]:
                writer.add(thing, *values)
            writer.finish()


def remembered(core: Core) -> dict[str, Known]:
    held = core.memory.get(MEMORY)
    if held is None or time.monotonic() - held[0] > FRESH_SECONDS:
        held = core.memory[MEMORY] = (time.monotonic(), {})
    found: dict[str, Known] = held[1]
    return found


def forget(core: Core, texts: Iterable[str]) -> None:
    """These ended: when one comes back it is looked up, and is there again."""
    known = remembered(core)
    for text in texts:
        known.pop(text, None)


def _ensure(
    core: Core, tx: Tx, known: Mapping[str, Known], wanted: Sequence[tuple[Thing, tuple[str, ...], Any]]
) -> dict[str, Known]:
    rows = {row.id: row for row in store.of_ids(tx, [thing.id for thing, *_ in wanted])}
    strangers = [row.id for row in rows.values() if row.creator != access.CLOUD]
    if strangers:
        # Somebody took the id of what he does not own: what the cloud measures comes first.
        resources.remove(tx, strangers)
        rows = {resource_id: row for resource_id, row in rows.items() if resource_id not in strangers}
    metrics: dict[str, dict[str, int]] = {}
    for one in metric_store.of_resources(tx, rows):
        metrics.setdefault(one.resource_id, {})[one.name] = one.number
    new: list[dict[str, Any]] = []
    for thing, names, _ in wanted:
        _put(tx, thing, rows.get(thing.id))
        for name in names:
            if name not in metrics.setdefault(thing.id, {}):
                metrics[thing.id][name] = -1
                new.append(_metric(core, thing.id, name))
    metric_store.add(tx, new)
    if new:
        ids = [one["id"] for one in new]
        for row in metric_store.of_ids(tx, ids):
            metrics[row.resource_id][row.name] = row.number
    found: dict[str, Known] = {}
    for thing, *_ in wanted:
        former = known.get(thing.text)
        shapes = dict(former.shapes) if former is not None and former.thing == thing else {}
        found[thing.text] = Known(thing, metrics[thing.id], shapes)
    return found


def _put(tx: Tx, thing: Thing, row: Any) -> None:
    attributes = dict(thing.attributes)
    owners = {"project_id": thing.project_id, "user_id": thing.user_id}
    if row is None:
        store.add(
            tx,
            id=thing.id,
            original_resource_id=thing.text,
            type=thing.type,
            creator=access.CLOUD,
            created_by_project_id=access.CLOUD,
            started_at=thing.started_at or tx.now,
            ended_at=None,
            revision_start=tx.now,
            attributes=attributes,
            **owners,
        )
        return
    changed: dict[str, Any] = {name: value for name, value in owners.items() if getattr(row, name) != value}
    if row.attributes != attributes:
        changed["attributes"] = attributes
    if row.ended_at is not None:
        changed["ended_at"] = None
    if changed:
        store.keep_revision(tx, row, tx.now)
        store.change(tx, row.id, revision_start=tx.now, **changed)


def _metric(core: Core, resource_id: str, name: str) -> dict[str, Any]:
    counter = name in COUNTERS
    return {
        "id": str(uuid.uuid4()),
        "name": name,
        "unit": UNITS[name],
        "creator": access.CLOUD,
        "created_by_project_id": access.CLOUD,
        "archive_policy_name": core.config.metric.archive_policy + ("-rate" if counter else ""),
        "resource_id": resource_id,
        "counter": counter,
    }


def end(tx: Tx, type_name: str, living: Iterable[str]) -> list[str]:
    """What the cloud measured of this type and is not there any more ended now: the ids of that as texts, as those of
    ``living`` are."""
    there = {identity(text) for text in living}
    gone = [resource_id for resource_id in store.unended(tx, type_name, access.CLOUD) if resource_id not in there]
    return [_end(tx, row) for row in store.of_ids(tx, gone)]


def end_parts(tx: Tx, living: set[str]) -> list[str]:
    """The same of the disks and cards of servers: ``living`` are the servers."""
    return [
        _end(tx, row)
        for type_name in ("instance_disk", "instance_network_interface")
        for row in store.parts_unended(tx, type_name, access.CLOUD)
        if row.attributes.get("instance_id") not in living
    ]


def _end(tx: Tx, row: Any) -> str:
    store.keep_revision(tx, row, tx.now)
    store.change(tx, row.id, ended_at=tx.now, revision_start=tx.now)
    return str(row.original_resource_id)
