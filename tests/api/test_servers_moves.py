"""Resizing servers and moving them to other hosts, as users and administrators see it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from tane.hosts import store
from tane.services.compute.reconcilers import resizes
from tane.services.image.tables import image
from tane.wire.errors import HostError
from tests.api.compute_support import LATEST, Project, V, at, make_flavor, make_image, project
from tests.support import HOST_ID, ApiCloud, second_host


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def large(garden: Project) -> str:
    return make_flavor(garden.admin, "large", ram=128, vcpus=2, disk=2)


def resized(garden: Project, flavor_id: str) -> str:
    server_id = garden.server()
    assert garden.done(server_id, "resize", {"flavorRef": flavor_id})["status"] == "VERIFY_RESIZE"
    return server_id


def cores(garden: Project) -> int:
    limits: dict[str, Any] = garden.user.get(f"{V}/limits").json()["limits"]["absolute"]
    return int(limits["totalCoresUsed"])


def migrations(garden: Project, **query: str) -> list[dict[str, Any]]:
    answer = garden.admin.get(f"{V}/os-migrations", params=query, headers=LATEST)
    found: list[dict[str, Any]] = answer.json()["migrations"]
    return found


def test_a_resized_server_has_the_new_flavor_and_waits_for_a_word(garden: Project, large: str) -> None:
    server_id = garden.server()
    garden.act(server_id, "resize", {"flavorRef": large})
    assert garden.show(server_id)["status"] == "RESIZE"
    garden.cloud.run_jobs()
    shown = garden.show(server_id)
    assert (shown["status"], shown["OS-EXT-STS:vm_state"], shown["OS-EXT-STS:task_state"]) == (
        "VERIFY_RESIZE",
        "resized",
        None,
    )
    assert shown["flavor"]["original_name"] == "large" and shown["flavor"]["vcpus"] == 2
    guest = garden.host.guest(server_id)
    assert guest.memory_mb == 128 and guest.root is not None and guest.root.size_gb == 2

    garden.act(server_id, "confirmResize", expect=204)
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "ACTIVE"
    assert garden.host.aside == {}


def test_a_resize_that_is_reverted_leaves_the_server_as_it_was(garden: Project, large: str) -> None:
    server_id = resized(garden, large)
    garden.act(server_id, "revertResize")
    assert garden.show(server_id)["status"] == "REVERT_RESIZE"
    garden.cloud.run_jobs()
    shown = garden.show(server_id)
    assert (shown["status"], shown["flavor"]["original_name"]) == ("ACTIVE", "garden-tiny")
    assert garden.host.guest(server_id).memory_mb == 64 and garden.host.aside == {}
    assert cores(garden) == 1


def test_a_stopped_server_stays_stopped_through_a_resize(garden: Project, large: str) -> None:
    server_id = garden.server()
    assert garden.done(server_id, "os-stop")["status"] == "SHUTOFF"
    assert garden.done(server_id, "resize", {"flavorRef": large})["status"] == "VERIFY_RESIZE"
    garden.act(server_id, "confirmResize", expect=204)
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "SHUTOFF"


def test_the_disk_config_that_a_resize_names_is_kept(garden: Project, large: str) -> None:
    server_id = garden.server()
    shown = garden.done(server_id, "resize", {"flavorRef": large, "OS-DCF:diskConfig": "AUTO"})
    assert shown["OS-DCF:diskConfig"] == "AUTO"


def test_a_resize_that_fails_on_the_host_leaves_the_server_running(garden: Project, large: str) -> None:
    server_id = garden.server()
    garden.host.fail("receive", server_id, HostError("no space is left on the host's disk"))
    shown = garden.done(server_id, "resize", {"flavorRef": large})
    assert (shown["status"], shown["flavor"]["original_name"]) == ("ACTIVE", "garden-tiny")
    assert cores(garden) == 1 and garden.host.aside == {}
    assert [row["status"] for row in migrations(garden)] == ["error"]


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ({"disk": 0}, "zero disk"),
        ({"disk": 2, "ram": 1 << 26}, "No valid host"),
        ({"disk": 2, "ram": 60000}, "Quota exceeded for ram"),
        ({"disk": 2, "vcpus": 21}, "Quota exceeded for cores"),
    ],
)
def test_a_flavor_that_does_not_fit_is_refused(garden: Project, size: dict[str, int], told: str) -> None:
    if "No valid host" in told:
        garden.admin.put(f"{V}/os-quota-sets/{garden.user.project_id}", {"quota_set": {"ram": -1}}, 200)
    wanted = make_flavor(garden.admin, "other", **size)
    server_id = garden.server()
    answer = garden.act(server_id, "resize", {"flavorRef": wanted}, 403 if "Quota" in told else 400)
    assert told in answer.text
    assert garden.show(server_id)["status"] == "ACTIVE" and cores(garden) == 1


def test_a_disk_does_not_shrink(garden: Project, large: str) -> None:
    server_id = garden.server(flavorRef=large)
    assert "cannot shrink" in garden.act(server_id, "resize", {"flavorRef": garden.flavor_id}, 400).text


def test_what_is_no_resize_is_refused(garden: Project, large: str) -> None:
    server_id = garden.server()
    assert "must change flavor" in garden.act(server_id, "resize", {"flavorRef": garden.flavor_id}, 400).text
    assert "could not be found" in garden.act(server_id, "resize", {"flavorRef": "no-such"}, 400).text
    garden.act(server_id, "confirmResize", expect=409)
    garden.act(server_id, "revertResize", expect=409)
    garden.done(server_id, "pause")
    garden.act(server_id, "resize", {"flavorRef": large}, 409)
    garden.done(server_id, "unpause")
    garden.act(server_id, "lock")
    garden.act(server_id, "resize", {"flavorRef": large}, 409)


def test_the_larger_of_two_flavors_counts_until_it_is_decided(garden: Project, large: str) -> None:
    small = make_flavor(garden.admin, "small", ram=32, vcpus=1, disk=2)
    server_id = garden.server(flavorRef=large)
    assert garden.done(server_id, "resize", {"flavorRef": small})["status"] == "VERIFY_RESIZE"
    assert cores(garden) == 2
    garden.act(server_id, "confirmResize", expect=204)
    garden.cloud.run_jobs()
    assert cores(garden) == 1


def test_a_resize_is_confirmed_by_itself_where_the_settings_say_so(garden: Project, large: str) -> None:
    server_id = resized(garden, large)
    core = garden.cloud.core
    garden.cloud.advance(1000)
    with core.db.write() as tx:
        store.seen(tx, [HOST_ID])
    assert garden.cloud.wait(resizes.run(core)) is None
    core.config.resize_confirm_window = 600
    assert garden.cloud.wait(resizes.run(core)) == "confirmed 1 resizes that nobody reverted"
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "ACTIVE" and garden.host.aside == {}


def test_a_server_that_waits_for_a_word_can_be_deleted(garden: Project, large: str) -> None:
    server_id = resized(garden, large)
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    garden.user.get(f"{V}/servers/{server_id}", expect=404)
    assert cores(garden) == 0
    assert [row["status"] for row in migrations(garden)] == ["confirmed"]


# --------------------------------------------------------------------------------------------------- to another host


def test_an_administrator_moves_a_server_to_another_host(garden: Project) -> None:
    server_id = garden.server()
    other = second_host(garden.cloud.core)
    garden.act(server_id, "migrate", expect=403)
    garden.admin.post(f"{V}/servers/{server_id}/action", {"migrate": None}, 202)
    garden.cloud.run_jobs()
    shown = garden.admin.get(f"{V}/servers/{server_id}").json()["server"]
    assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"]) == ("VERIFY_RESIZE", "host-2")
    assert other.guest(server_id).root is not None
    [port] = garden.admin.get("/network/v2.0/ports", params={"device_id": server_id}).json()["ports"]
    assert (port["binding:host_id"], port["status"]) == ("host-2", "ACTIVE")
    [row] = migrations(garden, instance_uuid=server_id)
    assert (row["migration_type"], row["status"], row["source_compute"], row["dest_compute"]) == (
        "migration",
        "finished",
        "host-1",
        "host-2",
    )
    garden.act(server_id, "revertResize")
    garden.cloud.run_jobs()
    shown = garden.admin.get(f"{V}/servers/{server_id}").json()["server"]
    assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-1")
    assert server_id not in other._states


def test_a_host_may_be_named_from_2_56_on(garden: Project) -> None:
    server_id = garden.server()
    second_host(garden.cloud.core)
    action = f"{V}/servers/{server_id}/action"
    garden.admin.post(action, {"migrate": {"host": "host-2"}}, 400, headers=at("2.55"))
    garden.admin.post(action, {"migrate": {"host": "host-3"}}, 400, headers=at("2.56"))
    garden.admin.post(action, {"migrate": {"host": "host-1"}}, 400, headers=at("2.56"))
    garden.admin.post(action, {"migrate": {"host": "host-2"}}, 202, headers=at("2.56"))


def test_a_server_whose_host_is_away_does_not_move(garden: Project, large: str) -> None:
    server_id = resized(garden, large)
    second = garden.server("second")
    force_down(garden, "host-1")
    garden.act(server_id, "confirmResize", expect=409)
    garden.act(second, "resize", {"flavorRef": large}, 409)


def test_a_state_that_is_reset_ends_what_waited_for_a_word(garden: Project, large: str) -> None:
    server_id = resized(garden, large)
    garden.admin.post(f"{V}/servers/{server_id}/action", {"os-resetState": {"state": "active"}}, 202)
    garden.act(server_id, "revertResize", expect=409)
    small = make_flavor(garden.admin, "small", ram=64, vcpus=1, disk=2)
    assert garden.done(server_id, "resize", {"flavorRef": small})["status"] == "VERIFY_RESIZE"
    assert garden.done(server_id, "revertResize")["flavor"]["original_name"] == "large"
    assert cores(garden) == 2


def test_there_is_nowhere_to_go_with_one_host(garden: Project) -> None:
    server_id = garden.server()
    answer = garden.admin.post(f"{V}/servers/{server_id}/action", {"migrate": None}, 400)
    assert "No valid host was found" in answer.text and garden.show(server_id)["status"] == "ACTIVE"


def test_migrations_are_listed_a_page_at_a_time_and_by_what_they_are(garden: Project, large: str) -> None:
    first, second = resized(garden, large), resized(garden, large)
    assert [row["instance_uuid"] for row in migrations(garden)] == [second, first]
    page = garden.admin.get(f"{V}/os-migrations", params={"limit": "1"}, headers=LATEST).json()
    assert [row["instance_uuid"] for row in page["migrations"]] == [second]
    rest = migrations(garden, limit="1", marker=page["migrations"][0]["uuid"])
    assert [row["instance_uuid"] for row in rest] == [first]
    assert migrations(garden, migration_type="evacuation") == [] and len(migrations(garden, status="finished")) == 2
    old = garden.admin.get(f"{V}/os-migrations").json()["migrations"]
    assert "uuid" not in old[0] and "migration_type" not in old[0]
    garden.user.get(f"{V}/os-migrations", expect=403)


# ------------------------------------------------------------------------------------------------ rescued and shelved


def test_a_rescued_server_boots_another_disk_before_its_own(garden: Project) -> None:
    server_id = garden.server()
    answer = garden.act(server_id, "rescue", {"adminPass": "s3cret"}, 200)
    assert answer.json() == {"adminPass": "s3cret"}
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "RESCUE"
    guest = garden.host.guest(server_id)
    assert guest.rescue is not None and guest.root is not None
    garden.act(server_id, "rescue", expect=409)
    garden.act(server_id, "pause", expect=409)
    garden.act(server_id, "rebuild", {"imageRef": garden.image_id}, 409)
    assert garden.done(server_id, "unrescue")["status"] == "ACTIVE"
    assert garden.host.guest(server_id).rescue is None
    garden.act(server_id, "unrescue", expect=409)


def test_an_image_that_is_larger_than_the_servers_disk_does_not_rescue(garden: Project) -> None:
    server_id = garden.server()
    large = make_image(garden.user, "large")
    with garden.cloud.core.db.write() as tx:
        tx.execute(update(image).where(image.c.id == large).values(virtual_size=2 << 30))
    answer = garden.act(server_id, "rescue", {"rescue_image_ref": large}, 400)
    assert "larger than the 1 GB" in answer.text and garden.show(server_id)["status"] == "ACTIVE"


def test_only_an_image_that_one_may_use_rescues(garden: Project) -> None:
    server_id = garden.server()
    answer = garden.act(server_id, "rescue", {"rescue_image_ref": "7d8c0b2e-0000-4000-8000-000000000000"}, 400)
    assert "could not be found" in answer.text
    stranger = garden.cloud.new_user("stranger", "elsewhere")
    private = make_image(stranger, "private")
    garden.act(server_id, "rescue", {"rescue_image_ref": private}, 400)
    assert garden.show(server_id)["status"] == "ACTIVE"


def test_an_administrator_rescues_with_an_image_of_his_own(garden: Project) -> None:
    server_id = garden.server()
    private = make_image(garden.admin, "tools")
    garden.admin.post(f"{V}/servers/{server_id}/action", {"rescue": {"rescue_image_ref": private}}, 200)
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "RESCUE"


def test_a_rescue_that_fails_leaves_the_server_running_as_before(garden: Project) -> None:
    server_id = garden.server()
    garden.host.fail("start", server_id, HostError("the image is broken"))
    garden.act(server_id, "rescue", expect=200)
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "ACTIVE" and garden.host.guest(server_id).rescue is None
    assert garden.host._states[server_id] == "running"


def test_a_shelved_server_is_an_image_and_an_address_until_it_is_wanted(garden: Project) -> None:
    server_id = garden.server()
    address = garden.show(server_id)["addresses"]
    shown = garden.done(server_id, "shelve")
    assert (shown["status"], shown["addresses"]) == ("SHELVED_OFFLOADED", address)
    assert server_id not in garden.host._states
    [image] = garden.user.get("/image/v2/images", params={"name": "web-shelved"}).json()["images"]
    assert image["status"] == "active"
    garden.act(server_id, "shelve", expect=409)
    garden.act(server_id, "os-start", expect=409)
    garden.admin.post(f"{V}/servers/{server_id}/action", {"shelveOffload": None}, 409)
    shown = garden.done(server_id, "unshelve")
    assert (shown["status"], shown["addresses"]) == ("ACTIVE", address)
    assert garden.user.get("/image/v2/images", params={"name": "web-shelved"}).json()["images"] == []
    garden.act(server_id, "unshelve", expect=409)


def test_a_shelved_server_can_be_deleted_and_its_image_goes(garden: Project) -> None:
    server_id = garden.server()
    garden.done(server_id, "shelve")
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    garden.user.get(f"{V}/servers/{server_id}", expect=404)
    assert garden.user.get("/image/v2/images", params={"name": "web-shelved"}).json()["images"] == []


def test_a_server_whose_shelved_image_is_gone_stays_shelved(garden: Project) -> None:
    server_id = garden.server()
    garden.done(server_id, "shelve")
    [image] = garden.user.get("/image/v2/images", params={"name": "web-shelved"}).json()["images"]
    garden.user.delete(f"/image/v2/images/{image['id']}")
    assert "is gone" in garden.act(server_id, "unshelve", expect=400).text
    assert garden.show(server_id)["status"] == "SHELVED_OFFLOADED"


def test_volumes_of_a_shelved_server_come_and_go_and_are_there_when_it_is_back(garden: Project) -> None:
    server_id = garden.server()
    garden.done(server_id, "shelve")
    volumes = f"/volume/v3/{garden.user.project_id}/volumes"
    made = [garden.user.post(volumes, {"volume": {"size": 1}}, 202).json()["volume"]["id"] for _ in range(2)]
    garden.cloud.run_jobs()
    attachments = f"{V}/servers/{server_id}/os-volume_attachments"
    for volume_id in made:
        body = {"volumeAttachment": {"volumeId": volume_id}}
        garden.user.post(attachments, body, 409, headers=at("2.19"))
        garden.user.post(attachments, body, 200, headers=at("2.20"))
        garden.cloud.run_jobs()
    garden.user.delete(f"{attachments}/{made[0]}", 409)
    garden.user.delete(f"{attachments}/{made[0]}", 202, headers=at("2.20"))
    garden.cloud.run_jobs()
    garden.done(server_id, "unshelve")
    assert [disk.volume_id for disk in garden.host.guest(server_id).volumes] == [made[1]]
    shown = garden.user.get(f"{volumes}/{made[0]}").json()["volume"]
    assert shown["status"] == "available"


def test_only_administrators_say_where_a_server_is_unshelved(garden: Project) -> None:
    server_id = garden.server()
    garden.done(server_id, "shelve")
    garden.act(server_id, "unshelve", {"host": "host-1"}, 403, headers=LATEST)
    garden.act(server_id, "unshelve", {"availability_zone": "moon"}, 400, headers=LATEST)
    garden.act(server_id, "unshelve", {"availability_zone": "nova"}, 400, headers=at("2.76"))
    garden.act(server_id, "unshelve", {}, 400, headers=at("2.77"))
    garden.act(server_id, "unshelve", {"availability_zone": None}, 400, headers=at("2.90"))
    aggregate = {"aggregate": {"name": "far", "availability_zone": "moon"}}
    garden.admin.post(f"{V}/os-aggregates", aggregate, 200)
    wrong = {"unshelve": {"availability_zone": "moon", "host": "host-1"}}
    second_host(garden.cloud.core)
    [made] = garden.admin.get(f"{V}/os-aggregates").json()["aggregates"]
    garden.admin.post(f"{V}/os-aggregates/{made['id']}/action", {"add_host": {"host": "host-2"}}, 200)
    refused = garden.admin.post(f"{V}/servers/{server_id}/action", wrong, 409, headers=LATEST)
    assert "not in the availability zone" in refused.text
    garden.act(server_id, "unshelve", {"availability_zone": "nova"}, 202, headers=LATEST)


# --------------------------------------------------------------------------------------------------------- evacuated


def force_down(garden: Project, name: str) -> None:
    body = {"host": name, "binary": "nova-compute", "forced_down": True}
    garden.admin.put(f"{V}/os-services/force-down", body, 200, headers=at("2.11"))


def test_a_server_leaves_only_a_host_that_somebody_calls_dead(garden: Project) -> None:
    server_id = garden.server()
    other = second_host(garden.cloud.core)
    action = f"{V}/servers/{server_id}/action"
    assert "still in use" in garden.admin.post(action, {"evacuate": {}}, 400, headers=LATEST).text
    garden.act(server_id, "evacuate", {}, 403, headers=LATEST)
    force_down(garden, "host-1")
    assert "is connected" in garden.admin.post(action, {"evacuate": {}}, 400, headers=LATEST).text
    garden.cloud.core.hosts.remove(HOST_ID)
    garden.admin.post(action, {"evacuate": {"onSharedStorage": "True"}}, 400)
    garden.admin.post(action, {"evacuate": {"host": "host-9"}}, 404, headers=LATEST)
    garden.admin.post(action, {"evacuate": {"host": "host-1"}}, 400, headers=LATEST)
    garden.admin.post(action, {"evacuate": {}}, 200, headers=at("2.94"))
    garden.cloud.run_jobs()
    shown = garden.admin.get(f"{V}/servers/{server_id}").json()["server"]
    assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-2")
    assert other._states[server_id] == "running"
    [row] = migrations(garden, migration_type="evacuation")
    assert (row["status"], row["source_compute"], row["dest_compute"]) == ("done", "host-1", "host-2")
