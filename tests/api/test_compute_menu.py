"""Flavors, key pairs, quotas and what administrators see of compute."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.api.compute_support import LATEST, Project, V, at, make_flavor, project
from tests.support import ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def test_the_versions_are_discovered_without_a_token(cloud: ApiCloud) -> None:
    [first, entry] = cloud.call("GET", "/compute/").json()["versions"]
    assert first["id"] == "v2.0" and cloud.call("GET", "/compute/v2/").status_code == 200
    assert (entry["id"], entry["min_version"], entry["version"]) == ("v2.1", "2.1", "2.96")
    shown = cloud.call("GET", "/compute/v2.1/").json()["version"]
    assert shown["links"][0]["href"] == "http://cloud.test/compute/v2.1/"


def test_a_version_out_of_range_is_not_acceptable(cloud: ApiCloud) -> None:
    admin = cloud.admin
    assert admin.get(f"{V}/flavors", headers=at("2.97"), expect=406).json()["notAcceptable"]["code"] == 406
    echoed = admin.get(f"{V}/flavors", headers=at("latest")).headers
    assert echoed["openstack-api-version"] == "compute 2.96" and echoed["x-openstack-nova-api-version"] == "2.96"


def test_a_flavor_is_made_described_and_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    body = {"flavor": {"name": "m1", "ram": 512, "vcpus": 1, "disk": 1, "id": "42", "OS-FLV-EXT-DATA:ephemeral": 2}}
    made = admin.post(f"{V}/flavors", body, 200).json()["flavor"]
    assert (made["id"], made["swap"], made["OS-FLV-EXT-DATA:ephemeral"]) == ("42", "", 2)
    admin.post(f"{V}/flavors", body, 409)
    changed = admin.put(f"{V}/flavors/42", {"flavor": {"description": "small"}}, 200, headers=LATEST).json()["flavor"]
    assert changed["description"] == "small" and changed["swap"] == 0
    admin.put(f"{V}/flavors/42", {"flavor": {"description": "small"}}, 404)
    for wrong in ({"ram": 0}, {"vcpus": "many"}, {"disk": -1}, {"name": " "}, {"extra": 1}):
        admin.post(f"{V}/flavors", {"flavor": {**body["flavor"], "id": "43", **wrong}}, 400)
    admin.delete(f"{V}/flavors/42", 202)
    assert "Flavor 42 could not be found." in admin.get(f"{V}/flavors/42", 404).text


def test_extra_specs_are_set_and_removed(cloud: ApiCloud) -> None:
    admin, flavor = cloud.admin, make_flavor(cloud.admin)
    path = f"{V}/flavors/{flavor}/os-extra_specs"
    admin.post(path, {"extra_specs": {"hw:cpu_policy": "shared", "a": "1"}}, 200)
    assert admin.put(f"{path}/a", {"a": "2"}, 200).json() == {"a": "2"}
    assert admin.get(path).json() == {"extra_specs": {"hw:cpu_policy": "shared", "a": "2"}}
    admin.delete(f"{path}/a", 200)
    admin.get(f"{path}/a", 404)
    assert admin.get(f"{V}/flavors/{flavor}", headers=LATEST).json()["flavor"]["extra_specs"]


def test_a_private_flavor_is_seen_by_those_it_is_open_to(garden: Project) -> None:
    flavor = make_flavor(garden.admin, "private", **{"os-flavor-access:is_public": False})
    garden.user.get(f"{V}/flavors/{flavor}", 404)
    body = {"addTenantAccess": {"tenant": garden.user.project_id}}
    garden.admin.post(f"{V}/flavors/{flavor}/action", body, 200)
    garden.admin.post(f"{V}/flavors/{flavor}/action", body, 409)
    garden.user.get(f"{V}/flavors/{flavor}")
    names = [found["name"] for found in garden.user.get(f"{V}/flavors").json()["flavors"]]
    assert "private" in names
    shown = [found["name"] for found in garden.admin.get(f"{V}/flavors?is_public=None").json()["flavors"]]
    assert "private" in shown
    assert "private" not in [f["name"] for f in garden.admin.get(f"{V}/flavors").json()["flavors"]]
    garden.admin.get(f"{V}/flavors/{garden.flavor_id}/os-flavor-access", 404)


def test_flavors_are_paged_and_filtered(cloud: ApiCloud) -> None:
    admin = cloud.admin
    for number in (1, 2, 3):
        make_flavor(admin, f"f{number}", id=str(number), ram=number * 100)
    first = admin.get(f"{V}/flavors?limit=2").json()
    assert [found["id"] for found in first["flavors"]] == ["1", "2"]
    assert "marker=2" in first["flavors_links"][0]["href"]
    assert [found["id"] for found in admin.get(f"{V}/flavors/detail?minRam=250").json()["flavors"]] == ["3"]
    for wrong in ("minRam=x", "marker=none", "sort_key=none", "is_public=perhaps"):
        admin.get(f"{V}/flavors?{wrong}", 400)


def test_members_do_not_make_flavors(garden: Project) -> None:
    answer = garden.user.post(f"{V}/flavors", {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}}, 403)
    assert "os_compute_api:os-flavor-manage:create" in answer.json()["forbidden"]["message"]


def test_a_key_pair_is_imported_generated_and_deleted(garden: Project) -> None:
    made = garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "made"}}, 201, headers=at("2.2")).json()["keypair"]
    private = serialization.load_ssh_private_key(made["private_key"].encode(), None)
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert made["public_key"].startswith(public.decode()) and made["type"] == "ssh"
    body = {"keypair": {"name": "kept", "public_key": made["public_key"]}}
    kept = garden.user.post(f"{V}/os-keypairs", body, 201, headers=LATEST).json()["keypair"]
    assert kept["fingerprint"] == made["fingerprint"] and "private_key" not in kept
    garden.user.post(f"{V}/os-keypairs", body, 409)
    garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "later"}}, 400, headers=LATEST)
    garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "bad", "public_key": "ssh-rsa nonsense"}}, 400)
    garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "no/slash"}}, 400)
    garden.user.delete(f"{V}/os-keypairs/kept", headers=LATEST)
    garden.user.get(f"{V}/os-keypairs/kept", 404)
    assert [entry["keypair"]["name"] for entry in garden.user.get(f"{V}/os-keypairs").json()["keypairs"]] == ["made"]


def test_key_pairs_belong_to_users(garden: Project, cloud: ApiCloud) -> None:
    garden.user.post(f"{V}/os-keypairs", {"keypair": {"name": "mine"}}, 200)
    other = cloud.new_user("otto", "garden")
    other.get(f"{V}/os-keypairs/mine", 404)
    other.get(f"{V}/os-keypairs?user_id={garden.user.user_id}", 403, headers=LATEST)
    path = f"{V}/os-keypairs/mine?user_id={garden.user.user_id}"
    assert garden.admin.get(path, headers=LATEST).json()["keypair"]["user_id"] == garden.user.user_id


def test_quotas_are_shown_set_and_reset(garden: Project, cloud: ApiCloud) -> None:
    path = f"{V}/os-quota-sets/{garden.user.project_id}"
    assert garden.user.get(path).json()["quota_set"]["instances"] == 10
    changed = garden.admin.put(path, {"quota_set": {"cores": 3}}, 200).json()["quota_set"]
    assert changed["cores"] == 3
    garden.create()
    detail = garden.user.get(f"{path}/detail", headers=LATEST).json()["quota_set"]
    assert detail["cores"] == {"limit": 3, "in_use": 1, "reserved": 0} and "injected_files" not in detail
    garden.admin.put(path, {"quota_set": {"instances": 0}}, 400)
    garden.admin.put(path, {"quota_set": {"instances": 0, "force": True}}, 200)
    garden.admin.delete(path, 202)
    assert garden.user.get(path).json()["quota_set"]["cores"] == 20
    garden.user.put(path, {"quota_set": {"cores": 30}}, 403)
    cloud.new_user("otto", "field").get(path, 403)
    garden.admin.put(f"{V}/os-quota-class-sets/default", {"quota_class_set": {"cores": 99}}, 200)
    assert garden.user.get(path).json()["quota_set"]["cores"] == 99


def test_limits_count_what_is_used(garden: Project) -> None:
    garden.create()
    absolute = garden.user.get(f"{V}/limits", headers=LATEST).json()["limits"]["absolute"]
    assert (absolute["totalInstancesUsed"], absolute["totalRAMUsed"], absolute["maxTotalInstances"]) == (1, 64, 10)


def test_a_hypervisor_shows_what_its_servers_take(garden: Project) -> None:
    garden.server()
    [found] = garden.admin.get(f"{V}/os-hypervisors/detail").json()["hypervisors"]
    assert (found["running_vms"], found["vcpus_used"], found["memory_mb_used"], found["local_gb_used"]) == (1, 1, 64, 1)
    statistics = garden.admin.get(f"{V}/os-hypervisors/statistics").json()["hypervisor_statistics"]
    assert (statistics["count"], statistics["vcpus"]) == (1, 64)
    [one] = garden.admin.get(f"{V}/os-hypervisors?with_servers=true", headers=LATEST).json()["hypervisors"]
    assert len(one["servers"]) == 1
    shown = garden.admin.get(f"{V}/os-hypervisors/{one['id']}", headers=LATEST).json()["hypervisor"]
    assert "vcpus" not in shown and shown["hypervisor_hostname"] == "host-1"
    garden.admin.get(f"{V}/os-hypervisors/nope", 404)
    garden.user.get(f"{V}/os-hypervisors", 403)


def test_a_disabled_host_gets_no_new_servers(garden: Project) -> None:
    [service] = garden.admin.get(f"{V}/os-services", headers=LATEST).json()["services"]
    assert (service["binary"], service["state"], service["status"]) == ("nova-compute", "up", "enabled")
    body = {"status": "disabled", "disabled_reason": "repair"}
    garden.admin.put(f"{V}/os-services/{service['id']}", body, 200, headers=LATEST)
    server_id = garden.create()
    garden.cloud.run_jobs()
    assert garden.show(server_id)["fault"]["message"].endswith("1 host disabled.")
    garden.admin.put(f"{V}/os-services/enable", {"host": "host-1", "binary": "nova-compute"}, 200)
    garden.server("second")


def test_an_aggregate_puts_hosts_into_a_zone(garden: Project) -> None:
    body = {"aggregate": {"name": "fast", "availability_zone": "ssd"}}
    aggregate = garden.admin.post(f"{V}/os-aggregates", body, 200).json()["aggregate"]
    path = f"{V}/os-aggregates/{aggregate['id']}"
    garden.admin.post(f"{path}/action", {"add_host": {"host": "host-1"}}, 200)
    garden.admin.post(f"{path}/action", {"add_host": {"host": "nope"}}, 404)
    zones = garden.user.get(f"{V}/os-availability-zone").json()["availabilityZoneInfo"]
    assert "ssd" in [zone["zoneName"] for zone in zones]
    shown = garden.show(garden.server(availability_zone="ssd"))
    assert shown["OS-EXT-AZ:availability_zone"] == "ssd"
    garden.admin.delete(path, 400)
    garden.admin.post(f"{path}/action", {"remove_host": {"host": "host-1"}}, 200)
    garden.admin.delete(path, 200)


def test_servers_of_an_anti_affinity_group_do_not_share_a_host(garden: Project) -> None:
    body = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    group = garden.user.post(f"{V}/os-server-groups", body, 200, headers=LATEST).json()["server_group"]
    made = []
    for name in ("one", "two"):
        order = {**garden.body(name), "os:scheduler_hints": {"group": group["id"]}}
        answer = garden.user.post(f"{V}/servers", order, 202, headers=LATEST)
        made.append(answer.json()["server"]["id"])
    garden.cloud.run_jobs()
    assert garden.show(made[0])["status"] == "ACTIVE" and garden.show(made[0])["server_groups"] == [group["id"]]
    assert "anti-affinity of server group apart" in garden.show(made[1])["fault"]["message"]
    shown = garden.user.get(f"{V}/os-server-groups/{group['id']}", headers=LATEST).json()["server_group"]
    assert shown["members"] == made and shown["policy"] == "anti-affinity"
    garden.user.delete(f"{V}/os-server-groups/{group['id']}")


def test_usage_is_counted_from_the_servers(garden: Project) -> None:
    garden.server()
    clock = garden.cloud.core.clock
    clock.advance(1800)  # type: ignore[attr-defined]
    path = f"{V}/os-simple-tenant-usage/{garden.user.project_id}"
    usage = garden.user.get(path).json()["tenant_usage"]
    assert usage["total_hours"] == pytest.approx(0.5) and usage["total_memory_mb_usage"] == pytest.approx(32)
    garden.user.get(f"{V}/os-simple-tenant-usage", 403)


def test_an_aggregate_id_beyond_every_number_is_not_found(cloud: ApiCloud) -> None:
    for aggregate_id in ("9" * 40, "²", "-1"):
        cloud.admin.get(f"/compute/v2.1/os-aggregates/{aggregate_id}", 404)


def test_a_tag_of_any_letters_is_told_in_an_address(cloud: ApiCloud) -> None:
    garden = project(cloud)
    server_id = garden.server()
    answer = garden.user.put(f"{V}/servers/{server_id}/tags/%E7%A8%AE%0D%0Ax", headers=LATEST)
    assert answer.headers["Location"].endswith("/tags/%E7%A8%AE%0D%0Ax")


def test_a_certificate_is_made_for_a_user(garden: Project) -> None:
    body = {"keypair": {"name": "windows", "type": "x509"}}
    made = garden.user.post(f"{V}/os-keypairs", body, 201, headers=at("2.2")).json()["keypair"]
    certificate = x509.load_pem_x509_certificate(made["public_key"].encode())
    key = serialization.load_pem_private_key(made["private_key"].encode(), None)
    assert certificate.public_key() == key.public_key() and made["type"] == "x509"
    kept = garden.user.get(f"{V}/os-keypairs/windows", headers=at("2.2")).json()["keypair"]
    assert kept["fingerprint"] == made["fingerprint"] == certificate.fingerprint(hashes.SHA1()).hex(":")


def test_older_clients_ask_compute_for_an_image(garden: Project) -> None:
    path = f"{V}/images/{garden.image_id}"
    shown = garden.user.get(path).json()["image"]
    assert (shown["id"], shown["status"], shown["progress"]) == (garden.image_id, "ACTIVE", 100)
    garden.user.get(path, 404, headers=at("2.36"))
    garden.cloud.new_user("eve", "elsewhere").delete(path, 404)
    garden.user.delete(path, 204)
    garden.user.get(path, 404)


def test_an_access_address_is_told_in_its_canonical_form(garden: Project) -> None:
    server_id = garden.server()
    body = {"server": {"accessIPv6": "0000:0000:0000:0000:0000:babe:220.12.22.2"}}
    shown = garden.user.put(f"{V}/servers/{server_id}", body, 200).json()["server"]
    assert shown["accessIPv6"] == "::babe:dc0c:1602"
