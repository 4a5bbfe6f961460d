"""Servers as their users see them: create, list, show, change, delete."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlalchemy import select

from tane.services.compute.tables import server
from tane.wire.documents import Hardware
from tane.wire.errors import HostError
from tests.api.compute_support import LATEST, Project, V, at, make_flavor, make_image, make_network, project, queries
from tests.support import HOST_ID, ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def test_a_server_becomes_active_with_an_address(garden: Project) -> None:
    answer = garden.user.post(f"{V}/servers", garden.body(), 202, headers=LATEST)
    made = answer.json()["server"]
    assert set(made) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert answer.headers["location"].endswith(f"/compute/v2.1/servers/{made['id']}")
    assert garden.show(made["id"])["status"] == "BUILD"
    garden.cloud.run_jobs()
    shown = garden.show(made["id"])
    assert (shown["status"], shown["OS-EXT-STS:power_state"], shown["progress"]) == ("ACTIVE", 1, 100)
    [address] = shown["addresses"]["lan"]
    assert address["addr"].startswith("10.1.0.") and address["OS-EXT-IPS:type"] == "fixed"
    guest = garden.host.guest(made["id"])
    assert (guest.vcpus, guest.memory_mb, len(guest.nics)) == (1, 64, 1)
    assert guest.root is not None and guest.root.image.id == garden.image_id and guest.root.size_gb == 1


def test_a_deleted_server_is_gone_with_its_guest_and_port(garden: Project) -> None:
    server_id = garden.server()
    garden.user.delete(f"{V}/servers/{server_id}")
    assert garden.show(server_id)["OS-EXT-STS:task_state"] == "deleting"
    garden.cloud.run_jobs()
    garden.user.get(f"{V}/servers/{server_id}", expect=404)
    assert garden.cloud.wait(garden.host.states()) == {}
    owned = garden.user.get(f"/network/v2.0/ports?device_id={server_id}").json()["ports"]
    assert owned == []
    assert garden.user.get(f"{V}/limits").json()["limits"]["absolute"]["totalInstancesUsed"] == 0


def test_a_server_deleted_during_its_build_leaves_nothing(garden: Project) -> None:
    server_id = garden.create()
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    garden.user.get(f"{V}/servers/{server_id}", expect=404)
    assert garden.cloud.wait(garden.host.states()) == {}


def test_a_guest_that_cannot_start_puts_the_server_in_error_and_frees_what_it_held(garden: Project) -> None:
    garden.host.fail("start", None, HostError("QEMU exited: no space left on device"))
    server_id = garden.create()
    garden.cloud.run_jobs()
    shown = garden.show(server_id)
    assert shown["status"] == "ERROR"
    assert "no space left on device" in shown["fault"]["message"] and shown["fault"]["code"] == 500
    assert shown["hostId"] == "" and shown["addresses"] == {}
    assert garden.cloud.wait(garden.host.states()) == {}
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    garden.user.get(f"{V}/servers/{server_id}", expect=404)


def test_a_server_too_large_for_every_host_says_what_was_short(garden: Project) -> None:
    garden.admin.put(f"{V}/os-quota-sets/{garden.user.project_id}", {"quota_set": {"ram": -1}}, 200)
    flavor = make_flavor(garden.admin, "giant", ram=1 << 20)
    server_id = garden.create(flavorRef=flavor)
    garden.cloud.run_jobs()
    shown = garden.show(server_id)
    assert shown["status"] == "ERROR"
    assert "No valid host was found." in shown["fault"]["message"]
    assert shown["fault"]["message"].endswith("There are not enough hosts available. 1 host short of memory.")


def test_many_servers_are_created_by_one_call(garden: Project) -> None:
    body = garden.body(min_count=2, max_count=3, return_reservation_id=True)
    reservation = garden.user.post(f"{V}/servers", body, 202, headers=LATEST).json()["reservation_id"]
    found = garden.user.get(f"{V}/servers?reservation_id={reservation}").json()["servers"]
    assert sorted(server["name"] for server in found) == ["web-1", "web-2", "web-3"]


def test_over_quota_is_refused_in_novas_words(garden: Project) -> None:
    garden.admin.put(f"{V}/os-quota-sets/{garden.user.project_id}", {"quota_set": {"instances": 1}}, 200)
    garden.create()
    answer = garden.user.post(f"{V}/servers", garden.body(), 403, headers=LATEST)
    message = "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"
    assert answer.json() == {"forbidden": {"code": 403, "message": message}}


@pytest.mark.postgresql_by_night
@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"flavorRef": "nope"}, 400, "Flavor nope could not be found."),
        ({"imageRef": "0b0c7a52-0000-0000-0000-000000000000"}, 400, "could not be found"),
        ({"imageRef": ""}, 400, "Invalid imageRef provided."),
        ({"networks": [{"uuid": "0b0c7a52-0000-0000-0000-000000000000"}]}, 400, "could not be found"),
        ({"key_name": "nope"}, 400, "Invalid key_name provided."),
        ({"name": ""}, 400, "name"),
        ({"name": 12345}, 400, "name"),
        ({"name": "x" * 256}, 400, "name"),
        ({"metadata": {"k": "x" * 256}}, 400, "metadata"),
        ({"user_data": "no base64!"}, 400, "base64"),
        ({"accessIPv6": "1.2.3.4"}, 400, "accessIPv6"),
        ({"availability_zone": "moon"}, 400, "The requested availability zone is not available"),
        ({"nonsense": 1}, 400, "nonsense"),
        ({"min_count": 3, "max_count": 2}, 400, "min_count must be <= max_count"),
        ({"security_groups": [{"name": "nope"}]}, 400, "nope"),
        ({"networks": None}, 400, "networks"),
        ({"availability_zone": "nova:host-1"}, 403, "forced_host"),
    ],
)
def test_bad_input_is_refused_with_the_reason(garden: Project, more: dict[str, Any], status: int, words: str) -> None:
    answer = garden.user.post(f"{V}/servers", garden.body(**more), status, headers=LATEST)
    [fault] = answer.json().values()
    assert words in fault["message"] and fault["code"] == status
    assert garden.user.get(f"{V}/servers").json()["servers"] == []


def test_a_field_of_a_later_microversion_is_refused_in_an_earlier_one(garden: Project) -> None:
    garden.user.post(f"{V}/servers", garden.body(description="mine"), 400, headers=at("2.18"))
    garden.user.post(f"{V}/servers", garden.body(description="mine"), 202, headers=at("2.19"))


def test_a_server_without_networks_named_gets_the_only_one_and_conflicts_with_two(garden: Project) -> None:
    server_id = garden.server(networks="auto")
    assert list(garden.show(server_id)["addresses"]) == ["lan"]
    assert garden.show(garden.server("alone", networks="none"))["addresses"] == {}
    make_network(garden.user, "second", "10.2.0.0/24")
    answer = garden.user.post(f"{V}/servers", garden.body(networks="auto"), 409, headers=LATEST)
    assert "Multiple possible networks found" in answer.json()["conflictingRequest"]["message"]


def test_a_server_takes_over_a_port_and_gives_it_back(garden: Project) -> None:
    body = {"port": {"network_id": garden.network_id}}
    port = garden.user.post("/network/v2.0/ports", body, 201).json()["port"]
    server_id = garden.server(networks=[{"port": port["id"]}])
    [address] = garden.show(server_id)["addresses"]["lan"]
    assert address["addr"] == port["fixed_ips"][0]["ip_address"]
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    after = garden.user.get(f"/network/v2.0/ports/{port['id']}").json()["port"]
    assert after["device_id"] == ""


def test_servers_of_other_projects_are_not_there(garden: Project, cloud: ApiCloud) -> None:
    server_id = garden.server()
    other = cloud.new_user("otto", "field")
    other.get(f"{V}/servers/{server_id}", expect=404)
    other.delete(f"{V}/servers/{server_id}", expect=404)
    other.post(f"{V}/servers/{server_id}/action", {"os-stop": None}, 404)
    assert other.get(f"{V}/servers/detail").json()["servers"] == []
    other.get(f"{V}/servers?all_tenants=1", expect=403)
    everywhere = cloud.admin.get(f"{V}/servers/detail?all_tenants=1").json()["servers"]
    assert [server["id"] for server in everywhere] == [server_id]


def test_a_reader_looks_and_does_not_touch(garden: Project, cloud: ApiCloud) -> None:
    server_id = garden.server()
    reader = cloud.new_user("rosa", "garden", role="reader")
    reader.get(f"{V}/servers/{server_id}")
    reader.post(f"{V}/servers", garden.body(), 403)
    reader.delete(f"{V}/servers/{server_id}", expect=403)
    cloud.call("GET", f"{V}/servers")
    assert cloud.call("GET", f"{V}/servers").status_code == 401


def test_lists_are_filtered_sorted_and_paged(garden: Project) -> None:
    ids = {name: garden.create(name) for name in ("web-a", "web-b", "db")}
    get = garden.user.get

    def names(query: str) -> list[str]:
        return [server["name"] for server in get(f"{V}/servers?{query}", headers=LATEST).json()["servers"]]

    assert names("sort_key=display_name&sort_dir=asc") == ["db", "web-a", "web-b"]
    assert names("name=^web&sort_key=display_name&sort_dir=desc") == ["web-b", "web-a"]
    assert names("status=ACTIVE") == [] and len(names("status=BUILD")) == 3
    assert len(names(f"image={garden.image_id}")) == 3 and names("flavor=other") == []
    garden.cloud.run_jobs()
    address = garden.show(ids["db"])["addresses"]["lan"][0]["addr"]
    assert names(f"ip=^{address}$") == ["db"]
    first = get(f"{V}/servers?limit=2&sort_key=display_name&sort_dir=asc").json()
    assert [server["name"] for server in first["servers"]] == ["db", "web-a"]
    [following] = first["servers_links"]
    rest = get(following["href"].removeprefix("http://cloud.test")).json()
    assert [server["name"] for server in rest["servers"]] == ["web-b"] and "servers_links" not in rest
    for query in ("limit=x", "limit=-1", "marker=nope", "sort_key=nope", "name=(", "changes-since=yesterday"):
        get(f"{V}/servers?{query}", expect=400)
    assert get(f"{V}/servers?status=nope").json()["servers"] == []
    get(f"{V}/servers?status=nope", headers=LATEST, expect=400)
    get(f"{V}/servers?nonsense=1", headers=LATEST, expect=400)


def test_changes_since_shows_deleted_servers(garden: Project) -> None:
    server_id = garden.server()
    garden.user.delete(f"{V}/servers/{server_id}")
    garden.cloud.run_jobs()
    found = garden.user.get(f"{V}/servers/detail?changes-since=2020-01-01T00:00:00Z").json()["servers"]
    assert [(server["id"], server["status"]) for server in found] == [(server_id, "DELETED")]
    assert garden.user.get(f"{V}/servers/detail?changes-since=2051-01-01T12:34:00Z").json()["servers"] == []


def test_five_hundred_servers_are_listed_in_a_constant_number_of_queries(garden: Project) -> None:
    counts = []
    for wanted in (1, 6):
        while len(garden.user.get(f"{V}/servers").json()["servers"]) < wanted:
            garden.create(networks=[{"uuid": garden.network_id}])
        with queries(garden.cloud) as statements:
            garden.user.get(f"{V}/servers/detail")
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_server_is_renamed_described_and_tagged(garden: Project) -> None:
    server_id = garden.server()
    body = {"server": {"name": "new", "description": "mine", "accessIPv4": "1.2.3.4"}}
    changed = garden.user.put(f"{V}/servers/{server_id}", body, 200, headers=LATEST).json()["server"]
    assert (changed["name"], changed["description"], changed["accessIPv4"]) == ("new", "mine", "1.2.3.4")
    garden.user.put(f"{V}/servers/{server_id}", {"server": {"name": ""}}, 400)
    tags = f"{V}/servers/{server_id}/tags"
    assert garden.user.put(tags, {"tags": ["b", "a"]}, 200, headers=LATEST).json() == {"tags": ["a", "b"]}
    garden.user.put(f"{tags}/c", expect=201, headers=LATEST)
    garden.user.put(f"{tags}/c", expect=204, headers=LATEST)
    found = garden.user.get(f"{V}/servers?tags=a,c", headers=LATEST).json()["servers"]
    assert len(found) == 1
    assert garden.user.get(f"{V}/servers?not-tags-any=a", headers=LATEST).json()["servers"] == []
    garden.user.delete(f"{tags}/c", headers=LATEST)
    garden.user.get(f"{tags}/c", expect=404, headers=LATEST)
    garden.user.get(tags, expect=404, headers=at("2.25"))


def test_metadata_is_set_item_by_item_and_as_a_whole(garden: Project) -> None:
    server_id = garden.server(metadata={"a": "1"})
    path = f"{V}/servers/{server_id}/metadata"
    assert garden.user.post(path, {"metadata": {"b": "2"}}, 200).json() == {"metadata": {"a": "1", "b": "2"}}
    assert garden.user.put(f"{path}/b", {"meta": {"b": "3"}}, 200).json() == {"meta": {"b": "3"}}
    garden.user.put(f"{path}/b", {"meta": {"c": "3"}}, 400)
    assert garden.user.put(path, {"metadata": {"z": "9"}}, 200).json() == {"metadata": {"z": "9"}}
    garden.user.get(f"{path}/a", expect=404)
    garden.user.delete(f"{path}/z")
    assert garden.user.get(path).json() == {"metadata": {}}


def test_a_key_and_user_data_reach_the_guest_by_config_drive(garden: Project) -> None:
    key = garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "mine"}}, 200).json()["keypair"]
    data = base64.b64encode(b"#!/bin/sh\necho hi\n").decode()
    server_id = garden.server(key_name="mine", user_data=data, config_drive=True)
    drive = garden.host.guest(server_id).config_drive
    assert drive is not None
    assert drive.files["openstack/latest/user_data"] == b"#!/bin/sh\necho hi\n"
    garden.user.delete(f"/compute/v2.1/servers/{server_id}")
    garden.cloud.run_jobs()
    with garden.cloud.core.db.read() as tx:
        kept = tx.first(select(server.c.deleted, server.c.user_data).where(server.c.id == server_id))
    assert kept == (True, None), "what was deleted keeps no secrets"
    assert key["public_key"].split()[1] in drive.files["openstack/latest/meta_data.json"].decode()


def test_administrators_choose_the_host_and_hear_of_an_unknown_one(garden: Project) -> None:
    admin = garden.admin
    body = garden.body(networks="none", availability_zone="nova:host-1", imageRef=None)
    body["server"]["imageRef"] = garden.image_id
    shared = {"server": {**body["server"]}}
    refused = admin.post(
        f"{V}/servers",
        {"server": {**shared["server"], "availability_zone": "nova", "host": "nope"}},
        400,
        headers=LATEST,
    )
    assert "nope" in refused.json()["badRequest"]["message"]
    server_id = admin.post(f"{V}/servers", shared, 202, headers=LATEST).json()["server"]["id"]
    shown = admin.get(f"{V}/servers/{server_id}", headers=LATEST).json()["server"]
    assert shown["OS-EXT-SRV-ATTR:host"] == "host-1" and shown["host_status"] == "UP"
    assert shown["pinned_availability_zone"] == "nova"
    assert garden.cloud.core.hosts.agent(HOST_ID).name == "host-1"


def test_a_server_has_the_machine_its_image_and_flavor_ask_for(garden: Project) -> None:
    properties = {"hw_disk_bus": "scsi", "hw_firmware_type": "uefi", "os_secure_boot": "disabled"}
    image = make_image(garden.user, "firm", **properties)
    server_id = garden.server(imageRef=image)
    shown = garden.admin.get(f"{V}/servers/{server_id}", headers=LATEST).json()["server"]
    assert shown["OS-EXT-SRV-ATTR:root_device_name"] == "/dev/sda"
    wanted = Hardware(disk_bus="scsi", firmware="uefi")
    assert garden.host.guest(server_id).hardware == wanted
    change = [{"op": "replace", "path": "/hw_firmware_type", "value": "bios"}]
    kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    garden.user.request("PATCH", f"/image/v2/images/{image}", json=change, headers=kind)
    garden.done(server_id, "os-stop")
    garden.done(server_id, "os-start")
    assert garden.host.guest(server_id).hardware == wanted, "who changes an image changes no server made of it"


def test_a_machine_that_cannot_be_had_is_refused_by_name(garden: Project) -> None:
    image = make_image(garden.user, "odd", hw_tpm_version="2.0")
    answer = garden.user.post(f"{V}/servers", garden.body(imageRef=image), 400, headers=LATEST)
    assert "hw_tpm_version" in answer.text
    flavor = make_flavor(garden.admin, "throttled")
    specs = {"extra_specs": {"quota:vif_inbound_average": "100"}}
    garden.admin.post(f"{V}/flavors/{flavor}/os-extra_specs", specs, 200)
    answer = garden.user.post(f"{V}/servers", garden.body(flavorRef=flavor), 400, headers=LATEST)
    assert "quota:vif_inbound_average" in answer.text
    assert garden.user.get(f"{V}/servers").json()["servers"] == []
