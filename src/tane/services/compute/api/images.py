"""Images as older clients ask compute for them; until 2.35 (Compute API: "Images", deprecated)."""

from __future__ import annotations

from typing import Any

from tane.services.compute.api.common import links
from tane.services.image import interface as image
from tane.web.codec import iso
from tane.web.request import Request

STATUS = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "killed": "ERROR", "deactivated": "ACTIVE"}
PROGRESS = {"queued": 25, "saving": 50, "killed": 0}


def view(request: Request, info: image.ImageInfo) -> dict[str, Any]:
    """An image in compute's words."""
    body: dict[str, Any] = {
        "id": info.id,
        "name": info.name,
        "status": STATUS.get(info.status, "UNKNOWN"),
        "progress": PROGRESS.get(info.status, 100),
        "created": iso(info.created_at),
        "updated": iso(info.updated_at),
        "minDisk": info.min_disk,
        "minRam": info.min_ram,
        "metadata": image.readable(request.core, request.ctx, info.properties),
        "links": links(request, "images", info.id),
        "OS-EXT-IMG-SIZE:size": info.size,
    }
    elsewhere = {
        "rel": "alternate",
        "type": "application/vnd.openstack.image",
        "href": f"{request.base_url}/image/images/{info.id}",
    }
    body["links"].append(elsewhere)
    return body


def show(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"image": view(request, image.visible_image(tx, request.ctx, request.path["image_id"]))}


def delete(request: Request) -> None:
    image.remove_image(request.core, request.ctx, request.path["image_id"])
