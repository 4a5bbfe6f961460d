"""The services of block storage: a ``cinder-volume`` for each pool, and two that are parts of the controller, the
scheduler and ``cinder-backup``.

Each is switched alone: that no new volumes are made in a host's pool says nothing of what else the host does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tane.core import Core
from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.volume.domain.common import BACKEND
from tane.services.volume.store import services as store
from tane.services.volume.store import snapshots as snapshot_rows
from tane.services.volume.store import volumes as volume_rows
from tane.web.errors import BadRequest, NotFound, NotImplementedHere

VOLUME, SCHEDULER, BACKUP = "cinder-volume", "cinder-scheduler", "cinder-backup"


@dataclass(frozen=True)
class Service:
    """A service as it is listed. ``host``: as block storage names it, for a pool with the pool's name."""

    binary: str
    host: str
    host_id: str
    up: bool
    enabled: bool
    reason: str | None
    seen: datetime


@dataclass(frozen=True)
class Contents:
    """What a project has in a pool."""

    project_id: str
    volumes: int
    volume_gb: int
    snapshots: int
    snapshot_gb: int


COUNTED = ("volumes", "volume_gb", "snapshots", "snapshot_gb")


def contents(core: Core, host: str) -> list[Contents]:
    """:raises NotFound: no pool has this name."""
    with core.db.read() as tx:
        found = next((one for one in _all(tx) if (one.binary, one.host) == (VOLUME, host)), None)
        if found is None:
            raise NotFound(f"Host '{host}' could not be found.")
        volumes, snapshots = volume_rows.on_host(tx, found.host_id), snapshot_rows.on_host(tx, found.host_id)
    projects = sorted({*volumes, *snapshots})
    return [Contents(project, *volumes.get(project, (0, 0)), *snapshots.get(project, (0, 0))) for project in projects]


def freeze(core: Core, host: str) -> None:
    """:raises BadRequest: no pool has this name. :raises NotImplementedHere: one has."""
    with core.db.read() as tx:
        if all((one.binary, one.host) != (VOLUME, host) for one in _all(tx)):
            raise BadRequest(f"Invalid host: No valid host is named {host}.")
    raise NotImplementedHere("Freezing a pool is not possible yet; disable its service to make no new volumes in it.")


def index(core: Core) -> list[Service]:
    with core.db.read() as tx:
        return _all(tx)


def switch(core: Core, binary: str, host: str, *, enabled: bool, reason: str | None = None) -> None:
    """Whether new volumes are made in a pool, or backups are made at all.

    :raises NotFound: there is no such service on such a host. :raises NotImplementedHere: it is the scheduler.
    """
    with core.db.write() as tx:
        found = next((one for one in _all(tx) if (one.binary, one.host) == (binary, host)), None)
        if found is None:
            raise NotFound(f"Service {binary} could not be found on host {host}.")
        if binary == SCHEDULER:
            raise NotImplementedHere("The scheduler is part of the controller and cannot be disabled.")
        if enabled:
            for host_id in store.off(tx, binary) if binary == BACKUP else (found.host_id,):
                store.switch_on(tx, host_id, binary)
        else:
            store.switch_off(tx, found.host_id, binary, reason)


def backs_up(tx: Tx) -> bool:
    """Whether new backups are made."""
    return not store.off(tx, BACKUP)


def switch_pool(tx: Tx, host_id: str, *, enabled: bool, reason: str | None) -> None:
    """The same for the pool of a host, in the caller's transaction. Repeatable."""
    if enabled:
        store.switch_on(tx, host_id, VOLUME)
    else:
        store.switch_off(tx, host_id, VOLUME, reason)


def _all(tx: Tx) -> list[Service]:
    rows = hosts.all_hosts(tx)
    off = store.off(tx, VOLUME)
    found = [Service(SCHEDULER, rows[0].name, rows[0].id, True, True, None, tx.now)] if rows else []
    if rows:
        switched = next(iter(store.off(tx, BACKUP).values()), None)
        reason = None if switched is None else switched.reason
        found.append(Service(BACKUP, rows[0].name, rows[0].id, True, switched is None, reason, tx.now))
    for row in rows:
        if "volume" in row.roles:
            reason = off[row.id].reason if row.id in off else None
            name, up = f"{row.name}@{BACKEND}", hosts.is_up(tx, row)
            found.append(Service(VOLUME, name, row.id, up, row.id not in off, reason, row.last_seen))
    return found
