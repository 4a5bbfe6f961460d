"""What other services, and the composition root, may ask of compute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.compute.domain import metadata as metadata_tree
from tane.services.compute.domain.moves import source_of_move
from tane.services.compute.domain.power import guest_changed
from tane.services.compute.domain.replacing import awake_since
from tane.services.compute.domain.scheduler import zones
from tane.services.compute.domain.vitals import Vital, lost_hosts, vitals
from tane.services.compute.store import block_devices, consumers, groups, migrations, servers

__all__ = [
    "Vital",
    "aggregates_by_host",
    "awake_since",
    "consumer",
    "disks_on",
    "guest_changed",
    "living",
    "lost_hosts",
    "measured_on",
    "metadata",
    "server_exists",
    "servers_by_host",
    "source_of_move",
    "usages",
    "vitals",
    "zones",
]


async def metadata(
    core: Core, host_id: str, port_id: str, path: str, headers: Mapping[str, str]
) -> tuple[int, str, bytes]:
    """What a guest on the host gets from 169.254.169.254: (status, content type, body) for a request through its
    port."""
    return await metadata_tree.answer(core, host_id, port_id, path, headers)


def consumer(tx: Tx, consumer_id: str) -> Any | None:
    """The server or the move that is known as a consumer: (id, project_id, user_id, type: INSTANCE or MIGRATION)."""
    return consumers.get(tx, consumer_id)


def usages(tx: Tx, project_id: str, user_id: str | None) -> dict[str, tuple[int, dict[str, int]]]:
    """INSTANCE, MIGRATION → (how many of a project's, or a user's in it, hold something; resource class → amount)."""
    found: dict[str, tuple[int, dict[str, int]]] = {
        kind: (number, {}) for kind, number in consumers.counts(tx, project_id, user_id).items()
    }
    for row in consumers.usages(tx, project_id, user_id):
        found[row.type][1][row.resource_class] = int(row.amount)
    return found


def server_exists(tx: Tx, server_id: str) -> bool:
    return servers.get(tx, server_id) is not None


def measured_on(tx: Tx, host_id: str) -> list[Any]:
    """The servers that are on a host, as far as what is measured of them is concerned."""
    return servers.measured_on(tx, host_id)


def living(tx: Tx) -> set[str]:
    """Ids of all servers that are not deleted."""
    return servers.living(tx)


def disks_on(tx: Tx, host_id: str) -> dict[tuple[str, str], str]:
    """Of a host's servers: (server, volume) → the name that the server knows the volume by, such as ``vdb``."""
    return {
        (row.server_id, row.volume_id): (row.device or "").removeprefix("/dev/")
        for row in block_devices.on_host(tx, host_id)
    }


def servers_by_host(tx: Tx) -> dict[str, int]:
    """Host id → how many servers are on it, or may yet come back to it."""
    found = Counter({host_id: row.servers for host_id, row in servers.counts(tx).items()})
    found.update(migrations.open_by_host(tx))
    return dict(found)


def aggregates_by_host(tx: Tx) -> dict[str, list[str]]:
    """Host name → ids of the aggregates that it is in."""
    found: dict[str, list[str]] = {}
    for row in groups.aggregates(tx):
        for host in row.hosts:
            found.setdefault(host, []).append(row.uuid)
    return found
