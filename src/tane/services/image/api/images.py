"""Images (Image API v2: "Images", "Image tags", image actions)."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.image import schemas
from tane.services.image.api.patch import changes_of
from tane.services.image.api.query import conditions_of, order_of, viewer_of
from tane.services.image.api.views import image_view
from tane.services.image.domain import images, protections, stores, updates
from tane.services.image.store.images import Image
from tane.web.errors import Forbidden
from tane.web.request import Request, Response

DEFAULT_LIMIT, MOST = 25, 1000
NEVER_GIVEN = ("direct_url", "self", "file", "schema", "stores")


def index(request: Request) -> dict[str, Any]:
    limit = min(request.number("limit", DEFAULT_LIMIT) or 0, MOST)
    viewer = viewer_of(request)
    shown, more = images.index(
        request.core, viewer, conditions_of(request), order_of(request), request.param("marker"), limit
    )
    answer: dict[str, Any] = {
        "images": [_view(request, image) for image in shown],
        "schema": "/v2/schemas/images",
        "first": _relative(request, marker=None),
    }
    if more and shown:
        answer["next"] = _relative(request, marker=shown[-1].row.id)
    return answer


def _view(request: Request, image: Image) -> dict[str, Any]:
    image.properties = protections.readable(request.core, request.ctx, image.properties)
    settings = request.core.config.image
    asked = settings.show_multiple_locations or settings.show_image_direct_url
    return image_view(image, settings, located=asked and request.allows("get_image_location"))


def _relative(request: Request, *, marker: str | None) -> str:
    link = request.next_page("/v2/images", marker or "").removeprefix(request.service_url)
    if marker is not None:
        return link
    return link.removesuffix("marker=").rstrip("?&")


def show(request: Request) -> dict[str, Any]:
    return _view(request, images.show(request.core, request.ctx, request.path["image_id"]))


def create(request: Request) -> Response:
    sent: dict[str, Any] = msgspec.json.decode(request.raw)
    for name in NEVER_GIVEN:
        if name in sent:
            raise Forbidden(f"Attribute '{name}' is read-only.")
    known = schemas.ImageCreate.__struct_fields__
    values = {name: getattr(request.body, name) for name in known if getattr(request.body, name) is not msgspec.UNSET}
    properties = {name: value for name, value in sent.items() if name not in known}
    for name in properties:
        protections.require(request.core, request.ctx, name, "create")
    image = images.create(request.core, request.ctx, values, properties)
    headers = {
        "Location": request.link(f"/v2/images/{image.row.id}"),
        "OpenStack-image-import-methods": ",".join(request.core.config.image.import_methods),
        "OpenStack-image-store-ids": ",".join(stores.all_stores(request.core)),
    }
    return Response(_view(request, image), headers=headers)


async def update(request: Request) -> dict[str, Any]:
    core, ctx, image_id = request.core, request.ctx, request.path["image_id"]
    changes = changes_of(request.headers.get("content-type", ""), request.raw)
    if any(change.name == "locations" for change in changes):
        await core.in_slow_thread(ctx.project_id, updates.measure, core, ctx, image_id, changes)
    return _view(request, await core.in_thread(updates.update, core, ctx, image_id, changes))


def delete(request: Request) -> None:
    images.delete(request.core, request.ctx, request.path["image_id"])


def deactivate(request: Request) -> None:
    images.set_active(request.core, request.ctx, request.path["image_id"], active=False)


def reactivate(request: Request) -> None:
    images.set_active(request.core, request.ctx, request.path["image_id"], active=True)


def add_tag(request: Request) -> None:
    images.add_tag(request.core, request.ctx, request.path["image_id"], request.path["tag"])


def remove_tag(request: Request) -> None:
    images.remove_tag(request.core, request.ctx, request.path["image_id"], request.path["tag"])
