"""Projects as a tree in a domain, domains, and their tags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity_support import V3, grant, login, make, make_user, role_id
from tests.support import ApiCloud, Caller


def _chain(admin: Caller, count: int) -> list[dict[str, Any]]:
    """Projects each below the one before."""
    found: list[dict[str, Any]] = []
    for number in range(count):
        more = {"parent_id": found[-1]["id"]} if found else {}
        found.append(make(admin, "project", name=f"level{number + 1}", **more))
    return found


def test_a_project_is_made_in_the_domain_of_the_token(cloud: ApiCloud) -> None:
    admin = cloud.admin
    project = make(admin, "project", name=" garden ", colour="green")
    assert (project["name"], project["domain_id"], project["parent_id"]) == ("garden", "default", "default")
    assert (project["is_domain"], project["enabled"], project["colour"]) == (False, True, "green")
    assert project["links"]["self"].endswith(f"{V3}/projects/{project['id']}")
    changed = admin.patch(f"{V3}/projects/{project['id']}", {"project": {"smell": "fresh"}}, 200).json()["project"]
    assert (changed["colour"], changed["smell"]) == ("green", "fresh")


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 65},
        {"name": None},
        {"enabled": "False"},
        {"enabled": 1},
        {"is_domain": "yes"},
        {"domain_id": "nowhere"},
        {"parent_id": "nothing"},
        {"options": {"colour": True}},
        {"options": {"immutable": "true"}},
        {"tags": ["a,b"]},
        {"tags": [str(number) for number in range(81)]},
        {"is_domain": True, "parent_id": "default"},
    ],
)
def test_a_project_that_cannot_be_is_refused(cloud: ApiCloud, values: dict[str, Any]) -> None:
    cloud.admin.post(f"{V3}/projects", {"project": {"name": "garden", **values}}, 400)
    cloud.admin.post(f"{V3}/projects", {"project": {}}, 400)


def test_a_parent_is_of_the_same_domain(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    field = make(admin, "project", name="field", domain_id=land["id"])
    for parent in (land, field):
        admin.post(f"{V3}/projects", {"project": {"name": "x", "parent_id": parent["id"]}}, 400)
    path = f"{V3}/projects/{field['id']}"
    admin.patch(path, {"project": {"parent_id": "default"}}, 403)
    admin.patch(path, {"project": {"domain_id": "default"}}, 400)
    admin.patch(path, {"project": {"is_domain": True}}, 400)


def test_a_tree_is_five_projects_deep_at_most(cloud: ApiCloud) -> None:
    admin = cloud.admin
    *_, deepest = _chain(admin, 5)
    refused = admin.post(f"{V3}/projects", {"project": {"name": "x", "parent_id": deepest["id"]}}, 403)
    assert f"Max hierarchy depth reached for {deepest['id']} branch." in refused.json()["error"]["message"]


def test_relatives_are_shown_as_ids_and_as_what_one_has_a_role_on(cloud: ApiCloud) -> None:
    admin = cloud.admin
    top, middle, bottom = _chain(admin, 3)
    grant(admin, f"projects/{top['id']}", f"users/{admin.user_id}", "member")
    grant(admin, f"projects/{top['id']}", f"users/{admin.user_id}", "member", inherited=True)

    def shown(project: dict[str, Any], query: str) -> dict[str, Any]:
        found: dict[str, Any] = admin.get(f"{V3}/projects/{project['id']}?{query}").json()["project"]
        return found

    assert shown(bottom, "parents_as_ids")["parents"] == {middle["id"]: {top["id"]: {"default": None}}}
    assert shown(top, "subtree_as_ids")["subtree"] == {middle["id"]: {bottom["id"]: None}}
    assert shown(bottom, "subtree_as_ids")["subtree"] is None
    parents = shown(bottom, "parents_as_list")["parents"]
    assert [entry["project"]["id"] for entry in parents] == [middle["id"], top["id"]]
    below = shown(top, "subtree_as_list=true")["subtree"]
    assert [entry["project"]["id"] for entry in below] == [middle["id"], bottom["id"]]
    assert "parents" not in shown(bottom, "parents_as_list=0")
    admin.get(f"{V3}/projects/{top['id']}?parents_as_list&parents_as_ids", expect=400)
    admin.get(f"{V3}/projects/{top['id']}?subtree_as_list&subtree_as_ids", expect=400)


def test_disabled_projects_are_relatives_too_but_no_scopes(cloud: ApiCloud) -> None:
    admin = cloud.admin
    top, bottom = _chain(admin, 2)
    for project in (top, bottom):
        grant(admin, f"projects/{project['id']}", f"users/{admin.user_id}", "member")
    admin.patch(f"{V3}/projects/{bottom['id']}", {"project": {"enabled": False}}, 200)
    below = admin.get(f"{V3}/projects/{top['id']}?subtree_as_list").json()["project"]["subtree"]
    assert [entry["project"]["id"] for entry in below] == [bottom["id"]]
    path = f"{V3}/users/{admin.user_id}/projects"
    assert [one["id"] for one in admin.get(f"{path}?enabled=false").json()["projects"]] == [bottom["id"]]
    assert [one["id"] for one in admin.get(f"{path}?name={top['name']}").json()["projects"]] == [top["id"]]
    answer = admin.get(f"{V3}/auth/projects").json()
    assert {one["id"] for one in answer["projects"]} == {admin.project_id, top["id"]}
    assert answer["links"] == {"self": "http://cloud.test/identity/v3/auth/projects", "next": None, "previous": None}


def test_a_link_to_itself_is_a_url(cloud: ApiCloud) -> None:
    links = cloud.admin.get(f"{V3}/projects?name=a%26b%20c").json()["links"]
    assert links["self"].endswith("/v3/projects?name=a%26b+c")


def test_only_a_leaf_is_deleted_and_only_the_top_of_disabled_ones_disabled(cloud: ApiCloud) -> None:
    admin = cloud.admin
    top, bottom = (f"{V3}/projects/{project['id']}" for project in _chain(admin, 2))
    off, on = {"project": {"enabled": False}}, {"project": {"enabled": True}}
    admin.delete(top, expect=403)
    admin.patch(top, off, 403)
    admin.patch(bottom, off, 200)
    admin.patch(top, off, 200)
    admin.patch(bottom, on, 403)
    admin.post(f"{V3}/projects", {"project": {"name": "x", "parent_id": top.rpartition("/")[2]}}, 400)
    admin.delete(bottom)
    admin.delete(top)
    admin.get(top, expect=404)


def test_an_immutable_project_stays_as_it_is_until_it_is_not(cloud: ApiCloud) -> None:
    admin = cloud.admin
    project = make(admin, "project", name="garden", options={"immutable": True})
    assert project["options"] == {"immutable": True}
    path = f"{V3}/projects/{project['id']}"
    admin.patch(path, {"project": {"description": "x"}}, 403)
    admin.patch(path, {"project": {"description": "x", "options": {"immutable": False}}}, 403)
    admin.patch(path, {"project": {"tags": []}}, 403)
    admin.delete(path, expect=403)
    assert admin.patch(path, {"project": {"options": {"immutable": None}}}, 200).json()["project"]["options"] == {}
    admin.delete(path)


def test_projects_are_found_by_every_filter(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    top = make(admin, "project", name="orchard")
    make(admin, "project", name="apples", parent_id=top["id"], enabled=False)
    make(admin, "project", name="orchids", domain_id=land["id"])

    def names(query: str) -> list[str]:
        return sorted(project["name"] for project in admin.get(f"{V3}/projects?{query}").json()["projects"])

    assert names("name=apples") == ["apples"]
    assert names("name__startswith=orch") == ["orchard", "orchids"]
    assert names(f"domain_id={land['id']}") == ["orchids"]
    assert names(f"parent_id={top['id']}") == ["apples"]
    assert names("enabled=false") == ["apples"]
    assert names("is_domain=true") == ["Default", "land"]
    assert admin.get(f"{V3}/projects?is_domain=true&name=land").json()["projects"][0]["is_domain"]


def test_projects_are_found_by_their_tags(cloud: ApiCloud) -> None:
    admin = cloud.admin
    for name, tags in (("a", ["red", "old"]), ("b", ["red"]), ("c", ["blue"])):
        make(admin, "project", name=name, tags=tags)

    def names(query: str) -> list[str]:
        found = admin.get(f"{V3}/projects?{query}").json()["projects"]
        return sorted(project["name"] for project in found if project["name"] != "admin")

    assert names("tags=red,old") == ["a"]
    assert names("tags-any=old,blue") == ["a", "c"]
    assert names("not-tags=red,old") == ["b", "c"]
    assert names("not-tags-any=old,blue") == ["b"]
    assert names("tags=red&not-tags=old") == ["b"]


def test_a_domain_goes_with_all_that_is_in_it_once_it_is_disabled(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land", tags=["wide"], description=None)
    assert (land["tags"], land["description"]) == (["wide"], "")
    path = f"{V3}/domains/{land['id']}"
    field = make(admin, "project", name="field", domain_id=land["id"])
    make(admin, "project", name="plot", domain_id=land["id"], parent_id=field["id"])
    mia = make_user(admin, "mia", land["id"])
    group = make(admin, "group", name="g", domain_id=land["id"])
    role = make(admin, "role", name="r", domain_id=land["id"])
    grant(admin, f"projects/{field['id']}", f"users/{mia['id']}", "member")
    caller = login(cloud, mia, project={"id": field["id"]})
    refused = admin.delete(path, expect=403).json()["error"]["message"]
    assert refused == "Cannot delete a domain that is enabled, please disable it first."
    admin.patch(path, {"domain": {"enabled": False}}, 200)
    caller.get(f"{V3}/auth/projects", expect=401)
    admin.delete(path)
    for gone in (
        f"projects/{field['id']}",
        f"users/{mia['id']}",
        f"groups/{group['id']}",
        f"roles/{role['id']}",
        f"domains/{land['id']}",
    ):
        admin.get(f"{V3}/{gone}", expect=404)
    assert admin.get(f"{V3}/role_assignments?user.id={mia['id']}").json()["role_assignments"] == []


def test_a_project_is_no_domain_by_its_address(cloud: ApiCloud) -> None:
    admin = cloud.admin
    garden = make(admin, "project", name="garden")
    admin.get(f"{V3}/domains/{garden['id']}", expect=404)
    admin.patch(f"{V3}/domains/default", {"domain": {"enabled": False}}, 403)
    admin.patch(f"{V3}/domains/default", {"domain": {"enabled": "False"}}, 400)


def test_the_manager_of_a_domain_makes_projects_in_it_only(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    boss = make_user(admin, "boss", land["id"])
    grant(admin, f"domains/{land['id']}", f"users/{boss['id']}", "manager")
    manager = login(cloud, boss, domain={"id": land["id"]})
    field = make(manager, "project", name="field", domain_id=land["id"])
    assert [p["id"] for p in manager.get(f"{V3}/projects").json()["projects"]] == [field["id"]]
    manager.post(f"{V3}/projects", {"project": {"name": "x", "domain_id": "default"}}, 403)
    manager.post(f"{V3}/projects", {"project": {"name": "x", "is_domain": True}}, 403)
    manager.get(f"{V3}/projects/{admin.project_id}", expect=403)
    manager.patch(f"{V3}/projects/{admin.project_id}", {"project": {"name": "mine"}}, 403)
    grant(manager, f"projects/{field['id']}", f"users/{boss['id']}", "member")
    admin_role = role_id(admin, "admin")
    manager.put(f"{V3}/projects/{field['id']}/users/{boss['id']}/roles/{admin_role}", expect=403)
    manager.put(f"{V3}/projects/{field['id']}/users/{admin.user_id}/roles/{admin_role}", expect=403)
    assert [d["id"] for d in manager.get(f"{V3}/domains").json()["domains"]] == [land["id"]]
    manager.put(f"{V3}/projects/{field['id']}/tags/green", expect=201)
    manager.delete(f"{V3}/projects/{field['id']}")


def test_the_manager_of_a_domain_does_not_change_the_domain_by_its_other_name(cloud: ApiCloud) -> None:
    """A domain is a project, too: what only administrators may do with the one, nobody else does with the other."""
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    boss = make_user(admin, "boss", land["id"])
    grant(admin, f"domains/{land['id']}", f"users/{boss['id']}", "manager")
    manager = login(cloud, boss, domain={"id": land["id"]})
    path = f"{V3}/projects/{land['id']}"
    for change in ({"name": "mine"}, {"enabled": False}, {"options": {"immutable": True}}):
        manager.patch(path, {"project": change}, 403)
    manager.put(f"{path}/tags/mine", expect=403)
    manager.put(f"{path}/users/{boss['id']}/roles/{role_id(admin, 'member')}", expect=403)
    manager.delete(path, expect=403)
    assert admin.get(f"{V3}/domains/{land['id']}").json()["domain"] == land


def test_the_manager_of_a_domain_names_it_when_something_is_made_in_it(cloud: ApiCloud) -> None:
    """Keystone asks its policy about what was sent, before it fills the domain in."""
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    boss = make_user(admin, "boss", land["id"])
    grant(admin, f"domains/{land['id']}", f"users/{boss['id']}", "manager")
    manager = login(cloud, boss, domain={"id": land["id"]})
    for kind in ("user", "group", "project"):
        manager.post(f"{V3}/{kind}s", {kind: {"name": "new"}}, 403)
        assert make(manager, kind, name="new", domain_id=land["id"])["domain_id"] == land["id"]
    assert {user["domain_id"] for user in manager.get(f"{V3}/users").json()["users"]} == {land["id"]}
