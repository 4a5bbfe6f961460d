"""Regions, services, endpoints; what a project sees of them; policies kept for them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity_support import V3, make, system_admin
from tests.support import ApiCloud, Caller

FILTER = f"{V3}/OS-EP-FILTER"


def _endpoint(admin: Caller, service_id: str, **more: Any) -> dict[str, Any]:
    values = {"interface": "public", "url": "http://203.0.113.5/$(project_id)s", "region_id": "RegionOne", **more}
    return make(admin, "endpoint", service_id=service_id, **values)


def _catalog(caller: Caller) -> set[str]:
    entries = caller.get(f"{V3}/auth/catalog").json()["catalog"]
    return {endpoint["id"] for entry in entries for endpoint in entry["endpoints"]}


def test_regions_form_a_tree_that_goes_with_its_root(cloud: ApiCloud) -> None:
    admin = cloud.admin
    make(admin, "region", id="north")
    make(admin, "region", id="fjord", parent_region_id="north", description=None)
    make(admin, "region", id="bay", parent_region_id="fjord", climate="mild")
    assert admin.get(f"{V3}/regions/bay").json()["region"]["climate"] == "mild"
    below = admin.get(f"{V3}/regions?parent_region_id=north").json()["regions"]
    assert [region["id"] for region in below] == ["fjord"]
    admin.post(f"{V3}/regions", {"region": {"id": "x", "parent_region_id": "nowhere"}}, 404)
    refused = admin.patch(f"{V3}/regions/north", {"region": {"parent_region_id": "bay"}}, 400)
    assert "circular region hierarchy" in refused.json()["error"]["message"]
    service = make(admin, "service", type="painting")
    endpoint = _endpoint(admin, service["id"], region_id="bay")
    admin.delete(f"{V3}/regions/north", expect=403)
    admin.delete(f"{V3}/endpoints/{endpoint['id']}")
    admin.delete(f"{V3}/regions/north")
    admin.get(f"{V3}/regions/bay", expect=404)
    make(admin, "region", id="")


@pytest.mark.parametrize(
    "values",
    [
        {"url": "nowhere"},
        {"url": ""},
        {"url": "http://x/$(password)s"},
        {"interface": "private"},
        {"enabled": "False"},
        {"region_id": "nowhere"},
        {"service_id": "nothing"},
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(cloud: ApiCloud, values: dict[str, Any]) -> None:
    admin = cloud.admin
    service = make(admin, "service", type="painting", name="p")
    good = {"service_id": service["id"], "interface": "public", "url": "http://203.0.113.5/"}
    admin.post(f"{V3}/endpoints", {"endpoint": {**good, **values}}, 400)
    endpoint = make(admin, "endpoint", **good)
    admin.patch(f"{V3}/endpoints/{endpoint['id']}", {"endpoint": values}, 400)


def test_a_service_is_found_changed_and_takes_its_endpoints_with_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    admin.post(f"{V3}/services", {"service": {"name": "untyped"}}, 400)
    admin.post(f"{V3}/services", {"service": {"type": "painting", "enabled": "true"}}, 400)
    service = make(admin, "service", type="painting", name="brush", owner="mia")
    path = f"{V3}/services/{service['id']}"
    assert admin.get(f"{V3}/services?type=painting").json()["services"] == [service]
    assert admin.get(f"{V3}/services?name__contains=rus").json()["services"] == [service]
    endpoint = _endpoint(admin, service["id"])
    assert endpoint["id"] in _catalog(admin)
    changed = admin.patch(path, {"service": {"enabled": False}}, 200).json()["service"]
    assert (changed["enabled"], changed["owner"]) == (False, "mia")
    assert endpoint["id"] not in _catalog(admin)
    admin.delete(path)
    admin.get(f"{V3}/endpoints/{endpoint['id']}", expect=404)


def test_the_catalogue_fills_in_the_project(cloud: ApiCloud) -> None:
    admin = cloud.admin
    service = make(admin, "service", type="painting", name="p")
    _endpoint(admin, service["id"], url="http://203.0.113.5/%(tenant_id)s/x")
    [entry] = [e for e in admin.get(f"{V3}/auth/catalog").json()["catalog"] if e["type"] == "painting"]
    assert entry["endpoints"][0]["url"] == f"http://203.0.113.5/{admin.project_id}/x"


def test_a_project_given_an_endpoint_sees_that_one_alone(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    service = make(admin, "service", type="painting", name="p")
    endpoint = _endpoint(admin, service["id"])
    everything = _catalog(mia)
    path = f"{FILTER}/projects/{mia.project_id}/endpoints/{endpoint['id']}"
    admin.get(path, expect=404)
    admin.put(path, expect=204)
    admin.request("HEAD", path, expect=204)
    admin.put(path, expect=409)
    assert _catalog(mia) == {endpoint["id"]}
    assert _catalog(admin) == everything
    listed = admin.get(f"{FILTER}/projects/{mia.project_id}/endpoints").json()["endpoints"]
    assert [e["id"] for e in listed] == [endpoint["id"]]
    listed = admin.get(f"{FILTER}/endpoints/{endpoint['id']}/projects").json()["projects"]
    assert [p["id"] for p in listed] == [mia.project_id]
    mia.get(path, expect=403)
    admin.delete(path)
    admin.delete(path, expect=404)
    assert _catalog(mia) == everything


def test_a_project_given_a_group_of_endpoints_sees_those_that_fit(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    service = make(admin, "service", type="painting", name="p")
    public, internal = (_endpoint(admin, service["id"], interface=kind) for kind in ("public", "internal"))
    filters = {"service_id": service["id"], "interface": "internal"}
    group = make(admin, "endpoint_group", "OS-EP-FILTER/endpoint_groups", name="inside", filters=filters)
    own = f"{FILTER}/endpoint_groups/{group['id']}"
    assert group["links"]["self"].endswith(own)
    assert [e["id"] for e in admin.get(f"{own}/endpoints").json()["endpoints"]] == [internal["id"]]
    admin.put(f"{own}/projects/{mia.project_id}", expect=204)
    admin.request("HEAD", f"{own}/projects/{mia.project_id}", expect=200)
    assert [p["id"] for p in admin.get(f"{own}/projects").json()["projects"]] == [mia.project_id]
    found = admin.get(f"{FILTER}/projects/{mia.project_id}/endpoint_groups").json()["endpoint_groups"]
    assert found == [group]
    assert _catalog(mia) == {internal["id"]}
    admin.patch(own, {"endpoint_group": {"filters": {"service_id": service["id"]}}}, 200)
    assert _catalog(mia) == {internal["id"], public["id"]}
    admin.delete(f"{own}/projects/{mia.project_id}")
    admin.get(f"{own}/projects/{mia.project_id}", expect=404)
    admin.delete(own)
    admin.get(own, expect=404)


@pytest.mark.parametrize("filters", [{}, {"colour": "red"}, {"interface": "private"}, None])
def test_a_group_of_endpoints_needs_filters_that_are_known(cloud: ApiCloud, filters: Any) -> None:
    body = {"endpoint_group": {"name": "g", "filters": filters}}
    cloud.admin.post(f"{FILTER}/endpoint_groups", body, 400)
    cloud.admin.post(f"{FILTER}/endpoint_groups", {"endpoint_group": {"name": "g"}}, 400)


def test_a_policy_is_kept_as_it_was_sent(cloud: ApiCloud) -> None:
    admin = cloud.admin
    policy = make(admin, "policy", "policies", type="application/json", blob='{"a": "b"}')
    path = f"{V3}/policies/{policy['id']}"
    assert admin.get(path).json()["policy"] == policy
    assert admin.get(f"{V3}/policies?type=application/json").json()["policies"] == [policy]
    assert admin.patch(path, {"policy": {"type": "text/plain"}}, 200).json()["policy"]["type"] == "text/plain"
    admin.post(f"{V3}/policies", {"policy": {"type": "x"}}, 400)
    cloud.new_user("mia", "garden").get(path, expect=403)
    admin.delete(path)
    admin.get(path, expect=404)


def test_an_endpoint_has_its_own_policy_or_that_of_its_region_or_service(cloud: ApiCloud) -> None:
    admin = cloud.admin
    make(admin, "region", id="north")
    make(admin, "region", id="fjord", parent_region_id="north")
    service = make(admin, "service", type="painting", name="p")
    endpoint = _endpoint(admin, service["id"], region_id="fjord")
    of_endpoint = f"{V3}/endpoints/{endpoint['id']}/OS-ENDPOINT-POLICY/policy"
    admin.get(of_endpoint, expect=404)
    places = [f"services/{service['id']}", f"services/{service['id']}/regions/north", f"endpoints/{endpoint['id']}"]
    made = [make(admin, "policy", "policies", type="t", blob=place) for place in places]
    for policy, place in zip(made, places, strict=True):
        own = f"{V3}/policies/{policy['id']}/OS-ENDPOINT-POLICY"
        admin.get(f"{own}/{place}", expect=404)
        admin.put(f"{own}/{place}", expect=204)
        admin.request("HEAD", f"{own}/{place}", expect=204)
        assert admin.get(of_endpoint).json()["policy"]["id"] == policy["id"]
        assert [e["id"] for e in admin.get(f"{own}/endpoints").json()["endpoints"]] == [endpoint["id"]]
    admin.delete(f"{V3}/policies/{made[2]['id']}/OS-ENDPOINT-POLICY/{places[2]}")
    assert admin.get(of_endpoint).json()["policy"]["id"] == made[1]["id"]
    admin.put(f"{V3}/policies/{made[0]['id']}/OS-ENDPOINT-POLICY/endpoints/none", expect=404)


def test_a_service_without_endpoints_is_in_the_catalogue(cloud: ApiCloud) -> None:
    admin = cloud.admin
    made = make(admin, "service", type="dns", name="designate")

    def entry(caller: Caller) -> list[dict[str, Any]]:
        found = caller.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": caller.token}).json()["token"]["catalog"]
        return [service for service in found if service["type"] == "dns"]

    expected = {"id": made["id"], "type": "dns", "name": "designate", "endpoints": []}
    assert entry(cloud.admin) == [expected]
    endpoint = make(admin, "endpoint", service_id=made["id"], interface="public", url="http://x/$(project_id)s")
    assert [found["id"] for found in entry(cloud.admin)[0]["endpoints"]] == [endpoint["id"]]
    # Without a project its URL cannot be told; disabled, neither the endpoint nor the service is shown.
    assert entry(system_admin(cloud)) == [expected]
    admin.patch(f"{V3}/endpoints/{endpoint['id']}", {"endpoint": {"enabled": False}}, 200)
    assert entry(cloud.admin) == [expected]
    admin.patch(f"{V3}/services/{made['id']}", {"service": {"enabled": False}}, 200)
    assert entry(cloud.admin) == []


def test_what_a_registered_limit_names_is_not_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    service, region = make(admin, "service", type="dns", name="designate"), make(admin, "region", id="Far")
    values = {"service_id": service["id"], "region_id": "Far", "resource_name": "zones", "default_limit": 1}
    answer = admin.post(f"{V3}/registered_limits", {"registered_limits": [values]}, 201)
    limit = answer.json()["registered_limits"][0]["id"]
    for path in (f"services/{service['id']}", f"regions/{region['id']}"):
        message = admin.delete(f"{V3}/{path}", 403).json()["error"]["message"]
        assert f"because limit {limit} is registered for it" in message
    admin.delete(f"{V3}/registered_limits/{limit}", 204)
    for path in (f"services/{service['id']}", f"regions/{region['id']}"):
        admin.delete(f"{V3}/{path}", 204)
