"""Imports: what a request may ask for, the job and the task that do it (Image API v2: "Interoperable image import").

queued → (staged: uploading) → importing → active; queued again when it failed. A copy between stores leaves it active.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.image.domain import content, quotas, remote, stores
from tane.services.image.domain.images import own, visible
from tane.services.image.drivers import http
from tane.services.image.drivers.base import StoreError
from tane.services.image.orders import ADD_LOCATION, IMPORT_IMAGE, AddLocation, ImportImage
from tane.services.image.store import images, locations, tasks
from tane.services.rating import interface as rating
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden

LOOK_SECONDS = 1.0
TASK_LIFE = timedelta(hours=48)
LOCK = images.LOCK
LEFT = "os_glance_importing_to_stores"
FAILED = "os_glance_failed_import"


class Method(msgspec.Struct, kw_only=True):
    """How data comes: ``uri`` for web-download; the other region, image and kind of endpoint for glance-download."""

    name: str
    uri: str = ""
    region: str = ""
    image_id: str = ""
    interface: str = "public"


class Import(msgspec.Struct, kw_only=True):
    """A request as it was sent; ``header_store`` is ``X-Image-Meta-Store``."""

    method: Method
    stores: list[str] | None = None
    all_stores: bool = False
    all_stores_must_succeed: bool = True
    header_store: str | None = None
    sent: dict[str, Any] = {}


def start(core: Core, ctx: Context, image_id: str, wanted: Import) -> str | None:
    """Write the task and its job; returns the task's id, None when there is nothing to copy.

    :raises Conflict: the image's status, missing formats, another import. :raises BadRequest: a store or URI that is
        refused. :raises Forbidden: another project's image.
    """
    method = wanted.method.name
    if method not in core.config.image.import_methods:
        raise BadRequest(f"Unknown import method name '{method}'.")
    if method == "web-download":
        _check_uri(core, wanted.method.uri)
    elif method == "glance-download":
        _check_remote(wanted.method)
    with core.db.write() as tx:
        row = visible(tx, ctx, image_id)
        if method != "copy-image":
            own(tx, ctx, image_id)
        elif not core.policy.allows("copy_image", ctx):
            raise Forbidden("You are not authorized to complete copy_image action.")
        _require_state(row, method)
        rating.refuse_spent(tx, row.project_id)
        quotas.require(tx, core, row.project_id, image_size_total=0)
        names = _stores_of(core, wanted)
        if method == "copy-image":
            present = {place.store for place in locations.of_image(tx, image_id)}
            for name in names:
                if name in present and not wanted.all_stores:
                    raise BadRequest(f"Image is already present at store '{name}'")
            names = [name for name in names if name not in present]
            if not names:
                images.set_property(tx, image_id, LEFT, "")
                images.set_property(tx, image_id, FAILED, "")
                return None
        task_id = enqueue(tx, ctx, row, "api_image_import", wanted, names)
        if method == "glance-download":
            remote.remember(core, task_id, ctx)
        return task_id


def enqueue(tx: Tx, ctx: Context, row: Row[Any], kind: str, wanted: Import, names: Sequence[str]) -> str:
    """Lock the image for one import and write its task and job. :raises Conflict: it is locked already."""
    task_id = _lock(tx, row.id)
    given = {"image_id": row.id, "import_req": wanted.sent, "backend": list(names)}
    add_task(tx, ctx, task_id, kind, row.id, given if kind == "api_image_import" else wanted.sent)
    images.set_property(tx, row.id, LEFT, ",".join(names))
    images.set_property(tx, row.id, FAILED, "")
    if wanted.method.name != "copy-image":
        images.change(tx, row.id, status="importing", fault=None)
    there = wanted.method
    params = ImportImage(
        row.id,
        task_id,
        method=there.name,
        uri=there.uri,
        remote={"region": there.region, "image_id": there.image_id, "interface": there.interface},
        stores=list(names),
        all_stores_must_succeed=wanted.all_stores_must_succeed,
    )
    jobs.enqueue(tx, IMPORT_IMAGE, params, resource=f"image:{row.id}", by=ctx, owner=row.project_id)
    tx.notify(f"image:{row.id}")
    return task_id


def _lock(tx: Tx, image_id: str) -> str:
    if jobs.pending(tx, f"image:{image_id}") is not None:
        raise Conflict("Image has active task")
    task_id = str(uuid.uuid4())
    images.set_property(tx, image_id, LOCK, task_id)
    return task_id


def add_task(tx: Tx, ctx: Context, task_id: str, kind: str, image_id: str, given: Mapping[str, Any]) -> None:
    tasks.add(
        tx,
        id=task_id,
        project_id=ctx.project_id,
        type=kind,
        status="pending",
        image_id=image_id,
        user_id=ctx.user_id,
        request_id=ctx.request_id,
        input=dict(given),
    )


def add_location(core: Core, ctx: Context, image_id: str, url: str, validation: Mapping[str, str]) -> None:
    """Let a URL be the data of a queued image ("Add location"): a job looks whether it is there and hashes it.

    :raises Conflict: not queued. :raises Forbidden: no store of URLs, or another's image.
    """
    with core.db.write() as tx:
        row = own(tx, ctx, image_id)
        if row.status != "queued":
            raise Conflict(f"It's not allowed to add locations if image status is {row.status}.")
        store = require_http(core)
        _check_uri(core, url)
        task_id = _lock(tx, image_id)
        given = {"image_id": image_id, "loc_url": url, "validation_data": dict(validation)}
        add_task(tx, ctx, task_id, "location_import", image_id, given)
        images.change(tx, image_id, status="importing", fault=None)
        params = AddLocation(image_id, task_id, store=store, url=url, validation=dict(validation))
        jobs.enqueue(tx, ADD_LOCATION, params, resource=f"image:{image_id}", by=ctx, owner=row.project_id)
        tx.notify(f"image:{image_id}")


def require_http(core: Core) -> str:
    """The store of URLs. :raises Forbidden: this cloud has none."""
    store = stores.http_store(core)
    if store is None:
        raise Forbidden("http store must be enabled to use location API by normal user.")
    return store


def _check_uri(core: Core, uri: str) -> None:
    try:
        http.check_url(uri, core.config.image)
    except http.Refused as error:
        raise BadRequest(str(error)) from None


def _check_remote(method: Method) -> None:
    for name, value in (("glance_region", method.region), ("glance_image_id", method.image_id)):
        if not value:
            raise BadRequest(f"'{name}' needs to be set for glance-download import method")
    try:
        uuid.UUID(method.image_id)
    except ValueError:
        raise BadRequest(f"Remote image id does not look like a UUID: {method.image_id}") from None


def _require_state(row: Row[Any], method: str) -> None:
    copying = method == "copy-image"
    if row.status == "active" and not copying:
        raise Conflict("Image with status active cannot be target for import")
    if row.status != "active" and copying:
        raise Conflict("Only images with status active can be targeted for copying")
    if row.status != "queued" and method in ("web-download", "glance-download"):
        raise Conflict(f"Image needs to be in 'queued' state to use '{method}' method")
    if (row.status != "uploading" or row.staged is None) and method == "glance-direct":
        raise Conflict("Image needs to be staged before 'glance-direct' method can be used")
    for name in ("container_format", "disk_format"):
        if not getattr(row, name):
            raise Conflict(f"'{name}' needs to be set before import")


def _stores_of(core: Core, wanted: Import) -> list[str]:
    """The stores a request names, each once."""
    known = stores.writable(core)
    if wanted.all_stores:
        if wanted.stores is not None or wanted.header_store:
            raise BadRequest("All_stores parameter can't be used with x-image-meta-store header or stores parameter")
        return known
    if wanted.stores is not None and wanted.header_store:
        raise BadRequest("Stores parameter and x-image-meta-store header can't be both specified")
    names = wanted.stores if wanted.stores is not None else [wanted.header_store or stores.default(core)]
    for name in names:
        if name not in known:
            raise Conflict(f"Unknown scheme '{name}' found in URI")
    return list(dict.fromkeys(names))


class StillWanted:
    """Looks now and then whether the image of a long transfer is still there; ends what takes too long. For threads."""

    def __init__(self, core: Core, image_id: str, seconds: float | None = None) -> None:
        """``seconds``: within which all must be done; None: as the settings say of downloads."""
        self._core, self._image_id, self._looked = core, image_id, time.monotonic()
        self._most = core.config.image.download_seconds if seconds is None else seconds
        self._until = self._looked + self._most

    def __call__(self) -> None:
        """:raises StoreError: it was deleted, or the time of a transfer is over."""
        if time.monotonic() > self._until:
            raise StoreError(f"the data did not come within {self._most:g} s")
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        with self._core.db.read() as tx:
            if images.get(tx, self._image_id) is None:
                raise StoreError(f"image {self._image_id} was deleted")
        self._looked = time.monotonic()

    def during(self, chunks: Iterator[bytes]) -> Generator[bytes]:
        """What is read, as long as it is wanted; with the end of this whoever gives it is let go."""
        try:
            for data in chunks:
                self()
                yield data
        finally:
            if isinstance(chunks, Generator):
                chunks.close()


def processing(tx: Tx, task_id: str) -> None:
    task = tasks.get(tx, task_id)
    if task is not None and task.status == "pending":
        tasks.change(tx, task_id, status="processing")


def succeed(tx: Tx, task_id: str, image_id: str) -> None:
    """The task is done and the image free for others."""
    tasks.change(tx, task_id, status="success", result={"image_id": image_id}, expires_at=tx.now + TASK_LIFE)
    if images.get(tx, image_id) is not None:
        images.set_property(tx, image_id, LOCK, None)
        tx.notify(f"image:{image_id}")


def fail(tx: Tx, task_id: str, image_id: str, reason: str) -> None:
    """The task failed; an image that was to get its data from it waits again. Repeatable."""
    tasks.change(tx, task_id, status="failure", message=reason, expires_at=tx.now + TASK_LIFE)
    row = images.get(tx, image_id)
    if row is None:
        return
    images.set_property(tx, image_id, LOCK, None)
    if row.status == "importing":
        images.change(tx, image_id, status="queued", size=None, staged=None, fault=reason)
    tx.notify(f"image:{image_id}")
    tx.notify(content.TOPIC)
