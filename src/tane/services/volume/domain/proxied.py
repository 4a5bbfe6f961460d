"""What the compute API's proxies ask of block storage: the volumes and snapshots of the caller's project."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.volume.domain import snapshots, volumes
from tane.services.volume.domain.volumes import Shown
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume, volume_snapshot
from tane.web.context import Context

NEWEST_FIRST = [("created_at", True), ("id", True)]


def project_volumes(core: Core, ctx: Context, *, limit: int, offset: int) -> list[Shown]:
    """A page of the project's volumes with their attachments, the newest first."""
    wanted = Page(order=NEWEST_FIRST, limit=limit, offset=offset)
    return volumes.index(core, ctx, [volume.c.project_id == ctx.project_id], wanted, counted=False)[0]


def project_snapshots(core: Core, ctx: Context, *, limit: int, offset: int) -> list[Row[Any]]:
    """A page of the project's snapshots, the newest first."""
    wanted = Page(order=NEWEST_FIRST, limit=limit, offset=offset)
    return snapshots.index(core, ctx, [volume_snapshot.c.project_id == ctx.project_id], wanted, counted=False)[0]
