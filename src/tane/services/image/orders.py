"""What may be asked of the job runner about images; ``operations/`` carries it out."""

from __future__ import annotations

import msgspec

from tane.jobs import Order


class AddLocation(msgspec.Struct):
    image_id: str
    task_id: str
    store: str
    url: str
    validation: dict[str, str] = {}


class CacheImage(msgspec.Struct):
    image_id: str
    ticket: str


class ImportImage(msgspec.Struct):
    image_id: str
    task_id: str
    method: str
    stores: list[str]
    uri: str = ""
    remote: dict[str, str] = {}
    all_stores_must_succeed: bool = True


ADD_LOCATION = Order("image.add_location", AddLocation, patience=6 * 3600.0)
CACHE_IMAGE = Order("image.cache_image", CacheImage, patience=3600.0)
IMPORT_IMAGE = Order("image.import_image", ImportImage, patience=6 * 3600.0)
