"""Images and members as JSON (API reference: "Show image", "Show image member details")."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.config import ImageSettings
from tane.services.image.store.images import Image
from tane.web.codec import iso


def image_view(image: Image, settings: ImageSettings, *, located: bool) -> dict[str, Any]:
    """``located``: the caller may know where the data lies."""
    row, places = image.row, image.locations

    def weight(place: Row[Any]) -> int:
        return settings.stores[place.store].weight if place.store in settings.stores else 0

    best = sorted(places, key=lambda place: (-weight(place), place.store))
    more: dict[str, Any] = {"stores": ",".join(place.store for place in best)} if places else {}
    if settings.show_multiple_locations:
        shown = places if located else []
        more["locations"] = [{"url": place.url, "metadata": {**place.meta, "store": place.store}} for place in shown]
    if settings.show_image_direct_url and places and located:
        more["direct_url"] = best[0].url
    return {
        **image.properties,
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "visibility": row.visibility,
        "owner": row.project_id,
        "protected": row.protected,
        "os_hidden": row.os_hidden,
        "disk_format": row.disk_format,
        "container_format": row.container_format,
        "min_disk": row.min_disk,
        "min_ram": row.min_ram,
        "size": row.size,
        "virtual_size": row.virtual_size,
        "checksum": row.checksum,
        "os_hash_algo": row.os_hash_algo,
        "os_hash_value": row.os_hash_value,
        "tags": image.tags,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "self": f"/v2/images/{row.id}",
        "file": f"/v2/images/{row.id}/file",
        "schema": "/v2/schemas/image",
        **more,
    }


def member_view(row: Row[Any]) -> dict[str, Any]:
    return {
        "image_id": row.image_id,
        "member_id": row.member_id,
        "status": row.status,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "schema": "/v2/schemas/member",
    }
