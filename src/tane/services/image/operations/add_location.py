"""Let a URL be an image's data: look whether it is there, hash what it gives.

importing → active, at once when no hash was announced that must be compared first; queued again when the URL gives
nothing or something else than was announced.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.services.image.domain import content, imports, quotas, stores
from tane.services.image.drivers.base import Store, StoreError
from tane.services.image.operations.import_image import existing
from tane.services.image.orders import ADD_LOCATION, AddLocation
from tane.services.image.store import images, locations
from tane.web.errors import TooLarge


async def look(run: Run[AddLocation]) -> dict[str, Any]:
    """Ask for the size. An image of which nothing was announced may be used at once, before it is hashed."""
    await run.write(imports.processing, run.params.task_id)
    try:
        row = await run.read(existing, run.params.image_id)
        size = await run.core.in_slow_thread(row.project_id, _store(run.core, run.params).size, run.params.url)
    except StoreError as error:
        raise Permanent(str(error)) from None
    if size > content.size_limit(run.core):
        raise Permanent("the data exceeds the size limit for images")
    await run.write(_point, run.core, run.params, size)
    return {"size": size}


def _store(core: Core, params: AddLocation) -> Store:
    store = stores.all_stores(core).get(params.store)
    if store is None:
        raise Permanent(f"there is no store {params.store}")
    return store


def _point(tx: Tx, core: Core, params: AddLocation, size: int) -> None:
    row = existing(tx, params.image_id)
    if row.status != "importing":
        return
    try:
        quotas.require_room(tx, core, row, "image_size_total", size)
    except TooLarge as error:
        raise Permanent(error.message) from None
    locations.clear(tx, row.id)
    locations.add(tx, row.id, params.store, params.url, {})
    images.change(tx, row.id, size=size)
    if "os_hash_value" not in params.validation:
        images.change(tx, row.id, status="active", os_hash_algo="sha512")
    tx.notify(f"image:{row.id}")


async def hash_data(run: Run[AddLocation]) -> dict[str, Any]:
    """Read the data once; without ``do_secure_hash`` what was announced is believed."""
    if not run.core.config.image.do_secure_hash:
        announced = {name: run.params.validation.get(name) for name in ("os_hash_algo", "os_hash_value")}
        return {**announced, "checksum": None, "verified": False}
    try:
        row = await run.read(existing, run.params.image_id)
        return await run.core.in_slow_thread(row.project_id, _hash, run.core, run.params)
    except StoreError as error:
        raise Permanent(str(error)) from None


def _hash(core: Core, params: AddLocation) -> dict[str, Any]:
    algorithm = params.validation.get("os_hash_algo", "sha512")
    digest, md5, size = hashlib.new(algorithm), hashlib.md5(usedforsecurity=False), 0
    chunks = _store(core, params).read(params.url)
    with contextlib.closing(imports.StillWanted(core, params.image_id).during(chunks)) as wanted:
        for data in wanted:
            digest.update(data)
            md5.update(data)
            size += len(data)
            if size > content.size_limit(core):
                raise StoreError("the data exceeds the size limit for images")
    if params.validation.get("os_hash_value", digest.hexdigest()).lower() != digest.hexdigest():
        raise StoreError("Hash of the data does not match the value in validation_data")
    hashed = {"os_hash_algo": algorithm, "os_hash_value": digest.hexdigest()}
    return {"size": size, "checksum": md5.hexdigest(), "verified": True, **hashed}


async def finish(run: Run[AddLocation]) -> None:
    await run.write(_finish, run.params, run.data)


def _finish(tx: Tx, params: AddLocation, data: dict[str, Any]) -> None:
    row = existing(tx, params.image_id)
    images.change(tx, row.id, **data, status="active", fault=None)
    imports.succeed(tx, params.task_id, params.image_id)


async def undo(run: Run[AddLocation]) -> None:
    def back(tx: Tx) -> None:
        row = images.get(tx, run.params.image_id)
        if row is not None:
            locations.clear(tx, row.id)
            nothing = {"size": None, "checksum": None, "os_hash_algo": None, "os_hash_value": None}
            images.change(tx, row.id, **nothing, status="importing")

    await run.write(back)


async def failed(run: Run[AddLocation], reason: str) -> None:
    def fail(tx: Tx) -> None:
        imports.fail(tx, run.params.task_id, run.params.image_id, reason)
        # Upstream leaves the location of a queued image to be seen (bug 2076648), and clients look for it.
        if images.get(tx, run.params.image_id) is not None and not locations.of_image(tx, run.params.image_id):
            locations.add(tx, run.params.image_id, run.params.store, run.params.url, {})

    await run.write(fail)


OPERATION = Operation(
    ADD_LOCATION,
    (Step("look", look, undo), Step("hash", hash_data), Step("finish", finish)),
    failed,
)
