"""What administrators say of hosts by placement, and what the scheduler makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from tane.hosts import store
from tests.api.compute_support import Project, V, project
from tests.api.test_placement import P, at, only_provider
from tests.support import HOST_ID, OTHER_HOST_ID, ApiCloud, Caller, second_host

NEWEST = at("1.39")
AGGREGATE = "5b0a3c1e-7b1c-4b5a-9a53-6f1c0f0f0001"


def put(admin: Caller, path: str, body: Any = None, expect: int = 200, version: str = "1.39") -> dict[str, Any]:
    answer = admin.put(f"{P}{path}", body, expect, headers=at(version))
    shown: dict[str, Any] = answer.json() if answer.content else {}
    return shown


def get(admin: Caller, path: str) -> dict[str, Any]:
    shown: dict[str, Any] = admin.get(f"{P}{path}", headers=NEWEST).json()
    return shown


def said(admin: Caller, host: str, part: str, **values: Any) -> dict[str, Any]:
    """Put something of a host at the generation that it has."""
    path = f"/resource_providers/{host}"
    values["resource_provider_generation"] = get(admin, path)["generation"]
    return put(admin, f"{path}/{part}", values)


def give(admin: Caller, host: str, name: str, total: int, **more: Any) -> None:
    """Let a host have some of a class of the administrators' own."""
    put(admin, f"/resource_classes/{name}", expect=None)  # type: ignore[arg-type]
    there = get(admin, f"/resource_providers/{host}/inventories")["inventories"]
    said(admin, host, "inventories", inventories={**there, name: {"total": total, **more}})


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def specs(garden: Project, **wanted: str) -> None:
    values = {name.replace("__", ":"): value for name, value in wanted.items()}
    garden.admin.post(f"{V}/flavors/{garden.flavor_id}/os-extra_specs", {"extra_specs": values}, 200)


# -------------------------------------------------------------------------------------------- traits, resource classes


def test_a_trait_is_added_given_and_removed(cloud: ApiCloud) -> None:
    admin, host = cloud.admin, only_provider(cloud.admin)
    path = f"/resource_providers/{host}/traits"
    put(admin, "/traits/CUSTOM_FAST", expect=201)
    put(admin, "/traits/CUSTOM_FAST", expect=204)
    before = get(admin, path)
    after = said(admin, host, "traits", traits=["CUSTOM_FAST"])
    assert set(after["traits"]) == {*before["traits"], "CUSTOM_FAST"}
    assert after["resource_provider_generation"] > before["resource_provider_generation"]
    admin.delete(f"{P}/traits/CUSTOM_FAST", 409, headers=NEWEST)
    assert "CUSTOM_FAST" in get(admin, "/traits?associated=true&name=startswith:CUSTOM_")["traits"]
    admin.delete(f"{P}{path}", 204, headers=NEWEST)
    assert get(admin, path)["traits"] == before["traits"]
    admin.delete(f"{P}/traits/CUSTOM_FAST", 204, headers=NEWEST)
    admin.delete(f"{P}/traits/CUSTOM_FAST", 404, headers=NEWEST)


def test_a_host_keeps_what_it_is_by_itself(cloud: ApiCloud) -> None:
    admin, host = cloud.admin, only_provider(cloud.admin)
    assert "COMPUTE_NODE" in said(admin, host, "traits", traits=[])["traits"]
    generation = get(admin, f"/resource_providers/{host}")["generation"]
    for wrong in ("COMPUTE_STATUS_DISABLED", "CUSTOM_NONE", "custom"):
        body = {"traits": [wrong], "resource_provider_generation": generation}
        put(admin, f"/resource_providers/{host}/traits", body, 400)
    for name in ("HW_CPU_X86_AVX2", "CUSTOM_a"):
        put(admin, f"/traits/{name}", expect=400)
    admin.delete(f"{P}/traits/COMPUTE_NODE", 400, headers=NEWEST)


def test_a_host_that_is_switched_off_says_so(cloud: ApiCloud) -> None:
    admin = cloud.admin
    with cloud.core.db.write() as tx:
        store.change(tx, HOST_ID, enabled=False)
    asked = "/allocation_candidates?resources=VCPU:1&required="
    assert len(get(admin, f"{asked}COMPUTE_STATUS_DISABLED")["allocation_requests"]) == 1
    assert get(admin, f"{asked}!COMPUTE_STATUS_DISABLED")["allocation_requests"] == []


def test_resource_classes_of_ones_own(cloud: ApiCloud) -> None:
    admin = cloud.admin
    admin.post(f"{P}/resource_classes", {"name": "CUSTOM_GOLD"}, 201, headers=at("1.2"))
    admin.post(f"{P}/resource_classes", {"name": "CUSTOM_GOLD"}, 409, headers=at("1.2"))
    admin.post(f"{P}/resource_classes", {"name": "GOLD"}, 400, headers=at("1.2"))
    put(admin, "/resource_classes/CUSTOM_GOLD", {"name": "CUSTOM_SILVER"}, version="1.2")
    put(admin, "/resource_classes/CUSTOM_SILVER", expect=204)
    put(admin, "/resource_classes/CUSTOM_IRON", expect=201)
    put(admin, "/resource_classes/VCPU", expect=400)
    listed = {one["name"] for one in get(admin, "/resource_classes")["resource_classes"]}
    assert listed == {"VCPU", "MEMORY_MB", "DISK_GB", "CUSTOM_SILVER", "CUSTOM_IRON"}
    admin.delete(f"{P}/resource_classes/CUSTOM_IRON", 204, headers=NEWEST)
    admin.delete(f"{P}/resource_classes/CUSTOM_IRON", 404, headers=NEWEST)
    admin.delete(f"{P}/resource_classes/VCPU", 400, headers=NEWEST)


# -------------------------------------------------------------------------------------------------------- inventories


def test_ratio_and_reserve_of_a_host_count_for_the_scheduler(cloud: ApiCloud, garden: Project) -> None:
    admin = cloud.admin
    there = get(admin, f"/resource_providers/{HOST_ID}/inventories/VCPU")
    generation = there.pop("resource_provider_generation")
    path = f"/resource_providers/{HOST_ID}/inventories/VCPU"
    none = {**there, "reserved": there["total"], "resource_provider_generation": generation}
    put(admin, path, none, 400, version="1.25")
    assert put(admin, path, none)["reserved"] == there["total"]
    full = garden.create("full")
    cloud.run_jobs()
    assert garden.show(full)["status"] == "ERROR"
    put(admin, path, none, 409)
    again = {"total": there["total"], "allocation_ratio": 2.0, "resource_provider_generation": generation + 1}
    assert put(admin, path, again)["allocation_ratio"] == 2.0
    garden.server("fits")
    admin.delete(f"{P}/resource_providers/{HOST_ID}/inventories", 204, headers=NEWEST)
    assert get(admin, path)["allocation_ratio"] == there["allocation_ratio"]


def test_a_generation_that_is_over_is_a_conflict_with_its_code(cloud: ApiCloud) -> None:
    admin, path = cloud.admin, f"/resource_providers/{HOST_ID}"
    bodies: dict[str, dict[str, Any]] = {
        "inventories": {"inventories": {}},
        "inventories/VCPU": {"total": 1},
        "traits": {"traits": []},
        "aggregates": {"aggregates": []},
    }
    for part, body in bodies.items():
        [error] = put(admin, f"{path}/{part}", {**body, "resource_provider_generation": 77}, 409)["errors"]
        assert error["code"] == "placement.concurrent_update"


def test_the_total_of_what_a_host_has_is_its_own(cloud: ApiCloud) -> None:
    admin, path = cloud.admin, f"/resource_providers/{HOST_ID}/inventories"
    there = get(admin, path)
    body = {"total": there["inventories"]["VCPU"]["total"] + 1, "resource_provider_generation": 1}
    [error] = put(admin, f"{path}/VCPU", body, 409)["errors"]
    assert "what the host itself says" in error["detail"]
    admin.delete(f"{P}{path}/VCPU", 409, headers=NEWEST)
    assert "VCPU" in said(admin, HOST_ID, "inventories", inventories={})["inventories"]
    put(admin, f"{path}/VCPU", {**body, "reserved": -1}, 400)
    put(admin, f"{path}/CUSTOM_NONE", {"total": 1, "resource_provider_generation": 2}, 400)
    more = {"total": 1, "resource_class": "CUSTOM_NONE"}
    admin.post(f"{P}{path}", more, 400, headers=NEWEST)


def test_what_a_server_does_not_want_may_be_promised_too_often(cloud: ApiCloud, garden: Project) -> None:
    admin = cloud.admin
    garden.server("first")
    total = get(admin, f"/resource_providers/{HOST_ID}/inventories/VCPU")["total"]
    promised = {"VCPU": {"total": total, "reserved": total}}
    there = get(admin, f"/resource_providers/{HOST_ID}/inventories")["inventories"]
    said(admin, HOST_ID, "inventories", inventories={**there, **promised})
    specs(garden, resources__VCPU="0")
    garden.server("wants-none")


def test_flavors_claim_classes_of_ones_own_until_their_server_is_gone(cloud: ApiCloud, garden: Project) -> None:
    admin, path = cloud.admin, f"/resource_providers/{HOST_ID}"
    give(admin, HOST_ID, "CUSTOM_LICENCE", 3, max_unit=2)
    specs(garden, resources__CUSTOM_LICENCE="2")
    one = garden.server("one")
    assert get(admin, f"{path}/usages")["usages"]["CUSTOM_LICENCE"] == 2
    two = garden.create("two")
    cloud.run_jobs()
    assert "short of CUSTOM_LICENCE" in garden.show(two)["fault"]["message"]
    admin.delete(f"{P}{path}/inventories/CUSTOM_LICENCE", 409, headers=NEWEST)
    [error] = admin.delete(f"{P}{path}/inventories", 409, headers=NEWEST).json()["errors"]
    assert error["code"] == "placement.inventory.inuse"
    admin.delete(f"{P}/resource_classes/CUSTOM_LICENCE", 409, headers=NEWEST)
    garden.user.delete(f"{V}/servers/{one}", 204)
    cloud.run_jobs()
    assert get(admin, f"{path}/usages")["usages"]["CUSTOM_LICENCE"] == 0
    specs(garden, resources__CUSTOM_LICENCE="3")
    three = garden.create("three")
    cloud.run_jobs()
    assert "short of CUSTOM_LICENCE" in garden.show(three)["fault"]["message"]
    admin.delete(f"{P}{path}/inventories/CUSTOM_LICENCE", 204, headers=NEWEST)
    admin.delete(f"{P}/resource_classes/CUSTOM_LICENCE", 204, headers=NEWEST)


def test_a_server_that_moves_claims_twice(cloud: ApiCloud, garden: Project) -> None:
    second_host(cloud.core)
    admin = cloud.admin
    for host in (HOST_ID, OTHER_HOST_ID):
        give(admin, host, "CUSTOM_LICENCE", 1)
    specs(garden, resources__CUSTOM_LICENCE="1")
    server = garden.server()
    admin.post(f"{V}/servers/{server}/action", {"migrate": None}, 202)
    cloud.run_jobs()
    held = "/usages?project_id=" + garden.user.project_id
    usages = get(admin, held)["usages"]
    assert {kind: one["CUSTOM_LICENCE"] for kind, one in usages.items()} == {"INSTANCE": 1, "MIGRATION": 1}
    garden.act(server, "confirmResize", expect=204)
    cloud.run_jobs()
    assert list(get(admin, held)["usages"]) == ["INSTANCE"]


def test_traits_of_flavors_and_images_choose_the_host(cloud: ApiCloud, garden: Project) -> None:
    second_host(cloud.core)
    admin = cloud.admin
    put(admin, "/traits/CUSTOM_FAST", expect=201)
    said(admin, OTHER_HOST_ID, "traits", traits=["CUSTOM_FAST"])

    def host_of(server: str) -> Any:
        return admin.get(f"{V}/servers/{server}").json()["server"]["OS-EXT-SRV-ATTR:host"]

    plain = garden.server("plain", networks="none")
    assert host_of(plain) == "host-1"
    specs(garden, trait__CUSTOM_FAST="required")
    assert host_of(garden.server("fast", networks="none")) == "host-2"
    specs(garden, trait__CUSTOM_FAST="forbidden")
    assert host_of(garden.server("slow", networks="none")) == "host-1"
    image = f"/image/v2/images/{garden.image_id}"
    patch = [{"op": "add", "path": "/trait:CUSTOM_FAST", "value": "required"}]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    admin.patch(image, patch, 200, headers=headers)
    both = garden.user.post(f"{V}/servers", garden.body(), 400).json()
    assert "require and forbid" in both["badRequest"]["message"]
    admin.delete(f"{V}/flavors/{garden.flavor_id}/os-extra_specs/trait:CUSTOM_FAST", 200)
    assert host_of(garden.server("by-image", networks="none")) == "host-2"
    refused = garden.act(plain, "rebuild", {"imageRef": garden.image_id}, 400).json()
    assert "has not the traits" in refused["badRequest"]["message"]


def test_a_demand_that_means_nothing_is_refused(garden: Project) -> None:
    path = f"{V}/flavors/{garden.flavor_id}/os-extra_specs"
    for name, value in (("resources:CUSTOM_X", "many"), ("trait:CUSTOM_X", "perhaps"), ("resources1:CUSTOM_X", "1")):
        garden.admin.post(path, {"extra_specs": {name: value}}, 200)
        assert name in garden.user.post(f"{V}/servers", garden.body(), 400).text
        garden.admin.delete(f"{path}/{name}", 200)


# --------------------------------------------------------------------------------------------------------- aggregates


def test_aggregates_that_are_set_here_stand_beside_those_of_compute(cloud: ApiCloud) -> None:
    admin, path = cloud.admin, f"/resource_providers/{HOST_ID}/aggregates"
    made = admin.post(f"{V}/os-aggregates", {"aggregate": {"name": "shelf"}}, 200).json()["aggregate"]
    admin.post(f"{V}/os-aggregates/{made['id']}/action", {"add_host": {"host": "host-1"}}, 200)
    [own] = get(admin, path)["aggregates"]
    put(admin, path, {"aggregates": [AGGREGATE]}, 400)
    assert set(said(admin, HOST_ID, "aggregates", aggregates=[AGGREGATE])["aggregates"]) == {own, AGGREGATE}
    asked = "/allocation_candidates?resources=VCPU:1&member_of="
    for query, number in ((AGGREGATE, 1), (f"in:{AGGREGATE},{HOST_ID}", 1), (HOST_ID, 0), (f"!{AGGREGATE}", 0)):
        assert len(get(admin, f"{asked}{query}")["allocation_requests"]) == number, query
    both = f"{asked}{AGGREGATE}&member_of={own}"
    assert len(get(admin, both)["allocation_requests"]) == 1
    assert put(admin, path, [], version="1.18") == {"aggregates": [own]}


def test_hosts_and_claims_are_not_written_here(cloud: ApiCloud) -> None:
    for method, path in (
        ("POST", "/resource_providers"),
        ("PUT", f"/resource_providers/{HOST_ID}"),
        ("DELETE", f"/resource_providers/{HOST_ID}"),
        ("PUT", f"/allocations/{HOST_ID}"),
        ("DELETE", f"/allocations/{HOST_ID}"),
        ("POST", "/allocations"),
        ("POST", "/reshaper"),
    ):
        answer = cloud.admin.request(method, f"{P}{path}", expect=501, headers=NEWEST, json={})
        assert "tane host" in answer.json()["errors"][0]["detail"]


def test_members_write_nothing(cloud: ApiCloud) -> None:
    member = cloud.new_user("mia", "garden")
    member.put(f"{P}/traits/CUSTOM_X", None, 403, headers=NEWEST)
    member.put(f"{P}/resource_providers/{HOST_ID}/traits", {}, 403, headers=NEWEST)
    member.get(f"{P}/allocation_candidates?resources=VCPU:1", 403, headers=NEWEST)
