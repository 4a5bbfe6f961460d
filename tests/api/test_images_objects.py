"""Images whose data lies in the cloud's object storage."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tane.config import ImageStore
from tane.services.image import interface
from tane.services.image.domain import stores
from tane.services.image.drivers import objects
from tane.services.image.drivers.base import StoreError
from tane.services.image.reconcilers.content import RECONCILER
from tane.services.object.domain import blobs
from tane.services.object.interface import Vault, measured, vault
from tane.services.object.reconcilers.blobs import sweep
from tests.api.test_images import OCTETS, URL, create, store, upload
from tests.api.test_images_import import show, stage, start
from tests.hostile.test_objects_disk import set_object
from tests.services.object.three import World
from tests.support import ApiCloud, Caller

PART = 100_000
DATA = b"".join(number.to_bytes(4, "big") for number in range(60_000))
"""Three parts."""
DEEP = Vault("images", "deep")


@pytest.fixture
def deep(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> ApiCloud:
    """A cloud that keeps its images in objects, unless told otherwise."""
    monkeypatch.setattr(objects, "PART_BYTES", PART)
    cloud.core.config.image.stores = {"deep": ImageStore(type="object", description="copied", weight=3)}
    cloud.core.config.image.default_store = "deep"
    return cloud


def uploaded(caller: Caller, **values: Any) -> str:
    image_id = str(create(caller, **values)["id"])
    upload(caller, image_id, DATA)
    return image_id


def reconciled(cloud: ApiCloud) -> str | None:
    found: str | None = cloud.wait(RECONCILER.run(cloud.core))
    return found


def parts(cloud: ApiCloud) -> int:
    return len(vault.names(cloud.core, DEEP, "parts/"))


def files(cloud: ApiCloud) -> list[Path]:
    return [path for path in (cloud.core.config.state_dir / "objects").rglob("*") if path.is_file()]


def test_an_image_goes_to_the_object_store_and_comes_back(deep: ApiCloud) -> None:
    mia = deep.new_user("mia", "garden")
    image_id = uploaded(mia)
    shown = show(mia, image_id)
    assert shown["status"] == "active" and shown["stores"] == "deep" and shown["size"] == len(DATA)
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    got = mia.get(f"{URL}/{image_id}/file")
    assert got.content == DATA and got.headers["content-md5"] == hashlib.md5(DATA).hexdigest()
    assert store(deep) == [] and parts(deep) == 3
    for first, last in ((0, 0), (99_990, 100_010), (150_000, 239_999)):
        some = mia.get(f"{URL}/{image_id}/file", 206, headers={"Range": f"bytes={first}-{last}"})
        assert some.content == DATA[first : last + 1]
        assert some.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"
    mia.get(f"{URL}/{image_id}/file", 416, headers={"Range": f"bytes={len(DATA)}-"})


def test_what_images_use_counts_for_no_project_and_nobody_reaches_it(deep: ApiCloud) -> None:
    mia, admin = deep.new_user("mia", "garden"), deep.admin
    uploaded(mia)
    assert measured(deep.core) == []
    [name] = [name for name, _ in vault.names(deep.core, DEEP, "data/")]
    for who in (mia, admin):
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            for place in ("", "/deep", f"/deep/{name}"):
                path = f"/object-store/v1/.images{place}"
                assert who.request(method, path, content=b"").status_code == 403, (method, place)
        mine = f"/object-store/v1/AUTH_{who.project_id}"
        who.request("PUT", f"{mine}/c", expect=201)
        headers = {"X-Copy-From": f"deep/{name}", "X-Copy-From-Account": ".images"}
        assert who.request("PUT", f"{mine}/c/o", headers=headers, content=b"").status_code == 403
        link = {"X-Symlink-Target": f"deep/{name}", "X-Symlink-Target-Account": ".images"}
        who.request("PUT", f"{mine}/c/l", headers=link, content=b"", expect=201)
        assert who.request("GET", f"{mine}/c/l").status_code == 403
    assert deep.call("GET", "/object-store/v1/.images/deep").status_code == 401


def test_equal_images_share_their_data_until_the_last_one_goes(deep: ApiCloud) -> None:
    mia, eve = deep.new_user("mia", "garden"), deep.new_user("eve", "attic")
    first, second = uploaded(mia), uploaded(eve)
    assert parts(deep) == 3
    mia.delete(f"{URL}/{first}")
    for _ in range(2):
        deep.advance(objects.UNWANTED_SECONDS + 1)
        assert reconciled(deep) is None and eve.get(f"{URL}/{second}/file").content == DATA
    eve.delete(f"{URL}/{second}")
    assert reconciled(deep) is None and parts(deep) == 3
    deep.advance(objects.UNWANTED_SECONDS + 1)
    assert "1 files removed whose images were deleted" in (reconciled(deep) or "")
    assert vault.names(deep.core, DEEP, "") == []
    deep.advance(blobs.GRACE_SECONDS + 1)
    deep.wait(sweep(deep.core))
    assert files(deep) == []


def test_data_is_not_swept_away_while_an_upload_counts_on_it(deep: ApiCloud, tmp_path: Path) -> None:
    mia = deep.new_user("mia", "garden")
    mia.delete(f"{URL}/{uploaded(mia)}")
    assert reconciled(deep) is None
    deep.advance(objects.UNWANTED_SECONDS + 1)
    place, path, digest = stores.all_stores(deep.core)["deep"], tmp_path / "disk", hashlib.sha512(DATA).hexdigest()
    path.write_bytes(DATA)
    place.put(path, digest)
    assert reconciled(deep) is None
    place.settle(path, digest)
    for _ in range(2):
        reconciled(deep)
        deep.advance(objects.UNWANTED_SECONDS + 1)
    with pytest.raises(StoreError, match="removed again"):
        place.settle(path, digest)


def test_what_a_crash_leaves_of_an_upload_goes_and_the_image_waits_again(
    deep: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = deep.new_user("mia", "garden")
    image_id = create(mia)["id"]

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(vault, "note", killed)
        patched.setattr(vault, "remove", killed)
        with pytest.raises(BaseException):  # noqa: B017  # However the process ends.
            upload(mia, image_id, DATA)
    assert parts(deep) == 3
    deep.advance(91)
    reconciled(deep)
    assert show(mia, image_id)["status"] == "queued" and parts(deep) == 3
    deep.advance(objects.ABANDONED_SECONDS)
    assert "3 unfinished files removed" in (reconciled(deep) or "") and parts(deep) == 0
    upload(mia, image_id, DATA)
    assert mia.get(f"{URL}/{image_id}/file").content == DATA


def test_of_two_writes_of_the_same_content_one_stays(deep: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = deep.new_user("mia", "garden")
    touch, calls = vault.touch, count()

    def late(*args: Any) -> bool:
        """Each looks before the other has written."""
        return bool(next(calls) % 2) and touch(*args)

    with monkeypatch.context() as patched:
        patched.setattr(vault, "touch", late)
        first, second = uploaded(mia), uploaded(mia)
    assert parts(deep) == 3
    assert all(mia.get(f"{URL}/{one}/file").content == DATA for one in (first, second))


def test_hosts_and_operations_get_such_images(deep: ApiCloud) -> None:
    mia = deep.new_user("mia", "garden")
    image_id = uploaded(mia)
    with deep.core.db.read() as tx:
        info = interface.image_by_id(tx, image_id)
    assert info is not None and info.ref is not None
    images, ref = interface.LocalImages(deep.core), info.ref
    assert images.local_path(ref) is None

    async def collect() -> bytes:
        return b"".join([part async for part in images.stream(ref)])

    assert deep.wait(collect()) == DATA


def test_what_an_operation_makes_goes_to_the_default_store(deep: ApiCloud) -> None:
    mia = deep.new_user("mia", "garden")
    image_id = create(mia)["id"]
    path = interface.scratch_path(deep.core, image_id)
    path.write_bytes(DATA)
    for _ in range(2):
        deep.wait(interface.store_file(deep.core, image_id, path))
    assert show(mia, image_id)["stores"] == "deep" and mia.get(f"{URL}/{image_id}/file").content == DATA


def test_an_image_is_imported_to_it_and_copied_from_it(deep: ApiCloud) -> None:
    mia, admin = deep.new_user("mia", "garden"), deep.admin
    image_id = create(mia)["id"]
    stage(mia, image_id, DATA)
    start(mia, image_id, "glance-direct", stores=["deep"])
    deep.run_jobs()
    assert show(mia, image_id)["stores"] == "deep"
    start(admin, image_id, "copy-image", stores=["local"])
    deep.run_jobs()
    assert show(mia, image_id)["stores"] == "deep,local" and [path.name for path in store(deep)] == [
        hashlib.sha512(DATA).hexdigest()
    ]
    admin.delete(f"/image/v2/stores/deep/{image_id}")
    deep.advance(objects.UNWANTED_SECONDS + 1)
    reconciled(deep)
    assert show(mia, image_id)["stores"] == "local" and parts(deep) == 0
    assert mia.get(f"{URL}/{image_id}/file").content == DATA


def test_it_is_told_among_the_stores_and_in_locations(deep: ApiCloud) -> None:
    mia = deep.new_user("mia", "garden")
    found = {entry.pop("id"): entry for entry in deep.admin.get("/image/v2/info/stores/detail").json()["stores"]}
    assert found["deep"]["type"] == "swift" and found["deep"]["default"] == "true" and found["deep"]["weight"] == 3
    assert found["deep"]["properties"]["container"] == "deep"
    deep.core.config.image.show_multiple_locations = True
    image_id = uploaded(mia)
    [place] = show(mia, image_id)["locations"]
    assert place["url"] == f"swift+config://deep/{hashlib.sha512(DATA).hexdigest()}"
    assert place["metadata"] == {"store": "deep"}


def test_without_room_the_upload_is_refused_and_nothing_is_left(deep: ApiCloud) -> None:
    mia = deep.new_user("mia", "garden")
    image_id = create(mia)["id"]
    uploaded(mia)
    set_object(deep, free_percent=99.999)
    answer = mia.request("PUT", f"{URL}/{image_id}/file", content=DATA + b"x", headers=OCTETS, expect=503)
    assert "not enough space" in answer.text
    assert show(mia, image_id)["status"] == "queued" and parts(deep) == 3


def test_with_the_policy_three_each_of_three_hosts_has_a_copy(deep: ApiCloud, tmp_path: Path) -> None:
    settings = deep.core.config.image
    settings.stores = {"deep": ImageStore(type="object", policy="three")}
    mia = deep.new_user("eve", "attic")
    refused = create(mia)["id"]
    answer = mia.request("PUT", f"{URL}/{refused}/file", content=DATA, headers=OCTETS, expect=503)
    assert "needs 3 enabled hosts" in answer.text
    world = World(deep, tmp_path / "hosts")
    try:
        world.heal()
        image_id = uploaded(mia)
        assert [sum(map(len, host.contents)) for host in world.hosts] == [len(DATA)] * 3 and files(deep) == []
        world.away(world.hosts[0])
        assert mia.get(f"{URL}/{image_id}/file").content == DATA
    finally:
        world.close()
