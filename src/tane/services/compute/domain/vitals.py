"""Whether servers that count by their number alone do what they are there for, as far as the cloud knows it.

What somebody did on purpose (stopped, paused, shelved, rescued it) is no failure; nor is what is being done just now.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.hosts import leases
from tane.hosts import store as hosts
from tane.services.compute.domain.guests import replaced
from tane.services.compute.domain.replacing import too_many_at_once
from tane.services.compute.domain.states import CRASHED
from tane.services.compute.store import servers

SILENT = timedelta(seconds=60)
"""So long, and the margin of leases, nothing is heard of a host before its servers count as lost."""
MANY = 500


State = Literal["well", "busy", "left", "failed"]


class Vital(NamedTuple):
    """``state``: ``busy`` while something is under way, ``left`` where somebody put it aside, ``failed`` for
    ``reason``."""

    server_id: str
    state: State
    reason: str = ""
    host_id: str | None = None
    project_id: str = ""


def vitals(tx: Tx, server_ids: Sequence[str], lost: Collection[str]) -> dict[str, Vital]:
    """What is known of servers, by id; of those that never were, or are forgotten, nothing. ``lost``: hosts that are
    gone."""
    found: list[Row[Any]] = []
    for start in range(0, len(server_ids), MANY):
        found += servers.states(tx, server_ids[start : start + MANY])
    return {row.id: Vital(row.id, *_state(tx, row, lost), row.host_id, row.project_id) for row in found}


def _state(tx: Tx, row: Row[Any], lost: Collection[str]) -> tuple[State, str]:
    if row.deleted:
        return "failed", "it was deleted"
    if row.vm_state == "error":
        whole = servers.get(tx, row.id)
        told = {} if whole is None else whole.fault or {}
        return "failed", f"it is in error: {told.get('message', 'nobody knows why')}"
    if row.task_state is not None or row.vm_state == "building":
        return "busy", ""
    if row.vm_state == "active":
        if row.host_id not in lost:
            return "well", ""
        found = servers.get(tx, row.id)
        # Compute makes such a one again itself.
        return ("busy", "") if found is not None and replaced(found) else ("failed", "its host is lost")
    if row.vm_state == "stopped" and row.ended_by_itself:
        return "failed", "its guest ended all at once" if row.power_state == CRASHED else "it has shut itself down"
    return "left", ""


def lost_hosts(core: Core, connected: Collection[str], since: datetime) -> set[str]:
    """Hosts that are gone as far as servers are concerned of which others do as well: silent for over a minute, or
    called dead. None of those of which too many are silent at once, none while this cloud itself has not been awake
    for as long (``since``), and none while no other host could take a server."""
    with core.db.read() as tx:
        rows = [row for row in hosts.all_hosts(tx) if "compute" in row.roles]
        now = tx.now
    away = [row for row in rows if row.id not in connected and row.last_seen + leases.MARGIN < now]
    if not any(row.enabled and row not in away for row in rows):
        return set()
    dead = {row.id for row in away if row.forced_down}
    if since + SILENT + leases.MARGIN >= now:
        return dead
    silent = [row for row in away if not row.forced_down]
    doubtful = too_many_at_once(silent, len(rows))
    return dead | {row.id for row in silent if row not in doubtful and row.last_seen + SILENT + leases.MARGIN < now}
