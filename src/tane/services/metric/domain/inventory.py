"""What rows tell: sizes of servers, volumes and images, floating IPs, object storage; and what ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tane.core import Core
from tane.hosts import store as hosts
from tane.services.compute import interface as compute
from tane.services.image import interface as image
from tane.services.metric.domain import gathering, latest, measured, measures, outgoing, timespans
from tane.services.metric.domain.measured import Thing, Writer
from tane.services.metric.store import database
from tane.services.network import interface as network
from tane.services.object import interface as objects
from tane.services.volume import interface as volume

ACCOUNT = "AUTH_"


def take(core: Core) -> tuple[int, int]:
    """One round of it: (samples, resources that ended)."""
    things = [(thing, (tuple(values), tuple(values.values()))) for thing, values in _things(core)]
    latest.keep(core, latest.ROWS, things)
    with core.db.read() as tx:
        living = compute.living(tx)
    if not things and not database.exists(core):
        return 0, 0
    measures.make_room(core)
    measured.prepare(core, things)
    with database.of(core).write() as tx:
        writer = Writer(core, tx, timespans.of_naive(tx.now))
        by_type: dict[str, list[str]] = {"volume": [], "image": [], "network": [], "swift_account": []}
        for thing, values in things:
            writer.add(thing, *values)
            by_type.setdefault(thing.type, []).append(thing.text)
        numbers, times, values_ = writer.finish()
        measures.append(tx, numbers, times, values_)
        outgoing.keep(core, tx, timespans.of_naive(tx.now), numbers, values_)
        # A server that is on no host now (shelved, say) is there all the same.
        by_type["instance"] = list(living)
        gone = [text for name, texts in by_type.items() if name != "host" for text in measured.end(tx, name, texts)]
        gone += measured.end_parts(tx, living)
    measured.forget(core, gone)
    measures.taken(core, numbers)
    return len(numbers), len(gone)


def _things(core: Core) -> Iterator[tuple[Thing, dict[str, float]]]:
    with core.db.read() as tx:
        for host in hosts.all_hosts(tx):
            for row in compute.measured_on(tx, host.id):
                thing = Thing(
                    row.id, "instance", row.project_id, row.user_id, gathering.instance_attributes(row), row.created_at
                )
                yield thing, gathering.sizes(row)
        for row in volume.measured(tx):
            attributes: tuple[tuple[str, Any], ...] = (
                ("display_name", row.name),
                ("volume_type", row.type_name),
                ("image_id", None),
                ("instance_id", None),
            )
            yield (
                Thing(row.id, "volume", row.project_id, row.user_id, attributes, row.created_at),
                {"volume.size": float(row.size)},
            )
        for row in image.measured(tx):
            attributes = (
                ("name", row.name or ""),
                ("container_format", row.container_format),
                ("disk_format", row.disk_format),
            )
            yield (
                Thing(row.id, "image", row.project_id, None, attributes, row.created_at),
                {"image.size": float(row.size)},
            )
        for row in network.floating_measured(tx):
            yield Thing(row.id, "network", row.project_id, None, (), row.created_at), {"ip.floating": 1.0}
    for row in objects.measured(core):
        project = row.name.removeprefix(ACCOUNT)
        values = {
            "storage.objects": float(row.objects),
            "storage.objects.size": float(row.bytes),
            "storage.objects.containers": float(row.containers),
        }
        yield Thing(project, "swift_account", project, None, ()), values
