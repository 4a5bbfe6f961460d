"""What old clients call in the compute API: other names of servers, and the proxies of other services."""

from __future__ import annotations

from typing import Any

import pytest

from tane.wire.errors import HostError
from tests.api.compute_support import Project, V, at, make_image, project
from tests.api.network_support import public
from tests.support import ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def disk(garden: Project) -> dict[str, Any]:
    return {
        "boot_index": 0,
        "uuid": garden.image_id,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }


@pytest.mark.parametrize("version", ["2.1", "2.96"])
def test_a_server_is_made_acted_on_and_deleted_under_its_old_name(garden: Project, version: str) -> None:
    body = garden.body("web", imageRef=None, block_device_mapping_v2=[disk(garden)])
    made = garden.user.post(f"{V}/os-volumes_boot", body, 202, headers=at(version)).json()["server"]
    garden.cloud.run_jobs()
    assert garden.show(made["id"])["status"] == "ACTIVE"
    old = f"{V}/os-volumes_boot/{made['id']}"
    assert garden.user.get(old).json() == garden.user.get(f"{V}/servers/{made['id']}").json()
    garden.user.post(f"{old}/action", {"os-stop": None}, 202)
    garden.cloud.run_jobs()
    assert garden.show(made["id"])["status"] == "SHUTOFF"
    [listed] = garden.user.get(f"{V}/os-volumes_boot/detail").json()["servers"]
    assert listed["id"] == made["id"]
    garden.user.delete(old, expect=204)


PROXIES = (
    "images",
    "images/detail",
    "os-volumes",
    "os-volumes/detail",
    "os-snapshots",
    "os-snapshots/detail",
    "os-floating-ips",
    "os-floating-ip-pools",
    "os-security-groups",
    "os-networks",
    "os-tenant-networks",
)


@pytest.mark.parametrize("path", PROXIES)
def test_proxies_of_other_services_end_with_2_35(garden: Project, path: str) -> None:
    for version, status in (("2.1", 200), ("2.35", 200), ("2.36", 404), ("2.96", 404)):
        garden.user.get(f"{V}/{path}", headers=at(version), expect=status)


def test_a_floating_ip_is_taken_shown_and_given_back(garden: Project) -> None:
    outside = public(garden.cloud)
    [pool] = garden.user.get(f"{V}/os-floating-ip-pools").json()["floating_ip_pools"]
    for body in ({}, {"pool": None}, {"pool": pool["name"]}, {"pool": outside}):
        made = garden.user.post(f"{V}/os-floating-ips", body, 200).json()["floating_ip"]
        assert made == {**made, "pool": pool["name"], "fixed_ip": None, "instance_id": None}
        one = f"{V}/os-floating-ips/{made['id']}"
        assert garden.user.get(one).json() == {"floating_ip": made}
        assert garden.user.get(f"{V}/os-floating-ips").json() == {"floating_ips": [made]}
        garden.user.delete(one, expect=202)
        garden.user.delete(one, expect=404)
    garden.user.post(f"{V}/os-floating-ips", {"pool": "nowhere"}, 404)


def test_a_security_group_and_its_rules_are_kept_in_the_old_form(garden: Project) -> None:
    asked = {"security_group": {"name": "web", "description": "from outside"}}
    group = garden.user.post(f"{V}/os-security-groups", asked, 200).json()["security_group"]
    assert (group["name"], group["description"], group["rules"]) == ("web", "from outside", [])
    one = f"{V}/os-security-groups/{group['id']}"
    rule = {"parent_group_id": group["id"], "ip_protocol": "TCP", "from_port": "22", "to_port": 22, "cidr": "::/0"}
    made = garden.user.post(f"{V}/os-security-group-rules", {"security_group_rule": rule}, 200).json()
    assert made["security_group_rule"] == {
        "id": made["security_group_rule"]["id"],
        "parent_group_id": group["id"],
        "ip_protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "group": {},
        "ip_range": {"cidr": "::/0"},
    }
    assert garden.user.get(one).json()["security_group"]["rules"] == [made["security_group_rule"]]
    named = {"parent_group_id": group["id"], "group_id": group["id"], "cidr": None}
    second = garden.user.post(f"{V}/os-security-group-rules", {"security_group_rule": named}, 200).json()
    assert second["security_group_rule"]["group"]["name"] == "web"
    changed = garden.user.put(one, {"security_group": {"name": "web2", "description": None}}, 200).json()
    assert changed["security_group"]["name"] == "web2"
    garden.user.delete(f"{V}/os-security-group-rules/{made['security_group_rule']['id']}", expect=202)
    garden.user.delete(one, expect=202)
    assert [row["name"] for row in garden.user.get(f"{V}/os-security-groups").json()["security_groups"]] == ["default"]


@pytest.mark.parametrize(
    "part",
    [
        {"ip_protocol": None},
        {"from_port": None},
        {"from_port": 30},
        {"cidr": "nonsense"},
        {"ip_protocol": "nonsense"},
        {"from_port": "65536", "to_port": "65536"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(garden: Project, part: dict[str, Any]) -> None:
    [group] = garden.user.get(f"{V}/os-security-groups").json()["security_groups"]
    rule = {"parent_group_id": group["id"], "ip_protocol": "tcp", "from_port": 22, "to_port": 22, **part}
    garden.user.post(f"{V}/os-security-group-rules", {"security_group_rule": rule}, 400)


def test_networks_are_shown_by_id_and_label(garden: Project) -> None:
    for path in ("os-networks", "os-tenant-networks"):
        [found] = garden.user.get(f"{V}/{path}").json()["networks"]
        assert (found["id"], found["label"]) == (garden.network_id, "lan")
        shown = garden.user.get(f"{V}/{path}/{garden.network_id}").json()["network"]
        assert (shown["id"], shown["label"], shown["cidr"]) == (garden.network_id, "lan", None)


@pytest.mark.parametrize("size", [1, "1"])
def test_a_volume_and_its_snapshot_are_made_shown_and_deleted_in_the_old_form(garden: Project, size: object) -> None:
    asked = {"size": size, "display_name": "data", "display_description": "of the shop", "metadata": {"a": "b"}}
    made = garden.user.post(f"{V}/os-volumes", {"volume": asked}, 200).json()["volume"]
    garden.cloud.run_jobs()
    one = f"{V}/os-volumes/{made['id']}"
    shown = garden.user.get(one).json()["volume"]
    assert shown == {
        **made,
        "status": "available",
        "size": 1,
        "displayName": "data",
        "displayDescription": "of the shop",
        "metadata": {"a": "b"},
        "attachments": [{}],
    }
    for path in ("os-volumes", "os-volumes/detail"):
        assert garden.user.get(f"{V}/{path}").json() == {"volumes": [shown]}
        assert garden.user.get(f"{V}/{path}?offset=1").json() == {"volumes": []}
    taking = {"snapshot": {"volume_id": made["id"], "display_name": "before", "force": "True"}}
    taken = garden.user.post(f"{V}/os-snapshots", taking, 200).json()["snapshot"]
    garden.cloud.run_jobs()
    snapshot = garden.user.get(f"{V}/os-snapshots/{taken['id']}").json()["snapshot"]
    assert (snapshot["volumeId"], snapshot["displayName"], snapshot["status"]) == (made["id"], "before", "available")
    assert garden.user.get(f"{V}/os-snapshots").json() == {"snapshots": [snapshot]}
    garden.user.delete(f"{V}/os-snapshots/{taken['id']}", expect=202)
    garden.cloud.run_jobs()
    garden.user.delete(one, expect=202)
    garden.cloud.run_jobs()
    garden.user.get(one, expect=404)


def test_an_attached_volume_names_its_server(garden: Project) -> None:
    server_id = garden.server()
    made = garden.user.post(f"{V}/os-volumes", {"volume": {"size": 1}}, 200).json()["volume"]
    garden.cloud.run_jobs()
    body = {"volumeAttachment": {"volumeId": made["id"]}}
    garden.user.post(f"{V}/servers/{server_id}/os-volume_attachments", body, 200)
    garden.cloud.run_jobs()
    [link] = garden.user.get(f"{V}/os-volumes/{made['id']}").json()["volume"]["attachments"]
    assert link == {"id": made["id"], "volumeId": made["id"], "serverId": server_id, "device": link["device"]}
    garden.user.delete(f"{V}/os-volumes/{made['id']}", expect=400)


def test_quotas_of_other_services_refuse_with_403(garden: Project) -> None:
    project_id = garden.user.project_id
    none = {"quota": {"security_group": 0, "floatingip": 0, "security_group_rule": 0}}
    garden.admin.put(f"/network/v2.0/quotas/{project_id}", none)
    volumes = f"/volume/v3/{garden.admin.project_id}/os-quota-sets/{project_id}"
    garden.admin.put(volumes, {"quota_set": {"volumes": 0}})
    public(garden.cloud)
    [group] = garden.user.get(f"{V}/os-security-groups").json()["security_groups"]
    rule = {"parent_group_id": group["id"], "ip_protocol": "tcp", "from_port": 22, "to_port": 22}
    for path, body in (
        ("os-floating-ips", {}),
        ("os-security-groups", {"security_group": {"name": "web"}}),
        ("os-security-group-rules", {"security_group_rule": rule}),
        ("os-volumes", {"volume": {"size": 1}}),
    ):
        assert "uota" in garden.user.post(f"{V}/{path}", body, 403).text


def test_images_are_listed_and_filtered_in_the_old_form(garden: Project) -> None:
    other = make_image(garden.user, "other", min_disk=1, min_ram=64)
    server_id = garden.server()
    garden.act(server_id, "createImage", {"name": "taken"})
    garden.cloud.run_jobs()
    for query, names in (
        ("", ["cirros", "other", "taken"]),
        ("?name=other", ["other"]),
        ("?status=ACTIVE", ["cirros", "other", "taken"]),
        ("?status=SAVING", []),
        (f"?server={server_id}", ["taken"]),
        (f"?server=http://cloud/servers/{server_id}", ["taken"]),
        ("?type=snapshot", ["taken"]),
        ("?property-image_type=snapshot", ["taken"]),
        ("?minRam=64&name=other", ["other"]),
        ("?minDisk=2", []),
        ("?changes-since=2999-01-01T00:00:00Z", []),
    ):
        for path in ("images", "images/detail"):
            found = garden.user.get(f"{V}/{path}{query}").json()["images"]
            assert sorted(image["name"] for image in found) == names, (path, query)
    detailed = garden.user.get(f"{V}/images/detail?name=other").json()["images"]
    assert detailed == [garden.user.get(f"{V}/images/{other}").json()["image"]]
    first, *rest = garden.user.get(f"{V}/images").json()["images"]
    page = garden.user.get(f"{V}/images?limit=1").json()
    assert (page["images"], page["images_links"][0]["rel"]) == ([first], "next")
    assert garden.user.get(f"{V}/images?marker={first['id']}").json()["images"] == rest
    for wrong in ("minRam=much", "changes-since=yesterday", "limit=x", "marker=nowhere"):
        garden.user.get(f"{V}/images?{wrong}", expect=400)


def test_properties_of_an_image_are_its_metadata_until_2_38(garden: Project) -> None:
    every = f"{V}/images/{garden.image_id}/metadata"
    old = at("2.38")
    ask = garden.user.request
    assert ask("POST", every, json={"metadata": {"a": "1", "b": "2"}}, headers=old, expect=200).json() == {
        "metadata": {"a": "1", "b": "2"}
    }
    assert ask("PUT", f"{every}/a", json={"meta": {"a": "3"}}, headers=old, expect=200).json() == {"meta": {"a": "3"}}
    ask("PUT", f"{every}/a", json={"meta": {"c": "3"}}, headers=old, expect=400)
    assert ask("GET", f"{every}/a", headers=old, expect=200).json() == {"meta": {"a": "3"}}
    ask("DELETE", f"{every}/a", headers=old, expect=204)
    ask("DELETE", f"{every}/a", headers=old, expect=404)
    ask("GET", f"{every}/a", headers=old, expect=404)
    assert ask("GET", every, headers=old, expect=200).json() == {"metadata": {"b": "2"}}
    assert ask("PUT", every, json={"metadata": {"c": "4"}}, headers=old, expect=200).json() == {"metadata": {"c": "4"}}
    assert garden.user.get(f"/image/v2/images/{garden.image_id}").json()["c"] == "4"
    ask("GET", every, headers=at("2.39"), expect=404)


def backup(garden: Project, server_id: str, name: str, rotation: object, kind: str = "daily") -> Any:
    garden.cloud.advance(1)
    value = {"name": name, "backup_type": kind, "rotation": rotation, "metadata": {"note": name}}
    answer = garden.act(server_id, "createBackup", value, headers=at("2.45"))
    assert garden.show(server_id)["OS-EXT-STS:task_state"] == "image_backup"
    garden.cloud.run_jobs()
    assert garden.show(server_id)["OS-EXT-STS:task_state"] is None
    return answer


def images(garden: Project) -> list[str]:
    found = garden.user.get("/image/v2/images").json()["images"]
    return sorted(image["name"] for image in found if image["name"] != "cirros")


def test_only_the_latest_backups_of_a_type_are_kept(garden: Project) -> None:
    server_id, other = garden.server("web"), garden.server("db")
    backup(garden, other, "other-1", 1)
    backup(garden, server_id, "weekly-1", 1, "weekly")
    for number in range(4):
        made = backup(garden, server_id, f"daily-{number}", "2").json()["image_id"]
        assert f"daily-{number}" in images(garden)
    assert images(garden) == ["daily-2", "daily-3", "other-1", "weekly-1"]
    shown = garden.user.get(f"/image/v2/images/{made}").json()
    assert (shown["image_type"], shown["backup_type"], shown["instance_uuid"]) == ("backup", "daily", server_id)
    assert (shown["note"], shown["status"]) == ("daily-3", "active")
    assert backup(garden, server_id, "daily-4", 0).content == b""
    assert images(garden) == ["other-1", "weekly-1"]


def test_a_protected_backup_outlives_the_rotation(garden: Project) -> None:
    server_id = garden.server()
    made = backup(garden, server_id, "daily-0", 1).json()["image_id"]
    patch = [{"op": "replace", "path": "/protected", "value": True}]
    kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    garden.user.patch(f"/image/v2/images/{made}", patch, 200, headers=kind)
    backup(garden, server_id, "daily-1", 1)
    assert images(garden) == ["daily-0", "daily-1"]


def test_a_backup_that_fails_costs_no_older_one(garden: Project) -> None:
    server_id = garden.server()
    backup(garden, server_id, "daily-0", 1)
    garden.host.fail("snapshot", server_id, HostError("no space left on device"))
    backup(garden, server_id, "daily-1", 1)
    assert images(garden) == ["daily-0"]


def test_a_server_that_boots_from_a_volume_has_no_backups(garden: Project) -> None:
    server_id = garden.server(imageRef=None, block_device_mapping_v2=[disk(garden)])
    value = {"name": "daily", "backup_type": "daily", "rotation": 1}
    answer = garden.act(server_id, "createBackup", value, 400)
    assert "Backup is not supported for volume-backed instances" in answer.text


@pytest.mark.parametrize("action", ["addFixedIp", "removeFixedIp"])
def test_fixed_ips_of_servers_are_refused_with_the_reason_until_2_43(garden: Project, action: str) -> None:
    server_id = garden.server()
    assert action in garden.act(server_id, action, {"networkId": garden.network_id}, 501, headers=at("2.43")).text
    garden.act(server_id, action, {"networkId": garden.network_id}, 404, headers=at("2.44"))


def test_hosts_tell_what_they_have_and_who_uses_it_until_2_42(garden: Project) -> None:
    garden.server()
    [host] = garden.admin.get(f"{V}/os-hosts?service=compute").json()["hosts"]
    assert (host["service"], host["zone"]) == ("compute", "nova")
    inner = {"host_name": host["host_name"], "service": "conductor", "zone": "internal"}
    assert garden.admin.get(f"{V}/os-hosts?service=conductor").json() == {"hosts": [inner]}
    every = garden.admin.get(f"{V}/os-hosts?zone=").json()["hosts"]
    assert [entry["service"] for entry in every] == ["compute", "conductor", "scheduler"]
    assert garden.admin.get(f"{V}/os-hosts?zone=elsewhere").json() == {"hosts": []}
    one = f"{V}/os-hosts/{host['host_name']}"
    parts = {part["resource"]["project"]: part["resource"] for part in garden.admin.get(one).json()["host"]}
    mine = {"host": host["host_name"], "cpu": 1, "memory_mb": 64, "disk_gb": 1}
    for name in ("(used_now)", "(used_max)", garden.user.project_id):
        assert parts[name] == {**mine, "project": name}
    assert parts["(total)"]["cpu"] > 0
    for wrong in ({}, {"status": "invalid"}, {"status": "enable", "maintenance_mode": "x"}, {"colour": "red"}):
        garden.admin.put(one, wrong, 400)
    garden.admin.put(one, {"status": "Disable"}, 501)
    garden.admin.put(f"{V}/os-hosts/nowhere", {"status": "disable"}, 404)
    for verb in ("startup", "shutdown", "reboot"):
        garden.admin.get(f"{one}/{verb}", expect=501)
    garden.admin.get(f"{V}/os-hosts/nowhere", expect=404)
    garden.admin.get(one, headers=at("2.43"), expect=404)
    garden.user.get(one, expect=403)


def test_the_audit_of_usage_covers_the_last_whole_month(garden: Project) -> None:
    audit = f"{V}/os-instance_usage_audit_log"
    for before, beginning, ending in (
        ("2026-11-26 02:00:00.000000", "2026-10-01 00:00:00", "2026-11-01 00:00:00"),
        ("2026-11-26 02:00:00", "2026-10-01 00:00:00", "2026-11-01 00:00:00"),
        ("2026-01-01 00:00:00.000000", "2025-11-01 00:00:00", "2025-12-01 00:00:00"),
    ):
        log = garden.admin.get(f"{audit}/{before}").json()["instance_usage_audit_log"]
        assert (log["period_beginning"], log["period_ending"]) == (beginning, ending)
    assert garden.admin.get(audit).json()["instance_usage_audit_logs"]["num_hosts_done"] == 0
    for wrong in ("yesterday", "0001-01-01 00:00:00.000000"):
        garden.admin.get(f"{audit}/{wrong}", expect=400)


def test_what_nova_removed_is_gone(garden: Project) -> None:
    garden.user.get(f"{V}/os-fping", headers=at("2.35"), expect=410)
    garden.user.get(f"{V}/os-fping/{garden.image_id}", expect=410)
    garden.user.get(f"{V}/os-fping", headers=at("2.36"), expect=404)
    garden.user.get(f"{V}/os-cells", headers=at("2.96"), expect=410)


def test_a_rule_that_a_group_has_is_a_bad_request_to_old_clients(garden: Project) -> None:
    name = " a group "
    made = garden.user.post(f"{V}/os-security-groups", {"security_group": {"name": name}}, 200).json()["security_group"]
    assert made["name"] == name
    rule = {"parent_group_id": made["id"], "ip_protocol": "tcp", "from_port": 22, "to_port": 22}
    garden.user.post(f"{V}/os-security-group-rules", {"security_group_rule": rule}, 200)
    answer = garden.user.post(f"{V}/os-security-group-rules", {"security_group_rule": rule}, 400).json()
    assert answer["badRequest"]["message"].startswith("Security group rule already exists.")


def test_no_server_is_kept_to_be_restored_and_none_told_a_password(garden: Project) -> None:
    server_id = garden.server()
    message = garden.act(server_id, "restore", None, 409).json()["conflictingRequest"]["message"]
    assert message == f"Cannot 'restore' instance {server_id} while it is in vm_state active"
    password = f"{V}/servers/{server_id}/os-server-password"
    assert garden.user.get(password).json() == {"password": ""}
    garden.user.delete(password, 204)


def test_what_compute_is_not_told_is_refused_with_the_reason(garden: Project) -> None:
    event = {"events": [{"name": "network-changed", "server_uuid": garden.network_id}]}
    garden.admin.post(f"{V}/os-server-external-events", event, 501)
    garden.admin.post(f"{V}/os-assisted-volume-snapshots", {"snapshot": {}}, 501)
    garden.admin.delete(f"{V}/os-assisted-volume-snapshots/{garden.network_id}", 501)
    answer = garden.admin.post(f"{V}/servers/{garden.server()}/action", {"injectNetworkInfo": None}, 501)
    assert "injectNetworkInfo" in answer.text


@pytest.mark.parametrize("path", ["os-simple-tenant-usage", "os-volumes", "servers", "flavors"])
def test_an_id_that_is_missing_is_not_the_list(garden: Project, path: str) -> None:
    garden.admin.get(f"{V}/{path}")
    garden.admin.get(f"{V}/{path}/", expect=404)


def test_a_rebuild_tells_user_data_once(garden: Project) -> None:
    server_id = garden.server()
    body = {"rebuild": {"imageRef": garden.image_id}}
    answer = garden.admin.post(f"{V}/servers/{server_id}/action", body, 202, headers=at("2.75")).json()["server"]
    assert answer["user_data"] is None and "OS-EXT-SRV-ATTR:user_data" not in answer
    assert "OS-EXT-SRV-ATTR:hostname" in answer
