"""What a snapshot of a stack keeps in other services: backups of volumes and images of servers, and how they go.

Heat keeps the same, under the same names: a snapshot of a volume would go with it, and could not be put back into it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.orchestration.resources.base import Failed
from tane.web import inside
from tane.web.context import Context
from tane.web.errors import ApiError, NotFound
from tane.web.inside import part

BACKUP, IMAGE = "backup_id", "snapshot_image_id"
NAMED = (BACKUP, IMAGE)


def is_kept(data: Mapping[str, Any]) -> bool:
    """Whether something of a resource is kept elsewhere."""
    return any(data.get(name) for name in NAMED)


def delete(core: Core, ctx: Context, data: Mapping[str, Any]) -> str | None:
    """Delete what is kept of one resource, as ``ctx``. None when it is gone; else the resource of the job to wait for.

    :raises ApiError: he may not, or something stands in the way. :raises Failed: it went wrong.
    """
    if data.get(IMAGE):
        with contextlib.suppress(NotFound):
            inside.call(core, ctx, "image", "DELETE", f"/v2/images/{part(str(data[IMAGE]))}")
    return _delete_backup(core, ctx, str(data[BACKUP])) if data.get(BACKUP) else None


def _delete_backup(core: Core, ctx: Context, backup_id: str) -> str | None:
    path = f"/v3/backups/{part(backup_id)}"
    try:
        found = inside.call(core, ctx, "volume", "GET", path)["backup"]
        if found["status"] in ("available", "error"):
            inside.call(core, ctx, "volume", "DELETE", path)
    except NotFound:
        return None
    if found["status"] == "error_deleting":
        raise Failed(f"The backup {backup_id} went to status error_deleting")
    return f"volume:{found['volume_id']}" if found["status"] == "restoring" else f"backup:{backup_id}"


def is_at(core: Core, ctx: Context, volume_id: str, server_id: str) -> bool:
    """Whether a volume is at a server, as far as ``ctx`` sees it."""
    with contextlib.suppress(ApiError):
        found = inside.call(core, ctx, "volume", "GET", f"/v3/volumes/{part(volume_id)}")["volume"]
        return any(one["server_id"] == server_id for one in found["attachments"])
    return False


def restored(data: Mapping[str, Any], row: Row[Any] | None) -> dict[str, Any]:
    """The properties by which a resource becomes again what it was; ``row``: as it is now."""
    if data.get(IMAGE):
        return {"image": data[IMAGE]}
    if not data.get(BACKUP):
        return {}
    found = {"backup_id": data[BACKUP]}
    # Volumes do not shrink: one that has grown since keeps its size.
    size = None if row is None else row.properties.get("size")
    return {**found, "size": size} if size and size > (data.get("size") or 0) else found
