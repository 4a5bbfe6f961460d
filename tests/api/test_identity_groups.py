"""Groups: who is in one has what was given to it."""

from __future__ import annotations

from tests.api.identity_support import V3, grant, login, make, make_user, roles_of
from tests.support import ApiCloud


def test_a_group_is_made_renamed_and_deleted(cloud: ApiCloud) -> None:
    admin = cloud.admin
    group = make(admin, "group", name="growers", description="of roses", colour="red")
    assert group["domain_id"] == "default"
    assert group["links"]["self"].endswith(f"/identity/v3/groups/{group['id']}")
    path = f"{V3}/groups/{group['id']}"
    assert admin.get(path).json()["group"] == group
    changed = admin.patch(path, {"group": {"name": "gardeners", "description": None}}, 200).json()["group"]
    assert (changed["name"], changed["description"], changed["colour"]) == ("gardeners", "", "red")
    admin.patch(path, {"group": {"domain_id": "elsewhere"}}, 400)
    admin.delete(path)
    assert admin.get(path, expect=404).json()["error"]["message"] == f"Could not find group: {group['id']}."


def test_a_group_needs_a_name_that_is_free_in_a_domain_that_exists(cloud: ApiCloud) -> None:
    admin = cloud.admin
    make(admin, "group", name="growers")
    admin.post(f"{V3}/groups", {"group": {"name": "growers"}}, 409)
    admin.post(f"{V3}/groups", {"group": {}}, 400)
    admin.post(f"{V3}/groups", {"group": {"name": ""}}, 400)
    admin.post(f"{V3}/groups", {"group": {"name": "x", "domain_id": "nowhere"}}, 404)
    other = make(admin, "domain", name="other")
    make(admin, "group", name="growers", domain_id=other["id"])


def test_groups_are_found_by_name_and_domain(cloud: ApiCloud) -> None:
    admin = cloud.admin
    for name in ("growers", "grocers", "painters"):
        make(admin, "group", name=name)

    def names(query: str) -> list[str]:
        return sorted(group["name"] for group in admin.get(f"{V3}/groups{query}").json()["groups"])

    assert names("?name=growers") == ["growers"]
    assert names("?name__startswith=gro") == ["grocers", "growers"]
    assert names("?name__contains=ow") == ["growers"]
    assert names("?name__iendswith=ERS") == ["grocers", "growers", "painters"]
    assert names("?domain_id=default&name__contains=%25") == []
    assert names("?domain_id=nowhere") == []


def test_members_come_and_go(cloud: ApiCloud) -> None:
    admin = cloud.admin
    group, mia, ben = make(admin, "group", name="growers"), make_user(admin, "mia"), make_user(admin, "ben")
    members = f"{V3}/groups/{group['id']}/users"
    admin.request("HEAD", f"{members}/{mia['id']}", expect=404)
    for user in (mia, ben):
        admin.put(f"{members}/{user['id']}", expect=204)
    admin.put(f"{members}/{mia['id']}", expect=204)
    admin.request("HEAD", f"{members}/{mia['id']}", expect=204)
    assert {user["id"] for user in admin.get(members).json()["users"]} == {mia["id"], ben["id"]}
    assert [user["id"] for user in admin.get(f"{members}?name=ben").json()["users"]] == [ben["id"]]
    assert [g["id"] for g in admin.get(f"{V3}/users/{mia['id']}/groups").json()["groups"]] == [group["id"]]
    admin.delete(f"{members}/{mia['id']}")
    admin.delete(f"{members}/{mia['id']}", expect=404)
    admin.delete(f"{V3}/users/{ben['id']}")
    assert admin.get(members).json()["users"] == []
    admin.put(f"{members}/nobody", expect=404)
    admin.get(f"{V3}/groups/none/users", expect=404)


def test_a_member_has_the_roles_of_the_group_until_leaving_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    garden, group, mia = make(admin, "project", name="garden"), make(admin, "group", name="g"), make_user(admin, "mia")
    grant(admin, f"projects/{garden['id']}", f"groups/{group['id']}", "member")
    login(cloud, mia, 401, project={"id": garden["id"]})
    admin.put(f"{V3}/groups/{group['id']}/users/{mia['id']}", expect=204)
    inside = login(cloud, mia, project={"id": garden["id"]})
    assert roles_of(inside) == {"member", "reader"}
    assert [p["name"] for p in login(cloud, mia).get(f"{V3}/auth/projects").json()["projects"]] == ["garden"]
    admin.delete(f"{V3}/groups/{group['id']}/users/{mia['id']}")
    inside.get(f"{V3}/auth/projects", expect=401)


def test_a_deleted_group_takes_its_roles_with_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    garden, group, mia = make(admin, "project", name="garden"), make(admin, "group", name="g"), make_user(admin, "mia")
    grant(admin, f"projects/{garden['id']}", f"groups/{group['id']}", "member")
    admin.put(f"{V3}/groups/{group['id']}/users/{mia['id']}", expect=204)
    admin.delete(f"{V3}/groups/{group['id']}")
    login(cloud, mia, 401, project={"id": garden["id"]})
    assert admin.get(f"{V3}/role_assignments?group.id={group['id']}").json()["role_assignments"] == []


def test_a_member_of_a_project_may_not_touch_groups_but_sees_the_own_ones(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    group = make(admin, "group", name="growers")
    admin.put(f"{V3}/groups/{group['id']}/users/{mia.user_id}", expect=204)
    assert [g["name"] for g in mia.get(f"{V3}/users/{mia.user_id}/groups").json()["groups"]] == ["growers"]
    mia.get(f"{V3}/groups", expect=403)
    mia.get(f"{V3}/groups/{group['id']}/users", expect=403)
    mia.post(f"{V3}/groups", {"group": {"name": "mine"}}, 403)
    mia.delete(f"{V3}/groups/{group['id']}", expect=403)
    mia.get(f"{V3}/users/{admin.user_id}/groups", expect=403)


def test_the_manager_of_a_domain_manages_its_groups_only(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land, other = make(admin, "domain", name="land"), make(admin, "domain", name="other")
    boss = make_user(admin, "boss", land["id"])
    grant(admin, f"domains/{land['id']}", f"users/{boss['id']}", "manager")
    manager = login(cloud, boss, domain={"id": land["id"]})
    own = make(manager, "group", name="own", domain_id=land["id"])
    foreign = make(admin, "group", name="foreign", domain_id=other["id"])
    assert [g["name"] for g in manager.get(f"{V3}/groups").json()["groups"]] == ["own"]
    assert manager.get(f"{V3}/groups?domain_id={other['id']}").json()["groups"] == []
    manager.get(f"{V3}/groups/{foreign['id']}", expect=403)
    manager.post(f"{V3}/groups", {"group": {"name": "x", "domain_id": other["id"]}}, 403)
    manager.put(f"{V3}/groups/{own['id']}/users/{boss['id']}", expect=204)
    manager.put(f"{V3}/groups/{own['id']}/users/{admin.user_id}", expect=403)
    manager.delete(f"{V3}/groups/{own['id']}")
