"""Registered limits, and what single projects and domains may use instead."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.api.identity_support import V3, grant, login, make, make_user
from tests.support import ApiCloud, Caller


def _service(admin: Caller) -> str:
    return str(make(admin, "service", type="painting", name="p")["id"])


def _register(admin: Caller, service: str, expect: int = 201, **more: Any) -> dict[str, Any]:
    values = {"service_id": service, "resource_name": "canvas", "default_limit": 10, **more}
    answer = admin.post(f"{V3}/registered_limits", {"registered_limits": [values]}, expect).json()
    made: dict[str, Any] = answer.get("registered_limits", [{}])[0]
    return made


def _limit(admin: Caller, service_id: str, value: int, expect: int = 201, **whose: str) -> dict[str, Any]:
    values = {"service_id": service_id, "resource_name": "canvas", "resource_limit": value, **whose}
    answer = admin.post(f"{V3}/limits", {"limits": [values]}, expect).json()
    made: dict[str, Any] = answer.get("limits", [{}])[0]
    return made


def test_a_limit_is_registered_once_for_a_service_region_and_resource(cloud: ApiCloud) -> None:
    admin = cloud.admin
    service_id = _service(admin)
    made = _register(admin, service_id, description="squares")
    assert made["region_id"] is None
    _register(admin, service_id, 409)
    regional = _register(admin, service_id, region_id="RegionOne")
    found = admin.get(f"{V3}/registered_limits?region_id=RegionOne").json()["registered_limits"]
    assert found == [regional]
    path = f"{V3}/registered_limits/{made['id']}"
    assert admin.get(path).json()["registered_limit"] == made
    changed = admin.patch(path, {"registered_limit": {"default_limit": 0}}, 200).json()["registered_limit"]
    assert changed["default_limit"] == 0
    admin.patch(path, {"registered_limit": {"region_id": "RegionOne"}}, 409)
    admin.delete(path)
    admin.get(path, expect=404)


@pytest.mark.parametrize(
    "values",
    [
        {"default_limit": -2},
        {"default_limit": "10"},
        {"default_limit": 2**31},
        {"resource_name": ""},
        {"region_id": "nowhere"},
        {"service_id": "nothing"},
        {"colour": "red"},
    ],
)
def test_a_limit_that_cannot_be_is_not_registered(cloud: ApiCloud, values: dict[str, Any]) -> None:
    admin = cloud.admin
    _register(admin, _service(admin), 400, **values)


def test_one_that_fails_leaves_none_of_those_sent_with_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    good = {"service_id": _service(admin), "resource_name": "canvas", "default_limit": 1}
    admin.post(f"{V3}/registered_limits", {"registered_limits": [good, good]}, 409)
    assert admin.get(f"{V3}/registered_limits").json()["registered_limits"] == []


def test_a_project_and_a_domain_have_limits_of_their_own(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    service_id = _service(admin)
    _limit(admin, service_id, 5, 403, project_id=mia.project_id)
    registered = _register(admin, service_id)
    made = _limit(admin, service_id, 5, project_id=mia.project_id)
    assert (made["project_id"], made["domain_id"], made["resource_name"]) == (mia.project_id, None, "canvas")
    _limit(admin, service_id, 5, 409, project_id=mia.project_id)
    of_domain = _limit(admin, service_id, 7, domain_id="default")
    _limit(admin, service_id, 5, 400, project_id="nothing")
    assert [row["id"] for row in mia.get(f"{V3}/limits").json()["limits"]] == [made["id"]]
    assert len(admin.get(f"{V3}/limits?resource_name=canvas").json()["limits"]) == 2
    assert [row["id"] for row in admin.get(f"{V3}/limits?domain_id=default").json()["limits"]] == [of_domain["id"]]
    path = f"{V3}/limits/{made['id']}"
    assert mia.get(path).json()["limit"] == made
    mia.get(f"{V3}/limits/{of_domain['id']}", expect=403)
    mia.patch(path, {"limit": {"resource_limit": 100}}, 403)
    assert admin.patch(path, {"limit": {"resource_limit": 0}}, 200).json()["limit"]["resource_limit"] == 0
    admin.delete(f"{V3}/registered_limits/{registered['id']}", expect=403)
    admin.patch(f"{V3}/registered_limits/{registered['id']}", {"registered_limit": {"default_limit": 1}}, 403)
    admin.delete(f"{V3}/services/{service_id}", expect=403)
    admin.delete(path)
    admin.delete(path, expect=404)


def test_a_project_takes_its_limits_with_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    service_id = _service(admin)
    _register(admin, service_id)
    garden = make(admin, "project", name="garden")
    _limit(admin, service_id, 5, project_id=garden["id"])
    admin.delete(f"{V3}/projects/{garden['id']}")
    assert admin.get(f"{V3}/limits").json()["limits"] == []


def test_a_domain_sees_the_limits_in_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    service_id = _service(admin)
    _register(admin, service_id)
    land = make(admin, "domain", name="land")
    field = make(admin, "project", name="field", domain_id=land["id"])
    own = {_limit(admin, service_id, 5, project_id=field["id"])["id"]}
    own |= {_limit(admin, service_id, 6, domain_id=land["id"])["id"]}
    foreign = _limit(admin, service_id, 6, domain_id="default")
    boss = make_user(admin, "boss", land["id"])
    grant(admin, f"domains/{land['id']}", f"users/{boss['id']}", "reader")
    reader = login(cloud, boss, domain={"id": land["id"]})
    assert {row["id"] for row in reader.get(f"{V3}/limits").json()["limits"]} == own
    reader.get(f"{V3}/limits/{foreign['id']}", expect=403)
    for limit_id in own:
        reader.get(f"{V3}/limits/{limit_id}")


def test_the_model_is_flat_unless_set(cloud: ApiCloud) -> None:
    assert cloud.admin.get(f"{V3}/limits/model").json()["model"]["name"] == "flat"


def test_with_two_levels_a_project_has_no_more_than_its_domain(cloud: ApiCloud) -> None:
    cloud.core.config = msgspec.structs.replace(cloud.core.config, limit_model="strict_two_level")
    admin = cloud.admin
    service_id = _service(admin)
    _register(admin, service_id)
    garden = make(admin, "project", name="garden")
    _limit(admin, service_id, 11, 403, project_id=garden["id"])
    of_domain = _limit(admin, service_id, 20, domain_id="default")
    of_project = _limit(admin, service_id, 15, project_id=garden["id"])
    admin.patch(f"{V3}/limits/{of_domain['id']}", {"limit": {"resource_limit": 14}}, 403)
    admin.patch(f"{V3}/limits/{of_project['id']}", {"limit": {"resource_limit": 21}}, 403)
    shed = make(admin, "project", name="shed", parent_id=garden["id"])
    admin.post(f"{V3}/projects", {"project": {"name": "box", "parent_id": shed["id"]}}, 403)
