"""The cache and the limits of images (Image API v2: "Cache Manage", "Quota usage")."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from sqlalchemy.engine import Row

from tane.services.image.domain import cache, images, quotas
from tane.web.request import Request, Response


def index(request: Request) -> dict[str, Any]:
    found = cache.entries(request.core)
    return {
        "cached_images": [_view(entry) for entry in found if entry.status == "cached"],
        "queued_images": [entry.image_id for entry in found if entry.status == "queued"],
    }


def _view(entry: Row[Any]) -> dict[str, Any]:
    """Times are seconds of Unix, as Glance tells them."""
    return {
        "image_id": entry.image_id,
        "hits": entry.hits,
        "last_accessed": entry.last_accessed.replace(tzinfo=UTC).timestamp(),
        "last_modified": entry.last_modified.replace(tzinfo=UTC).timestamp(),
        "size": entry.size,
    }


def queue(request: Request) -> None:
    cache.queue(request.core, images.show(request.core, request.ctx, request.path["image_id"]).row.id)


def remove(request: Request) -> None:
    cache.remove(request.core, images.show(request.core, request.ctx, request.path["image_id"]).row.id)


def clear(request: Request) -> None:
    cache.clear(request.core, request.headers.get("x-image-cache-clear-target", "").lower())


def clean(request: Request) -> Response:
    cache.entries(request.core)
    cache.sweep(request.core)
    return Response(status=200)


def prune(request: Request) -> dict[str, Any]:
    files, size = cache.prune(request.core)
    return {"total_files_pruned": files, "total_bytes_pruned": size}


def usage(request: Request) -> dict[str, Any]:
    """What the caller's project uses of each limit; sizes in MiB."""
    with request.core.db.read() as tx:
        limits = quotas.limits(tx, request.core, request.ctx.project_id)
        used = quotas.usage(tx, request.ctx.project_id)
    return {"usage": {name: {"usage": used[name], "limit": limits[name]} for name in quotas.RESOURCES}}
