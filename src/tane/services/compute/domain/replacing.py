"""Servers whose flavor says ``ha:policy=evacuate``: when their host is lost, another one makes them again.

Only those whose guests are known to have ended: the host leased them, so that it ended them itself when the cloud
answered no more (decision 25), or an administrator said that it is dead.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import leases
from tane.hosts import store as hosts
from tane.jobs import pending
from tane.services.compute.domain.common import new_id, of_project
from tane.services.compute.domain.guests import replaced
from tane.services.compute.domain.moves import order
from tane.services.compute.store import servers
from tane.web.errors import ApiError

SHARE = 5
"""One host in so many, and at least one, may be lost for its servers to be replaced: where more are silent at once, it
is rather the network between them and the cloud."""
TOGETHER = timedelta(minutes=10)
"""Hosts that were last heard of so near to each other count as silent at once, whether they lease anything or not."""
STEP_SECONDS = 5.0
"""By so much, less than the margin of leases, the clock may get away from the machine's own time; else it was set."""
AGAIN = timedelta(minutes=5)
"""After which a server is tried again that could not be made elsewhere."""


def lost(core: Core, connected: Collection[str], since: datetime) -> tuple[list[Row[Any]], str | None]:
    """The hosts that are gone for certain, with what they leased; and a sentence on those of which too many are silent
    at once. ``connected``: those that are not; ``since``: from when on this cloud has been awake without a break."""
    with core.db.read() as tx:
        if not {*hosts.leasing_or_dead(tx)} - {*connected}:
            return [], None
        rows = [row for row in hosts.all_hosts(tx) if "compute" in row.roles]
        away = [row for row in rows if row.id not in connected and row.last_seen + leases.MARGIN < tx.now]
        silent = [row for row in away if not row.forced_down]
        ended = {row.id for row in silent if leases.ended(tx, row)}
        awake = since + timedelta(seconds=core.config.lease_seconds) + leases.MARGIN < tx.now
    dead = [row for row in away if row.forced_down]
    if not awake:
        # They are about to come back to a cloud that was away itself.
        return dead, None
    doubtful = too_many_at_once(silent, len(rows))
    gone = dead + [row for row in silent if row.id in ended and row not in doubtful]
    if not any(row.id in ended for row in doubtful):
        return gone, None
    names = ", ".join(row.name for row in doubtful)
    return gone, (
        f"{len(doubtful)} of {len(rows)} hosts are silent ({names}): their servers are not replaced. "
        "Of one that is dead say so: tane host confirm-dead"
    )


def too_many_at_once(silent: list[Row[Any]], hosts_in_all: int) -> list[Row[Any]]:
    """Those of the silent beside which more than a share of all hosts fell silent at the same time, themselves
    counted."""
    most = max(1, hosts_in_all // SHARE)
    return [row for row in silent if sum(abs(other.last_seen - row.last_seen) <= TOGETHER for other in silent) > most]


def awake_since(core: Core, key: str, longest: float) -> datetime:
    """From when on this cloud has been awake without a break, for somebody who asks at least every ``longest`` seconds
    and remembers it by ``key``."""
    now, uptime = core.clock.now(), core.clock.uptime()
    since: datetime
    since, then, last = core.memory.get(key, (now, uptime, uptime))
    if uptime - last > longest or abs((now - since).total_seconds() - (uptime - then)) > STEP_SECONDS:
        since, then = now, uptime
    core.memory[key] = (since, then, uptime)
    return since


def replace(core: Core, host: Row[Any]) -> list[str]:
    """Order that the servers of a host that is gone are made again elsewhere; returns what was ordered, and what cannot
    be, in sentences."""
    with core.db.read() as tx:
        found = [row.id for row in servers.on_host(tx, host.id) if _due(tx, host, row)]
    return [told for server_id in found if (told := _replace(core, host, server_id))]


def _due(tx: Tx, host: Row[Any], row: Row[Any]) -> bool:
    if not replaced(row) or not (host.forced_down or row.id in (host.leased or ())):
        return False
    if row.vm_state == "error" and row.updated_at is not None and row.updated_at + AGAIN > tx.now:
        return False
    return row.vm_state in ("active", "error") and row.task_state is None and pending(tx, f"server:{row.id}") is None


def _replace(core: Core, host: Row[Any], server_id: str) -> str | None:
    with core.db.write() as tx:
        row, now = servers.get(tx, server_id), hosts.get(tx, host.id)
        # It may have come back, or the server been seen to, since it was looked at.
        unheard = now is not None and now.last_seen + leases.MARGIN < tx.now
        gone = now is not None and unheard and (now.forced_down or leases.ended(tx, now))
        if row is None or now is None or not gone or row.host_id != host.id or not _due(tx, now, row):
            return None
        try:
            order(
                tx,
                core,
                of_project(row, f"req-{new_id()}"),
                row,
                "evacuation",
                {"id": row.flavor_id, **row.flavor},
                vm_state="active",
            )
        except ApiError as error:
            return f"{server_id} stays on {host.name}, which is lost: {error.message}"
    return f"{server_id} is made again: {host.name} is lost"
