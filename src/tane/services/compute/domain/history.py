"""What was done to a server: its jobs and their steps (Compute API: "Servers actions")."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import store as jobs
from tane.services.compute.domain.servers import host_hash
from tane.services.compute.store import servers
from tane.web.context import Context
from tane.web.errors import NotFound

NAMES = {
    "create_server": "create",
    "delete_server": "delete",
    "start_server": "start",
    "stop_server": "stop",
    "reboot_server": "reboot",
    "pause_server": "pause",
    "unpause_server": "unpause",
    "suspend_server": "suspend",
    "resume_server": "resume",
    "rebuild_server": "rebuild",
    "resize_server": "resize",
    "live_migrate_server": "live-migration",
    "migrate_server": "migrate",
    "confirm_resize": "confirmResize",
    "revert_resize": "revertResize",
    "evacuate_server": "evacuate",
    "rescue_server": "rescue",
    "unrescue_server": "unrescue",
    "shelve_server": "shelve",
    "unshelve_server": "unshelve",
    "create_image": "createImage",
    "create_volume_image": "createImage",
}


@dataclass
class Event:
    """One step of an action. ``result``: "Success", "Error", or None while it runs."""

    name: str
    started_at: datetime
    host_name: str | None
    host_hash: str
    finished_at: datetime | None = None
    result: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Action:
    name: str
    job: Row[Any]
    events: list[Event] = field(default_factory=list)


def _name(job: Row[Any]) -> str:
    operation: str = job.operation.removeprefix("compute.")
    return NAMES.get(operation, operation)


def actions(core: Core, ctx: Context, server_id: str) -> list[Action]:
    """Newest first; of a deleted server too."""
    with core.db.read() as tx:
        _require(tx, ctx, server_id)
        return [Action(_name(job), job) for job in jobs.history(tx, f"server:{server_id}")]


def action(core: Core, ctx: Context, server_id: str, request_id: str) -> Action | None:
    with core.db.read() as tx:
        row = _require(tx, ctx, server_id)
        for job in jobs.history(tx, f"server:{server_id}"):
            if job.request_id == request_id:
                return Action(_name(job), job, _events(tx, row, job))
    return None


def _require(tx: Tx, ctx: Context, server_id: str) -> Row[Any]:
    row = servers.get(tx, server_id, deleted=True)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"Instance {server_id} could not be found.")
    return row


def _events(tx: Tx, row: Row[Any], job: Row[Any]) -> list[Event]:
    found: list[Event] = []
    for note in jobs.events(tx, job.id):
        if note.event == "started":
            host = host_hash(row.project_id, row.host_name)
            found.append(Event(f"{_name(job)}_{note.step}", note.created_at, row.host_name, host))
        elif found and note.event in ("done", "failed"):
            last = found[-1]
            last.finished_at = note.created_at
            last.result = "Success" if note.event == "done" else "Error"
            last.detail = note.detail
    return found
