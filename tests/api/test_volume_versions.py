"""What each microversion of block storage from 3.61 on brings, and the calls beside them."""

from __future__ import annotations

from typing import Any

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
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


@pytest.fixture
def admin(cloud: ApiCloud, pool: FakeVolume) -> Volumes:
    return Volumes(cloud, cloud.admin)


def make_type(admin: Volumes, name: str) -> str:
    answer = admin.caller.post(f"{admin.url}/types", {"volume_type": {"name": name}}, 200)
    return str(answer.json()["volume_type"]["id"])


@pytest.mark.parametrize(
    ("field", "since", "value", "whose"),
    [
        ("cluster_name", "3.61", None, "admin"),
        ("volume_type_id", "3.63", "its type's", "mia"),
        ("consumes_quota", "3.65", True, "mia"),
        ("shared_targets", "3.48", False, "mia"),
    ],
)
def test_a_field_of_volumes_is_shown_since_its_version(
    mia: Volumes, admin: Volumes, field: str, since: str, value: Any, whose: str
) -> None:
    who = {"mia": mia, "admin": admin}[whose]
    made = who.create()
    before = f"3.{int(since.split('.')[1]) - 1}"
    if field == "volume_type_id":
        value = who.caller.get(f"{who.url}/types/default").json()["volume_type"]["id"]

    def shown(version: str) -> list[dict[str, Any]]:
        one = who.caller.get(f"{who.url}/volumes/{made['id']}", **at(version)).json()["volume"]
        return [one, *who.caller.get(f"{who.url}/volumes/detail", **at(version)).json()["volumes"]]

    assert all(found[field] == value for found in shown(since))
    assert not any(field in found for found in shown(before))
    if whose == "admin":
        mine = mia.create()
        assert field not in mia.caller.get(f"{mia.url}/volumes/{mine['id']}", **at(since)).json()["volume"]


def test_a_snapshot_says_that_it_counts_since_365(mia: Volumes) -> None:
    path = f"{mia.url}/snapshots/{mia.snapshot(mia.create()['id'])['id']}"
    assert mia.caller.get(path, **at("3.65")).json()["snapshot"]["consumes_quota"] is True
    assert "consumes_quota" not in mia.caller.get(path, **at("3.64")).json()["snapshot"]


def test_a_volume_in_use_needs_no_force_for_its_snapshot_since_366(mia: Volumes) -> None:
    made = mia.create()
    mia.do(made["id"], "os-attach", instance_uuid=made["id"], mountpoint="/dev/vdb")

    def take(expect: int, version: str, **flag: Any) -> Any:
        body = {"snapshot": {"volume_id": made["id"], **flag}}
        return mia.caller.post(f"{mia.url}/snapshots", body, expect, **at(version)).json()

    take(400, "3.65")
    take(202, "3.65", force=True)
    take(202, "3.66")
    take(202, "3.66", force=True)
    for word in (False, "False", "no"):
        assert "'force' option is invalid" in take(400, "3.66", force=word)["badRequest"]["message"]


@pytest.mark.parametrize("path", ["/volumes", "/volumes/detail", "/volumes/{id}", "/types", "/limits", "/snapshots"])
def test_the_project_may_be_left_out_of_the_path(cloud: ApiCloud, mia: Volumes, path: str) -> None:
    made = mia.create()
    path = path.format(id=made["id"])
    short = mia.caller.get(f"/volume/v3{path}", **at("3.67")).json()
    assert short == mia.caller.get(f"{mia.url}{path}", **at("3.67")).json()
    tom = cloud.new_user("tom", "field")
    tom.get(f"/volume/v3/volumes/{made['id']}", 404)
    assert tom.get("/volume/v3/volumes").json() == {"volumes": []}


def test_a_volume_is_made_without_a_project_in_the_path(mia: Volumes) -> None:
    made = mia.caller.post("/volume/v3/volumes", {"volume": {"size": 1}}, 202).json()["volume"]
    mia.cloud.run_jobs()
    assert mia.show(made["id"])["status"] == "available"
    action = {"os-set_bootable": {"bootable": True}}
    mia.caller.post(f"/volume/v3/volumes/{made['id']}/action", action, 200)
    mia.caller.delete(f"/volume/v3/volumes/{made['id']}", 202)


def test_an_image_is_written_over_a_volume_since_368(mia: Volumes, pool: FakeVolume) -> None:
    image_id = active_image(mia.cloud, mia.caller, min_disk=2)
    small, made = mia.create(size=1), mia.create(size=2)
    mia.do(made["id"], "os-reimage", 404, "3.67", image_id=image_id)
    mia.do(made["id"], "os-reimage", 202, "3.68", image_id=image_id)
    found = mia.show(made["id"])
    assert (found["status"], found["bootable"]) == ("available", "true")
    assert found["volume_image_metadata"]["image_id"] == image_id
    assert [call for call, volume_id in pool.calls if volume_id == made["id"]] == [
        "create",
        "delete",
        "create_from_image",
    ]
    mia.do(small["id"], "os-reimage", 400, "3.68", image_id=image_id)
    mia.do(made["id"], "os-reimage", 400, "3.68", image_id="9e0cb1a2-0000-4000-8000-000000000000")
    mia.do(made["id"], "os-reserve")
    mia.do(made["id"], "os-reimage", 400, "3.68", image_id=image_id, reimage_reserved=False)
    pool.fail("create_from_image", made["id"], HostError("broken"), times=50)
    mia.do(made["id"], "os-unreserve")
    mia.do(made["id"], "os-reimage", 202, "3.68", image_id=image_id)
    assert mia.show(made["id"])["status"] == "error"
    kept = mia.create(size=2)
    mia.snapshot(kept["id"])
    mia.do(kept["id"], "os-reimage", 400, "3.68", image_id=image_id)


def test_no_volume_waits_for_compute_to_grow(mia: Volumes, admin: Volumes) -> None:
    made = mia.create()
    mia.do(made["id"], "os-extend_volume_completion", 403, "3.71", error=False)
    admin.do(made["id"], "os-extend_volume_completion", 400, "3.71", error=False)
    admin.do(made["id"], "os-extend_volume_completion", 404, "3.70", error=False)


def test_a_project_has_a_default_type_of_its_own_since_362(mia: Volumes, admin: Volumes) -> None:
    gold, project = make_type(admin, "gold"), mia.caller.project_id
    path = f"/volume/v3/default-types/{project}"
    admin.caller.get(path, 404, **at("3.62"))
    chosen = {"default_type": {"volume_type": "gold"}}
    mia.caller.put(path, chosen, 403, **at("3.62"))
    admin.caller.put(path, chosen, 404, **at("3.61"))
    admin.caller.put(path, {"default_type": {"volume_type": "lead"}}, 404, **at("3.62"))
    shown = {"project_id": project, "volume_type_id": gold}
    for name in ("gold", gold):
        body = {"default_type": {"volume_type": name}}
        assert admin.caller.put(path, body, 200, **at("3.62")).json() == {"default_type": shown}
    assert admin.caller.get(path, **at("3.62")).json() == {"default_type": shown}
    assert admin.caller.get("/volume/v3/default-types", **at("3.62")).json() == {"default_types": [shown]}
    assert mia.create()["volume_type"] == "gold" and admin.create()["volume_type"] == "file"
    assert mia.caller.get(f"{mia.url}/types/default").json()["volume_type"]["id"] == gold
    admin.caller.delete(f"{admin.url}/types/{gold}", 403)
    admin.caller.delete(path, 204, **at("3.62"))
    assert mia.create()["volume_type"] == "file"


def test_the_encryption_of_a_type_is_written_down(mia: Volumes, admin: Volumes) -> None:
    path = f"{admin.url}/types/{make_type(admin, 'secret')}/encryption"
    assert admin.caller.get(path).json() == {}
    given = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
    mia.caller.post(path, {"encryption": given}, 403)
    made = admin.caller.post(path, {"encryption": given}, 200).json()["encryption"]
    assert made.items() >= given.items() and made["volume_type_id"] in path
    admin.caller.post(path, {"encryption": given}, 400)
    shown = admin.caller.get(path).json()
    assert shown.items() >= made.items() and (shown["deleted"], shown["updated_at"]) == (False, None)
    assert admin.caller.get(f"{path}/cipher").json() == {"cipher": "aes-xts-plain64"}
    admin.caller.get(f"{path}/colour", 404)
    one, change = f"{path}/{made['encryption_id']}", {"encryption": {"key_size": 128, "provider": "plain"}}
    assert admin.caller.put(one, change, 200).json() == change
    assert admin.caller.get(path).json()["key_size"] == 128
    message = mia.create(501, volume_type="secret")["notImplemented"]["message"]
    assert "Encrypted volumes" in message
    for wrong in ({"control_location": "middle"}, {"key_size": -1}, {"key_size": "x"}, {"colour": "red"}):
        admin.caller.put(one, {"encryption": wrong}, 400)
    admin.caller.put(f"{path}/other", change, 404)
    admin.caller.delete(f"{path}/other", 404)
    admin.caller.delete(one, 202)
    assert admin.caller.get(path).json() == {}
    mia.create(volume_type="secret")
    message = admin.caller.post(path, {"encryption": given}, 400).json()["badRequest"]["message"]
    assert message == "Cannot create encryption specs. Volume type in use."


def test_a_quota_that_is_used_up_says_that_waiting_does_not_help(mia: Volumes, admin: Volumes) -> None:
    body = {"quota_set": {"volumes": 0}}
    admin.caller.put(f"{admin.url}/os-quota-sets/{mia.caller.project_id}", body, 200)
    answer = mia.caller.post(f"{mia.url}/volumes", {"volume": {"size": 1}}, 413)
    assert answer.headers["retry-after"] == "0"
    fault = answer.json()["overLimit"]
    assert (fault["code"], fault["retryAfter"]) == (413, "0")


def test_a_volume_and_a_snapshot_are_let_go(mia: Volumes, admin: Volumes, pool: FakeVolume) -> None:
    made = mia.create()
    snapshot = mia.snapshot(made["id"])
    mia.do(made["id"], "os-unmanage", 403)
    admin.do(made["id"], "os-unmanage", 400)
    admin.caller.post(f"{admin.url}/snapshots/{snapshot['id']}/action", {"os-unmanage": None}, 202)
    mia.caller.get(f"{mia.url}/snapshots/{snapshot['id']}", 404)
    mia.do(made["id"], "os-attach", instance_uuid=made["id"], mountpoint="/dev/vdb")
    admin.do(made["id"], "os-unmanage", 400)
    mia.do(made["id"], "os-detach")
    admin.do(made["id"], "os-unmanage")
    mia.show(made["id"], 404)
    assert made["id"] in pool._volumes
    used = mia.caller.get(f"{mia.url}/limits").json()["limits"]["absolute"]
    assert (used["totalVolumesUsed"], used["totalSnapshotsUsed"]) == (0, 0)


def test_who_works_on_a_snapshot_tells_its_progress(mia: Volumes, admin: Volumes) -> None:
    path = f"{mia.url}/snapshots/{mia.snapshot(mia.create()['id'])['id']}"

    def tell(expect: int, **values: Any) -> Any:
        return mia.caller.post(f"{path}/action", {"os-update_snapshot_status": values}, expect)

    def progress() -> str:
        shown = mia.caller.get(path).json()["snapshot"]
        return str(shown["os-extended-snapshot-attributes:progress"])

    message = tell(400, status="error").json()["badRequest"]["message"]
    assert message == "Snapshot status available not allowed for update_snapshot_status"
    admin.caller.post(
        f"{admin.url}{path.removeprefix(mia.url)}/action", {"os-reset_status": {"status": "creating"}}, 202
    )
    tell(202, status="creating", progress="80%")
    assert progress() == "80%"
    for wrong in ("101%", "x%", "80", "-1%"):
        tell(400, status="creating", progress=wrong)
    assert "Provided snapshot status" in tell(400, status="deleting").json()["badRequest"]["message"]
    tell(202, status="available")
    assert progress() == "100%"


def test_a_volume_changes_its_type_where_it_lies(mia: Volumes, admin: Volumes) -> None:
    gold, project = make_type(admin, "gold"), mia.caller.project_id
    rare = {"volume_type": {"name": "rare", "extra_specs": {"volume_backend_name": "ceph"}}}
    admin.caller.post(f"{admin.url}/types", rare, 200)
    made = mia.create()
    mia.snapshot(made["id"])
    for wrong, expect in (("file", 400), ("rare", 400), ("lead", 404)):
        mia.do(made["id"], "os-retype", expect, new_type=wrong)
    mia.do(made["id"], "os-retype", 400, new_type="gold", migration_policy="perhaps")
    quota = f"{admin.url}/os-quota-sets/{project}"
    admin.caller.put(quota, {"quota_set": {"volumes_gold": 0}}, 200)
    mia.do(made["id"], "os-retype", 413, new_type="gold")
    admin.caller.put(quota, {"quota_set": {"volumes_gold": -1}}, 200)
    mia.do(made["id"], "os-retype", new_type=gold, migration_policy="never")
    found = mia.show(made["id"])
    assert (found["status"], found["volume_type"]) == ("available", "gold")
    used = admin.caller.get(f"{quota}?usage=true").json()["quota_set"]
    assert [used[f"{name}_gold"]["in_use"] for name in ("volumes", "snapshots", "gigabytes")] == [1, 1, 2]
    assert [used[f"{name}_file"]["in_use"] for name in ("volumes", "snapshots", "gigabytes")] == [0, 0, 0]


def test_hosts_tell_what_lies_on_them(cloud: ApiCloud, mia: Volumes, admin: Volumes) -> None:
    mia.snapshot(mia.create(size=2)["id"])
    admin.create(size=3)
    listed = admin.caller.get(f"{admin.url}/os-hosts").json()["hosts"]
    [pool] = [host for host in listed if host["host_name"] == "a-pool@file"]
    assert (pool["service"], pool["service-status"], pool["service-state"]) == ("cinder-volume", "available", "enabled")
    assert admin.caller.get(f"{admin.url}/os-hosts?zone=other").json() == {"hosts": []}
    total, *projects = [
        found["resource"] for found in admin.caller.get(f"{admin.url}/os-hosts/a-pool@file").json()["host"]
    ]
    assert total["project"] == "(total)"
    assert [total[name] for name in ("volume_count", "total_volume_gb", "snapshot_count")] == ["2", "5", "1"]
    shown = {found["project"]: found["total_volume_gb"] for found in projects}
    assert shown == {mia.caller.project_id: "2", admin.caller.project_id: "3"}
    admin.caller.get(f"{admin.url}/os-hosts/other@file", 404)
    for path in ("os-hosts", "os-hosts/a-pool@file"):
        mia.caller.get(f"{mia.url}/{path}", 403)
    for verb in ("freeze", "thaw"):
        admin.caller.put(f"{admin.url}/os-services/{verb}", {"host": "nowhere"}, 400)
        admin.caller.put(f"{admin.url}/os-services/{verb}", {"host": "a-pool@file"}, 501)
