"""Images that come from another region's image service (import method "glance-download")."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tane.services.image.domain import remote
from tests.api.identity_support import V3
from tests.api.test_images import URL, create, patch, store
from tests.services.image.web import web_server
from tests.support import ADMIN_PASSWORD, ApiCloud, Caller

DATA = b"not much of a disk " * 100
THERE = "6f1f7f0e-6f2a-4c5b-9a51-0000000000aa"
ABOUT = {
    "status": "active",
    "disk_format": "raw",
    "container_format": "bare",
    "size": len(DATA),
    "os_distro": "debian",
    "trait:STORAGE_DISK_SSD": "required",
    "os_glance_stolen": "x",
    "speed": "88mph",
}


class Region:
    """Another region's image service: what it shows, gives, and which tokens it was shown."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.tokens: list[str | None] = []
        self.show()

    def show(self, data: bytes = DATA, **changed: Any) -> None:
        self.files[f"/v2/images/{THERE}"] = json.dumps({**ABOUT, **changed}).encode()
        self.files[f"/v2/images/{THERE}/file"] = data


@pytest.fixture
def north(cloud: ApiCloud) -> Iterator[Region]:
    """A region of that name in the catalogue; its address is an internal one."""
    region, admin = Region(), cloud.admin
    [service] = admin.get(f"{V3}/services?type=image").json()["services"]
    with web_server(region.files, region.redirects, region.tokens) as url:
        admin.post(f"{V3}/regions", {"region": {"id": "north"}}, 201)
        endpoint = {"service_id": service["id"], "interface": "public", "url": url, "region_id": "north"}
        admin.post(f"{V3}/endpoints", {"endpoint": endpoint}, 201)
        yield region


def ask(caller: Caller, image_id: str, expect: int = 202, **more: Any) -> Any:
    method = {"name": "glance-download", "glance_region": "north", "glance_image_id": THERE, **more}
    wanted = {name: value for name, value in method.items() if value is not None}
    return caller.post(f"{URL}/{image_id}/import", {"method": wanted}, expect)


def show(caller: Caller, image_id: str) -> dict[str, Any]:
    return dict(caller.get(f"{URL}/{image_id}").json())


def failure(cloud: ApiCloud, caller: Caller, image_id: str) -> str:
    cloud.run_jobs()
    cloud.advance(1)
    assert show(caller, image_id)["status"] == "queued" and store(cloud) == []
    task = caller.get(f"{URL}/{image_id}/tasks").json()["tasks"][0]
    assert task["status"] == "failure"
    return str(task["message"])


def test_an_image_comes_from_another_region_with_its_properties(cloud: ApiCloud, north: Region) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia, disk_format="iso", container_format="ovf", os_distro="windows", colour="green")
    ask(mia, image["id"])
    cloud.run_jobs()
    found = show(mia, image["id"])
    assert found["status"] == "active" and (found["disk_format"], found["container_format"]) == ("raw", "bare")
    assert found["os_distro"] == "debian" and found["trait:STORAGE_DISK_SSD"] == "required"
    assert found["colour"] == "green" and "speed" not in found and "os_glance_stolen" not in found
    assert mia.get(f"{URL}/{image['id']}/file").content == DATA
    assert north.tokens == [mia.token, mia.token]
    assert remote.CALLERS not in cloud.core.memory or not cloud.core.memory[remote.CALLERS]


def test_which_properties_are_taken_over_is_a_setting(cloud: ApiCloud, north: Region) -> None:
    cloud.core.config.image.glance_download_properties = ("speed", "os_")
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    north.show(os_hash_algo="sha512", os_hash_value=None, os_hidden=True)
    ask(mia, image["id"])
    cloud.run_jobs()
    found = show(mia, image["id"])
    assert found["speed"] == "88mph" and found["os_distro"] == "debian" and not found["os_hidden"]
    assert "os_glance_stolen" not in found and "trait:STORAGE_DISK_SSD" not in found


def test_a_request_names_region_and_image(cloud: ApiCloud, north: Region) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    assert "glance_region" in ask(mia, image["id"], 400, glance_region=None).json()["message"]
    assert "glance_image_id" in ask(mia, image["id"], 400, glance_image_id=None).json()["message"]
    refused = ask(mia, image["id"], 400, glance_image_id="../x").json()
    assert "image id does not look like a UUID" in refused["message"]
    ask(mia, image["id"], 400, glance_service_interface=["public"])
    ask(cloud.new_user("leo", "forest"), image["id"], 404)


def test_what_the_other_region_cannot_give_leaves_the_image_as_it_was(cloud: ApiCloud, north: Region) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    patch(mia, image["id"], {"op": "add", "path": "/os_distro", "value": "windows"})
    for more, words in (
        ({"glance_region": "nowhere"}, "endpoint not found for region nowhere"),
        ({"glance_service_interface": "admin"}, "endpoint not found"),
        ({"glance_image_id": "6f1f7f0e-6f2a-4c5b-9a51-0000000000bb"}, "404"),
    ):
        ask(mia, image["id"], **more)
        assert words in failure(cloud, mia, image["id"])
    for shown, words in (
        ({"status": "queued"}, "should be active"),
        ({"size": None}, "Size attribute"),
        ({"size": 7}, "different from expected 7"),
        ({"disk_format": "floppy"}, "floppy"),
        ({"os_hash_algo": "sha512", "os_hash_value": "00"}, "not what its hash tells"),
        ({"disk_format": "qcow2"}, "does not match stream data"),
    ):
        north.show(**shown)
        ask(mia, image["id"])
        assert words in failure(cloud, mia, image["id"])
    assert show(mia, image["id"])["os_distro"] == "windows" and show(mia, image["id"])["disk_format"] == "raw"


def test_a_token_is_not_sent_along_with_a_redirect(cloud: ApiCloud, north: Region) -> None:
    stolen: list[str | None] = []
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    with web_server(north.files, tokens=stolen) as elsewhere:
        north.redirects[f"/v2/images/{THERE}"] = f"{elsewhere}/v2/images/{THERE}"
        ask(mia, image["id"])
        assert "302" in failure(cloud, mia, image["id"])
    assert stolen == []


def test_a_token_is_not_kept_over_a_restart(cloud: ApiCloud, north: Region) -> None:
    mia = cloud.new_user("mia", "garden")
    image = create(mia)
    ask(mia, image["id"])
    cloud.core.memory.clear()
    assert "does not keep tokens" in failure(cloud, mia, image["id"])


def test_a_start_of_the_cloud_leaves_another_regions_endpoint_alone(cloud: ApiCloud, north: Region) -> None:
    def endpoints() -> list[str]:
        found = cloud.admin.get(f"{V3}/endpoints?region_id=north").json()["endpoints"]
        return [endpoint["url"] for endpoint in found]

    before = endpoints()
    cloud.cloud.prepare(ADMIN_PASSWORD)
    assert endpoints() == before and len(before) == 1
