"""Roles of the cloud and of domains, and what they imply."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity_support import V3, grant, login, make, make_user, role_id, roles_of
from tests.support import ApiCloud


def test_a_role_is_made_changed_found_and_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    role = make(admin, "role", name="painter", description="of walls", colour="red")
    assert (role["domain_id"], role["options"], role["colour"]) == (None, {}, "red")
    path = f"{V3}/roles/{role['id']}"
    assert admin.get(path).json()["role"] == role
    assert admin.get(f"{V3}/roles?name__contains=aint").json()["roles"] == [role]
    assert admin.patch(path, {"role": {"name": "printer"}}, 200).json()["role"]["name"] == "printer"
    admin.post(f"{V3}/roles", {"role": {"name": "printer"}}, 409)
    admin.post(f"{V3}/roles", {"role": {"name": ""}}, 400)
    admin.post(f"{V3}/roles", {"role": {}}, 400)
    admin.delete(path)
    admin.get(path, expect=404)


@pytest.mark.parametrize("name", ["admin", "manager", "member", "reader", "service"])
def test_the_roles_of_every_cloud_stay_as_they_are(cloud: ApiCloud, name: str) -> None:
    admin = cloud.admin
    path = f"{V3}/roles/{role_id(admin, name)}"
    assert admin.get(path).json()["role"]["options"] == {"immutable": True}
    admin.patch(path, {"role": {"name": "x"}}, 403)
    admin.delete(path, expect=403)


def test_a_deleted_role_is_taken_from_everyone(cloud: ApiCloud) -> None:
    admin = cloud.admin
    role, garden, mia = make(admin, "role", name="painter"), make(admin, "project", name="g"), make_user(admin, "mia")
    grant(admin, f"projects/{garden['id']}", f"users/{mia['id']}", "painter")
    caller = login(cloud, mia, project={"id": garden["id"]})
    admin.delete(f"{V3}/roles/{role['id']}")
    caller.get(f"{V3}/auth/projects", expect=401)
    assert admin.get(f"{V3}/role_assignments?user.id={mia['id']}").json()["role_assignments"] == []


def test_who_has_a_role_has_what_it_implies(cloud: ApiCloud) -> None:
    admin = cloud.admin
    prior, implied = make(admin, "role", name="foreman"), make(admin, "role", name="painter")
    garden, mia = make(admin, "project", name="garden"), make_user(admin, "mia")
    path = f"{V3}/roles/{prior['id']}/implies/{implied['id']}"
    admin.get(path, expect=404)
    admin.request("HEAD", path, expect=404)
    made = admin.put(path, expect=201).json()["role_inference"]
    assert (made["prior_role"]["id"], made["implies"]["name"]) == (prior["id"], "painter")
    assert made["implies"]["links"]["self"].endswith(f"{V3}/roles/{implied['id']}")
    admin.put(path, expect=409)
    admin.request("HEAD", path, expect=204)
    assert admin.get(path).json()["role_inference"] == made
    listed = admin.get(f"{V3}/roles/{prior['id']}/implies").json()["role_inference"]
    assert [role["id"] for role in listed["implies"]] == [implied["id"]]
    grant(admin, f"projects/{garden['id']}", f"users/{mia['id']}", "foreman")
    assert roles_of(login(cloud, mia, project={"id": garden["id"]})) == {"foreman", "painter"}
    admin.delete(path)
    admin.delete(path, expect=404)
    assert roles_of(login(cloud, mia, project={"id": garden["id"]})) == {"foreman"}


def test_every_rule_of_implication_is_listed(cloud: ApiCloud) -> None:
    rules = cloud.admin.get(f"{V3}/role_inferences").json()["role_inferences"]
    found = {rule["prior_role"]["name"]: [role["name"] for role in rule["implies"]] for rule in rules}
    assert found == {"admin": ["manager"], "manager": ["member"], "member": ["reader"]}


def test_no_role_makes_an_administrator_and_a_circle_does_no_harm(cloud: ApiCloud) -> None:
    admin = cloud.admin
    one, two = make(admin, "role", name="one"), make(admin, "role", name="two")
    admin.put(f"{V3}/roles/{one['id']}/implies/{role_id(admin, 'admin')}", expect=403)
    admin.put(f"{V3}/roles/{one['id']}/implies/{two['id']}", expect=201)
    admin.put(f"{V3}/roles/{two['id']}/implies/{one['id']}", expect=201)
    garden, mia = make(admin, "project", name="garden"), make_user(admin, "mia")
    grant(admin, f"projects/{garden['id']}", f"users/{mia['id']}", "two")
    assert roles_of(login(cloud, mia, project={"id": garden["id"]})) == {"one", "two"}
    entries = admin.get(f"{V3}/role_assignments?effective&user.id={mia['id']}").json()["role_assignments"]
    assert len(entries) == 2


def test_a_role_of_a_domain_is_given_there_only_and_means_what_it_implies(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    field, garden = make(admin, "project", name="f", domain_id=land["id"]), make(admin, "project", name="g")
    local = make(admin, "role", name="farmer", domain_id=land["id"])
    mia = make_user(admin, "mia", land["id"])
    assert [r["id"] for r in admin.get(f"{V3}/roles?domain_id={land['id']}").json()["roles"]] == [local["id"]]
    assert local["id"] not in {r["id"] for r in admin.get(f"{V3}/roles").json()["roles"]}
    admin.put(f"{V3}/projects/{garden['id']}/users/{mia['id']}/roles/{local['id']}", expect=403)
    admin.put(f"{V3}/system/users/{mia['id']}/roles/{local['id']}", expect=400)
    admin.put(f"{V3}/projects/{field['id']}/users/{mia['id']}/roles/{local['id']}", expect=204)
    login(cloud, mia, 401, project={"id": field["id"]})
    admin.put(f"{V3}/roles/{role_id(admin, 'member')}/implies/{local['id']}", expect=403)
    admin.put(f"{V3}/roles/{local['id']}/implies/{role_id(admin, 'member')}", expect=201)
    assert roles_of(login(cloud, mia, project={"id": field["id"]})) == {"member", "reader"}
    admin.patch(f"{V3}/roles/{local['id']}", {"role": {"domain_id": "default"}}, 400)
    admin.post(f"{V3}/roles", {"role": {"name": "x", "domain_id": "nowhere"}}, 404)


def test_the_manager_of_a_domain_sees_the_roles_that_can_be_given(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    local = make(admin, "role", name="member", domain_id=land["id"])
    boss = make_user(admin, "boss", land["id"])
    grant(admin, f"domains/{land['id']}", f"users/{boss['id']}", "manager")
    manager = login(cloud, boss, domain={"id": land["id"]})
    expected: dict[Any, int] = {"member": 200, "reader": 200, "manager": 200, "admin": 403, "service": 403}
    for name, status in expected.items():
        manager.get(f"{V3}/roles/{role_id(admin, name)}", expect=status)
    manager.get(f"{V3}/roles")
    manager.get(f"{V3}/roles?domain_id={land['id']}", expect=403)
    manager.get(f"{V3}/roles/{local['id']}", expect=403)
    manager.post(f"{V3}/roles", {"role": {"name": "x"}}, 403)
    manager.get(f"{V3}/role_inferences", expect=403)
