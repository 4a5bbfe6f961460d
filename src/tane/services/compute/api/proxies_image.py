"""Lists of images (until 2.35) and their metadata (until 2.38) as old clients ask compute for them.

The image service does the work; the rights are its own.
"""

from __future__ import annotations

from typing import Any

from tane.services.compute.api.common import next_link, page_limit
from tane.services.compute.api.images import STATUS, view
from tane.services.compute.domain.listing import moment
from tane.services.image import interface as image
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request

PROPERTIES = {"server": "instance_uuid", "type": "image_type"}
"""Filters that stand for a property of the image; others begin with "property-"."""
NO_STATUS = ("unknown",)
"""What no image is in: a status that compute has no word for."""


def index(request: Request) -> dict[str, Any]:
    return _list(request, "/images", ("id", "name", "links"))


def detail(request: Request) -> dict[str, Any]:
    return _list(request, "/images/detail", None)


def _list(request: Request, path: str, names: tuple[str, ...] | None) -> dict[str, Any]:
    limit = page_limit(request)
    found, more = image.find_images(request.core, request.ctx, _wanted(request, limit))
    views = [view(request, info) for info in found]
    body: dict[str, Any] = {"images": [{name: one[name] for name in names or one} for one in views]}
    # A page of large images ends before its limit.
    if links := next_link(request, path, found, len(found) if more else limit, found[-1].id if found else ""):
        body["images_links"] = links
    return body


def _wanted(request: Request, limit: int) -> image.Wanted:
    status, since = request.param("status"), request.param("changes-since")
    named = [name for name, word in STATUS.items() if status is not None and word == status.upper()]
    return image.Wanted(
        name=request.param("name"),
        statuses=() if status is None else named or NO_STATUS,
        properties=_properties(request),
        min_disk=request.number("minDisk"),
        min_ram=request.number("minRam"),
        changed_since=None if since is None else moment("changes-since", since),
        marker=request.param("marker"),
        limit=limit,
    )


def _properties(request: Request) -> dict[str, str]:
    found = {}
    for name, value in request.query:
        if name in PROPERTIES:
            # A server may be given by its address.
            found[PROPERTIES[name]] = value.rstrip("/").rsplit("/", 1)[-1] if name == "server" else value
        elif name.startswith("property-"):
            found[name.removeprefix("property-")] = value
    return found


# --------------------------------------------------------------------------------------------------------- metadata


def _metadata(request: Request) -> dict[str, str]:
    with request.core.db.read() as tx:
        found = image.visible_image(tx, request.ctx, request.path["image_id"]).properties
    return image.readable(request.core, request.ctx, found)


def _key(request: Request) -> str:
    """:raises NotFound: the image has no such property."""
    key = request.path["key"]
    if key not in _metadata(request):
        raise NotFound("Metadata item was not found")
    return key


def metadata(request: Request) -> dict[str, Any]:
    return {"metadata": _metadata(request)}


def metadata_item(request: Request) -> dict[str, Any]:
    return {"meta": {_key(request): _metadata(request)[request.path["key"]]}}


def merge_metadata(request: Request) -> dict[str, Any]:
    image.set_properties(request.core, request.ctx, request.path["image_id"], request.body.metadata, gone=())
    return metadata(request)


def replace_metadata(request: Request) -> dict[str, Any]:
    wanted = request.body.metadata
    gone = [name for name in _metadata(request) if name not in wanted]
    image.set_properties(request.core, request.ctx, request.path["image_id"], wanted, gone=gone)
    return metadata(request)


def set_metadata_item(request: Request) -> dict[str, Any]:
    item = request.body.meta
    if list(item) != [request.path["key"]]:
        raise BadRequest("Request body and URI mismatch")
    image.set_properties(request.core, request.ctx, request.path["image_id"], item, gone=())
    return {"meta": item}


def delete_metadata_item(request: Request) -> None:
    image.set_properties(request.core, request.ctx, request.path["image_id"], {}, gone=[_key(request)])
