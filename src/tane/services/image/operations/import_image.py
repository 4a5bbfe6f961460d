"""Import an image: fetch its data, look at it, convert it where the settings say so, keep it in every store asked for.

importing → active; queued again when it failed, with nothing of it left. A copy between stores leaves the status alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.jobs import Operation, Permanent, Run, Step
from tane.linux import image_header, qemu_img
from tane.services.image.domain import content, imports, quotas, receiving, remote, stores
from tane.services.image.domain.content import Fingerprint
from tane.services.image.drivers import http
from tane.services.image.drivers.base import StoreError
from tane.services.image.orders import IMPORT_IMAGE, ImportImage
from tane.services.image.store import images, locations
from tane.web.errors import TooLarge


def existing(tx: Tx, image_id: str) -> Row[Any]:
    row = images.get(tx, image_id)
    if row is None:
        raise Permanent(f"image {image_id} was deleted")
    return row


def fetched(core: Core, image_id: str) -> Path:
    return content.incoming(core, f"{image_id}.import")


def converted(core: Core, image_id: str) -> Path:
    return content.incoming(core, f"{image_id}.converted")


async def fetch(run: Run[ImportImage]) -> dict[str, Any]:
    """Have the data in a file of our own."""
    await run.write(imports.processing, run.params.task_id)
    row = await run.read(existing, run.params.image_id)
    if run.params.method == "copy-image":
        return {"size": row.size, "sha512": row.os_hash_value, "md5": row.checksum, "virtual_size": row.virtual_size}
    if run.params.method == "glance-direct":
        if row.staged is None or not content.staged(run.core, row.id).exists():
            raise Permanent("the staged data is gone")
        return {"file": str(content.staged(run.core, row.id)), **row.staged}
    try:
        found = await run.core.in_slow_thread(row.project_id, _download, run.core, row, run.params)
    except StoreError as error:
        raise Permanent(str(error)) from None
    except receiving.TooMuch:
        raise Permanent("the data exceeds the size limit for images") from None
    except TooLarge as error:
        raise Permanent(error.message) from None
    return {"file": str(fetched(run.core, row.id)), **found}


def _download(core: Core, row: Row[Any], params: ImportImage) -> dict[str, Any]:
    if params.method == "web-download":
        return _write(core, row.id, http.HttpStore(core.config.image).read(params.uri))
    caller = remote.caller(core, params.task_id)
    there, wanted = remote.service(core, caller, params.remote["region"], params.remote["interface"]), params.remote
    about = remote.describe(core, caller, there.show(wanted["image_id"]))
    found = _write(core, row.id, there.read(wanted["image_id"]))
    remote.check(about, found["size"], found["sha512"])
    formats = {"disk_format": about["disk_format"], "container_format": about["container_format"]}
    return {**found, **formats, "properties": about["properties"], "before": _before(core, row)}


def _before(core: Core, row: Row[Any]) -> dict[str, Any]:
    """What a download from another region changes, as it is now."""
    with core.db.read() as tx:
        [image] = images.complete(tx, [row])
    properties = {name: value for name, value in image.properties.items() if not name.startswith("os_glance")}
    return {"disk_format": row.disk_format, "container_format": row.container_format, "properties": properties}


def _write(core: Core, image_id: str, chunks: Iterator[bytes]) -> dict[str, Any]:
    free = core.config.image.free_percent
    writer = receiving.Writer(fetched(core, image_id), content.size_limit(core), free)
    try:
        with contextlib.closing(imports.StillWanted(core, image_id).during(chunks)) as wanted:
            for data in wanted:
                writer.take(data)
        sha512, md5 = writer.finish()
    finally:
        writer.close()
    return {"size": writer.size, "sha512": sha512, "md5": md5}


async def forget(run: Run[ImportImage]) -> None:
    """Staged data goes as well: a failed import leaves a queued image."""
    image_id = run.params.image_id
    for path in (fetched(run.core, image_id), converted(run.core, image_id), content.staged(run.core, image_id)):
        path.unlink(missing_ok=True)


async def inspect(run: Run[ImportImage]) -> dict[str, Any] | None:
    """Refuse what is not what it says, then convert; only what was looked at is ever given to a tool."""
    if run.params.method == "copy-image":
        return None
    row = await run.read(existing, run.params.image_id)
    path = Path(run.data["file"])
    sent: str = run.data.get("disk_format", row.disk_format)
    container = run.data.get("container_format", row.container_format)
    try:
        virtual_size = await run.core.in_file_thread(content.virtual_size_of, path, sent, container)
    except image_header.UnacceptableImage as error:
        raise Permanent(str(error)) from None
    wanted = run.core.config.image.conversion_format
    if not wanted or wanted == sent or sent == "iso" or container != "bare":
        return {"virtual_size": virtual_size, "sent_format": sent}
    target, limit = converted(run.core, row.id), content.size_limit(run.core)
    if virtual_size > limit:
        # What unpacks to more than there may be is not unpacked to see.
        raise Permanent("the converted image exceeds the size limit for images")
    try:
        size = await qemu_img.check_untrusted(path, sent)
        if size > receiving.room(target.parent, run.core.config.image.free_percent):
            raise Permanent(receiving.FULL)
        source = qemu_img.Disk(path, qemu_img.FORMATS[sent])
        await qemu_img.convert(source, target, target_format=qemu_img.FORMATS[wanted], most_bytes=size)
    except qemu_img.ImageError as error:
        raise Permanent(f"Image conversion failed: {error}") from None
    try:
        made = await run.core.in_file_thread(content.fingerprint_file, target, wanted, "bare", limit)
    except receiving.TooMuch:
        raise Permanent("the converted image exceeds the size limit for images") from None
    formats = {"disk_format": wanted, "sent_format": sent}
    return {"file": str(target), **formats, **msgspec.to_builtins(made)}


async def keep(run: Run[ImportImage]) -> dict[str, Any]:
    """Put the data into each store; the image tells which are still to come and which failed."""
    await run.write(_require_room, run.core, run.params, run.data["size"])
    path = await _source(run)
    left, failed = list(run.params.stores), []
    for name in run.params.stores:
        place = stores.all_stores(run.core).get(name)
        try:
            if place is None:
                raise StoreError("there is no such store")
            await run.core.in_file_thread(place.put, path, run.data["sha512"])
        except StoreError as error:
            if run.params.all_stores_must_succeed:
                raise Permanent(f"store {name}: {error}") from None
            failed.append(name)
        left.remove(name)
        await run.write(_kept, run, path, name, left, failed)
    if len(failed) == len(run.params.stores):
        raise Permanent(f"none of the stores took the data: {', '.join(failed)}")
    return {"failed_stores": failed}


def _require_room(tx: Tx, core: Core, params: ImportImage, size: int) -> None:
    """Each store's copy counts. :raises Permanent: over quota."""
    row = existing(tx, params.image_id)
    places = {place.store for place in locations.of_image(tx, row.id)} | set(params.stores)
    try:
        quotas.require_room(tx, core, row, "image_size_total", size * len(places))
    except TooLarge as error:
        raise Permanent(error.message) from None


async def _source(run: Run[ImportImage]) -> Path:
    data, core = run.data, run.core
    if "file" in data:
        path: Path | None = Path(data["file"])
    else:
        row = await run.read(existing, run.params.image_id)
        # By a hash that a client has only said, the content of another's image would be found.
        path = await core.in_thread(stores.local_path, core, data["sha512"]) if row.verified else None
    if path is None:
        path = await core.in_slow_thread(row.project_id, _brought, core, row)
    if not path.exists():
        raise Permanent("the image's data is in no store of this machine")
    return path


def _brought(core: Core, row: Row[Any]) -> Path:
    """A file of what lies in a store that has no files here. :raises Permanent: none has it."""
    with core.db.read() as tx:
        places = locations.of_image(tx, row.id)
    reason = "the image's data is in no store of this machine"
    for place in places:
        store = stores.all_stores(core).get(place.store)
        if store is None:
            continue
        try:
            found = _write(core, row.id, store.read(place.url))
        except StoreError as error:
            reason = str(error)
            continue
        if found["sha512"] == row.os_hash_value:
            return fetched(core, row.id)
        reason = f"what store {place.store} has is not the image's data"
    raise Permanent(reason)


def _kept(tx: Tx, run: Run[ImportImage], path: Path, name: str, left: list[str], failed: list[str]) -> None:
    image_id, digest = run.params.image_id, run.data["sha512"]
    existing(tx, image_id)
    if name not in failed:
        place = stores.all_stores(run.core)[name]
        # What no image had until now may have been swept away since it was put there.
        place.settle(path, digest)
        if all(known.store != name for known in locations.of_image(tx, image_id)):
            locations.add(tx, image_id, name, place.url_of(digest), {})
    images.set_property(tx, image_id, imports.LEFT, ",".join(left))
    images.set_property(tx, image_id, imports.FAILED, ",".join(failed))
    tx.notify(f"image:{image_id}")


async def drop(run: Run[ImportImage]) -> None:
    """Only the stores of this import: a copy leaves where the image was before."""

    def forget_places(tx: Tx) -> None:
        for name in run.params.stores:
            locations.remove_from_store(tx, run.params.image_id, name)

    await run.write(forget_places)
    if digest := run.data.get("sha512"):
        for name in run.params.stores:
            place = stores.all_stores(run.core).get(name)
            if place is not None:
                await run.core.in_file_thread(content.collect, run.core, name, place.url_of(digest))


async def finish(run: Run[ImportImage]) -> None:
    await run.write(_finish, run.core, run.params, run.data)
    await forget(run)
    remote.forget(run.core, run.params.task_id)


def _finish(tx: Tx, core: Core, params: ImportImage, data: dict[str, Any]) -> None:
    row = existing(tx, params.image_id)
    if row.status == "importing":
        found = msgspec.convert(data, Fingerprint)
        # Others may have used the room up since it was looked at.
        _require_room(tx, core, params, found.size)
        formats = {name: data[name] for name in ("disk_format", "container_format") if name in data}
        images.change(tx, row.id, **content.describe(found), **formats, status="active", staged=None, fault=None)
        for name, value in data.get("properties", {}).items():
            images.set_property(tx, row.id, name, value)
    imports.succeed(tx, params.task_id, params.image_id)


async def unfinish(run: Run[ImportImage]) -> None:
    def back(tx: Tx) -> None:
        row = images.get(tx, run.params.image_id)
        if row is not None and row.status == "active" and run.params.method != "copy-image":
            nothing = {"size": None, "virtual_size": None, "checksum": None, "os_hash_algo": None}
            before = run.data.get("before", {"disk_format": run.data["sent_format"], "properties": {}})
            formats = {name: before[name] for name in ("disk_format", "container_format") if name in before}
            images.change(tx, row.id, **nothing, **formats, os_hash_value=None, status="importing")
            for name in run.data.get("properties", {}):
                images.set_property(tx, row.id, name, before["properties"].get(name))

    await run.write(back)


async def failed(run: Run[ImportImage], reason: str) -> None:
    def fail(tx: Tx) -> None:
        imports.fail(tx, run.params.task_id, run.params.image_id, reason)
        if images.get(tx, run.params.image_id) is not None:
            images.set_property(tx, run.params.image_id, imports.LEFT, "")
            images.set_property(tx, run.params.image_id, imports.FAILED, ",".join(run.params.stores))

    await run.write(fail)
    await forget(run)
    remote.forget(run.core, run.params.task_id)


OPERATION = Operation(
    IMPORT_IMAGE,
    (
        Step("fetch", fetch, forget),
        Step("inspect", inspect),
        Step("keep", keep, drop),
        Step("finish", finish, unfinish),
    ),
    failed,
)
