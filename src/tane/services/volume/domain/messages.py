"""What went wrong after the answer was sent, told to the project (Cinder's user messages).

An event is named by what was done and what came of it; its text says no more than any member may read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain.common import new_id
from tane.services.volume.store import messages
from tane.services.volume.store.volumes import Page
from tane.web.context import Context
from tane.web.errors import NotFound

VOLUME, SNAPSHOT, BACKUP = "VOLUME", "VOLUME_SNAPSHOT", "VOLUME_BACKUP"
ACTIONS = {
    "001": "schedule allocate volume",
    "003": "copy volume to image",
    "005": "copy image to volume",
    "007": "extend volume",
    "008": "create volume from backend storage",
    "009": "create snapshot",
    "010": "delete snapshot",
    "013": "create backup",
    "014": "delete backup",
    "015": "restore backup",
}
SCHEDULE, TO_IMAGE, FROM_IMAGE, EXTEND, CREATE, TAKE, DROP, BACK_UP, DROP_BACKUP, RESTORE = ACTIONS
DETAILS = {
    "001": "An unknown error occurred.",
    "003": "Could not find any available weighted backend.",
    "004": "Failed to upload volume to image at backend.",
    "006": "Not enough quota resource for operation.",
    "007": "Image used for creating volume exceeds available space.",
    "010": "Volume Driver failed to extend volume.",
    "012": "Driver failed to create the volume.",
    "013": "Snapshot failed to create.",
    "016": "Snapshot failed to delete.",
}
UNKNOWN, NO_POOL, NO_UPLOAD, OVER_QUOTA, NO_SPACE, NOT_EXTENDED, NOT_MADE, NOT_TAKEN, NOT_DROPPED = DETAILS
KEPT = timedelta(days=30)
"""How long a message is kept at least (Cinder's ``message_ttl``)."""


def record(
    tx: Tx, *, project_id: str, request_id: str | None, resource_id: str, action: str, detail: str, kind: str = VOLUME
) -> None:
    """Tell the project of a failure, in the transaction that makes it visible."""
    values = {
        "id": new_id(),
        "project_id": project_id,
        "request_id": request_id,
        "resource_type": kind,
        "resource_uuid": resource_id,
        "event_id": f"VOLUME_{kind}_{action}_{detail}",
        "user_message": f"{ACTIONS[action]}:{DETAILS[detail]}",
        "message_level": "ERROR",
        "expires_at": tx.now + KEPT,
    }
    messages.add(tx, values)


def index(core: Core, ctx: Context, conditions: Sequence[Any], wanted: Page) -> list[Row[Any]]:
    with core.db.read() as tx:
        marker = _get(tx, ctx, wanted.marker) if wanted.marker else None
        return messages.find(tx, conditions, wanted, marker)


def show(core: Core, ctx: Context, message_id: str) -> Row[Any]:
    """:raises NotFound:"""
    with core.db.read() as tx:
        return _get(tx, ctx, message_id)


def delete(core: Core, ctx: Context, message_id: str) -> None:
    """:raises NotFound:"""
    with core.db.write() as tx:
        _get(tx, ctx, message_id)
        messages.remove(tx, message_id)


def forget_expired(core: Core) -> int:
    """Delete what was kept long enough; returns how many."""
    with core.db.write() as tx:
        return messages.remove_expired(tx)


def _get(tx: Tx, ctx: Context, message_id: str) -> Row[Any]:
    row = messages.get(tx, message_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"Message {message_id} could not be found.")
    return row
