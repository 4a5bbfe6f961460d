"""Every saga of images under the three harnesses: it fails, repeats and is killed at every point."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.config import ImageStore
from tane.core import Core
from tane.jobs import testing
from tane.jobs.runner import Runner
from tane.jobs.testing import Scenario
from tane.services.identity.domain import catalog as identity_catalog
from tane.services.identity.domain import plain
from tane.services.image import interface
from tane.services.image.domain import cache, content, imports, stores
from tane.services.image.domain.imports import Import, Method
from tane.services.image.drivers.base import StoreError
from tane.services.image.operations import OPERATIONS
from tane.services.image.store import images, locations, tasks
from tane.web.context import Context
from tests.services.image.web import web_server

MIA = Context("req-1", user_id="mia", project_id="garden", roles=("member", "reader"))
ADMIN = Context("req-2", user_id="root", project_id="garden", roles=("admin", "member", "reader"))
REMOTE = "6f1f7f0e-6f2a-4c5b-9a51-0000000000aa"
DATA = b"a disk, or so it says" * 50


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    about = {"status": "active", "disk_format": "ari", "container_format": "ari", "size": len(DATA)}
    about |= {"os_distro": "debian", "hw_disk_bus": "virtio", "speed": "88mph"}
    there = f"/v2/images/{REMOTE}"
    with web_server({"/disk": DATA, there: json.dumps(about).encode(), f"{there}/file": DATA}) as address:
        yield address


class World:
    """One core with a local store, a second one and one of URLs."""

    def __init__(self, core: Core, web: str) -> None:
        self.core, self.web = core, web
        settings = core.config.image
        settings.stores = {
            "second": ImageStore(path=core.config.state_dir / "second"),
            "web": ImageStore(type="http"),
        }
        settings.allowed_hosts, settings.allowed_ports = ("127.0.0.1",), ()
        with core.db.write() as tx:
            self.image_id = interface.create_image(
                tx, core, MIA, name="disk", disk_format="raw", container_format="bare", properties={}
            )

    def row(self) -> Any:
        with self.core.db.read() as tx:
            return images.get(tx, self.image_id)

    def properties(self) -> dict[str, str]:
        with self.core.db.read() as tx:
            found = images.complete(tx, [self.row()])[0].properties
        return {name: value for name, value in found.items() if not name.startswith("os_glance")}

    def stores(self) -> list[str]:
        with self.core.db.read() as tx:
            return [place.store for place in locations.of_image(tx, self.image_id)]

    def task(self) -> Any:
        with self.core.db.read() as tx:
            return tasks.of_image(tx, self.image_id)[0]

    def files(self) -> list[str]:
        """Everything that lies in a store or on its way."""
        kept = [url for store in stores.all_stores(self.core).values() for url in store.urls()]
        return kept + [path.name for path in content.incoming_folder(self.core).iterdir()]

    def stage(self) -> None:
        content.staged(self.core, self.image_id).write_bytes(DATA)
        staged = {"size": len(DATA), "sha512": hashlib.sha512(DATA).hexdigest(), "md5": hashlib.md5(DATA).hexdigest()}
        with self.core.db.write() as tx:
            images.change(tx, self.image_id, status="uploading", staged=staged)

    def start(self, method: str, ctx: Context = MIA, **wanted: Any) -> None:
        how = Method(name=method, uri=f"{self.web}/disk")
        imports.start(self.core, ctx, self.image_id, Import(method=how, **wanted))


def staged(world: World) -> None:
    world.stage()
    world.start("glance-direct", all_stores=True)


def downloaded(world: World) -> None:
    world.start("web-download", stores=["second"])


def copied(world: World) -> None:
    path = interface.scratch_path(world.core, world.image_id)
    path.write_bytes(DATA)
    with world.core.db.write() as tx:
        found = content.fingerprint_file(path, "raw", "bare", 1 << 30)
        content.activate(tx, world.core, world.image_id, path, found)
    world.start("copy-image", ADMIN, all_stores=True)


def located(world: World) -> None:
    imports.add_location(world.core, MIA, world.image_id, f"{world.web}/disk", {})


def from_another_region(world: World) -> None:
    core = world.core
    identity_catalog.create_region(core, {"id": "north"})
    service = plain.create(core, identity_catalog.SERVICE, {"type": "image", "name": "glance"})
    endpoint = {"service_id": service.id, "interface": "public", "url": world.web, "region_id": "north"}
    identity_catalog.create_endpoint(core, endpoint)
    how = Method(name="glance-download", region="North", image_id=REMOTE)
    with core.db.write() as tx:
        images.set_property(tx, world.image_id, "os_distro", "windows")
    imports.start(core, MIA, world.image_id, Import(method=how))


def is_as_there(world: World) -> None:
    is_active("local")(world)
    assert world.properties() == {"os_distro": "debian", "hw_disk_bus": "virtio"}
    assert world.row().disk_format == "ari" and world.row().container_format == "ari"


def is_as_before(world: World) -> None:
    is_queued()(world)
    assert world.properties() == {"os_distro": "windows"} and world.row().container_format == "bare"


def cached(world: World) -> None:
    with world.core.db.write() as tx:
        images.change(tx, world.image_id, status="active", size=len(DATA))
        locations.add(tx, world.image_id, "web", f"{world.web}/disk", {})
    cache.want(world.core, world.row())


def is_at_hand(world: World) -> None:
    [entry] = cache.entries(world.core)
    assert entry.status == "cached" and entry.size == len(DATA)
    assert cache.path_of(world.core, world.image_id).read_bytes() == DATA and len(at_hand(world)) == 1


def is_not_at_hand(world: World) -> None:
    assert cache.entries(world.core) == [] and at_hand(world) == [] and world.row().status == "active"


def at_hand(world: World) -> list[Path]:
    return [path for path in cache.folder(world.core).rglob("*") if path.is_file()]


def is_active(*names: str) -> Callable[[World], None]:
    def check(world: World) -> None:
        row = world.row()
        assert row.status == "active" and row.size == len(DATA) and row.checksum is not None
        assert sorted(world.stores()) == sorted(names)
        assert world.task().status == "success" and world.task().result == {"image_id": world.image_id}
        assert len(world.files()) == len([name for name in names if name != "web"])
        with world.core.db.read() as tx:
            assert imports.LOCK not in images.complete(tx, [row])[0].properties

    return check


def is_queued(*names: str) -> Callable[[World], None]:
    def check(world: World) -> None:
        row = world.row()
        assert row.status == "queued" and row.size is None and row.os_hash_value is None and row.disk_format == "raw"
        assert world.stores() == list(names) and world.files() == []
        assert world.task().status == "failure" and world.task().message

    return check


def stays_where_it_was(world: World) -> None:
    assert world.row().status == "active" and world.stores() == ["local"] and len(world.files()) == 1
    assert world.task().status == "failure"


SAGAS: dict[str, tuple[str, Callable[[World], None], Callable[[World], None], Callable[[World], None]]] = {
    "glance-direct": ("image.import_image", staged, is_active("local", "second"), is_queued()),
    "web-download": ("image.import_image", downloaded, is_active("second"), is_queued()),
    "copy-image": ("image.import_image", copied, is_active("local", "second"), stays_where_it_was),
    "glance-download": ("image.import_image", from_another_region, is_as_there, is_as_before),
    "cache": ("image.cache_image", cached, is_at_hand, is_not_at_hand),
    "add location": ("image.add_location", located, is_active("web"), is_queued("web")),
}


@pytest.fixture(params=list(SAGAS))
def scenario(request: pytest.FixtureRequest, new_core: Callable[[], Core], web: str) -> Scenario:
    name, prepare, done, unwound = SAGAS[request.param]
    worlds: dict[int, World] = {}

    async def start() -> Core:
        world = World(new_core(), web)
        prepare(world)
        worlds[id(world.core)] = world
        return world.core

    [operation] = [operation for operation in OPERATIONS if operation.name == name]
    return Scenario(
        operation,
        start,
        lambda core: done(worlds[id(core)]),
        lambda core: unwound(worlds[id(core)]),
        OPERATIONS,
    )


def test_it_unwinds_to_a_clean_slate_when_any_step_fails(scenario: Scenario) -> None:
    assert asyncio.run(testing.fails_at_each_step(scenario)) >= 2


def test_it_leads_to_the_same_world_when_each_step_and_undo_runs_twice(scenario: Scenario) -> None:
    asyncio.run(testing.repeats_each_step(scenario))


def test_it_resumes_when_it_is_killed_between_any_two_writes(scenario: Scenario) -> None:
    assert asyncio.run(testing.killed_between_writes(scenario)) > 2


def test_it_resumes_when_it_is_killed_while_it_unwinds(scenario: Scenario) -> None:
    assert asyncio.run(testing.killed_while_unwinding(scenario)) > 2


def test_a_host_gets_the_data_of_an_image_that_lies_at_a_url(new_core: Callable[[], Core], web: str) -> None:
    world = World(new_core(), web)
    located(world)

    async def fetch() -> bytes:
        await Runner(world.core, OPERATIONS).drain()
        with world.core.db.read() as tx:
            found = interface.image_by_id(tx, world.image_id)
        assert found is not None and found.ref is not None
        images_of_host = interface.LocalImages(world.core)
        assert images_of_host.local_path(found.ref) is None
        return b"".join([part async for part in images_of_host.stream(found.ref)])

    assert asyncio.run(fetch()) == DATA


def test_an_image_that_is_deleted_while_it_is_fetched_leaves_nothing(
    new_core: Callable[[], Core], web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "LOOK_SECONDS", 0.0)
    world = World(new_core(), web)
    downloaded(world)
    with world.core.db.write() as tx:
        images.remove(tx, world.image_id)
    with pytest.raises(StoreError, match="was deleted"):
        imports.StillWanted(world.core, world.image_id)()
    asyncio.run(Runner(world.core, OPERATIONS).drain())
    assert world.files() == [] and world.task().status == "failure"


def test_a_host_gets_a_slow_image_from_the_cache_the_next_time(new_core: Callable[[], Core], web: str) -> None:
    world = World(new_core(), web)
    located(world)
    asyncio.run(Runner(world.core, OPERATIONS).drain())
    with world.core.db.read() as tx:
        found = interface.image_by_id(tx, world.image_id)
    assert found is not None and found.ref is not None
    images_of_host = interface.LocalImages(world.core)
    assert images_of_host.local_path(found.ref) is None
    asyncio.run(Runner(world.core, OPERATIONS).drain())
    local = images_of_host.local_path(found.ref)
    assert local == cache.path_of(world.core, world.image_id) and local.read_bytes() == DATA


def test_a_hash_that_was_only_announced_leads_no_host_to_anothers_data(new_core: Callable[[], Core], web: str) -> None:
    world = World(new_core(), web)
    world.core.config.image.do_secure_hash = False
    secret = hashlib.sha512(b"another project's image").hexdigest()
    hashes = {"os_hash_algo": "sha512", "os_hash_value": secret}
    imports.add_location(world.core, MIA, world.image_id, f"{world.web}/disk", hashes)
    asyncio.run(Runner(world.core, OPERATIONS).drain())
    with world.core.db.read() as tx:
        found = interface.image_by_id(tx, world.image_id)
    assert found is not None and found.status == "active" and found.os_hash_value == secret and found.ref is None
