"""What placement answers to who asks for room, and in which version."""

from __future__ import annotations

from typing import Any

from tests.api.compute_support import V, make_flavor, make_image, queries
from tests.api.test_placement import P, at, only_provider
from tests.support import OTHER_HOST_ID, ApiCloud, Caller, second_host

NEWEST = at("1.39")


def asked(admin: Caller, query: str, expect: int = 200, version: str = "1.39") -> dict[str, Any]:
    answer: dict[str, Any] = admin.get(f"{P}/allocation_candidates?{query}", expect, headers=at(version)).json()
    return answer


def found(admin: Caller, query: str, version: str = "1.39") -> int:
    return len(asked(admin, query, version=version)["allocation_requests"])


def server_of(cloud: ApiCloud) -> str:
    flavor, image = make_flavor(cloud.admin, vcpus=2, ram=64, disk=3), make_image(cloud.admin)
    body = {"server": {"name": "s", "flavorRef": flavor, "imageRef": image, "networks": "none"}}
    headers = {"OpenStack-API-Version": "compute 2.37"}
    return str(cloud.admin.post(f"{V}/servers", body, 202, headers=headers).json()["server"]["id"])


def test_a_version_outside_is_told_with_those_that_are_spoken(cloud: ApiCloud) -> None:
    [error] = cloud.admin.get(f"{P}/resource_providers", 406, headers=at("1.40")).json()["errors"]
    assert (error["min_version"], error["max_version"]) == ("1.0", "1.39")
    assert error["detail"] == "Invalid microversion: Unacceptable version header: 1.40"
    cloud.admin.get(f"{P}/resource_providers", 400, headers=at("one"))


def test_answers_say_since_1_15_of_when_they_are(cloud: ApiCloud) -> None:
    for path in ("/resource_providers", "/resource_classes", "/traits", "/traits/COMPUTE_NODE"):
        headers = cloud.admin.get(f"{P}{path}", None, headers=at("1.15")).headers
        assert headers["cache-control"] == "no-cache" and headers["last-modified"].endswith("GMT")
        assert "last-modified" not in cloud.admin.get(f"{P}{path}", None, headers=at("1.14")).headers


def test_errors_have_a_code_since_1_23(cloud: ApiCloud) -> None:
    for version, has in (("1.22", False), ("1.23", True)):
        [error] = cloud.admin.get(f"{P}/resource_providers/nobody", 404, headers=at(version)).json()["errors"]
        assert ("code" in error) == has
    [error] = asked(cloud.admin, "required=COMPUTE_NODE", 400)["errors"]
    assert error["code"] == "placement.query.missing_value"


def test_a_candidate_has_the_form_of_its_version(cloud: ApiCloud) -> None:
    admin, host = cloud.admin, only_provider(cloud.admin)
    wanted = {"VCPU": 1, "MEMORY_MB": 64}
    query = "resources=VCPU:1,MEMORY_MB:64"
    old = asked(admin, query, version="1.10")
    assert old["allocation_requests"] == [{"allocations": [{"resource_provider": {"uuid": host}, "resources": wanted}]}]
    assert set(old["provider_summaries"][host]) == {"resources"}
    assert set(old["provider_summaries"][host]["resources"]) == set(wanted)
    new = asked(admin, query)
    assert new["allocation_requests"] == [{"allocations": {host: {"resources": wanted}}, "mappings": {"": [host]}}]
    summary = new["provider_summaries"][host]
    assert summary["root_provider_uuid"] == host and "COMPUTE_NODE" in summary["traits"]
    assert set(summary["resources"]) == {"VCPU", "MEMORY_MB", "DISK_GB"}
    admin.get(f"{P}/allocation_candidates?{query}", 404, headers=at("1.9"))


def test_only_hosts_that_fit_are_candidates(cloud: ApiCloud) -> None:
    second_host(cloud.core)
    admin = cloud.admin
    assert found(admin, "resources=VCPU:1") == 2
    assert found(admin, "resources=VCPU:1&limit=1") == 1
    assert found(admin, f"resources=VCPU:1&in_tree={OTHER_HOST_ID}") == 1
    assert found(admin, "resources=VCPU:1000000") == 0
    assert found(admin, "resources=VCPU:1&required=in:COMPUTE_NODE,HW_ARCH_AARCH64") == 2
    assert found(admin, "resources=VCPU:1&required=COMPUTE_NODE,!HW_ARCH_X86_64") == 0
    assert found(admin, "resources=VCPU:1&root_required=!COMPUTE_STATUS_DISABLED") == 2
    free = asked(admin, "resources=VCPU:1")["provider_summaries"][OTHER_HOST_ID]["resources"]["VCPU"]["capacity"]
    half = free // 2 + 1
    assert found(admin, f"resources1=VCPU:{half}&resources2=VCPU:{half}&group_policy=none") == 0


def test_groups_of_a_request_are_met_by_one_host(cloud: ApiCloud) -> None:
    admin, host = cloud.admin, only_provider(cloud.admin)
    both = "resources=VCPU:1&resources_A=VCPU:2&required_A=COMPUTE_NODE"
    [request] = asked(admin, both)["allocation_requests"]
    assert request == {"allocations": {host: {"resources": {"VCPU": 3}}}, "mappings": {"": [host], "_A": [host]}}
    three = f"{both}&resources_B=DISK_GB:1"
    assert found(admin, f"{three}&group_policy=none&same_subtree=_A,_B") == 1
    assert found(admin, f"{three}&group_policy=isolate") == 0
    assert found(admin, "resources=VCPU:1&required_C=COMPUTE_NODE&same_subtree=_C") == 1
    assert found(admin, "resources1=VCPU:1&required1=COMPUTE_NODE", version="1.25") == 1


WRONG = (
    ("", "1.39"),
    ("resources=", "1.39"),
    ("resources=VCPU", "1.39"),
    ("resources=VCPU:0", "1.39"),
    ("resources=VCPU:99999999999", "1.39"),
    ("resources=CUSTOM_NONE:1", "1.39"),
    ("resources=VCPU:1&required=CUSTOM_NONE", "1.39"),
    ("resources=VCPU:1&required=", "1.39"),
    ("resources=VCPU:1&required=COMPUTE_NODE,!COMPUTE_NODE", "1.39"),
    ("resources=VCPU:1&required=in:COMPUTE_NODE", "1.38"),
    ("resources=VCPU:1&required=!COMPUTE_NODE", "1.21"),
    ("resources=VCPU:1&required=COMPUTE_NODE", "1.16"),
    ("resources=VCPU:1&limit=0", "1.39"),
    ("resources=VCPU:1&limit=1", "1.15"),
    ("resources=VCPU:1&member_of=here", "1.39"),
    ("resources=VCPU:1&in_tree=here", "1.39"),
    ("resources1=VCPU:1&resources2=VCPU:1", "1.39"),
    ("resources1=VCPU:1&resources2=VCPU:1&group_policy=some", "1.39"),
    ("resources_A=VCPU:1", "1.32"),
    ("resources=VCPU:1&required_A=COMPUTE_NODE", "1.39"),
    ("resources=VCPU:1&same_subtree=_A", "1.39"),
    ("resources=VCPU:1&color=red", "1.39"),
)


def test_what_cannot_be_asked_is_refused(cloud: ApiCloud) -> None:
    for query, version in WRONG:
        [error] = asked(cloud.admin, query, 400, version)["errors"]
        assert error["detail"], query


def test_candidates_cost_as_many_queries_however_many_hosts_there_are(cloud: ApiCloud) -> None:
    admin, numbers = cloud.admin, []
    for _ in range(2):
        with queries(cloud) as statements:
            asked(admin, "resources=VCPU:1&required=COMPUTE_NODE")
        numbers.append(len(statements))
        second_host(cloud.core)
    assert numbers[0] == numbers[1]


def test_a_consumer_says_whose_it_is(cloud: ApiCloud) -> None:
    admin, server = cloud.admin, server_of(cloud)
    shown = admin.get(f"{P}/allocations/{server}", headers=NEWEST).json()
    assert (shown["project_id"], shown["user_id"]) == (admin.project_id, admin.user_id)
    assert shown["consumer_type"] == "INSTANCE"
    host = only_provider(admin)
    of_host = admin.get(f"{P}/resource_providers/{host}/allocations", headers=NEWEST).json()["allocations"]
    assert of_host[server]["consumer_generation"] == shown["consumer_generation"]
    assert "project_id" not in admin.get(f"{P}/allocations/{server}", headers=at("1.11")).json()


def test_what_a_project_holds_is_summed(cloud: ApiCloud) -> None:
    admin = cloud.admin
    server_of(cloud)
    held = {"VCPU": 2, "MEMORY_MB": 64, "DISK_GB": 3}

    def usages(query: str, version: str = "1.39", expect: int = 200) -> Any:
        return admin.get(f"{P}/usages?{query}", expect, headers=at(version)).json().get("usages")

    mine = f"project_id={admin.project_id}"
    assert usages(mine, "1.9") == held
    assert usages(mine) == {"INSTANCE": {**held, "consumer_count": 1}}
    assert usages(f"{mine}&consumer_type=all") == {"all": {**held, "consumer_count": 1}}
    assert usages(f"{mine}&consumer_type=MIGRATION") == usages("project_id=other") == {}
    assert usages(f"{mine}&user_id={admin.user_id}", "1.9") == held
    assert usages(f"{mine}&user_id=other", "1.9") == {}
    for wrong in ("", f"{mine}&color=red", f"{mine}&{mine}"):
        usages(wrong, expect=400)
    usages(f"{mine}&consumer_type=all", "1.37", 400)
