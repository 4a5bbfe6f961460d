"""What hosts measured comes in here: believed only of the servers that are on the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from tane.core import Core
from tane.hosts import store as hosts
from tane.services.compute import interface as compute
from tane.services.metric.domain import latest, measures, outgoing, timespans
from tane.services.metric.domain.measured import Thing, Values, Writer, prepare
from tane.services.metric.domain.meters import UNITS
from tane.services.metric.store import database
from tane.services.metric.store import measures as store
from tane.services.network import interface as network
from tane.wire.meters import Meters

LAYOUTS, MOST_LAYOUTS = "metric.layouts", 1000
OWN_DISKS = ("root", "ephemeral", "swap", "config")
"""Disks that a server may have and that are no volumes."""


def take(core: Core, host_id: str, meters: Meters) -> int:
    """Write a batch of a host; returns how many samples were new."""
    with core.db.read() as tx:
        host = hosts.get(tx, host_id)
        if host is None:
            return 0
        servers = compute.measured_on(tx, host_id)
        there = {row.id for row in servers}
        told = sorted({thing.id for thing in meters.things} & there)
        parts = Parts(compute.disks_on(tx, host_id), network.ports_of(tx, told))
    found = _recognised(core, host, servers, parts, meters)
    latest.keep(core, host_id, found)
    measures.make_room(core)
    prepare(core, found)
    with database.of(core).write() as tx:
        last = store.last_of(tx, host_id)
        if last is not None and last.run == meters.run and meters.sequence <= last.sequence:
            return 0
        at = timespans.of_naive(tx.now) - round(meters.age * timespans.SECOND)
        writer = Writer(core, tx, at)
        for thing, values in found:
            writer.add(thing, *values)
        numbers, times, values_ = writer.finish()
        measures.append(tx, numbers, times, values_)
        outgoing.keep(core, tx, at, numbers, values_)
        store.remember_sender(tx, host_id, meters.run, meters.sequence)
    measures.taken(core, numbers)
    return len(numbers)


@dataclass(frozen=True)
class Parts:
    """What servers have, by the database: a host is believed of nothing else. ``disks``: (server, volume) → its name;
    ``ports``: (server, port)."""

    disks: Mapping[tuple[str, str], str]
    ports: Set[tuple[str, str]]


Key = tuple[str, str, str | None, int, int]
"""Of a thing in a batch: kind, id, part, shape, and how many values it shows."""


@dataclass(frozen=True)
class Layout:
    """Of what a host told last, and what that was: ``things`` are those that are believed, each with its place in the
    batch and the names of its meters."""

    rows: tuple[Any, Sequence[Any], Parts]
    shapes: Sequence[tuple[str, ...]]
    keys: Sequence[Key]
    things: Sequence[tuple[int, Thing, tuple[str, ...]]]


def _recognised(
    core: Core, host: Any, servers: Sequence[Any], parts: Parts, meters: Meters
) -> Sequence[tuple[Thing, Values]]:
    """The things of a batch with their values. A host tells of the same ones again and again: while the rows are the
    same, so are these."""
    layouts: dict[str, Layout] = core.memory.setdefault(LAYOUTS, {})
    rows, told = (host.name, servers, parts), meters.things
    keys = [(one.kind, one.id, one.part, one.shape, len(one.values)) for one in told]
    known = layouts.get(host.id)
    if known is not None and known.keys == keys and known.shapes == meters.shapes and known.rows == rows:
        return [(thing, (names, told[place].values)) for place, thing, names in known.things]
    found = [*_things(host, {row.id: row for row in servers}, parts, meters)]
    layouts.pop(host.id, None)
    if all(len(names) == keys[place][-1] for place, _, (names, _) in found):
        while len(layouts) >= MOST_LAYOUTS:
            layouts.pop(next(iter(layouts)), None)
        things = [(place, thing, names) for place, thing, (names, _) in found]
        layouts[host.id] = Layout(rows, meters.shapes, keys, things)
    return [(thing, values) for _, thing, values in found]


def _things(host: Any, servers: Mapping[str, Any], parts: Parts, meters: Meters) -> Iterator[tuple[int, Thing, Values]]:
    """Each with its place in the batch."""
    # Names that are not known here are of a host whose release is newer.
    known = [all(name in UNITS for name in shape) for shape in meters.shapes]
    seen: set[tuple[str, str, str | None]] = set()
    for place, one in enumerate(meters.things):
        key = one.kind, one.id, one.part
        if key in seen:
            continue  # A thing shows its values once.
        seen.add(key)
        if one.shape >= len(known) or len(one.values) != len(meters.shapes[one.shape]):
            continue  # It makes no sense.
        values = meters.shapes[one.shape], one.values
        if not known[one.shape]:
            pairs = [(name, value) for name, value in zip(*values, strict=True) if name in UNITS]
            values = tuple(name for name, _ in pairs), tuple(value for _, value in pairs)
        if one.kind == "host":
            if one.id == host.id:
                yield place, Thing(host.id, "host", None, None, (("host_name", host.name),)), values
            continue
        server = servers.get(one.id)
        if server is None:
            continue  # It was deleted, or it moved.
        if one.kind == "guest":
            yield place, _guest(server), values
        elif one.part is not None and (thing := _part(server, one.kind, one.part, parts)) is not None:
            yield place, thing, values


def instance_attributes(row: Any) -> tuple[tuple[str, Any], ...]:
    flavor = row.flavor
    return (
        ("flavor_id", row.flavor_id),
        ("flavor_name", flavor.get("original_name", row.flavor_id)),
        ("image_ref", row.image_ref or row.image_id),
        ("host", row.host_name or ""),
        ("display_name", row.name),
        ("server_group", row.group_id),
        ("created_at", timespans.iso(row.created_at)),
        ("launched_at", timespans.iso(row.launched_at)),
        ("deleted_at", None),
    )


def _guest(row: Any) -> Thing:
    return Thing(row.id, "instance", row.project_id, row.user_id, instance_attributes(row), row.created_at)


def _part(row: Any, what: str, part: str, parts: Parts) -> Thing | None:
    """A card or a disk of a server; None: it has none of that name, or not any more."""
    if what == "nic":
        if (row.id, part) not in parts.ports:
            return None
        name = f"tap{part[:11]}"
        text, kind = f"instance-{row.number:08x}-{row.id}-{name}", "instance_network_interface"
    else:
        if part not in OWN_DISKS and (row.id, part) not in parts.disks:
            return None
        name = parts.disks.get((row.id, part)) or {"root": "vda"}.get(part, part)
        text, kind = f"{row.id}-{name}", "instance_disk"
    return Thing(text, kind, row.project_id, row.user_id, (("name", name), ("instance_id", row.id)))


def sizes(row: Any) -> dict[str, float]:
    """What is known of a server without its host."""
    return {
        "vcpus": float(row.vcpus),
        "memory": float(row.ram_mb),
        "disk.root.size": float(row.disk_gb),
        "disk.ephemeral.size": float(row.flavor.get("ephemeral") or 0),
    }
