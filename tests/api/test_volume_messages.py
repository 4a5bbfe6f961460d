"""What fails after the answer was sent is told the project, and what a volume type asks no pool has makes no volume."""

from __future__ import annotations

from typing import Any

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.services.volume.domain import pools
from tane.services.volume.reconcilers.messages import RECONCILER
from tane.wire.errors import HostError
from tests.api.test_volumes import Volumes, active_image, at
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud


@pytest.fixture
def pool(cloud: ApiCloud) -> FakeVolume:
    return add_pool(cloud.core)


@pytest.fixture
def mia(cloud: ApiCloud, pool: FakeVolume) -> Volumes:
    return Volumes(cloud, cloud.new_user("mia", "garden"))


def told(who: Volumes, query: str = "", version: str = "3.31") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = who.caller.get(f"{who.url}/messages?{query}", **at(version)).json()["messages"]
    return found


def make_type(cloud: ApiCloud, name: str, **specs: str) -> None:
    body = {"volume_type": {"name": name, "extra_specs": specs}}
    cloud.admin.post(f"/volume/v3/{cloud.admin.project_id}/types", body, 200)


@pytest.mark.parametrize(
    ("specs", "met"),
    [
        ({}, True),
        ({"volume_backend_name": "file"}, True),
        ({"volume_backend_name": "ceph"}, False),
        ({"capabilities:volume_backend_name": "file"}, True),
        ({"capabilities:vendor_name": "<or> Acme <or> Tane"}, True),
        ({"capabilities:vendor_name": "<or> Acme <or> Other"}, False),
        ({"other:volume_backend_name": "ceph"}, True),
        ({"thin_provisioning_support": "<is> True"}, True),
        ({"thin_provisioning_support": "<is> False"}, False),
        ({"storage_protocol": "<in> nb"}, True),
        ({"storage_protocol": "s== nbd"}, True),
        ({"storage_protocol": "s!= nbd"}, False),
        ({"reserved_percentage": "<= 5"}, True),
        ({"reserved_percentage": ">= 5"}, False),
        ({"storage_protocol": ">= 5"}, False),
        ({"reserved_percentage": "=="}, False),
        ({"compression": "<is> True"}, False),
    ],
)
def test_extra_specs_ask_the_capabilities_of_a_pool(specs: dict[str, str], met: bool) -> None:
    assert pools.meets(specs) is met


def test_what_no_pool_can_makes_no_volume_and_says_so(cloud: ApiCloud, mia: Volumes) -> None:
    make_type(cloud, "rare", volume_backend_name="ceph")
    made = mia.create(volume_type="rare")
    assert mia.show(made["id"])["status"] == "error"
    [message] = told(mia)
    assert message["event_id"] == "VOLUME_VOLUME_001_003"
    assert message["user_message"] == "schedule allocate volume:Could not find any available weighted backend."
    assert (message["resource_type"], message["resource_uuid"]) == ("VOLUME", made["id"])
    assert message["message_level"] == "ERROR" and message["request_id"].startswith("req-")
    assert message["guaranteed_until"] > message["created_at"]


def test_a_pool_that_is_switched_off_is_told_of(cloud: ApiCloud, mia: Volumes) -> None:
    admin = Volumes(cloud, cloud.admin)
    for service in admin.caller.get(f"{admin.url}/os-services?binary=cinder-volume").json()["services"]:
        body = {"host": service["host"], "binary": "cinder-volume"}
        admin.caller.put(f"{admin.url}/os-services/disable", body, 200)
    made = mia.create()
    assert mia.show(made["id"])["status"] == "error"
    assert [message["event_id"] for message in told(mia)] == ["VOLUME_VOLUME_001_003"]


def test_each_failure_of_the_back_end_has_its_event(cloud: ApiCloud, mia: Volumes, pool: FakeVolume) -> None:
    broken = HostError("the disk is broken")
    image = active_image(cloud, mia.caller)
    good = mia.create(name="good")
    for step in ("create", "create_from_image", "extend", "snapshot", "upload"):
        pool.fail(step, None, broken, times=50)
    mia.create(name="bad")
    mia.create(imageRef=image)
    mia.do(good["id"], "os-volume_upload_image", image_name="copy")
    mia.snapshot(good["id"])
    mia.do(good["id"], "os-extend", new_size=2)
    events = {message["event_id"] for message in told(mia)}
    assert events == {
        "VOLUME_VOLUME_008_012",
        "VOLUME_VOLUME_005_001",
        "VOLUME_VOLUME_003_004",
        "VOLUME_VOLUME_007_010",
        "VOLUME_VOLUME_SNAPSHOT_009_013",
    }


def test_messages_are_filtered_paged_shown_and_deleted(cloud: ApiCloud, mia: Volumes) -> None:
    make_type(cloud, "rare", volume_backend_name="ceph")
    volumes = []
    for _ in range(3):
        volumes.append(mia.create(volume_type="rare")["id"])
        cloud.advance(1)
    assert len(told(mia, "limit=1&foo=bar", "3.3")) == 3
    assert [message["resource_uuid"] for message in told(mia, "sort=created_at:asc&limit=2")] == volumes[:2]
    [message] = told(mia, f"resource_uuid={volumes[1]}", "3.5")
    assert told(mia, "message_level=INFO") == []
    path = f"{mia.url}/messages/{message['id']}"
    assert mia.caller.get(path, **at("3.3")).json() == {"message": message}
    mia.caller.get(f"{mia.url}/messages", 404, **at("3.2"))
    other = Volumes(cloud, cloud.new_user("tom", "field"))
    assert told(other) == []
    for verb in ("GET", "DELETE"):
        other.caller.request(verb, f"{other.url}/messages/{message['id']}", expect=404, **at("3.3"))
    reader = Volumes(cloud, cloud.new_user("rea", "garden", "reader"))
    reader.caller.delete(f"{reader.url}/messages/{message['id']}", 403, **at("3.3"))
    mia.caller.delete(path, 204, **at("3.3"))
    mia.caller.get(path, 404, **at("3.3"))
    assert len(told(mia)) == 2
    cloud.advance(31 * 86400)
    assert cloud.wait(RECONCILER.run(cloud.core)) == "deleted 2 expired messages"
    assert cloud.wait(RECONCILER.run(cloud.core)) == ""


def test_what_only_the_image_service_may_set_is_left_out_of_an_upload(cloud: ApiCloud, mia: Volumes) -> None:
    made = mia.create()
    reserved = {"os_glance_failed_import": "", "os_glance_x": "y", "id": "x", "visibility": "public", "tags": "a"}
    kept = {"hw_disk_bus": "virtio", "img_signature": "x"}
    mia.do(made["id"], "os-set_image_metadata", 200, metadata={**reserved, **kept, "min_disk": "many", "min_ram": "-1"})
    answer = mia.do(made["id"], "os-volume_upload_image", image_name="copy", protected=True, version="3.1").json()
    found = answer["os-volume_upload_image"]
    assert found["protected"] is True
    image = mia.caller.get(f"/image/v2/images/{found['image_id']}").json()
    assert {name: image.get(name) for name in kept} == kept
    assert not {"os_glance_failed_import", "os_glance_x"} & set(image)
    assert (image["visibility"], image["tags"], image["min_disk"]) == ("private", [], 0)
    assert (image["status"], image["protected"], image["id"]) == ("active", True, found["image_id"])


def test_the_capabilities_of_a_back_end_are_shown(cloud: ApiCloud, mia: Volumes) -> None:
    admin = Volumes(cloud, cloud.admin)
    for name in ("a-pool@file", "a-pool@file%23file"):
        found = admin.caller.get(f"{admin.url}/capabilities/{name}").json()
        assert found["namespace"] == f"OS::Storage::Capabilities::{name.replace('%23', '#')}"
        assert (found["volume_backend_name"], found["vendor_name"]) == ("file", "Tane")
        assert found["properties"]["qos"]["type"] == "boolean"
    for name in ("a-pool", "other@file"):
        admin.caller.get(f"{admin.url}/capabilities/{name}", 404)
    mia.caller.get(f"{mia.url}/capabilities/a-pool@file", 403)
