"""What real clients send to compute: taken as upstream takes it, refused as upstream refuses it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.hosts import HostUnreachable
from tane.wire.errors import HostError
from tests.api.compute_support import Project, V, at, make_image, project
from tests.support import ApiCloud

BDM = {"boot_index": 0, "source_type": "image", "destination_type": "volume", "volume_size": 1}


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def _post(garden: Project, version: str, expect: int, **more: Any) -> Any:
    return garden.user.post(f"{V}/servers", garden.body(**more), expect, headers=at(version)).json()


@pytest.mark.parametrize(
    ("version", "expect"), [("2.1", 400), ("2.31", 400), ("2.32", 202), ("2.33", 400), ("2.41", 400), ("2.42", 202)]
)
def test_a_disk_has_a_tag_in_the_versions_that_have_it(garden: Project, version: str, expect: int) -> None:
    disk = {**BDM, "uuid": garden.image_id, "tag": "data"}
    _post(garden, version, expect, imageRef="", block_device_mapping_v2=[disk])


@pytest.mark.parametrize(
    ("version", "expect"), [("2.31", 400), ("2.32", 202), ("2.36", 202), ("2.37", 400), ("2.41", 400), ("2.42", 202)]
)
def test_a_nic_has_a_tag_in_the_versions_that_have_it(garden: Project, version: str, expect: int) -> None:
    _post(garden, version, expect, networks=[{"uuid": garden.network_id, "tag": "nic1"}])


@pytest.mark.parametrize(("version", "expect"), [("2.66", 400), ("2.67", 400)])
def test_an_unknown_volume_type_is_named(garden: Project, version: str, expect: int) -> None:
    disk = {**BDM, "uuid": garden.image_id, "volume_type": "no-such-type"}
    answer = _post(garden, version, expect, imageRef="", block_device_mapping_v2=[disk])
    named = "no-such-type" in answer["badRequest"]["message"]
    assert named == (version == "2.67")


def test_the_tag_of_a_nic_is_shown(garden: Project) -> None:
    server_id = garden.server(networks=[{"uuid": garden.network_id, "tag": "nic1"}])
    for version, tag in (("2.70", {"nic1"}), ("2.69", {None})):
        shown = garden.user.get(f"{V}/servers/{server_id}/os-interface", headers=at(version)).json()
        assert {nic.get("tag") for nic in shown["interfaceAttachments"]} == tag


def test_the_tags_of_nics_and_disks_reach_the_guest(garden: Project) -> None:
    disk = {**BDM, "boot_index": -1, "source_type": "blank", "tag": "data"}
    nics = [{"uuid": garden.network_id, "tag": "nic1"}, {"uuid": garden.network_id}]
    server_id = garden.server(networks=nics, block_device_mapping_v2=[disk], config_drive=True)
    drive = garden.host.guest(server_id).config_drive
    assert drive is not None
    devices = json.loads(drive.files["openstack/latest/meta_data.json"])["devices"]
    shown = garden.user.get(f"{V}/servers/{server_id}/os-interface", headers=at("2.70")).json()
    [mac] = [nic["mac_addr"] for nic in shown["interfaceAttachments"] if nic["tag"] == "nic1"]
    [volume] = garden.show(server_id)["os-extended-volumes:volumes_attached"]
    assert [(one["type"], one["tags"], one.get("mac"), one.get("serial")) for one in devices] == [
        ("nic", ["nic1"], mac, None),
        ("disk", ["data"], None, volume["id"]),
    ]


@pytest.mark.parametrize("field", ["config_drive", "return_reservation_id"])
@pytest.mark.parametrize(("value", "expect"), [("foo", 400), ("", 400), (2, 400), ("yes", 202), ("Off", 202)])
def test_booleans_are_upstreams_words(garden: Project, field: str, value: Any, expect: int) -> None:
    _post(garden, "2.1", expect, **{field: value})


def test_a_config_drive_is_made_for_every_word_of_yes(garden: Project) -> None:
    for word, shown in (("on", "True"), ("t", "True"), ("off", "")):
        server_id = garden.create(config_drive=word)
        assert garden.show(server_id)["config_drive"] == shown


def test_user_data_may_be_broken_into_lines(garden: Project) -> None:
    text = b"#!/bin/sh\n" + b"x" * 200
    data = base64.encodebytes(text).decode()
    server_id = garden.server(user_data=data, config_drive=True)
    shown = garden.admin.get(f"{V}/servers/{server_id}", headers=at("2.3")).json()["server"]
    assert base64.b64decode(shown["OS-EXT-SRV-ATTR:user_data"]) == text
    drive = garden.host.guest(server_id).config_drive
    assert drive is not None
    assert drive.files["openstack/latest/user_data"] == text
    _post(garden, "2.1", 400, user_data="not base64!")


@pytest.mark.parametrize("root", ["http://cloud/compute/v2.1", "http://cloud/compute"])
def test_a_flavor_and_an_image_may_be_links(garden: Project, root: str) -> None:
    links = {"flavorRef": f"{root}/flavors/{garden.flavor_id}", "imageRef": f"{root}/images/{garden.image_id}"}
    server_id = _post(garden, "2.1", 202, **links)["server"]["id"]
    shown = garden.show(server_id, "2.1")
    assert (shown["flavor"]["id"], shown["image"]["id"]) == (garden.flavor_id, garden.image_id)


@pytest.mark.parametrize(
    ("spec", "expect"),
    [
        ({"hw:cpu_policy": "dedicated"}, 200),
        ({"hw:cpu_policy": "bogus"}, 400),
        ({"hw:foo": "bar"}, 400),
        ({"hw:numa_mem.0": "512"}, 200),
        ({"hw:mem_page_size": "2MB"}, 200),
        ({"quota:disk_read_iops_sec": "10"}, 200),
        ({"quota:disk_read_iops_sec": "ten"}, 400),
        ({"trait:HW_CPU_X86_AVX2": "required"}, 200),
        ({"trait:HW_CPU_X86_AVX2": "perhaps"}, 400),
        ({"resources2:VCPU": "2"}, 200),
        ({"hw_rng:allowed": "true"}, 200),
        ({"mine:foo": "bar"}, 200),
        ({"foo": "bar"}, 200),
    ],
)
def test_extra_specs_are_looked_at_since_2_86(garden: Project, spec: dict[str, str], expect: int) -> None:
    url = f"{V}/flavors/{garden.flavor_id}/os-extra_specs"
    garden.admin.post(url, {"extra_specs": spec}, expect, headers=at("2.86"))
    garden.admin.post(url, {"extra_specs": spec}, 200, headers=at("2.85"))


def test_usage_comes_in_pages_that_end(garden: Project) -> None:
    made = {garden.server(f"s{i}") for i in range(3)}
    garden.cloud.core.clock.advance(1800)  # type: ignore[attr-defined]
    url, seen, marker = f"{V}/os-simple-tenant-usage/{garden.user.project_id}", [], ""
    for _ in range(5):
        more = f"&marker={marker}" if marker else ""
        page = garden.user.get(f"{url}?limit=2{more}", headers=at("2.40")).json()
        found = [used["instance_id"] for used in page["tenant_usage"].get("server_usages", ())]
        seen += found
        if not found:
            assert page == {"tenant_usage": {}}
            break
        marker = found[-1]
    assert sorted(seen) == sorted(made)
    garden.user.get(f"{url}?marker=nobody", expect=400, headers=at("2.40"))


def test_the_second_that_changes_before_names_counts(garden: Project) -> None:
    server_id = garden.server()
    moment = garden.show(server_id)["updated"]
    found = garden.user.get(f"{V}/servers?changes-before={moment}", headers=at("2.66")).json()["servers"]
    assert [row["id"] for row in found] == [server_id]
    last = garden.user.get(f"{V}/servers?changes-before=9999-12-31T23:59:59Z", headers=at("2.66")).json()["servers"]
    assert last == found


@pytest.mark.parametrize("name", ["changes-since", "changes-before"])
def test_changes_of_deleted_servers_are_told(garden: Project, name: str) -> None:
    server_id = garden.server()
    before = garden.show(server_id)["updated"]
    garden.user.delete(f"{V}/servers/{server_id}", 204)
    garden.cloud.run_jobs()
    moment = before if name == "changes-since" else "2100-01-01T00:00:00Z"
    found = garden.user.get(f"{V}/servers/detail?{name}={moment}", headers=at("2.66")).json()["servers"]
    assert [(row["id"], row["status"]) for row in found] == [(server_id, "DELETED")]


HOST_ERRORS = [(HostError("no", transient=True), 503), (HostUnreachable("h"), 503), (HostError("no"), 409)]


@pytest.mark.parametrize(("error", "expect"), HOST_ERRORS)
@pytest.mark.parametrize("call", ["console_log", "has_screen"])
def test_a_host_that_refuses_a_console_is_told_as_such(
    garden: Project, call: str, error: HostError, expect: int
) -> None:
    server_id = garden.server()
    garden.host.fail(call, None, error)
    name, value = {
        "console_log": ("os-getConsoleOutput", {}),
        "has_screen": ("os-getVNCConsole", {"type": "novnc"}),
    }[call]
    answer = garden.act(server_id, name, value, expect)
    assert server_id in answer.text


@pytest.mark.parametrize(("error", "expect"), HOST_ERRORS)
def test_a_host_that_refuses_to_tell_its_capacity_is_told_as_such(
    garden: Project, monkeypatch: pytest.MonkeyPatch, error: HostError, expect: int
) -> None:
    async def refuse(self: FakeVolume) -> None:
        raise error

    monkeypatch.setattr(FakeVolume, "capacity", refuse)
    url = f"/volume/v3/{garden.admin.project_id}/scheduler-stats/get_pools"
    assert garden.admin.get(url).json()["pools"]
    assert "host-1@file#file" in garden.admin.get(f"{url}?detail=true", expect).text


def test_the_list_of_extensions_is_upstreams(garden: Project) -> None:
    found = {entry["alias"] for entry in garden.user.get(f"{V}/extensions").json()["extensions"]}
    for alias in found:
        assert garden.user.get(f"{V}/extensions/{alias}").json()["extension"]["alias"] == alias
    assert {"os-keypairs", "os-volumes", "os-quota-sets", "os-hosts", "os-consoles"} <= found
    garden.user.get(f"{V}/extensions/none", expect=404)


NETWORK_LIMITS = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")


@pytest.mark.parametrize(("path", "key", "last"), [("sets", "quota_set", 35), ("class-sets", "quota_class_set", 49)])
def test_limits_of_the_network_are_kept_up_to_their_last_version(
    garden: Project, path: str, key: str, last: int
) -> None:
    name = "default" if path == "class-sets" else garden.user.project_id
    url = f"{V}/os-quota-{path}/{name}"
    wanted = {limit: 7 + i for i, limit in enumerate(NETWORK_LIMITS)}
    old, new = at(f"2.{last}"), at(f"2.{last + 1}")
    for headers in (at("2.1"), old):
        answer = garden.admin.put(url, {key: {**wanted, "networks": 3}}, 200, headers=headers).json()[key]
        shown = garden.admin.get(url, headers=headers).json()[key]
        assert wanted.items() <= answer.items()
        assert wanted.items() <= shown.items()
        assert "networks" not in shown
    assert not wanted.keys() & garden.admin.get(url, headers=new).json()[key].keys()
    for limit in (*NETWORK_LIMITS, "networks"):
        refused = garden.admin.put(url, {key: {limit: 1}}, 400, headers=new).json()
        assert key in refused["badRequest"]["message"]
        assert f"'{limit}'" in refused["badRequest"]["message"]


def test_quota_classes_show_server_groups_since_2_50_and_take_no_force(garden: Project) -> None:
    url = f"{V}/os-quota-class-sets/default"
    for version, shown in (("2.49", False), ("2.50", True)):
        found = garden.admin.get(url, headers=at(version)).json()["quota_class_set"]
        assert ("server_groups" in found, "server_group_members" in found) == (shown, shown)
    garden.admin.put(url, {"quota_class_set": {"cores": 9, "force": True}}, 400)


def _bootable(garden: Project) -> str:
    body = {"volume": {"size": 1, "imageRef": garden.image_id}}
    made = garden.user.post("/volume/v3/volumes", body, 202).json()["volume"]["id"]
    garden.cloud.run_jobs()
    return str(made)


@pytest.mark.parametrize("source", ["volume", "image"])
def test_who_names_an_image_and_a_volume_to_boot_from_boots_from_the_volume(garden: Project, source: str) -> None:
    root = {**BDM, "uuid": garden.image_id} if source == "image" else {**BDM, "uuid": _bootable(garden)}
    server_id = garden.server(block_device_mapping_v2=[{**root, "source_type": source}])
    guest = garden.host.guest(server_id)
    assert guest.root is None
    assert [disk.boot_index for disk in guest.volumes] == [0]
    shown = garden.show(server_id)
    assert shown["image"]["id"] == garden.image_id
    assert len(shown["os-extended-volumes:volumes_attached"]) == 1
    other = make_image(garden.user, "other")
    for image_id, found in ((garden.image_id, [server_id]), (other, [])):
        rows = garden.user.get(f"{V}/servers?image={image_id}").json()["servers"]
        assert [row["id"] for row in rows] == found


def test_an_image_as_root_disk_and_a_volume_to_boot_from_exclude_each_other(garden: Project) -> None:
    local = {"boot_index": 0, "source_type": "image", "destination_type": "local", "uuid": garden.image_id}
    volume = {**BDM, "source_type": "volume", "uuid": _bootable(garden)}
    answer = _post(garden, "2.1", 400, block_device_mapping_v2=[local, volume])
    assert "Boot sequence" in answer["badRequest"]["message"]


def test_zones_are_those_of_hosts_and_the_controllers_own_for_administrators(garden: Project) -> None:
    def zones(path: str = "") -> dict[str, Any]:
        found = garden.admin.get(f"{V}/os-availability-zone{path}").json()["availabilityZoneInfo"]
        return {zone["zoneName"]: (zone["zoneState"]["available"], zone["hosts"]) for zone in found}

    assert zones() == {"nova": (True, None)}
    detailed = zones("/detail")
    assert detailed.keys() == {"internal", "nova"}
    assert detailed["nova"][1]["host-1"]["nova-compute"]["available"]
    [inside] = detailed["internal"][1].values()
    assert inside.keys() == {"nova-conductor", "nova-scheduler"}
    garden.admin.put(f"{V}/os-services/disable", {"host": "host-1", "binary": "nova-compute"}, 200)
    assert zones() == {"nova": (False, None)}
    assert zones("/detail")["nova"] == (False, None)


def test_links_stay_under_the_version_that_is_called(garden: Project) -> None:
    garden.server("a")
    garden.server("b")
    old = "/compute/v2"
    version = garden.user.get(f"{old}/").json()["version"]
    assert (version["id"], version["version"]) == ("v2.0", "")
    assert version["links"][0]["href"].endswith("/compute/v2/")
    assert garden.user.get(f"{V}/").json()["version"]["id"] == "v2.1"
    for root in (old, V):
        page = garden.user.get(f"{root}/servers?limit=1").json()
        made = garden.user.post(f"{root}/servers", garden.body(), 202)
        hrefs = [page["servers"][0]["links"][0]["href"], page["servers_links"][0]["href"]]
        hrefs += [made.json()["server"]["links"][0]["href"], made.headers["location"]]
        for href in hrefs:
            assert f"{root}/servers" in href
            garden.user.get(href)


@pytest.mark.parametrize("end", ["", "\n", "  me@home\n", " \n"])
def test_a_public_key_is_kept_byte_for_byte(garden: Project, end: str) -> None:
    made = garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "made"}}, 200).json()["keypair"]
    key = " ".join(made["public_key"].split()[:2]) + end
    body = {"keypair": {"name": "mine", "public_key": key}}
    assert garden.user.post(f"{V}/os-keypairs", body, 200).json()["keypair"]["public_key"] == key
    assert garden.user.get(f"{V}/os-keypairs/mine").json()["keypair"]["public_key"] == key
    drive = garden.host.guest(garden.server(key_name="mine", config_drive=True)).config_drive
    assert drive is not None
    told = json.loads(drive.files["openstack/latest/meta_data.json"])["public_keys"]["mine"]
    assert told == key.strip()


@pytest.mark.parametrize(("version", "shown"), [("2.53", set()), ("2.57", {"user_data"}), ("2.75", {"user_data"})])
def test_a_rebuild_shows_user_data_in_the_versions_that_change_it(
    garden: Project, version: str, shown: set[str]
) -> None:
    data = base64.b64encode(b"hello").decode()
    server_id = garden.server(user_data=data)
    action = {"imageRef": garden.image_id}
    found = garden.act(server_id, "rebuild", action, 202, headers=at(version)).json()["server"]
    assert {name for name in found if name == "user_data"} == shown
    assert {found[name] for name in shown} == ({data} if shown else set())


def test_changing_an_attachment_that_is_not_there_is_not_found(garden: Project) -> None:
    server_id = garden.server()
    for volume_id in ("0b0c7a52-0000-0000-0000-000000000000", _bootable(garden)):
        body = {"volumeAttachment": {"volumeId": volume_id, "delete_on_termination": True}}
        url = f"{V}/servers/{server_id}/os-volume_attachments/{volume_id}"
        garden.user.put(url, body, 404, headers=at("2.85"))


@pytest.mark.parametrize("device", ["foo", "vdb", "/dev/", "/dev/vdb/x", "/dev/../etc", "/dev/vdb\n", "/dev/VDB", ""])
def test_a_device_of_no_known_form_is_refused(garden: Project, device: str) -> None:
    server_id, volume_id = garden.server(), _bootable(garden)
    body = {"volumeAttachment": {"volumeId": volume_id, "device": device}}
    garden.user.post(f"{V}/servers/{server_id}/os-volume_attachments", body, 400)
    kept = garden.user.get(f"/volume/v3/{garden.user.project_id}/volumes/{volume_id}").json()["volume"]
    assert kept["status"] == "available"


def test_groups_of_a_new_server_are_shown_by_name(garden: Project) -> None:
    body = {"security_group": {"name": "web"}}
    group = garden.user.post("/network/v2.0/security-groups", body, 201).json()["security_group"]
    for reference in (group["id"], "web"):
        server_id = garden.create(security_groups=[{"name": reference}])
        assert garden.show(server_id)["security_groups"] == [{"name": "web"}]
