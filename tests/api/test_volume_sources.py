"""What a volume is made from when an image is named: by id, by URL, by name, or an image that only points elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tane.services.volume.interface import create_volume
from tane.web.context import Context
from tests.api.test_volumes import Volumes, active_image, at
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud


@pytest.fixture
def mia(cloud: ApiCloud) -> Volumes:
    add_pool(cloud.core)
    return Volumes(cloud, cloud.new_user("mia", "garden"))


def create(who: Volumes, expect: int = 202, version: str = "3.46", **values: Any) -> dict[str, Any]:
    answer = who.caller.post(f"{who.url}/volumes", {"volume": values}, expect, **at(version)).json()
    who.cloud.run_jobs()
    found: dict[str, Any] = answer.get("volume", answer)
    return found


def of_server(who: Volumes, named: str, **device: Any) -> str:
    """The image that compute makes of a server that booted from volumes: no data, and a mapping."""
    root = {"source_type": "snapshot", "destination_type": "volume", "snapshot_id": named, "boot_index": 0}
    data = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": None}
    mapping = json.dumps([data, {**root, **device}])
    return active_image(who.cloud, who.caller, b"", block_device_mapping=mapping, bdm_v2="True")


@pytest.mark.parametrize("form", ["{id}", "http://cloud.test/image/v2/images/{id}", "a disk"])
def test_an_image_is_named_by_its_id_its_url_or_its_name(cloud: ApiCloud, mia: Volumes, form: str) -> None:
    image_id = active_image(cloud, mia.caller, name="a disk")
    made = mia.show(create(mia, size=1, imageRef=form.format(id=image_id))["id"])
    assert made["status"] == "available" and made["volume_image_metadata"]["image_id"] == image_id


def test_a_name_that_several_images_have_is_refused(cloud: ApiCloud, mia: Volumes) -> None:
    for _ in range(2):
        active_image(cloud, mia.caller, name="a disk")
    message = create(mia, 409, size=1, imageRef="a disk")["conflictingRequest"]["message"]
    assert message == "Multiple matches found for 'a disk', use an ID to be more specific."


def test_another_projects_image_is_not_found_by_its_name(cloud: ApiCloud, mia: Volumes) -> None:
    active_image(cloud, cloud.new_user("tom", "field"), name="secret")
    message = create(mia, 400, size=1, imageRef="secret")["badRequest"]["message"]
    assert message == "Invalid image identifier or unable to access requested image."


def test_the_image_of_a_server_with_volumes_stands_for_its_snapshot_since_346(mia: Volumes) -> None:
    root = mia.create(size=2)
    mia.do(root["id"], "os-set_bootable", 200, bootable=True)
    mia.do(root["id"], "os-set_image_metadata", 200, metadata={"hw_disk_bus": "scsi"})
    snapshot = mia.snapshot(root["id"])
    image_id = of_server(mia, snapshot["id"])
    made = mia.show(create(mia, imageRef=image_id)["id"])
    assert (made["status"], made["size"], made["snapshot_id"]) == ("available", 2, snapshot["id"])
    assert made["bootable"] == "true" and made["volume_image_metadata"] == {"hw_disk_bus": "scsi"}
    assert "snapshot size 2GB" in create(mia, 400, size=1, imageRef=image_id)["badRequest"]["message"]
    assert mia.show(create(mia, size=1, version="3.45", imageRef=image_id)["id"])["snapshot_id"] is None
    ctx = Context("req-x", user_id=mia.caller.user_id, project_id=mia.caller.project_id)
    with mia.cloud.core.db.write() as tx:
        by_compute = create_volume(tx, ctx, size=3, image_id=image_id)
    mia.cloud.run_jobs()
    assert mia.show(by_compute)["snapshot_id"] == snapshot["id"]


def test_a_snapshot_that_is_gone_or_anothers_is_not_found(cloud: ApiCloud, mia: Volumes) -> None:
    tom = Volumes(cloud, cloud.new_user("tom", "field"))
    theirs = tom.snapshot(tom.create()["id"])["id"]
    for snapshot_id in (theirs, "9e0cb1a2-0000-4000-8000-000000000000"):
        message = create(mia, 404, imageRef=of_server(mia, snapshot_id))["itemNotFound"]["message"]
        assert message == f"Nova specific image is found, but boot volume snapshot id:{snapshot_id} not found."


@pytest.mark.parametrize("device", [{"boot_index": 1}, {"source_type": "volume"}, {"snapshot_id": 5}])
def test_what_maps_no_root_is_an_image_like_others(mia: Volumes, device: dict[str, Any]) -> None:
    image_id = of_server(mia, "9e0cb1a2-0000-4000-8000-000000000000", **device)
    assert mia.show(create(mia, size=1, imageRef=image_id)["id"])["snapshot_id"] is None


@pytest.mark.parametrize("mapping", ["no json", "{}", "[1]", "[" * 5000])
def test_a_mapping_that_is_none_is_not_followed(cloud: ApiCloud, mia: Volumes, mapping: str) -> None:
    image_id = active_image(cloud, mia.caller, block_device_mapping=mapping)
    assert mia.show(create(mia, size=1, imageRef=image_id)["id"])["status"] == "available"


def test_an_image_names_the_type_of_volumes_made_from_it(cloud: ApiCloud, mia: Volumes) -> None:
    admin = Volumes(cloud, cloud.admin)
    for name in ("gold", "silver"):
        admin.caller.post(f"{admin.url}/types", {"volume_type": {"name": name}}, 200)
    image_id = active_image(cloud, mia.caller, cinder_img_volume_type="gold")
    assert create(mia, size=1, imageRef=image_id)["volume_type"] == "gold"
    assert create(mia, size=1, imageRef=image_id, volume_type="silver")["volume_type"] == "silver"
    wrong = active_image(cloud, mia.caller, cinder_img_volume_type="lead")
    assert "lead" in create(mia, 404, size=1, imageRef=wrong)["itemNotFound"]["message"]


@pytest.mark.parametrize("disk_format", ["raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx"])
def test_a_simulated_volume_is_uploaded_in_every_format(cloud: ApiCloud, mia: Volumes, disk_format: str) -> None:
    made = mia.create(size=3)
    form = {"image_name": "copy", "disk_format": disk_format}
    found = mia.do(made["id"], "os-volume_upload_image", **form).json()["os-volume_upload_image"]
    image = mia.caller.get(f"/image/v2/images/{found['image_id']}").json()
    assert (image["status"], image["disk_format"]) == ("active", disk_format)
    assert disk_format == "raw" or image["virtual_size"] == 3 << 30
    assert mia.show(made["id"])["status"] == "available"
    back = mia.create(size=3, imageRef=image["id"])
    assert mia.show(back["id"])["status"] == "available"


@pytest.mark.parametrize("disk_format", ["ploop", "iso", "ami", "x"])
def test_a_format_no_volume_is_written_as_is_refused(mia: Volumes, disk_format: str) -> None:
    made = mia.create()
    mia.do(made["id"], "os-volume_upload_image", 400, image_name="copy", disk_format=disk_format)
