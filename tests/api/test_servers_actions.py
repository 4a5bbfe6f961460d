"""Actions on servers, their ports and volumes, metadata, and what guests do by themselves."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tane.hosts import store as hosts
from tane.services.compute import interface
from tane.services.compute.domain import metadata
from tane.services.compute.reconcilers.power import RECONCILER
from tane.wire.errors import HostError
from tests.api.compute_support import LATEST, Project, V, at, make_image, project, queries
from tests.support import HOST_ID, ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def new_volume(garden: Project, size: int = 1, **more: Any) -> str:
    path = f"/volume/v3/{garden.user.project_id}/volumes"
    answer = garden.user.post(path, {"volume": {"size": size, **more}}, 202)
    garden.cloud.run_jobs()
    return str(answer.json()["volume"]["id"])


def volume_status(garden: Project, volume_id: str) -> str:
    path = f"/volume/v3/{garden.user.project_id}/volumes/{volume_id}"
    return str(garden.user.get(path).json()["volume"]["status"])


@pytest.mark.parametrize(
    ("steps", "status", "power"),
    [
        (["os-stop"], "SHUTOFF", 4),
        (["os-stop", "os-start"], "ACTIVE", 1),
        (["pause"], "PAUSED", 3),
        (["pause", "unpause"], "ACTIVE", 1),
        (["suspend"], "SUSPENDED", 4),
        (["suspend", "resume"], "ACTIVE", 1),
    ],
)
def test_actions_lead_to_the_state_they_name(garden: Project, steps: list[str], status: str, power: int) -> None:
    server_id = garden.server()
    for step in steps:
        shown = garden.done(server_id, step)
    assert (shown["status"], shown["OS-EXT-STS:power_state"]) == (status, power)
    assert shown["OS-EXT-STS:task_state"] is None


def test_an_action_in_the_wrong_state_conflicts_in_novas_words(garden: Project) -> None:
    server_id = garden.server()
    answer = garden.act(server_id, "os-start", expect=409)
    message = f"Cannot 'start' instance {server_id} while it is in vm_state active"
    assert answer.json() == {"conflictingRequest": {"code": 409, "message": message}}
    garden.act(server_id, "reboot", {"type": "SOFT"})
    assert garden.show(server_id)["status"] == "REBOOT"
    answer = garden.act(server_id, "os-stop", expect=409)
    assert "task_state rebooting" in answer.json()["conflictingRequest"]["message"]
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "ACTIVE"
    garden.act(server_id, "reboot", {"type": "GENTLE"}, expect=400)
    garden.act(server_id, "dance", expect=400)
    for name in ("addFixedIp", "removeFixedIp"):
        assert "not implemented" in garden.act(server_id, name, expect=501).json()["notImplemented"]["message"]


def test_a_locked_server_obeys_only_administrators(garden: Project) -> None:
    server_id = garden.server()
    garden.act(server_id, "lock", {"locked_reason": "mine"}, headers=LATEST)
    shown = garden.show(server_id)
    assert shown["locked"] is True and shown["locked_reason"] == "mine"
    assert f"Instance {server_id} is locked" in garden.act(server_id, "os-stop", expect=409).text
    garden.user.delete(f"{V}/servers/{server_id}", expect=409)
    garden.act(server_id, "unlock")
    garden.act(server_id, "os-stop")


def test_a_server_that_broke_comes_back_by_a_hard_reboot(garden: Project) -> None:
    server_id = garden.server()
    garden.host.fail("start", server_id, HostError("QEMU exited"))
    shown = garden.done(server_id, "reboot", {"type": "HARD"})
    assert shown["status"] == "ERROR" and "QEMU exited" in shown["fault"]["message"]
    shown = garden.done(server_id, "reboot", {"type": "HARD"})
    assert shown["status"] == "ACTIVE" and "fault" not in shown


def test_a_rebuild_makes_the_disk_anew_from_another_image(garden: Project) -> None:
    server_id = garden.server()
    other = make_image(garden.user, "other", b"other" * 64)
    body = {"rebuild": {"imageRef": other, "name": "fresh", "metadata": {"a": "b"}}}
    answer = garden.user.post(f"{V}/servers/{server_id}/action", body, 202, headers=LATEST)
    rebuilt = answer.json()["server"]
    assert rebuilt["status"] == "REBUILD" and rebuilt["adminPass"]
    garden.cloud.run_jobs()
    shown = garden.show(server_id)
    assert (shown["status"], shown["name"], shown["image"]["id"]) == ("ACTIVE", "fresh", other)
    root = garden.host.guest(server_id).root
    assert root is not None and root.image.id == other
    body = {"rebuild": {"imageRef": "0b0c7a52-0000-0000-0000-000000000000"}}
    garden.user.post(f"{V}/servers/{server_id}/action", body, 400)


def test_a_snapshot_becomes_an_image_that_starts_servers(garden: Project) -> None:
    server_id = garden.server()
    body = {"createImage": {"name": "copy", "metadata": {"purpose": "test"}}}
    answer = garden.user.post(f"{V}/servers/{server_id}/action", body, 202, headers=LATEST)
    image_id = answer.json()["image_id"]
    assert garden.show(server_id)["OS-EXT-STS:task_state"] == "image_snapshot"
    garden.cloud.run_jobs()
    made = garden.user.get(f"/image/v2/images/{image_id}").json()
    assert (made["status"], made["disk_format"], made["instance_uuid"]) == ("active", "qcow2", server_id)
    assert made["purpose"] == "test" and made["image_type"] == "snapshot"
    garden.server("second", imageRef=image_id)
    body = {"createImage": {"name": "old", "metadata": {"image_type": "golden"}}}
    old = garden.user.post(f"{V}/servers/{server_id}/action", body, 202)
    location = old.headers["location"]
    assert (
        garden.user.get(f"{V}/images/{location.rpartition('/')[2]}").json()["image"]["metadata"]["image_type"]
        == "golden"
    )


def booted_from_volume(garden: Project) -> str:
    root = {"source_type": "image", "destination_type": "volume", "uuid": garden.image_id, "boot_index": 0}
    data = {"source_type": "blank", "destination_type": "volume", "volume_size": 2}
    return garden.server(imageRef=None, block_device_mapping_v2=[{**root, "volume_size": 1}, data])


def test_a_server_booted_from_volumes_becomes_an_image_of_snapshots_that_starts_servers(garden: Project) -> None:
    server_id = booted_from_volume(garden)
    body = {"createImage": {"name": "copy", "metadata": {"purpose": "test"}}}
    answer = garden.user.post(f"{V}/servers/{server_id}/action", body, 202, headers=LATEST)
    image_id = answer.json()["image_id"]
    garden.cloud.run_jobs()
    assert garden.show(server_id)["OS-EXT-STS:task_state"] is None
    made = garden.user.get(f"/image/v2/images/{image_id}").json()
    assert (made["status"], made["size"], made["purpose"], made["bdm_v2"]) == ("active", 0, "test", "True")
    assert made["root_device_name"] == "/dev/vda"
    root, data = json.loads(made["block_device_mapping"])
    volumes = f"/volume/v3/{garden.user.project_id}"
    for entry, size in ((root, 1), (data, 2)):
        shown = garden.user.get(f"{volumes}/snapshots/{entry['snapshot_id']}").json()["snapshot"]
        assert (shown["status"], shown["size"], shown["name"]) == ("available", size, "snapshot for copy")
    # The image the server came from is no longer needed.
    garden.user.delete(f"/image/v2/images/{garden.image_id}")
    # Some clients name the image as the root disk beside: its own mapping has the root.
    local = {"source_type": "image", "destination_type": "local", "uuid": image_id, "boot_index": 0}
    second = garden.server("second", imageRef=image_id, block_device_mapping_v2=[local])
    assert garden.show(second)["image"]["id"] == image_id
    attached = garden.show(second)["os-extended-volumes:volumes_attached"]
    origins = [garden.user.get(f"{volumes}/volumes/{one['id']}").json()["volume"]["snapshot_id"] for one in attached]
    assert sorted(origins) == sorted([root["snapshot_id"], data["snapshot_id"]])
    assert garden.host.guest(second).root is None
    third = garden.server("third", imageRef=make_image(garden.user))
    garden.act(third, "rebuild", {"imageRef": image_id}, 400)


def test_volumes_that_should_be_quiet_together_are_not_snapshotted(garden: Project) -> None:
    garden.image_id = make_image(garden.user, "quiet", hw_qemu_guest_agent="yes", os_require_quiesce="yes")
    server_id = booted_from_volume(garden)
    assert "frozen" in garden.act(server_id, "createImage", {"name": "copy"}, 501).text
    assert garden.show(server_id)["OS-EXT-STS:task_state"] is None
    assert garden.user.get(f"/volume/v3/{garden.user.project_id}/snapshots").json()["snapshots"] == []


def test_the_root_disk_of_a_server_is_snapshotted_as_its_image_asks(garden: Project) -> None:
    image_id = make_image(garden.user, "quiet", hw_qemu_guest_agent="yes", os_require_quiesce="yes")
    server_id = garden.server(imageRef=image_id)
    assert garden.host.guest(server_id).hardware.quiesce
    garden.act(server_id, "createImage", {"name": "copy"}, 202)
    garden.cloud.run_jobs()
    [made] = garden.user.get("/image/v2/images?name=copy").json()["images"]
    assert (made["status"], made["os_require_quiesce"]) == ("active", "yes")


def test_snapshots_over_quota_make_no_image(garden: Project) -> None:
    server_id = booted_from_volume(garden)
    path = f"/volume/v3/{garden.admin.project_id}/os-quota-sets/{garden.user.project_id}"
    garden.admin.put(path, {"quota_set": {"snapshots": 1}}, 200)
    garden.act(server_id, "createImage", {"name": "copy"}, 403)
    assert garden.show(server_id)["OS-EXT-STS:task_state"] is None
    assert garden.user.get("/image/v2/images?name=copy").json()["images"] == []
    assert garden.user.get(f"/volume/v3/{garden.user.project_id}/snapshots").json()["snapshots"] == []


def test_an_image_whose_mapping_is_none_starts_no_server(garden: Project) -> None:
    image_id = make_image(garden.user, block_device_mapping="[1]")
    garden.user.post(f"{V}/servers", garden.body(imageRef=image_id), 400)


def test_an_image_that_cannot_be_written_does_not_stay(garden: Project) -> None:
    server_id = garden.server()
    garden.host.fail("snapshot", server_id, HostError("no space left on device"))
    body = {"createImage": {"name": "copy"}}
    image_id = garden.user.post(f"{V}/servers/{server_id}/action", body, 202, headers=LATEST).json()["image_id"]
    garden.cloud.run_jobs()
    garden.user.get(f"/image/v2/images/{image_id}", expect=404)
    assert garden.show(server_id)["OS-EXT-STS:task_state"] is None


def test_the_console_log_ends_with_the_lines_asked_for(garden: Project) -> None:
    server_id = garden.server()
    answer = garden.act(server_id, "os-getConsoleOutput", {"length": 1}, expect=200)
    assert "simulated console" in answer.json()["output"]
    garden.act(server_id, "os-getConsoleOutput", {"length": -2}, expect=400)


def test_what_was_done_is_on_record_with_its_steps(garden: Project) -> None:
    server_id = garden.server()
    garden.done(server_id, "os-stop")
    found = garden.user.get(f"{V}/servers/{server_id}/os-instance-actions", headers=LATEST).json()["instanceActions"]
    assert [action["action"] for action in found] == ["stop", "create"]
    request_id = found[-1]["request_id"]
    path = f"{V}/servers/{server_id}/os-instance-actions/{request_id}"
    events = garden.user.get(path, headers=LATEST).json()["instanceAction"]["events"]
    assert events and {event["result"] for event in events} == {"Success"}
    garden.user.get(f"{V}/servers/{server_id}/os-instance-actions/req-none", expect=404)


# ----------------------------------------------------------------------------------------------- ports and volumes


def test_a_volume_is_attached_and_detached_while_the_server_runs(garden: Project) -> None:
    server_id, volume_id = garden.server(), new_volume(garden)
    path = f"{V}/servers/{server_id}/os-volume_attachments"
    answer = garden.user.post(path, {"volumeAttachment": {"volumeId": volume_id}}, 200)
    assert answer.json()["volumeAttachment"]["device"] == "/dev/vdb"
    garden.cloud.run_jobs()
    assert volume_status(garden, volume_id) == "in-use"
    assert [disk.volume_id for disk in garden.host.guest(server_id).volumes] == [volume_id]
    garden.user.post(path, {"volumeAttachment": {"volumeId": volume_id}}, 400)
    garden.user.delete(f"{path}/{volume_id}", 202)
    garden.cloud.run_jobs()
    assert volume_status(garden, volume_id) == "available"
    assert garden.host.guest(server_id).volumes == ()
    garden.user.delete(f"{path}/{volume_id}", 404)
    unknown = {"volumeAttachment": {"volumeId": "0b0c7a52-0000-0000-0000-000000000000"}}
    garden.user.post(path, unknown, 404)


def test_a_volume_that_cannot_be_plugged_is_available_again(garden: Project) -> None:
    server_id, volume_id = garden.server(), new_volume(garden)
    garden.host.fail("attach_volume", server_id, HostError("no free slot"))
    path = f"{V}/servers/{server_id}/os-volume_attachments"
    garden.user.post(path, {"volumeAttachment": {"volumeId": volume_id}}, 200)
    garden.cloud.run_jobs()
    assert volume_status(garden, volume_id) == "available"
    assert garden.user.get(path).json() == {"volumeAttachments": []}


def test_a_server_boots_from_a_volume_that_ends_with_it(garden: Project) -> None:
    device = {
        "boot_index": 0,
        "uuid": garden.image_id,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }
    server_id = garden.server(imageRef="", block_device_mapping_v2=[device])
    shown = garden.show(server_id)
    assert shown["image"] == ""
    [attached] = shown["os-extended-volumes:volumes_attached"]
    assert attached["delete_on_termination"] is True
    assert volume_status(garden, attached["id"]) == "in-use"
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    garden.user.get(f"/volume/v3/{garden.user.project_id}/volumes/{attached['id']}", expect=404)


def test_a_block_device_mapping_without_sense_is_refused(garden: Project) -> None:
    image = {"source_type": "image", "destination_type": "volume", "uuid": garden.image_id}
    for device, words in (
        ({**image, "boot_index": 0}, "non-zero size"),
        ({**image, "boot_index": 1, "volume_size": 1}, "Boot sequence"),
        ({"source_type": "volume", "uuid": garden.image_id, "boot_index": 0}, "failed to get volume"),
        ({"source_type": "blank", "destination_type": "volume", "boot_index": 0}, "non-zero size"),
    ):
        body = garden.body(imageRef="", block_device_mapping_v2=[device])
        answer = garden.user.post(f"{V}/servers", body, 400, headers=LATEST)
        assert words in answer.json()["badRequest"]["message"]


def test_a_port_is_plugged_and_unplugged_while_the_server_runs(garden: Project) -> None:
    server_id = garden.server()
    path = f"{V}/servers/{server_id}/os-interface"
    body = {"interfaceAttachment": {"net_id": garden.network_id}}
    made = garden.user.post(path, body, 200).json()["interfaceAttachment"]
    assert made["fixed_ips"][0]["ip_address"].startswith("10.1.0.") and made["fixed_ips"][0]["subnet_id"]
    garden.cloud.run_jobs()
    assert len(garden.host.guest(server_id).nics) == 2
    assert len(garden.user.get(path).json()["interfaceAttachments"]) == 2
    garden.user.delete(f"{path}/{made['port_id']}", 202)
    garden.cloud.run_jobs()
    assert len(garden.host.guest(server_id).nics) == 1
    garden.user.get(f"{path}/{made['port_id']}", 404)


def test_a_guest_that_its_host_has_lost_lets_go_its_ports_and_volumes(garden: Project) -> None:
    """As a simulated one is after its cloud was killed; a hard reboot makes it again with what it still has."""
    server_id = garden.server()
    path = f"{V}/servers/{server_id}"
    body = {"interfaceAttachment": {"net_id": garden.network_id}}
    port_id = garden.user.post(f"{path}/os-interface", body, 200).json()["interfaceAttachment"]["port_id"]
    where = f"/volume/v3/{garden.user.project_id}/volumes"
    volume_id = garden.user.post(where, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    garden.cloud.run_jobs()
    garden.user.post(f"{path}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume_id}}, 200)
    garden.cloud.run_jobs()
    for known in (garden.host._guests, garden.host._states):
        known.clear()
    garden.user.delete(f"{path}/os-interface/{port_id}", 202)
    garden.user.delete(f"{path}/os-volume_attachments/{volume_id}", 202)
    garden.cloud.run_jobs()
    assert len(garden.user.get(f"{path}/os-interface").json()["interfaceAttachments"]) == 1
    assert garden.user.get(f"{where}/{volume_id}").json()["volume"]["status"] == "available"
    assert garden.done(server_id, "reboot", {"type": "HARD"})["status"] == "ACTIVE"
    assert (len(garden.host.guest(server_id).nics), garden.host.guest(server_id).volumes) == (1, ())


def test_a_port_that_is_deleted_under_a_running_server_is_unplugged(garden: Project) -> None:
    server_id = garden.server()
    body = {"interfaceAttachment": {"net_id": garden.network_id}}
    path = f"{V}/servers/{server_id}/os-interface"
    made = garden.user.post(path, body, 200).json()["interfaceAttachment"]
    garden.cloud.run_jobs()
    garden.user.delete(f"/network/v2.0/ports/{made['port_id']}")
    garden.cloud.run_jobs()
    assert [nic.port_id for nic in garden.host.guest(server_id).nics if nic.port_id == made["port_id"]] == []
    assert len(garden.user.get(path).json()["interfaceAttachments"]) == 1
    assert garden.user.get(f"{V}/servers/{server_id}").json()["server"]["status"] == "ACTIVE"


def test_the_security_groups_of_a_server_are_told_with_their_rules(garden: Project) -> None:
    made = garden.user.post(
        "/network/v2.0/security-groups", {"security_group": {"name": "web", "description": "the shop"}}, 201
    ).json()["security_group"]
    rules: list[dict[str, Any]] = [
        {"protocol": "tcp", "port_range_min": 443, "port_range_max": 443, "remote_ip_prefix": "192.0.2.0/24"},
        {"protocol": "udp"},
        {"protocol": "icmp"},
        {"remote_group_id": made["id"]},
        {"ethertype": "IPv6"},
    ]
    for rule in rules:
        body = {"security_group_rule": {"security_group_id": made["id"], "direction": "ingress", **rule}}
        garden.user.post("/network/v2.0/security-group-rules", body, 201)
    server_id = garden.server(security_groups=[{"name": "web"}])
    [shown] = garden.user.get(f"{V}/servers/{server_id}/os-security-groups").json()["security_groups"]
    assert {key: shown[key] for key in ("id", "name", "description", "tenant_id")} == {
        "id": made["id"],
        "name": "web",
        "description": "the shop",
        "tenant_id": garden.user.project_id,
    }
    assert {rule.pop("parent_group_id") for rule in shown["rules"]} == {made["id"]}
    assert len({rule.pop("id") for rule in shown["rules"]}) == len(rules)
    itself = {"name": "web", "tenant_id": garden.user.project_id}
    names = ("ip_protocol", "from_port", "to_port", "group", "ip_range")
    expected: list[tuple[Any, ...]] = [
        ("tcp", 443, 443, {}, {"cidr": "192.0.2.0/24"}),
        ("udp", 1, 65535, {}, {"cidr": "0.0.0.0/0"}),
        ("icmp", -1, -1, {}, {"cidr": "0.0.0.0/0"}),
        (None, None, None, itself, {}),
        (None, None, None, {}, {"cidr": "::/0"}),
    ]
    # The test's clock stands still, so the rules have no order.
    found = [tuple(rule[name] for name in names) for rule in shown["rules"]]
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_many_security_groups_of_a_server_are_told_in_as_many_queries_as_one(garden: Project) -> None:
    server_id = garden.server()
    counts = []
    for name in (None, "web", "mail"):
        if name is not None:
            garden.user.post("/network/v2.0/security-groups", {"security_group": {"name": name}}, 201)
            garden.act(server_id, "addSecurityGroup", {"name": name})
        with queries(garden.cloud) as statements:
            garden.user.get(f"{V}/servers/{server_id}/os-security-groups")
        counts.append(len(statements))
    assert counts[0] == counts[1] == counts[2]


def test_security_groups_are_added_to_a_server_and_removed(garden: Project) -> None:
    server_id = garden.server()
    garden.user.post("/network/v2.0/security-groups", {"security_group": {"name": "web"}}, 201)
    garden.act(server_id, "addSecurityGroup", {"name": "web"})
    assert {group["name"] for group in garden.show(server_id)["security_groups"]} == {"default", "web"}
    garden.act(server_id, "removeSecurityGroup", {"name": "web"})
    garden.act(server_id, "addSecurityGroup", {"name": "nope"}, expect=404)


# -------------------------------------------------------------------------------------------------------- metadata


def test_a_guest_learns_its_name_addresses_keys_and_user_data(garden: Project) -> None:
    garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "mine"}}, 200)
    data = base64.b64encode(b"#!/bin/sh\n").decode()
    server_id = garden.server(key_name="mine", user_data=data, metadata={"role": "web"})
    [port] = garden.user.get(f"/network/v2.0/ports?device_id={server_id}").json()["ports"]

    def ask(path: str) -> tuple[int, str]:
        status, _, body = garden.cloud.wait(interface.metadata(garden.cloud.core, HOST_ID, port["id"], path, {}))
        return status, body.decode()

    assert ask("/latest/meta-data/local-ipv4") == (200, port["fixed_ips"][0]["ip_address"])
    assert ask("/latest/meta-data/hostname") == (200, "web.novalocal")
    assert ask("/2009-04-04/meta-data/public-keys/") == (200, "0=mine")
    assert ask("/2009-04-04/meta-data/public-keys/0/openssh-key")[1].startswith("ssh-ed25519 ")
    assert ask("/2009-04-04/meta-data/placement/availability-zone") == (200, "nova")
    assert ask("/latest/user-data") == (200, "#!/bin/sh\n")
    assert "instance-id" in ask("/latest/meta-data/")[1].split("\n")
    assert f'"uuid":"{server_id}"' in ask("/openstack/latest/meta_data.json")[1]
    assert '"role":"web"' in ask("/openstack/latest/meta_data.json")[1]
    assert '"links"' in ask("/openstack/latest/network_data.json")[1]
    assert ask("/latest/meta-data/nothing")[0] == 404
    assert ask("/")[1].split("\n")[-2:] == ["2009-04-04", "latest"]
    assert ask("/openstack/")[1].split("\n") == [*metadata.OPENSTACK_VERSIONS, "latest"]
    assert ask("/openstack/latest/vendor_data2.json") == (200, '{"static":{}}')
    assert ask("/openstack/2016-06-30/vendor_data2.json")[0] == 404, "an old version is as it was"
    old, new = (ask(f"/openstack/{version}/meta_data.json")[1] for version in ("2012-08-10", "latest"))
    assert '"devices"' in new and '"devices"' not in old
    assert "public-keys" not in ask("/1.0/meta-data/")[1]
    assert ask("/latest/meta-data/ami-manifest-path")[0] == 200
    status, _, _ = garden.cloud.wait(interface.metadata(garden.cloud.core, HOST_ID, "no-port", "/", {}))
    assert status == 404


# -------------------------------------------------------------------------------------------------- what guests do


def reconcile(garden: Project) -> str | None:
    sentence: str | None = garden.cloud.wait(RECONCILER.run(garden.cloud.core))
    return sentence


def test_a_guest_that_powers_itself_off_is_shown_shut_off(garden: Project) -> None:
    server_id = garden.server()

    async def power_off() -> None:
        core = garden.cloud.core
        await garden.host.start_duty(
            lambda *told: core.own_threads.submit(interface.guest_changed, core, HOST_ID, *told)
        )
        with core.db.signals.subscribe(f"server:{server_id}") as noted:
            garden.host.power_off(server_id)
            assert await noted.wait(10)

    garden.cloud.wait(power_off())
    assert garden.show(server_id)["status"] == "SHUTOFF"


def test_a_crash_that_was_missed_is_found_by_comparison(garden: Project) -> None:
    server_id = garden.server()
    assert reconcile(garden) is None
    garden.host.crash(server_id)
    assert "is crashed" in (reconcile(garden) or "")
    shown = garden.show(server_id)
    assert (shown["status"], shown["OS-EXT-STS:power_state"]) == ("SHUTOFF", 6)


def test_servers_run_again_after_their_host_came_back(garden: Project) -> None:
    server_id, stopped = garden.server(), garden.server("other")
    garden.done(stopped, "os-stop")
    garden.host.crash(server_id)
    assert f"started {server_id} again" in (reconcile(garden) or "")
    garden.cloud.run_jobs()
    assert garden.show(server_id)["status"] == "ACTIVE"
    assert garden.cloud.wait(garden.host.state(server_id)) == "running"
    assert garden.show(stopped)["status"] == "SHUTOFF"


def test_a_server_whose_disks_are_gone_is_not_made_anew_in_silence(garden: Project) -> None:
    server_id = garden.server()
    with garden.cloud.core.db.write() as tx:
        row = hosts.get(tx, HOST_ID)
        assert row is not None
        hosts.change(tx, HOST_ID, capabilities={**row.capabilities, "hypervisor_type": "QEMU"})
    garden.cloud.wait(garden.host.destroy(server_id))
    assert f"the disks of {server_id} are gone" in (reconcile(garden) or "")
    garden.cloud.run_jobs()
    shown = garden.show(server_id)
    assert shown["status"] == "ERROR" and "no longer on its host" in shown["fault"]["message"]
    assert garden.done(server_id, "reboot", {"type": "HARD"})["status"] == "ACTIVE"


def test_a_server_deleted_while_its_host_was_down_loses_its_guest_later(garden: Project) -> None:
    server_id = garden.server()
    body = {"host": "host-1", "binary": "nova-compute", "forced_down": True}
    garden.admin.put(f"{V}/os-services/force-down", body, 200, headers=at("2.11"))
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    garden.user.get(f"{V}/servers/{server_id}", expect=404)
    assert server_id in garden.cloud.wait(garden.host.states())
    assert "whose server was deleted" in (reconcile(garden) or "")
    assert garden.cloud.wait(garden.host.states()) == {}


@pytest.mark.parametrize("action", ["suspend", "pause"])
def test_an_action_on_a_guest_that_went_away_by_itself_leaves_nothing_pending(garden: Project, action: str) -> None:
    server_id = garden.server()
    garden.act(server_id, action)
    garden.host.power_off(server_id)
    garden.cloud.run_jobs()
    shown = garden.show(server_id)
    assert shown["OS-EXT-STS:task_state"] is None
    assert garden.host.guest(server_id)
    garden.user.delete(f"/compute/v2.1/servers/{server_id}")
    garden.cloud.run_jobs()
    garden.user.get(f"/compute/v2.1/servers/{server_id}", expect=404)
