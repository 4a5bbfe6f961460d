"""Volumes as their users see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.wire.errors import HostError
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud, Caller, second_host


def at(version: str) -> dict[str, Any]:
    return {"headers": {"OpenStack-API-Version": f"volume {version}"}}


class Volumes:
    """A member's calls below ``/volume/v3/<project>``."""

    def __init__(self, cloud: ApiCloud, caller: Caller) -> None:
        self.cloud = cloud
        self.caller = caller
        self.url = f"/volume/v3/{caller.project_id}"

    def create(self, expect: int = 202, **values: Any) -> dict[str, Any]:
        """A new volume, made."""
        answer = self.caller.post(f"{self.url}/volumes", {"volume": {"size": 1, **values}}, expect).json()
        self.cloud.run_jobs()
        found: dict[str, Any] = answer.get("volume", answer)
        return found

    def show(self, volume_id: str, expect: int = 200) -> dict[str, Any]:
        answer = self.caller.get(f"{self.url}/volumes/{volume_id}", expect).json()
        found: dict[str, Any] = answer.get("volume", answer)
        return found

    def do(self, volume_id: str, name: str, expect: int = 202, version: str = "3.0", **values: Any) -> Any:
        path = f"{self.url}/volumes/{volume_id}/action"
        answer = self.caller.post(path, {name: values}, expect, **at(version))
        self.cloud.run_jobs()
        return answer

    def snapshot(self, volume_id: str, expect: int = 202, **values: Any) -> dict[str, Any]:
        body = {"snapshot": {"volume_id": volume_id, **values}}
        answer = self.caller.post(f"{self.url}/snapshots", body, expect).json()
        self.cloud.run_jobs()
        found: dict[str, Any] = answer.get("snapshot", answer)
        return found


@pytest.fixture
def pool(cloud: ApiCloud) -> FakeVolume:
    return add_pool(cloud.core)


@pytest.fixture
def mia(cloud: ApiCloud, pool: FakeVolume) -> Volumes:
    return Volumes(cloud, cloud.new_user("mia", "garden"))


@pytest.fixture
def admin(cloud: ApiCloud, pool: FakeVolume) -> Volumes:
    return Volumes(cloud, cloud.admin)


def active_image(cloud: ApiCloud, caller: Caller, data: bytes = b"a disk", **values: Any) -> str:
    body = {"name": "disk", "disk_format": "raw", "container_format": "bare", **values}
    image_id: str = caller.post("/image/v2/images", body, 201).json()["id"]
    octets = {"Content-Type": "application/octet-stream"}
    caller.request("PUT", f"/image/v2/images/{image_id}/file", content=data, headers=octets, expect=204)
    return image_id


def test_an_empty_volume_becomes_available_and_is_deleted(mia: Volumes, pool: FakeVolume) -> None:
    made = mia.create(name="data", metadata={"use": "test"})
    assert (made["status"], made["size"], made["volume_type"], made["bootable"]) == ("creating", 1, "file", "false")
    assert "os-vol-host-attr:host" not in made
    shown = mia.show(made["id"])
    assert shown["status"] == "available" and shown["metadata"] == {"use": "test"} and shown["attachments"] == []
    assert made["id"] in pool._volumes
    mia.caller.delete(f"{mia.url}/volumes/{made['id']}", 202)
    assert mia.show(made["id"])["status"] == "deleting"
    mia.cloud.run_jobs()
    message = mia.show(made["id"], 404)["itemNotFound"]["message"]
    assert message == f"Volume {made['id']} could not be found."
    assert pool._volumes == {}


def test_a_volume_is_made_from_an_image_and_is_bootable(cloud: ApiCloud, mia: Volumes) -> None:
    image_id = active_image(cloud, mia.caller, min_disk=2, hw_disk_bus="virtio")
    refused = mia.create(400, imageRef=image_id)["badRequest"]["message"]
    assert refused == "Invalid input received: Volume size 1GB cannot be smaller than the image minDisk size 2GB."
    made = mia.show(mia.create(size=2, imageRef=image_id)["id"])
    assert made["status"] == "available" and made["bootable"] == "true"
    assert made["volume_image_metadata"]["image_id"] == image_id
    assert made["volume_image_metadata"]["hw_disk_bus"] == "virtio"
    queued = mia.caller.post("/image/v2/images", {"name": "q"}, 201).json()["id"]
    mia.create(400, imageRef=queued)
    mia.create(400, imageRef="9e0cb1a2-0000-4000-8000-000000000000")


def test_copies_of_a_snapshot_and_of_a_volume_keep_its_size_and_kind(mia: Volumes) -> None:
    source = mia.create(size=2)
    mia.do(source["id"], "os-set_bootable", 200, bootable=True)
    snapshot = mia.snapshot(source["id"], name="then")
    copy = mia.create(size=None, snapshot_id=snapshot["id"])
    assert mia.show(copy["id"])["size"] == 2 and mia.show(copy["id"])["bootable"] == "true"
    clone = mia.create(size=3, source_volid=source["id"])
    assert mia.show(clone["id"])["status"] == "available" and mia.show(clone["id"])["source_volid"] == source["id"]
    assert "snapshot size 2GB" in mia.create(400, size=1, snapshot_id=snapshot["id"])["badRequest"]["message"]
    assert "original volume size" in mia.create(400, size=1, source_volid=source["id"])["badRequest"]["message"]
    mia.create(400, snapshot_id=snapshot["id"], source_volid=source["id"])
    mia.create(404, snapshot_id="9e0cb1a2-0000-4000-8000-000000000000")


def test_a_pool_that_cannot_leaves_the_volume_in_error_and_it_can_be_deleted(mia: Volumes, pool: FakeVolume) -> None:
    pool.fail("create", None, HostError("no space"))
    made = mia.create()
    assert mia.show(made["id"])["status"] == "error"
    mia.caller.delete(f"{mia.url}/volumes/{made['id']}", 202)
    mia.cloud.run_jobs()
    mia.show(made["id"], 404)
    kept = mia.create()
    pool.fail("delete", kept["id"], HostError("busy"))
    mia.caller.delete(f"{mia.url}/volumes/{kept['id']}", 202)
    mia.cloud.run_jobs()
    assert mia.show(kept["id"])["status"] == "error_deleting"


def test_bad_sizes_and_types_are_refused_with_the_reason(mia: Volumes) -> None:
    for size in (0, -1, "many", "#$%"):
        mia.create(400, size=size)
    mia.create(400, size=None)
    mia.create(404, volume_type="unknown")
    mia.create(400, availability_zone="mars")
    mia.create(400, metadata={"k": "x" * 256})
    mia.create(501, multiattach=True)


def test_a_volume_with_snapshots_is_deleted_only_with_cascade(mia: Volumes, pool: FakeVolume) -> None:
    made = mia.create()
    snapshot = mia.snapshot(made["id"])
    refused = mia.caller.delete(f"{mia.url}/volumes/{made['id']}", 400).json()["badRequest"]["message"]
    assert "have snapshots" in refused
    mia.caller.delete(f"{mia.url}/volumes/{made['id']}?cascade=true", 202)
    mia.cloud.run_jobs()
    mia.show(made["id"], 404)
    mia.caller.get(f"{mia.url}/snapshots/{snapshot['id']}", 404)
    assert pool._volumes == {}


def test_a_volume_grows_but_never_shrinks(mia: Volumes, pool: FakeVolume) -> None:
    made = mia.create()
    mia.do(made["id"], "os-extend", 400, new_size=1)
    mia.do(made["id"], "os-extend", new_size=3)
    assert mia.show(made["id"])["size"] == 3 and mia.show(made["id"])["status"] == "available"
    assert pool._volumes[made["id"]].size_bytes == 3 << 30
    mia.do(made["id"], "os-reserve")
    mia.do(made["id"], "os-extend", 400, new_size=4)


def test_a_volume_is_attached_and_detached_by_action(mia: Volumes) -> None:
    made, server = mia.create(), "3b9c1c6e-0000-4000-8000-000000000001"
    mia.do(made["id"], "os-reserve")
    assert mia.show(made["id"])["status"] == "attaching"
    mia.do(made["id"], "os-reserve", 400)
    mia.do(made["id"], "os-unreserve")
    assert mia.show(made["id"])["status"] == "available"
    mia.do(made["id"], "os-attach", instance_uuid=server, mountpoint="/dev/vdc")
    shown = mia.show(made["id"])
    assert shown["status"] == "in-use"
    [attachment] = shown["attachments"]
    assert attachment["server_id"] == server and attachment["device"] == "/dev/vdc"
    assert attachment["id"] == attachment["volume_id"] == made["id"]
    mia.caller.delete(f"{mia.url}/volumes/{made['id']}", 400)
    mia.snapshot(made["id"], 400)
    assert mia.snapshot(made["id"], force=True)["status"] == "creating"
    mia.do(made["id"], "os-extend", 501, version="3.42", new_size=2)
    mia.do(made["id"], "os-begin_detaching")
    assert mia.show(made["id"])["status"] == "detaching"
    mia.do(made["id"], "os-roll_detaching")
    mia.do(made["id"], "os-detach")
    assert mia.show(made["id"])["status"] == "available" and mia.show(made["id"])["attachments"] == []
    mia.do(made["id"], "os-begin_detaching", 400)


def test_an_attachment_record_reserves_a_volume(mia: Volumes) -> None:
    made, server = mia.create(), "3b9c1c6e-0000-4000-8000-000000000001"
    url = f"{mia.url}/attachments"
    mia.caller.get(url, 404)
    body = {"attachment": {"volume_uuid": made["id"], "instance_uuid": server}}
    attachment = mia.caller.post(url, body, 200, **at("3.54")).json()["attachment"]
    assert attachment["status"] == "reserved" and mia.show(made["id"])["status"] == "reserved"
    mia.caller.post(url, body, 400, **at("3.27"))
    path = f"{url}/{attachment['id']}"
    assert mia.caller.get(f"{url}?volume_id={made['id']}", **at("3.27")).json()["attachments"] == [
        {"id": attachment["id"], "status": "reserved", "instance": server, "volume_id": made["id"]}
    ]
    mia.caller.put(path, {"attachment": {"connector": {"host": "h"}}}, 501, **at("3.27"))
    mia.caller.post(f"{path}/action", {"os-complete": {}}, 204, **at("3.44"))
    assert mia.show(made["id"])["status"] == "in-use"
    assert mia.caller.delete(path, 200, **at("3.27")).json() == {"attachments": []}
    assert mia.show(made["id"])["status"] == "available"


def test_a_volume_becomes_an_image(mia: Volumes) -> None:
    made = mia.create()
    answer = mia.do(made["id"], "os-volume_upload_image", image_name="copy", disk_format="raw").json()
    view = answer["os-volume_upload_image"]
    assert view["status"] == "uploading" and view["image_name"] == "copy"
    image = mia.caller.get(f"/image/v2/images/{view['image_id']}").json()
    assert image["status"] == "active" and image["name"] == "copy" and image["visibility"] == "private"
    assert mia.show(made["id"])["status"] == "available"
    mia.do(made["id"], "os-volume_upload_image", 400, image_name="copy", disk_format="floppy")
    for wrong in ({"visibility": "everyone"}, {"container_format": "box"}):
        mia.do(made["id"], "os-volume_upload_image", 400, image_name="copy", version="3.1", **wrong)
    mia.do(made["id"], "os-volume_upload_image", 403, image_name="c", version="3.1", visibility="public")


def test_read_only_and_image_metadata_are_shown(mia: Volumes) -> None:
    made = mia.create()
    mia.do(made["id"], "os-update_readonly_flag", readonly=True)
    assert mia.show(made["id"])["metadata"] == {"readonly": "True"}
    mia.do(made["id"], "os-update_readonly_flag", readonly=False)
    assert mia.show(made["id"])["metadata"] == {"readonly": "False"}
    mia.do(made["id"], "os-set_image_metadata", 200, metadata={"os": "x"})
    assert mia.do(made["id"], "os-show_image_metadata", 200).json() == {"metadata": {"os": "x"}}
    mia.do(made["id"], "os-unset_image_metadata", 200, key="os")
    mia.do(made["id"], "os-unset_image_metadata", 404, key="os")


def test_metadata_is_added_replaced_and_removed(mia: Volumes) -> None:
    made = mia.create(metadata={"a": "1"})
    snapshot = mia.snapshot(made["id"], metadata={"a": "1"})
    for url in (f"{mia.url}/volumes/{made['id']}/metadata", f"{mia.url}/snapshots/{snapshot['id']}/metadata"):
        added = mia.caller.post(url, {"metadata": {"b": "2"}}, 200).json()
        assert added == {"metadata": {"a": "1", "b": "2"}}
        assert mia.caller.put(f"{url}/b", {"meta": {"b": "3"}}, 200).json() == {"meta": {"b": "3"}}
        mia.caller.put(f"{url}/b", {"meta": {"c": "3"}}, 400)
        assert mia.caller.get(f"{url}/b").json() == {"meta": {"b": "3"}}
        mia.caller.delete(f"{url}/b", 200)
        mia.caller.get(f"{url}/b", 404)
        assert mia.caller.put(url, {"metadata": {"z": "0"}}, 200).json() == {"metadata": {"z": "0"}}


def test_the_list_is_filtered_sorted_counted_and_paged(mia: Volumes) -> None:
    for name, size in (("a", 3), ("b", 1), ("c", 2)):
        mia.create(name=name, size=size, metadata={"n": name})

    def names(query: str, version: str = "3.60") -> list[str]:
        found = mia.caller.get(f"{mia.url}/volumes/detail?{query}", **at(version)).json()["volumes"]
        return [volume["name"] for volume in found]

    assert names("sort=size:asc") == ["b", "c", "a"]
    assert names("sort_key=name&sort_dir=desc") == ["c", "b", "a"]
    assert names("name=b") == ["b"] and names("status=error") == []
    assert names("metadata={'n':'c'}") == ["c"]
    assert names("name~=a") == ["a"]
    assert names("created_at=lt:2001-01-01T00:00:00") == []
    assert names("bootable=true") == []
    page = mia.caller.get(f"{mia.url}/volumes?limit=2&with_count=true&sort=name:asc", **at("3.45")).json()
    assert [volume["name"] for volume in page["volumes"]] == ["a", "b"] and page["count"] == 3
    [link] = page["volumes_links"]
    rest = mia.caller.get(link["href"].removeprefix("http://cloud.test")).json()["volumes"]
    assert [volume["name"] for volume in rest] == ["c"]
    mia.caller.get(f"{mia.url}/volumes?sort_key=colour", 400)
    mia.caller.get(f"{mia.url}/volumes?limit=-1", 400)
    summary = mia.caller.get(f"{mia.url}/volumes/summary", **at("3.36")).json()["volume-summary"]
    assert summary == {"total_size": 6, "total_count": 3, "metadata": {"n": ["a", "b", "c"]}}


def test_another_projects_volume_does_not_exist(cloud: ApiCloud, mia: Volumes) -> None:
    leo = Volumes(cloud, cloud.new_user("leo", "forest"))
    made = mia.create()
    snapshot = mia.snapshot(made["id"])
    leo.show(made["id"], 404)
    leo.caller.delete(f"{leo.url}/volumes/{made['id']}", 404)
    leo.do(made["id"], "os-extend", 404, new_size=2)
    leo.caller.get(f"{leo.url}/snapshots/{snapshot['id']}", 404)
    leo.create(404, source_volid=made["id"])
    assert leo.caller.get(f"{leo.url}/volumes?all_tenants=1").json() == {"volumes": []}
    assert "Malformed request url" in leo.caller.get(f"{mia.url}/volumes", 400).text


def test_a_reader_looks_but_does_not_touch_and_a_stranger_gets_nothing(cloud: ApiCloud, mia: Volumes) -> None:
    rita = Volumes(cloud, cloud.new_user("rita", "garden", role="reader"))
    made = mia.create()
    rita.show(made["id"])
    refused = rita.create(403)["forbidden"]["message"]
    assert refused == "Policy doesn't allow volume:create to be performed."
    rita.caller.delete(f"{rita.url}/volumes/{made['id']}", 403)
    mia.do(made["id"], "os-reset_status", 403, status="error")
    assert cloud.call("GET", f"{mia.url}/volumes").status_code == 401


def test_an_administrator_sees_every_project_and_mends_states(admin: Volumes, mia: Volumes) -> None:
    made = mia.create(name="mias")
    [listed] = admin.caller.get(f"{admin.url}/volumes/detail?all_tenants=1").json()["volumes"]
    assert listed["os-vol-host-attr:host"] == "a-pool@file#file"
    assert listed["os-vol-tenant-attr:tenant_id"] == mia.caller.project_id
    assert admin.caller.get(f"{admin.url}/volumes").json()["volumes"] == []
    admin.do(made["id"], "os-reset_status", status="error_deleting")
    assert mia.show(made["id"])["status"] == "error_deleting"
    admin.do(made["id"], "os-reset_status", 400, status="happy")
    mia.do(made["id"], "os-force_delete", 403)
    admin.do(made["id"], "os-force_delete")
    mia.show(made["id"], 404)


def test_deleting_by_force_turns_a_creation_round(admin: Volumes, mia: Volumes, pool: FakeVolume) -> None:
    made = mia.caller.post(f"{mia.url}/volumes", {"volume": {"size": 1}}, 202).json()["volume"]
    mia.caller.delete(f"{mia.url}/volumes/{made['id']}", 400)
    admin.do(made["id"], "os-force_delete")
    mia.show(made["id"], 404)
    assert pool._volumes == {}


def test_a_source_is_kept_while_it_is_copied(mia: Volumes) -> None:
    source = mia.create()
    snapshot = mia.snapshot(source["id"])
    body = {"volume": {"size": 1, "snapshot_id": snapshot["id"]}}
    mia.caller.post(f"{mia.url}/volumes", body, 202)
    mia.caller.delete(f"{mia.url}/snapshots/{snapshot['id']}", 400)
    mia.caller.delete(f"{mia.url}/volumes/{source['id']}?cascade=true", 400)
    mia.cloud.run_jobs()
    mia.caller.delete(f"{mia.url}/snapshots/{snapshot['id']}", 202)
    mia.cloud.run_jobs()
    mia.caller.get(f"{mia.url}/snapshots/{snapshot['id']}", 404)


def test_snapshots_are_listed_changed_and_deleted(mia: Volumes) -> None:
    made = mia.create()
    first, second = mia.snapshot(made["id"], name="one"), mia.snapshot(made["id"], name="two")
    assert "os-extended-snapshot-attributes:progress" not in first and "user_id" not in first
    shown = mia.caller.get(f"{mia.url}/snapshots/{first['id']}", **at("3.41")).json()["snapshot"]
    assert shown["status"] == "available" and shown["os-extended-snapshot-attributes:progress"] == "100%"
    assert shown["user_id"] == mia.caller.user_id and shown["size"] == 1
    listed = mia.caller.get(f"{mia.url}/snapshots/detail?volume_id={made['id']}&sort=name:asc").json()["snapshots"]
    assert [snapshot["name"] for snapshot in listed] == ["one", "two"]
    change = {"snapshot": {"name": "first", "description": "d"}}
    assert mia.caller.put(f"{mia.url}/snapshots/{first['id']}", change, 200).json()["snapshot"]["name"] == "first"
    mia.caller.put(f"{mia.url}/snapshots/{first['id']}", {"snapshot": {}}, 400)
    mia.caller.delete(f"{mia.url}/snapshots/{second['id']}", 202)
    mia.caller.delete(f"{mia.url}/snapshots/{second['id']}", 400)
    mia.cloud.run_jobs()
    mia.caller.get(f"{mia.url}/snapshots/{second['id']}", 404)


def test_what_is_not_done_says_so(mia: Volumes) -> None:
    made = mia.create()
    mia.do(made["id"], "os-initialize_connection", 501, connector={})
    mia.do(made["id"], "revert", 501, snapshot_id="x")
    mia.do(made["id"], "os-nonsense", 400)


def test_versions_are_published_and_negotiated(cloud: ApiCloud, mia: Volumes) -> None:
    document = cloud.call("GET", "/volume").json()["versions"][0]
    assert (document["id"], document["min_version"], document["version"]) == ("v3.0", "3.0", "3.71")
    assert cloud.call("GET", "/volume/v3/").json()["versions"][0]["status"] == "CURRENT"
    answer = mia.caller.get(f"{mia.url}/volumes", **at("3.45"))
    assert answer.headers["openstack-api-version"] == "volume 3.45"
    mia.caller.get(f"{mia.url}/volumes", 406, **at("3.99"))
    made = mia.create()
    old, new = (
        mia.caller.get(f"{mia.url}/volumes/{made['id']}", **at(version)).json()["volume"] for version in ("3.0", "3.48")
    )
    assert "group_id" not in old and new["group_id"] is None and new["shared_targets"] is False


Limit = Callable[..., None]


@pytest.fixture
def limit(admin: Volumes, mia: Volumes) -> Limit:
    def change(expect: int = 200, **values: Any) -> None:
        path = f"{admin.url}/os-quota-sets/{mia.caller.project_id}"
        admin.caller.put(path, {"quota_set": values}, expect)

    return change


def test_over_quota_is_told_in_cinders_words(mia: Volumes, limit: Limit) -> None:
    limit(volumes=1, gigabytes=3, per_volume_gigabytes=2, snapshots=1)
    assert "maximum allowed limit 2G" in mia.create(413, size=3)["overLimit"]["message"]
    made = mia.create()
    refused = mia.create(413)["overLimit"]["message"]
    assert refused == "Maximum number of volumes allowed (1) exceeded for quota 'volumes'."
    mia.snapshot(made["id"])
    message = mia.snapshot(made["id"], 413)["overLimit"]["message"]
    assert message == "Maximum number of snapshots allowed (1) exceeded"
    limit(volumes=5)
    refused = mia.create(413, size=2)["overLimit"]["message"]
    assert refused == (
        "Requested volume or snapshot exceeds allowed gigabytes quota. "
        "Requested 2G, quota is 3G and 2G has been consumed."
    )
    mia.do(made["id"], "os-extend", 413, new_size=3)
    mia.do(made["id"], "os-extend", new_size=2)
    mia.do(made["id"], "os-extend", 413, new_size=3)


def test_limits_of_a_type_are_kept_too(mia: Volumes, limit: Limit) -> None:
    mia.caller.get(f"{mia.url}/types")
    limit(volumes_file=0)
    assert "quota 'volumes_file'" in mia.create(413)["overLimit"]["message"]


def test_quota_sets_show_limits_and_usage(admin: Volumes, mia: Volumes, limit: Limit) -> None:
    mia.create(size=2)
    path = f"/os-quota-sets/{mia.caller.project_id}"
    usage = mia.caller.get(f"{mia.url}{path}?usage=true").json()["quota_set"]
    assert usage["gigabytes"] == {"limit": 1000, "in_use": 2, "reserved": 0}
    assert usage["volumes_file"] == {"limit": -1, "in_use": 1, "reserved": 0}
    limit(volumes=5)
    assert mia.caller.get(f"{mia.url}{path}").json()["quota_set"]["volumes"] == 5
    assert mia.caller.get(f"{mia.url}{path}/defaults").json()["quota_set"]["volumes"] == 10
    mia.caller.put(f"{mia.url}{path}", {"quota_set": {"volumes": 99}}, 403)
    mia.caller.get(f"{mia.url}/os-quota-sets/{admin.caller.project_id}", 403)
    limit(400, unknown=1)
    limit(400, volumes=-2)
    admin.caller.delete(f"{admin.url}{path}", 200)
    assert mia.caller.get(f"{mia.url}{path}").json()["quota_set"]["volumes"] == 10
    body = {"quota_class_set": {"volumes": 7}}
    admin.caller.put(f"{admin.url}/os-quota-class-sets/default", body, 200)
    absolute = mia.caller.get(f"{mia.url}/limits").json()["limits"]["absolute"]
    assert absolute["maxTotalVolumes"] == 7 and absolute["totalGigabytesUsed"] == 2


def test_types_are_the_administrators_and_private_ones_need_access(admin: Volumes, mia: Volumes) -> None:
    [default] = mia.caller.get(f"{mia.url}/types").json()["volume_types"]
    assert default["name"] == "file"
    assert mia.caller.get(f"{mia.url}/types/default").json()["volume_type"]["id"] == default["id"]
    body = {"volume_type": {"name": "fast", "os-volume-type-access:is_public": False, "extra_specs": {"k": "v"}}}
    mia.caller.post(f"{mia.url}/types", body, 403)
    fast = admin.caller.post(f"{admin.url}/types", body, 200).json()["volume_type"]
    admin.caller.post(f"{admin.url}/types", body, 409)
    mia.caller.get(f"{mia.url}/types/{fast['id']}", 404)
    mia.create(404, volume_type="fast")
    sets = [f"{mia.url}/os-quota-sets/{mia.caller.project_id}{part}" for part in ("", "?usage=true", "/defaults")]
    for path in (*sets, f"{mia.url}/os-quota-class-sets/default"):
        assert "gigabytes_fast" not in mia.caller.get(path, None).text, f"{path} tells of a private type"
    assert "gigabytes_fast" in admin.caller.get(sets[1].replace(mia.url, admin.url)).text
    grant = {"addProjectAccess": {"project": mia.caller.project_id}}
    admin.caller.post(f"{admin.url}/types/{fast['id']}/action", grant, 202)
    admin.caller.post(f"{admin.url}/types/{fast['id']}/action", grant, 409)
    [access] = admin.caller.get(f"{admin.url}/types/{fast['id']}/os-volume-type-access").json()["volume_type_access"]
    assert access == {"volume_type_id": fast["id"], "project_id": mia.caller.project_id}
    assert all("gigabytes_fast" in mia.caller.get(path).text for path in sets)
    assert mia.caller.get(f"{mia.url}/types/{fast['id']}").json()["volume_type"]["extra_specs"] == {}
    made = mia.create(volume_type="fast")
    assert mia.show(made["id"])["volume_type"] == "fast"
    admin.caller.delete(f"{admin.url}/types/{fast['id']}", 400)
    admin.caller.delete(f"{admin.url}/types/{default['id']}", 403)
    specs = f"{admin.url}/types/{fast['id']}/extra_specs"
    assert admin.caller.put(f"{specs}/k", {"k": "w"}, 200).json() == {"k": "w"}
    assert admin.caller.get(specs).json() == {"extra_specs": {"k": "w"}}
    admin.caller.delete(f"{specs}/k", 202)
    admin.caller.get(f"{specs}/k", 404)
    change = {"volume_type": {"name": "faster", "is_public": True}}
    assert admin.caller.put(f"{admin.url}/types/{fast['id']}", change, 200).json()["volume_type"]["name"] == "faster"


def test_services_pools_and_zones_tell_the_truth(admin: Volumes, mia: Volumes) -> None:
    found = admin.caller.get(f"{admin.url}/os-services?binary=cinder-volume").json()["services"]
    service = next(entry for entry in found if entry["host"] == "a-pool@file")
    assert (service["state"], service["status"]) == ("up", "enabled")
    pools = admin.caller.get(f"{admin.url}/scheduler-stats/get_pools?detail=true").json()["pools"]
    [pool] = [entry for entry in pools if entry["name"] == "a-pool@file#file"]
    assert pool["capabilities"]["total_capacity_gb"] > 0
    mia.caller.get(f"{mia.url}/os-services", 403)
    [zone] = mia.caller.get(f"{mia.url}/os-availability-zone").json()["availabilityZoneInfo"]
    assert zone == {"zoneName": "nova", "zoneState": {"available": True}}
    for entry in found:
        body = {"host": entry["host"], "binary": "cinder-volume"}
        assert admin.caller.put(f"{admin.url}/os-services/disable", body, 200).json()["status"] == "disabled"
    assert mia.show(mia.create()["id"])["status"] == "error"
    admin.caller.put(f"{admin.url}/os-services/enable", body, 200)
    assert mia.show(mia.create()["id"])["status"] == "available"


def test_a_collection_with_a_slash_at_its_end_is_not_found(cloud: ApiCloud) -> None:
    admin = cloud.admin
    base = f"/volume/v3/{admin.project_id}"
    admin.get(f"{base}/volumes/", 404)
    admin.delete(f"{base}/volumes/", 404)
    admin.get("/image/v2/images/", 404)


def test_a_snapshot_of_no_volume_is_not_found(cloud: ApiCloud) -> None:
    admin = cloud.admin
    admin.post(f"/volume/v3/{admin.project_id}/snapshots", {"snapshot": {"volume_id": None}}, 404)


def test_volumes_go_where_most_room_is_left(cloud: ApiCloud) -> None:
    mia = Volumes(cloud, cloud.new_user("mia", "garden"))
    second_host(cloud.core)
    hosts = [host_of(cloud, mia.create(size=size)["id"]) for size in (5, 1, 1, 2, 2)]
    assert hosts == ["host-1", "host-2", "host-2", "host-2", "host-2"]
    assert host_of(cloud, mia.create()["id"]) == "host-1"


def host_of(cloud: ApiCloud, volume_id: str) -> str:
    admin = cloud.admin
    shown = admin.get(f"/volume/v3/{admin.project_id}/volumes/{volume_id}", 200).json()["volume"]
    return str(shown["os-vol-host-attr:host"]).split("@")[0]
