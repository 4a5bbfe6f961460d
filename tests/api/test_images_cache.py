"""The cache: what an administrator asks for and what use fills is at hand, counted and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.config import ImageStore
from tane.services.image.domain import cache, content
from tests.api.test_images import DATA, URL, create, patch, upload
from tests.services.image.web import web_server
from tests.support import ApiCloud, Caller

CACHE = "/image/v2/cache"


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    settings = cloud.core.config.image
    settings.stores = {
        "far": ImageStore(path=cloud.core.config.state_dir / "far", slow=True, weight=5),
        "web": ImageStore(type="http"),
    }
    settings.allowed_hosts, settings.allowed_ports = ("127.0.0.1",), ()
    settings.show_multiple_locations = True
    return cloud.new_user("mia", "garden")


@pytest.fixture
def files() -> dict[str, bytes]:
    return {"/disk": DATA}


@pytest.fixture
def web(files: dict[str, bytes]) -> Iterator[str]:
    with web_server(files) as address:
        yield address


def state(cloud: ApiCloud) -> tuple[list[str], list[str]]:
    """Ids of what is cached and of what is queued, each in alphabetical order."""
    found = cloud.admin.get(CACHE).json()
    return [entry["image_id"] for entry in found["cached_images"]], found["queued_images"]


def entry(cloud: ApiCloud) -> dict[str, Any]:
    [found] = cloud.admin.get(CACHE).json()["cached_images"]
    return dict(found)


def kept(cloud: ApiCloud) -> list[Path]:
    return [path for path in cache.folder(cloud.core).rglob("*") if path.is_file()]


def far(caller: Caller, data: bytes = DATA) -> str:
    """An image in the slow store."""
    image_id = str(create(caller)["id"])
    headers = {"Content-Type": "application/octet-stream", "X-Image-Meta-Store": "far"}
    caller.request("PUT", f"{URL}/{image_id}/file", content=data, headers=headers, expect=204)
    return image_id


def at(caller: Caller, url: str) -> str:
    """An image whose data stays at a URL."""
    image_id = str(create(caller)["id"])
    patch(caller, image_id, {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}})
    return image_id


def download(caller: Caller, image_id: str) -> bytes:
    return bytes(caller.get(f"{URL}/{image_id}/file").content)


def test_an_administrator_has_an_image_cached_and_forgotten(cloud: ApiCloud, mia: Caller) -> None:
    admin, image = cloud.admin, create(mia)
    assert admin.get(CACHE).json() == {"cached_images": [], "queued_images": []}
    admin.put(f"{CACHE}/absent", None, 404)
    admin.put(f"{CACHE}/{image['id']}", None, 400)
    upload(mia, image["id"])
    for caller, status in ((mia, 403), (admin, 202), (admin, 202)):
        caller.put(f"{CACHE}/{image['id']}", None, status)
    assert state(cloud) == ([], [image["id"]])
    cloud.run_jobs()
    found = entry(cloud)
    assert found["size"] == len(DATA) and found["hits"] == 0
    assert (
        found["last_accessed"] == found["last_modified"] == pytest.approx(cloud.core.clock.now().timestamp(), abs=1e5)
    )
    cloud.advance(60)
    assert download(mia, image["id"]) == DATA
    assert entry(cloud)["hits"] == 1 and entry(cloud)["last_accessed"] == found["last_accessed"] + 60
    admin.delete(f"{CACHE}/{image['id']}")
    assert state(cloud) == ([], []) and kept(cloud) == []
    admin.delete(f"{CACHE}/{image['id']}")
    admin.delete(f"{CACHE}/absent", 404)
    assert download(mia, image["id"]) == DATA


def test_what_lies_on_the_same_disk_is_cached_without_taking_room(cloud: ApiCloud, mia: Caller) -> None:
    image = create(mia)
    upload(mia, image["id"])
    cloud.admin.put(f"{CACHE}/{image['id']}", None, 202)
    cloud.run_jobs()
    [file] = kept(cloud)
    assert file.stat().st_nlink == 2


@pytest.mark.parametrize("place", ["far", "web"])
def test_the_first_use_of_a_slow_image_has_it_cached(cloud: ApiCloud, mia: Caller, web: str, place: str) -> None:
    image_id = far(mia) if place == "far" else at(mia, f"{web}/disk")
    assert state(cloud) == ([], [])
    assert download(mia, image_id) == DATA
    assert state(cloud) == ([], [image_id])
    cloud.run_jobs()
    assert state(cloud) == ([image_id], []) and entry(cloud)["hits"] == 0
    [file] = kept(cloud)
    assert file.stat().st_nlink == 1


def test_a_cached_image_is_served_when_its_store_is_away(cloud: ApiCloud, mia: Caller) -> None:
    with web_server({"/disk": DATA}) as web:
        image_id = at(mia, f"{web}/disk")
        download(mia, image_id)
        cloud.run_jobs()
    assert download(mia, image_id) == DATA
    part = mia.get(f"{URL}/{image_id}/file", 206, headers={"Range": "bytes=2-4"})
    assert part.content == DATA[2:5] and entry(cloud)["hits"] == 2


def test_what_is_local_is_not_cached_by_use(cloud: ApiCloud, mia: Caller) -> None:
    image = create(mia)
    upload(mia, image["id"])
    download(mia, image["id"])
    assert state(cloud) == ([], [])


def test_a_deactivated_image_is_neither_cached_nor_served(cloud: ApiCloud, mia: Caller) -> None:
    image_id = far(mia)
    cloud.admin.put(f"{CACHE}/{image_id}", None, 202)
    mia.post(f"{URL}/{image_id}/actions/deactivate", expect=204)
    cloud.run_jobs()
    assert state(cloud) == ([], []) and kept(cloud) == []
    cloud.admin.put(f"{CACHE}/{image_id}", None, 400)
    mia.post(f"{URL}/{image_id}/actions/reactivate", expect=204)
    cloud.admin.put(f"{CACHE}/{image_id}", None, 202)
    cloud.run_jobs()
    mia.post(f"{URL}/{image_id}/actions/deactivate", expect=204)
    mia.get(f"{URL}/{image_id}/file", 403)


def test_a_deleted_image_leaves_the_cache(cloud: ApiCloud, mia: Caller) -> None:
    cached, queued = far(mia), far(mia, DATA * 2)
    cloud.admin.put(f"{CACHE}/{cached}", None, 202)
    cloud.run_jobs()
    cloud.admin.put(f"{CACHE}/{queued}", None, 202)
    mia.delete(f"{URL}/{cached}")
    mia.delete(f"{URL}/{queued}")
    cloud.run_jobs()
    assert state(cloud) == ([], []) and kept(cloud) == []


def test_another_projects_image_is_not_served_from_the_cache(cloud: ApiCloud, mia: Caller) -> None:
    image_id = far(mia)
    cloud.admin.put(f"{CACHE}/{image_id}", None, 202)
    cloud.run_jobs()
    cloud.new_user("leo", "forest").get(f"{URL}/{image_id}/file", 404)


def test_the_least_recently_used_goes_when_the_cache_is_full(cloud: ApiCloud, mia: Caller) -> None:
    cloud.core.config.image.image_cache_max_size = 2 * len(DATA)
    first, second, third = (far(mia, bytes([number]) * len(DATA)) for number in range(3))
    for image_id in (first, second):
        download(mia, image_id)
        cloud.run_jobs()
        cloud.advance(1)
    download(mia, first)
    cloud.advance(1)
    download(mia, third)
    cloud.run_jobs()
    assert state(cloud)[0] == sorted([first, third]) and len(kept(cloud)) == 2
    large = far(mia, DATA * 3)
    download(mia, large)
    assert state(cloud)[1] == []
    cloud.admin.put(f"{CACHE}/{large}", None, 202)
    cloud.run_jobs()
    assert state(cloud) == (sorted([first, third]), [])
    cloud.core.config.image.image_cache_max_size = len(DATA)
    pruned = cloud.admin.post(f"{CACHE}/prune", expect=200).json()
    assert pruned == {"total_files_pruned": 1, "total_bytes_pruned": len(DATA)}
    assert state(cloud) == ([third], []) and len(kept(cloud)) == 1


def test_the_cache_and_its_queue_are_cleared_apart_or_together(cloud: ApiCloud, mia: Caller) -> None:
    cached, queued = far(mia), far(mia, DATA * 2)

    def fill() -> None:
        cloud.admin.put(f"{CACHE}/{cached}", None, 202)
        cloud.run_jobs()
        cloud.admin.put(f"{CACHE}/{queued}", None, 202)

    for target, left in (("queue", ([cached], [])), ("cache", ([], [queued])), ("", ([], []))):
        fill()
        cloud.admin.delete(CACHE, headers={"x-image-cache-clear-target": target} if target else {})
        assert state(cloud) == left
        cloud.admin.delete(CACHE)
    cloud.admin.delete(CACHE, 400, headers={"x-image-cache-clear-target": "all"})
    cloud.run_jobs()
    assert kept(cloud) == []


def test_data_that_is_not_what_the_images_hash_tells_is_not_kept(
    cloud: ApiCloud, mia: Caller, web: str, files: dict[str, bytes]
) -> None:
    image_id = str(create(mia)["id"])
    cloud.admin.post(f"{URL}/{image_id}/locations", {"url": f"{web}/disk"}, 202)
    cloud.run_jobs()
    assert mia.get(f"{URL}/{image_id}").json()["os_hash_value"]
    files["/disk"] = bytes(len(DATA))
    cloud.admin.put(f"{CACHE}/{image_id}", None, 202)
    cloud.run_jobs()
    assert state(cloud) == ([], []) and kept(cloud) == []


def test_an_image_that_gets_other_locations_is_fetched_anew(cloud: ApiCloud, mia: Caller, web: str) -> None:
    image_id = at(mia, f"{web}/disk")
    download(mia, image_id)
    cloud.run_jobs()
    assert state(cloud) == ([image_id], [])
    patch(mia, image_id, {"op": "add", "path": "/locations/-", "value": {"url": f"{web}/disk#2", "metadata": {}}})
    assert state(cloud) == ([], [])


def test_a_sweep_removes_what_crashes_left(cloud: ApiCloud, mia: Caller) -> None:
    first, second = far(mia), far(mia, DATA * 2)
    for image_id in (first, second):
        cloud.admin.put(f"{CACHE}/{image_id}", None, 202)
    cloud.run_jobs()
    cache.path_of(cloud.core, first).unlink()
    cache.path_of(cloud.core, "00000000-of-no-image").write_bytes(b"x")
    cache.part_of(cloud.core, "of-no-job").write_bytes(b"x")
    cloud.admin.post(f"{CACHE}/clean", expect=200)
    assert state(cloud) == ([second], []) and kept(cloud) == [cache.path_of(cloud.core, second)]
    cache.path_of(cloud.core, second).unlink()
    assert download(mia, second) == DATA * 2
    assert content.sweep(cloud.core) == content.Swept(cached=1)


def test_a_cloud_without_a_cache_says_so(cloud: ApiCloud, mia: Caller) -> None:
    cloud.core.config.image.image_cache_dir = ""
    image_id = far(mia)
    assert download(mia, image_id) == DATA
    for method, path in (("GET", CACHE), ("PUT", f"{CACHE}/{image_id}"), ("DELETE", CACHE)):
        answer = cloud.admin.request(method, path, expect=404).json()
        assert "Caching via API is not supported at this site" in answer["message"]
