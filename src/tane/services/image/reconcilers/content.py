"""Keeps the image store and the database in agreement after crashes and deletions."""

from __future__ import annotations

from tane.core import Core
from tane.jobs import Reconciler
from tane.services.image.domain import content


async def sweep(core: Core) -> str | None:
    requeued, removed = await core.in_thread(content.sweep, core)
    if not requeued and not removed:
        return None
    return f"requeued {requeued} images whose upload had died, removed {removed} files of no image"


RECONCILER = Reconciler("image-content", sweep, interval=60.0, topic=content.TOPIC)
