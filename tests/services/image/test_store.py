"""The image store seen from operations and from the reconciler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from tane.core import Core
from tane.jobs import Permanent
from tane.services.image import interface
from tane.services.image.domain import content, stores
from tane.services.image.domain.content import Swept
from tane.services.image.reconcilers.content import RECONCILER
from tane.services.image.tables import image
from tane.web.context import Context

MIA = Context("req-1", user_id="mia", project_id="garden", roles=("member", "reader"))
DATA = b"a disk, or so it says"


def queued(core: Core, disk_format: str = "raw") -> str:
    with core.db.write() as tx:
        return interface.create_image(
            tx, core, MIA, name="made", disk_format=disk_format, container_format="bare", properties={"os": "x"}
        )


def status(core: Core, image_id: str) -> str | None:
    with core.db.read() as tx:
        found = interface.image_by_id(tx, image_id)
    return found.status if found else None


def test_an_operation_stores_a_file_and_may_do_so_again(new_core: Callable[[], Core]) -> None:
    core = new_core()
    image_id = queued(core)
    path = interface.scratch_path(core, image_id)
    path.write_bytes(DATA)
    for _ in range(2):
        asyncio.run(interface.store_file(core, image_id, path))
    assert not path.exists()
    with core.db.read() as tx:
        found = interface.visible_image(tx, MIA, image_id)
    assert found.status == "active" and found.size == len(DATA) and found.properties == {"os": "x"}
    assert found.ref is not None
    local = interface.LocalImages(core).local_path(found.ref)
    assert local is not None and local.read_bytes() == DATA

    async def collect() -> bytes:
        assert found.ref is not None
        return b"".join([part async for part in interface.LocalImages(core).stream(found.ref)])

    assert asyncio.run(collect()) == DATA


def test_a_file_that_is_no_acceptable_image_is_refused_for_good(new_core: Callable[[], Core]) -> None:
    core = new_core()
    image_id = queued(core, "qcow2")
    path = interface.scratch_path(core, image_id)
    path.write_bytes(DATA)
    with pytest.raises(Permanent, match="does not match"):
        asyncio.run(interface.store_file(core, image_id, path))
    with core.db.write() as tx:
        interface.fail_image(tx, image_id, "no image")
        interface.fail_image(tx, image_id, "no image")
    assert status(core, image_id) == "killed"
    assert content.sweep(core) == Swept(parts=1)
    assert not path.exists()


def test_a_file_for_an_image_that_was_deleted_is_refused(new_core: Callable[[], Core]) -> None:
    core = new_core()
    image_id = queued(core)
    path = interface.scratch_path(core, image_id)
    path.write_bytes(DATA)
    with core.db.write() as tx:
        interface.delete_image(tx, image_id)
        interface.delete_image(tx, image_id)
    with pytest.raises(Permanent, match="was deleted"):
        asyncio.run(interface.store_file(core, image_id, path))
    content.sweep(core)
    assert not path.exists()


def test_the_sweep_requeues_an_image_whose_upload_died_and_removes_its_rest(new_core: Callable[[], Core]) -> None:
    core = new_core()
    image_id = queued(core)
    with core.db.write() as tx:
        values = {"status": "saving", "upload_id": "dead", "upload_seen": tx.now - timedelta(seconds=30)}
        tx.execute(update(image).where(image.c.id == image_id).values(**values))
    content.incoming(core, "dead").write_bytes(DATA)
    assert content.sweep(core) == Swept()
    with core.db.write() as tx:
        values = {"upload_seen": tx.now - timedelta(seconds=300)}
        tx.execute(update(image).where(image.c.id == image_id).values(**values))
    assert content.sweep(core) == Swept(requeued=1, parts=1)
    assert status(core, image_id) == "queued"
    assert not content.incoming(core, "dead").exists()


def test_the_sweep_removes_content_no_image_has(new_core: Callable[[], Core]) -> None:
    core = new_core()
    image_id = queued(core)
    path = interface.scratch_path(core, image_id)
    path.write_bytes(DATA)
    asyncio.run(interface.store_file(core, image_id, path))
    content.path_of(core, "0" * 128).write_bytes(b"left behind")
    told = asyncio.run(RECONCILER.run(core))
    assert told == "1 files removed whose images were deleted"
    assert asyncio.run(RECONCILER.run(core)) is None
    content.path_of(core, "0" * 128).write_bytes(b"left behind")
    assert content.sweep(core) == Swept(data=1)
    with core.db.write() as tx:
        interface.delete_image(tx, image_id)
    assert content.sweep(core) == Swept(data=1)
    assert [entry for entry in stores.folder(core.config).iterdir() if entry.is_file()] == []
