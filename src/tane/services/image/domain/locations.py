"""Where an image's data lies, as its owner and the administrator may change it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.image.domain import content, imports, quotas, stores
from tane.services.image.domain.images import visible
from tane.services.image.drivers import http
from tane.services.image.drivers.base import StoreError
from tane.services.image.schemas import LocationHashes
from tane.services.image.store import images, locations
from tane.web import codec
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge

MOST_LOCATIONS = 10
"""Glance's image_location_quota."""

INVISIBLE = "It's not allowed to {verb} locations if locations are invisible."


def delete_from_store(core: Core, ctx: Context, image_id: str, store: str) -> None:
    """:raises Conflict: no such store, or not active. :raises Forbidden: it is the only one. :raises NotFound:"""
    if store not in stores.all_stores(core):
        raise Conflict(f"The selected store {store} is not available on this node.")
    with core.db.write() as tx:
        row = visible(tx, ctx, image_id)
        if row.status != "active":
            raise Conflict("It's not allowed to remove image data from store if image status is not 'active'")
        places = locations.of_image(tx, image_id)
        if len(places) == 1:
            raise Forbidden(
                "Cannot delete image data from the only store containing it. Consider deleting the image instead."
            )
        mine = [place for place in places if place.store == store]
        if not mine:
            raise NotFound(f"Image {image_id} is not stored in store {store}.")
        locations.remove(tx, mine[0].id)
        images.change(tx, image_id)
        tx.notify(f"image:{image_id}")
    content.collect(core, store, mine[0].url)


def replace(tx: Tx, core: Core, row: Row[Any], value: Any, told: int | None) -> dict[str, Any]:
    """``replace /locations``: other metadata, another order, more of them; returns the image's columns that change.

    ``told``: see :func:`size`.
    """
    _require_visible(core, "update")
    if not value:
        raise Forbidden("Cannot set locations to empty list.")
    if row.status not in ("active", "queued"):
        raise Conflict(f"It's not allowed to replace locations if image status is {row.status}.")
    if not isinstance(value, list):
        raise BadRequest("Invalid locations: a list is expected.")
    known = {place.url: place.store for place in locations.of_image(tx, row.id)}
    _require_few(len(value))
    wanted = [_checked(core, item, known) for item in value]
    urls = [url for url, _, _ in wanted]
    if len(set(urls)) != len(urls) or not set(known) <= set(urls):
        raise BadRequest("Invalid locations: each may be there once, and none that is there may be left out.")
    columns = _announced(row, value)
    locations.clear(tx, row.id)
    for url, store, meta in wanted:
        locations.add(tx, row.id, store, url, meta)
    return {**columns, **_activated(tx, core, row, len(wanted), told)}


def add(tx: Tx, core: Core, row: Row[Any], place: str, value: Any, told: int | None) -> dict[str, Any]:
    """``add /locations/N``; returns the columns of the image that change with it. ``told``: see :func:`size`."""
    _require_visible(core, "add")
    if row.status not in ("active", "queued"):
        raise Conflict(f"It's not allowed to add locations if image status is {row.status}.")
    present = locations.of_image(tx, row.id)
    _require_few(len(present) + 1)
    if place != "-" and not (place.isascii() and place.isdigit()):
        raise BadRequest("Invalid position for adding a location.")
    url, store, meta = _checked(core, value, {})
    if any(known.url == url for known in present):
        raise BadRequest(f"The location {url} already exists")
    columns = _announced(row, [value])
    locations.add(tx, row.id, store, url, meta, None if place == "-" else int(place[:9]))
    return {**columns, **_activated(tx, core, row, len(present) + 1, told)}


def _announced(row: Row[Any], items: list[Any]) -> dict[str, Any]:
    """The hashes a client announces with its locations (``validation_data``), as columns of a queued image.

    :raises Conflict: they contradict each other or what is known, or come too late. :raises BadRequest: a wrong shape.
    """
    told: dict[str, str] = {}
    for item in items:
        if "validation_data" not in item:
            continue
        try:
            data = codec.convert(LocationHashes, item["validation_data"])
        except BadRequest as error:
            raise BadRequest(f"Invalid validation_data: {error.message}") from None
        for name, value in msgspec.to_builtins(data).items():
            if told.setdefault(name, value) != value:
                raise Conflict(f"Conflicting values for {name}")
    new = {}
    for name, value in told.items():
        if getattr(row, name) not in (None, value):
            raise Conflict(f"{name} is already set with a different value")
        if getattr(row, name) is None:
            new[name] = value
    if new and row.status != "queued":
        raise Conflict(f"New value(s) for {', '.join(new)} may only be provided when image status is 'queued'")
    if new and new.get("os_hash_algo") != "sha512":
        raise Conflict(f"os_hash_algo must be sha512, not {new.get('os_hash_algo')}")
    for name, length in (("checksum", 32), ("os_hash_value", 128)):
        if name in new and not re.fullmatch(f"[0-9a-fA-F]{{{length}}}", new[name]):
            raise Conflict(f"{name} ({new[name]}) is not the correct size or not a valid hexadecimal value")
    return {**new, "verified": False} if new else {}


def remove(tx: Tx, core: Core, row: Row[Any], place: str) -> None:
    """``remove /locations/N``."""
    _require_visible(core, "remove")
    if row.status != "active":
        raise Conflict(f"It's not allowed to remove locations if image status is {row.status}.")
    present = locations.of_image(tx, row.id)
    if len(present) == 1:
        raise Forbidden("Cannot remove last location in the image.")
    if not re.fullmatch("[0-9]{1,9}", place) or int(place) >= len(present):
        raise BadRequest("Invalid position for removing a location.")
    locations.remove(tx, present[int(place)].id)
    tx.notify(content.TOPIC)


def _require_visible(core: Core, verb: str) -> None:
    if not core.config.image.show_multiple_locations:
        raise Forbidden(INVISIBLE.format(verb=verb))


def _require_few(count: int) -> None:
    if count > MOST_LOCATIONS:
        raise TooLarge(
            "The limit has been exceeded on the number of allowed image locations. "
            f"Attempted: {count}, Maximum: {MOST_LOCATIONS}"
        )


def _checked(core: Core, item: Any, known: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
    """(url, store, metadata) of a location in a patch; a new one may only be a URL of the web."""
    if not isinstance(item, dict) or not isinstance(item.get("url"), str) or not isinstance(item.get("metadata"), dict):
        raise BadRequest("Invalid location: an object with 'url' and 'metadata' is expected.")
    url = item["url"]
    meta = {name: value for name, value in item["metadata"].items() if name != "store"}
    codec.bounded("metadata", meta)
    if url in known:
        return url, known[url], meta
    try:
        http.check_url(url, core.config.image)
    except StoreError as error:
        raise BadRequest(f"Invalid location {url}: {error}") from None
    return url, imports.require_http(core), meta


def size(core: Core, value: Any) -> int | None:
    """In bytes, of the data at the first location a patch names. :raises BadRequest: it cannot be had."""
    _require_visible(core, "add")
    item = value[0] if isinstance(value, list) and value else value
    if not item:
        return None
    url, store, _ = _checked(core, item, {})
    try:
        return stores.all_stores(core)[store].size(url)
    except StoreError as error:
        raise BadRequest(f"Invalid location {url}: {error}") from None


def _activated(tx: Tx, core: Core, row: Row[Any], copies: int, told: int | None) -> dict[str, Any]:
    """A queued image that is given a location is active at once; nobody hashes it, only its size is asked."""
    if row.status != "queued":
        return {}
    if told is None:
        raise Conflict("The image has changed meanwhile: ask again.")
    quotas.require_room(tx, core, row, "image_size_total", told * copies)
    return {"status": "active", "size": told}
