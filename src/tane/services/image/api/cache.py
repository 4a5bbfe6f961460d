"""The cache and the limits of images (Image API v2: "Cache Manage", "Quota usage").

Every image's data lies in a store on this machine, or is a URL by its owner's wish: there is nothing to fetch ahead, so
the cache is always empty, and what is asked of it is done at once.
"""

from __future__ import annotations

from typing import Any

from tane.services.image.domain import images, quotas
from tane.web.errors import BadRequest
from tane.web.request import Request


def index(request: Request) -> dict[str, Any]:
    return {"cached_images": [], "queued_images": []}


def queue(request: Request) -> None:
    """:raises BadRequest: only what has data can be cached."""
    image = images.show(request.core, request.ctx, request.path["image_id"])
    if image.row.status != "active":
        raise BadRequest("Only images with status active can be targeted for queueing")


def remove(request: Request) -> None:
    images.show(request.core, request.ctx, request.path["image_id"])


def clear(request: Request) -> None:
    target = request.headers.get("x-image-cache-clear-target", "").lower()
    if target not in ("", "cache", "queue"):
        raise BadRequest("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")


def clean(request: Request) -> None:
    return


def prune(request: Request) -> dict[str, Any]:
    return {"total_files_pruned": 0, "total_bytes_pruned": 0}


def usage(request: Request) -> dict[str, Any]:
    """What the caller's project uses of each limit; sizes in MiB."""
    with request.core.db.read() as tx:
        limits = quotas.limits(tx, request.core, request.ctx.project_id)
        used = quotas.usage(tx, request.ctx.project_id)
    return {"usage": {name: {"usage": used[name], "limit": limits[name]} for name in quotas.RESOURCES}}
