"""A stack is kept as it is, with what its volumes and servers hold, and becomes that again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update as change

from tane.agent.volume.drivers.fake import FakeVolume
from tane.services.identity.tables import user
from tane.services.orchestration.domain import engine
from tane.services.orchestration.domain import snapshots as rules
from tane.services.orchestration.resources import volume_offline
from tane.wire.blocks import BLOCK
from tests.api.compute_support import make_flavor, make_image
from tests.api.orchestration_support import begin, delete, hot, path, resources, show, stack, update
from tests.api.test_site_policy import site_rules
from tests.services.volume.pool import add_pool
from tests.support import ApiCloud, Caller

DISK: dict[str, Any] = {"type": "OS::Cinder::Volume", "properties": {"size": 1}}
UNKNOWN = "9e0cb1a2-0000-4000-8000-000000000000"


@pytest.fixture
def pool(cloud: ApiCloud) -> FakeVolume:
    return add_pool(cloud.core)


@pytest.fixture
def mia(cloud: ApiCloud, pool: FakeVolume) -> Caller:
    return cloud.new_user("mia", "garden")


def take(cloud: ApiCloud, caller: Caller, shown: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Take a snapshot as ``openstack stack snapshot create`` does, run the jobs, and show it."""
    made = caller.post(path(caller, shown, "/snapshots"), body, 200).json()
    cloud.run_jobs()
    return snapshot(caller, shown, made["id"])


def snapshot(caller: Caller, shown: dict[str, Any], snapshot_id: str, expect: int = 200) -> dict[str, Any]:
    found = caller.get(path(caller, shown, f"/snapshots/{snapshot_id}"), expect).json()
    return dict(found.get("snapshot", found))


def restore(cloud: ApiCloud, caller: Caller, shown: dict[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    caller.post(path(caller, shown, f"/snapshots/{taken['id']}/restore"), None, 202)
    cloud.run_jobs()
    return show(caller, shown["stack_name"], shown["id"])


def backups(caller: Caller) -> list[dict[str, Any]]:
    return list(caller.get(f"/volume/v3/{caller.project_id}/backups").json()["backups"])


def images(caller: Caller) -> list[str]:
    return [one["id"] for one in caller.get("/image/v2/images").json()["images"]]


def test_a_stack_becomes_again_what_it_was_with_what_it_held(cloud: ApiCloud, mia: Caller, pool: FakeVolume) -> None:
    image = make_image(mia)
    template = hot(
        {
            "net": {"type": "OS::Neutron::Net", "properties": {"name": "beds"}},
            "subnet": {
                "type": "OS::Neutron::Subnet",
                "properties": {"network": {"get_resource": "net"}, "cidr": "10.9.0.0/24"},
            },
            "disk": {"type": "OS::Cinder::Volume", "properties": {"size": 1, "name": {"get_param": "name"}}},
            "server": {
                "type": "OS::Nova::Server",
                "properties": {
                    "flavor": make_flavor(cloud.admin),
                    "image": image,
                    "networks": [{"subnet": {"get_resource": "subnet"}}],
                },
            },
            "tie": {
                "type": "OS::Cinder::VolumeAttachment",
                "properties": {"instance_uuid": {"get_resource": "server"}, "volume_id": {"get_resource": "disk"}},
            },
            "word": {"type": "OS::Heat::RandomString"},
        },
        parameters={"name": {"type": "string", "default": "soil"}},
    )
    made = stack(cloud, mia, template)
    before = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    held = {0: b"1" * BLOCK}
    pool._volumes[before["disk"]].blocks = dict(held)

    taken = take(cloud, mia, made, name="monday")
    assert (taken["status"], taken["name"]) == ("COMPLETE", "monday"), taken
    assert show(mia, "rose", made["id"])["stack_status"] == "SNAPSHOT_COMPLETE"
    kept = {name: one["resource_data"] for name, one in taken["data"]["resources"].items()}
    assert [one["id"] for one in backups(mia)] == [kept["disk"]["backup_id"]]
    assert kept["server"]["snapshot_image_id"] in images(mia) and kept["word"] == kept["net"] == {}
    listed = mia.get(path(mia, made, "/snapshots")).json()["snapshots"]
    assert [(one["id"], one["data"]) for one in listed] == [(taken["id"], None)]

    pool._volumes[before["disk"]].blocks = {}
    other = {**template, "resources": {**template["resources"], "net": {"type": "OS::Neutron::Net"}}}
    del other["resources"]["word"]
    assert update(cloud, mia, made, other, parameters={"name": "sand"})["stack_status"] == "UPDATE_COMPLETE"

    again = restore(cloud, mia, made, taken)
    assert again["stack_status"] == "RESTORE_COMPLETE", again["stack_status_reason"]
    after = {name: one["physical_resource_id"] for name, one in resources(mia, again).items()}
    # The word was gone: it is another one.
    assert {name for name in before if before[name] != after[name]} == {"word"}
    assert pool._volumes[after["disk"]].blocks == held
    volume = mia.get(f"/volume/v3/{mia.project_id}/volumes/{after['disk']}").json()["volume"]
    assert (volume["status"], volume["name"]) == ("in-use", "soil")
    server = mia.get(f"/compute/v2.1/servers/{after['server']}").json()["server"]
    assert (server["status"], server["image"]["id"]) == ("ACTIVE", kept["server"]["snapshot_image_id"])
    assert mia.get(f"/network/v2.0/networks/{after['net']}").json()["network"]["name"] == "beds"
    # The template that it was made of leaves the volume as it is.
    assert update(cloud, mia, made, template)["stack_status"] == "UPDATE_COMPLETE"
    assert resources(mia, made)["disk"]["physical_resource_id"] == after["disk"]
    assert pool._volumes[after["disk"]].blocks == held

    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert backups(mia) == [] and images(mia) == [image]


def test_what_is_gone_is_made_of_the_snapshot_and_what_grew_keeps_its_size(
    cloud: ApiCloud, mia: Caller, pool: FakeVolume
) -> None:
    made = stack(cloud, mia, hot({"disk": DISK, "other": DISK}))
    before = resources(mia, made)
    pool._volumes[before["disk"]["physical_resource_id"]].blocks = {3: b"3" * BLOCK}
    taken = take(cloud, mia, made)
    larger = {**DISK, "properties": {"size": 2}}
    assert update(cloud, mia, made, hot({"other": larger}))["stack_status"] == "UPDATE_COMPLETE"
    again = restore(cloud, mia, made, taken)
    assert again["stack_status"] == "RESTORE_COMPLETE", again["stack_status_reason"]
    after = resources(mia, again)
    assert pool._volumes[after["disk"]["physical_resource_id"]].blocks == {3: b"3" * BLOCK}
    assert after["other"]["physical_resource_id"] == before["other"]["physical_resource_id"]
    said = mia.get(path(mia, made, "/template")).json()["resources"]["other"]["properties"]
    assert said["size"] == 2 and said["backup_id"]


def test_a_snapshot_is_deleted_with_what_it_keeps(cloud: ApiCloud, mia: Caller) -> None:
    made = stack(cloud, mia, hot({"disk": DISK}))
    taken = take(cloud, mia, made)
    where = path(mia, made, f"/snapshots/{taken['id']}")
    mia.delete(where, 204)
    cloud.run_jobs()
    mia.get(where, 404)
    assert backups(mia) == [] and mia.get(path(mia, made, "/snapshots")).json() == {"snapshots": []}
    # What somebody has deleted before stands in nobody's way.
    taken = take(cloud, mia, made)
    mia.delete(f"/volume/v3/{mia.project_id}/backups/{backups(mia)[0]['id']}", 202)
    cloud.run_jobs()
    mia.delete(path(mia, made, f"/snapshots/{taken['id']}"), 204)
    cloud.run_jobs()
    snapshot(mia, made, taken["id"], 404)


def test_what_cannot_be_kept_fails_and_does_the_stack_no_harm(cloud: ApiCloud, mia: Caller) -> None:
    limits = f"/volume/v3/{cloud.admin.project_id}/os-quota-sets/{mia.project_id}"
    made = stack(cloud, mia, hot({"disk": DISK, "other": {**DISK, "depends_on": "disk"}}))
    before = resources(mia, made)
    cloud.admin.put(limits, {"quota_set": {"backups": 1}}, 200)
    taken = take(cloud, mia, made)
    assert taken["status"] == "FAILED" and "OverLimit" in taken["status_reason"], taken
    assert show(mia, "rose", made["id"])["stack_status"] == "SNAPSHOT_FAILED"
    mia.post(path(mia, made, f"/snapshots/{taken['id']}/restore"), None, 400)
    # An update replaces nothing for that.
    assert update(cloud, mia, made, hot({"disk": DISK, "other": DISK}))["stack_status"] == "UPDATE_COMPLETE"
    after = resources(mia, made)
    assert {name: one["physical_resource_id"] for name, one in after.items()} == {
        name: one["physical_resource_id"] for name, one in before.items()
    }
    assert {one["resource_status"] for one in after.values()} <= {"UPDATE_COMPLETE", "SNAPSHOT_COMPLETE"}
    mia.delete(path(mia, made, f"/snapshots/{taken['id']}"), 204)
    cloud.run_jobs()
    assert backups(mia) == []


def test_a_snapshot_shows_no_more_than_the_sites_rules_let_a_stack_show(
    cloud: ApiCloud, mia: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stack(cloud, mia, hot({"word": {"type": "OS::Heat::RandomString"}}))
    taken = take(cloud, mia, made)
    for rule in ("template", "environment", "files"):
        site_rules(cloud, f'"stacks:{rule}": "role:admin"', monkeypatch)
        snapshot(mia, made, taken["id"], 403)
    # What is kept counts with the templates of the project, by each resource.
    monkeypatch.setattr(engine, "SOURCES_BYTES", 1500)
    assert "1500 bytes" in mia.post(path(mia, made, "/snapshots"), {}, 400).json()["error"]["message"]


def test_there_are_bounds_and_others_see_nothing(cloud: ApiCloud, mia: Caller, monkeypatch: Any) -> None:
    bob = cloud.new_user("bob", "shed")
    made = begin(mia, hot({"word": {"type": "OS::Heat::RandomString"}}))["stack"]
    made = show(mia, "rose", made["id"])
    mia.post(path(mia, made, "/snapshots"), {}, 409)
    cloud.run_jobs()
    monkeypatch.setattr(rules, "MOST_SNAPSHOTS", 1)
    begun = mia.post(path(mia, made, "/snapshots"), {"name": "one"}, 200).json()
    assert (begun["status"], begun["action"]) == ("IN_PROGRESS", "CREATE")
    mia.delete(path(mia, made, f"/snapshots/{begun['id']}"), 400)
    mia.post(path(mia, made, f"/snapshots/{begun['id']}/restore"), None, 400)
    mia.put(path(mia, made), {"template": hot({})}, 409)
    cloud.run_jobs()
    answer = mia.post(path(mia, made, "/snapshots"), {}, 400).json()
    assert answer["error"]["type"] == "RequestLimitExceeded"
    mia.post(path(mia, made, "/snapshots"), {"name": "x" * 256}, 400)
    for caller, expect in ((mia, 200), (bob, 403)):
        caller.get(path(mia, made, f"/snapshots/{begun['id']}"), expect)
    theirs = stack(cloud, bob, hot({}), "tulip")
    for missing in (begun["id"], UNKNOWN):
        bob.get(path(bob, theirs, f"/snapshots/{missing}"), 404)
        bob.delete(path(bob, theirs, f"/snapshots/{missing}"), 404)
        bob.post(path(bob, theirs, f"/snapshots/{missing}/restore"), None, 404)
    kept = snapshot(mia, made, begun["id"])["data"]["resources"]["word"]
    assert kept["resource_data"] == {}, "what a type knows is nobody's to read here"


def test_a_stack_goes_with_its_snapshots_also_when_its_author_is_gone(cloud: ApiCloud, mia: Caller) -> None:
    ann = cloud.new_user("ann", "garden")
    made = stack(cloud, ann, hot({"disk": DISK}))
    take(cloud, ann, made)
    with cloud.core.db.write() as tx:
        tx.execute(change(user).where(user.c.id == ann.user_id).values(enabled=False))
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert backups(mia) == []


def test_what_an_abandoned_stack_kept_is_left(cloud: ApiCloud, mia: Caller) -> None:
    made = stack(cloud, mia, hot({"disk": DISK}))
    take(cloud, mia, made)
    mia.delete(path(mia, made, "/abandon"), 200)
    assert len(backups(mia)) == 1


def test_restoring_acts_for_who_had_sent_the_template(cloud: ApiCloud, mia: Caller) -> None:
    """Another member goes back to it: nothing of the present template's author is lent to what another had said."""
    ann = cloud.new_user("ann", "garden")
    made = stack(cloud, ann, hot({"net": {"type": "OS::Neutron::Net"}}))
    taken = take(cloud, mia, made)
    assert update(cloud, mia, made, hot({}))["stack_owner"] == "mia"
    again = restore(cloud, mia, made, taken)
    assert (again["stack_status"], again["stack_owner"]) == ("RESTORE_COMPLETE", "ann")
    assert set(resources(mia, again)) == {"net"}


def test_a_volume_that_is_backed_up_on_its_server_goes_after_that(cloud: ApiCloud, mia: Caller) -> None:
    net = {"type": "OS::Neutron::Net"}
    subnet = {"network": {"get_resource": "net"}, "cidr": "10.9.0.0/24"}
    given = {
        "flavor": make_flavor(cloud.admin),
        "image": make_image(mia),
        "networks": [{"subnet": {"get_resource": "in"}}],
    }
    tie = {"instance_uuid": {"get_resource": "server"}, "volume_id": {"get_resource": "disk"}}
    made = stack(
        cloud,
        mia,
        hot(
            {
                "net": net,
                "in": {"type": "OS::Neutron::Subnet", "properties": subnet},
                "disk": DISK,
                "server": {"type": "OS::Nova::Server", "properties": given},
                "tie": {"type": "OS::Cinder::VolumeAttachment", "properties": tie},
            }
        ),
    )
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    disk = resources(mia, made)["disk"]["physical_resource_id"]
    body = {"volume_id": disk, "force": True}
    mia.post(f"/volume/v3/{mia.project_id}/backups", {"backup": body}, 202)
    assert mia.get(f"/volume/v3/{mia.project_id}/volumes/{disk}").json()["volume"]["status"] == "backing-up"
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert len(backups(mia)) == 1


def test_a_failed_resource_does_not_pass_for_a_whole_one(cloud: ApiCloud, mia: Caller) -> None:
    """Nothing half-made is kept, and the next update still replaces what failed."""
    bad = {"type": "OS::Heat::TestResource", "properties": {"fail": True}}
    made = stack(cloud, mia, hot({"it": bad}))
    assert made["stack_status"] == "CREATE_FAILED"
    assert "CREATE_FAILED" in mia.post(path(mia, made, "/snapshots"), {}, 400).json()["error"]["message"]
    well = hot({"it": {"type": "OS::Heat::TestResource", "properties": {}}})
    assert update(cloud, mia, made, well)["stack_status"] == "UPDATE_COMPLETE"
    before = resources(mia, made)["it"]["physical_resource_id"]
    mia.patch(path(mia, made, "/resources/it"), {"mark_unhealthy": True, "resource_status_reason": "ill"}, 200)
    assert "failed" in mia.post(path(mia, made, "/snapshots"), {}, 400).json()["error"]["message"]
    assert update(cloud, mia, made, well)["stack_status"] == "UPDATE_COMPLETE"
    assert resources(mia, made)["it"]["physical_resource_id"] != before
    mia.post(path(mia, made, "/actions"), {"suspend": None}, 200)
    cloud.run_jobs()
    mia.post(path(mia, made, "/snapshots"), {}, 400)


def test_a_restore_that_fails_loses_nothing(
    cloud: ApiCloud, mia: Caller, pool: FakeVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The volume stays the same with what it holds, and goes back to its server."""
    given = {"flavor": make_flavor(cloud.admin), "image": make_image(mia), "networks": [{"allocate_network": "none"}]}
    tie = {"instance_uuid": {"get_resource": "server"}, "volume_id": {"get_resource": "disk"}}
    template = hot(
        {
            "disk": DISK,
            "server": {"type": "OS::Nova::Server", "properties": given},
            "tie": {"type": "OS::Cinder::VolumeAttachment", "properties": tie},
        }
    )
    made = stack(cloud, mia, template)
    before = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
    taken = take(cloud, mia, made)
    held = {0: b"2" * BLOCK}
    pool._volumes[before["disk"]].blocks = dict(held)

    def is_as_it_was() -> bool:
        after = {name: one["physical_resource_id"] for name, one in resources(mia, made).items()}
        volume = mia.get(f"/volume/v3/{mia.project_id}/volumes/{before['disk']}").json()["volume"]
        on = [one["server_id"] for one in volume["attachments"]]
        return after == before and on == [before["server"]] and pool._volumes[before["disk"]].blocks == held

    # The backup is fit when the restore begins, and not when the volume is off its server.
    said = iter([None, "it is broken"])
    with monkeypatch.context() as patch:
        patch.setattr(volume_offline, "_unfit", lambda *given: next(said))
        failed = restore(cloud, mia, made, taken)
    assert failed["stack_status"] == "RESTORE_FAILED" and "it is broken" in failed["stack_status_reason"]
    assert is_as_it_was()
    preview = mia.put(path(mia, made, "/preview"), {"template": template}, 200).json()["resource_changes"]
    assert not preview["replaced"]
    drift = mia.get(path(mia, made, "/drift")).json()["drift"]["resources"]
    assert [one["mend"]["action"] for one in drift if one["resource_name"] == "disk"] == ["update"]
    assert update(cloud, mia, made, template, disable_rollback=False)["stack_status"] == "UPDATE_COMPLETE"
    assert is_as_it_was()

    # The server was rebuilt, and is stopped by its user; the backup is gone before the restore.
    mia.post(f"/compute/v2.1/servers/{before['server']}/action", {"os-stop": None}, 202)
    mia.delete(f"/volume/v3/{mia.project_id}/backups/{backups(mia)[0]['id']}", 202)
    cloud.run_jobs()
    again = restore(cloud, mia, made, taken)
    assert again["stack_status"] == "ROLLBACK_COMPLETE", again["stack_status_reason"]
    assert is_as_it_was()


def test_a_server_that_is_broken_or_stopped_is_rebuilt(cloud: ApiCloud, mia: Caller) -> None:
    given = {"flavor": make_flavor(cloud.admin), "image": make_image(mia), "networks": [{"allocate_network": "none"}]}
    template = hot({"server": {"type": "OS::Nova::Server", "properties": given}})
    made = stack(cloud, mia, template)
    server = f"/compute/v2.1/servers/{resources(mia, made)['server']['physical_resource_id']}"
    taken = take(cloud, mia, made)
    mia.post(f"{server}/action", {"os-stop": None}, 202)
    cloud.run_jobs()
    assert restore(cloud, mia, made, taken)["stack_status"] == "RESTORE_COMPLETE"
    assert mia.get(server).json()["server"]["status"] == "SHUTOFF"
    cloud.admin.post(f"{server}/action", {"os-resetState": {"state": "error"}}, 202)
    assert update(cloud, mia, made, template)["stack_status"] == "UPDATE_COMPLETE"
    assert mia.get(server).json()["server"]["status"] == "ACTIVE"


def test_what_a_restore_is_made_of_is_not_deleted_meanwhile(cloud: ApiCloud, mia: Caller) -> None:
    made = stack(cloud, mia, hot({"disk": DISK}))
    taken = take(cloud, mia, made)
    mia.post(path(mia, made, f"/snapshots/{taken['id']}/restore"), None, 202)
    mia.delete(path(mia, made, f"/snapshots/{taken['id']}"), 409)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "RESTORE_COMPLETE"
    mia.delete(path(mia, made, f"/snapshots/{taken['id']}"), 204)


def test_a_volume_that_a_server_boots_from_is_kept_and_says_that_it_is_not_restored(
    cloud: ApiCloud, mia: Caller, pool: FakeVolume
) -> None:
    disk = {"size": 1, "image": make_image(mia)}
    booted = {
        "flavor": make_flavor(cloud.admin),
        "networks": [{"allocate_network": "none"}],
        "block_device_mapping_v2": [{"volume_id": {"get_resource": "disk"}, "boot_index": 0}],
    }
    template = hot(
        {
            "disk": {"type": "OS::Cinder::Volume", "properties": disk},
            "server": {"type": "OS::Nova::Server", "properties": booted},
        }
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    before = resources(mia, made)
    taken = take(cloud, mia, made)
    kept = taken["data"]["resources"]
    assert "boots from" in kept["disk"]["resource_data"]["not_restored"] and len(backups(mia)) == 1
    assert kept["server"]["resource_data"]["not_saved"]
    refused = mia.post(path(mia, made, f"/snapshots/{taken['id']}/restore"), None, 400).json()
    assert "boots from" in refused["error"]["message"]
    assert show(mia, "rose", made["id"])["stack_status"] == "SNAPSHOT_COMPLETE"
    after = resources(mia, made)
    assert {one: before[one]["physical_resource_id"] for one in before} == {
        one: after[one]["physical_resource_id"] for one in after
    }
