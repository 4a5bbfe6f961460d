"""Placement shows the rows that the scheduler works with: hosts, what they have, who claims what."""

from __future__ import annotations

from tests.api.compute_support import V, make_flavor, make_image
from tests.support import ApiCloud, Caller

P = "/placement"


def at(version: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"placement {version}"}


def only_provider(admin: Caller) -> str:
    [provider] = admin.get(f"{P}/resource_providers", headers=at("1.14")).json()["resource_providers"]
    return str(provider["uuid"])


def test_clients_find_the_versions_in_the_catalogue(cloud: ApiCloud) -> None:
    [entry] = cloud.call("GET", f"{P}/").json()["versions"]
    assert (entry["min_version"], entry["max_version"]) == ("1.0", "1.39")
    catalog = cloud.admin.get("/identity/v3/auth/catalog").json()["catalog"]
    assert "placement" in {service["type"] for service in catalog}


def test_a_compute_host_is_a_resource_provider(cloud: ApiCloud) -> None:
    [host] = cloud.admin.get(f"{V}/os-hypervisors/detail", headers={"OpenStack-API-Version": "compute 2.53"}).json()[
        "hypervisors"
    ]
    [provider] = cloud.admin.get(f"{P}/resource_providers", headers=at("1.14")).json()["resource_providers"]
    assert (provider["uuid"], provider["name"]) == (host["id"], host["hypervisor_hostname"])
    assert (provider["parent_provider_uuid"], provider["root_provider_uuid"]) == (None, host["id"])
    assert {link["rel"] for link in provider["links"]} >= {"self", "inventories", "usages", "aggregates", "traits"}
    inventories = cloud.admin.get(f"{P}/resource_providers/{host['id']}/inventories").json()["inventories"]
    assert inventories["VCPU"]["total"] == host["vcpus"]
    assert inventories["MEMORY_MB"]["total"] == host["memory_mb"]
    assert set(inventories["DISK_GB"]) == {
        "total",
        "reserved",
        "allocation_ratio",
        "min_unit",
        "max_unit",
        "step_size",
    }


def test_older_versions_lack_what_came_later(cloud: ApiCloud) -> None:
    [provider] = cloud.admin.get(f"{P}/resource_providers").json()["resource_providers"]
    assert "root_provider_uuid" not in provider
    assert {link["rel"] for link in provider["links"]} == {"self", "inventories", "usages"}
    cloud.admin.get(f"{P}/resource_providers/{provider['uuid']}/traits", 404)
    cloud.admin.get(f"{P}/resource_providers?in_tree={provider['uuid']}", 400)


def test_a_server_claims_until_it_is_gone(cloud: ApiCloud) -> None:
    admin = cloud.admin
    flavor, image, provider = make_flavor(admin, vcpus=2, ram=64, disk=3), make_image(admin), only_provider(admin)
    wanted = {"server": {"name": "s", "flavorRef": flavor, "imageRef": image, "networks": "none"}}
    headers = {"OpenStack-API-Version": "compute 2.37"}
    server = admin.post(f"{V}/servers", wanted, 202, headers=headers).json()["server"]["id"]
    cloud.run_jobs()
    path = f"{P}/resource_providers/{provider}"
    claimed = {"VCPU": 2, "MEMORY_MB": 64, "DISK_GB": 3}
    assert admin.get(f"{path}/usages").json()["usages"] == claimed
    assert admin.get(f"{path}/allocations").json()["allocations"] == {server: {"resources": claimed}}
    of_server = admin.get(f"{P}/allocations/{server}").json()["allocations"]
    assert of_server[provider]["resources"] == claimed
    admin.delete(f"{V}/servers/{server}", 204)
    cloud.run_jobs()
    assert admin.get(f"{path}/usages").json()["usages"] == {"VCPU": 0, "MEMORY_MB": 0, "DISK_GB": 0}
    assert admin.get(f"{P}/allocations/{server}").json() == {"allocations": {}}


def test_providers_are_found_by_name_room_and_aggregate(cloud: ApiCloud) -> None:
    admin, provider = cloud.admin, only_provider(cloud.admin)
    name = admin.get(f"{P}/resource_providers/{provider}").json()["name"]
    made = admin.post(f"{V}/os-aggregates", {"aggregate": {"name": "shelf"}}, 200).json()["aggregate"]
    admin.post(f"{V}/os-aggregates/{made['id']}/action", {"add_host": {"host": name}}, 200)
    [uuid] = admin.get(f"{P}/resource_providers/{provider}/aggregates", headers=at("1.1")).json()["aggregates"]

    def found(query: str, expect: int = 200) -> int:
        answer = admin.get(f"{P}/resource_providers?{query}", expect, headers=at("1.14")).json()
        return len(answer.get("resource_providers", []))

    assert found(f"name={name}") == found(f"uuid={provider}") == found(f"member_of=in:{uuid}") == 1
    assert found("resources=VCPU:1,MEMORY_MB:64") == 1
    assert found("name=other") == found("resources=VCPU:100000") == found(f"member_of={provider}") == 0
    for wrong in ("resources=VCPU", "resources=VCPU:x", "resources=VGPU:1", "color=red"):
        found(wrong, 400)


def test_what_is_not_there_is_not_found(cloud: ApiCloud) -> None:
    provider, admin = only_provider(cloud.admin), cloud.admin
    for path in ("/resource_providers/nobody", f"/resource_providers/{provider}/inventories/VGPU", "/traits/HW_GPU"):
        [error] = admin.get(f"{P}{path}", 404, headers=at("1.14")).json()["errors"]
        assert (error["status"], error["title"]) == (404, "Not Found")
    admin.get(f"{P}/traits/COMPUTE_NODE", 204, headers=at("1.6"))


def test_members_are_not_told(cloud: ApiCloud) -> None:
    member = cloud.new_user("mia", "garden")
    for path in ("/resource_providers", f"/resource_providers/{only_provider(cloud.admin)}/usages"):
        member.get(f"{P}{path}", 403)
