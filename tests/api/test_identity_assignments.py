"""Role assignments: to users and groups, on projects, domains and the system; inherited, implied, listed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from tests.api.identity_support import V3, grant, login, make, make_user, role_id, roles_of
from tests.support import ApiCloud, Caller


@pytest.mark.parametrize("actor", ["users", "groups"])
@pytest.mark.parametrize("target", ["projects", "domains", "system"])
def test_a_role_is_given_seen_and_taken_away(cloud: ApiCloud, actor: str, target: str) -> None:
    admin = cloud.admin
    whom = make_user(admin, "mia") if actor == "users" else make(admin, "group", name="growers")
    where = {"projects": lambda: f"projects/{make(admin, 'project', name='garden')['id']}"}.get(
        target, lambda: "domains/default" if target == "domains" else "system"
    )()
    base = f"{V3}/{where}/{actor}/{whom['id']}/roles"
    assert admin.get(base).json()["roles"] == []
    reader = role_id(admin, "reader")
    admin.request("HEAD", f"{base}/{reader}", expect=404)
    grant(admin, where, f"{actor}/{whom['id']}", "reader")
    grant(admin, where, f"{actor}/{whom['id']}", "reader")
    admin.request("HEAD", f"{base}/{reader}", expect=204)
    assert [role["name"] for role in admin.get(base).json()["roles"]] == ["reader"]
    admin.delete(f"{base}/{reader}")
    admin.delete(f"{base}/{reader}", expect=404)


def test_what_does_not_exist_gets_no_role_and_is_given_none(cloud: ApiCloud) -> None:
    admin = cloud.admin
    mia, reader = make_user(admin, "mia"), role_id(admin, "reader")
    for path in (
        f"/projects/none/users/{mia['id']}/roles/{reader}",
        f"/domains/none/users/{mia['id']}/roles/{reader}",
        f"/projects/{admin.project_id}/users/none/roles/{reader}",
        f"/projects/{admin.project_id}/groups/none/roles/{reader}",
        f"/projects/{admin.project_id}/users/{mia['id']}/roles/none",
        f"/domains/{admin.project_id}/users/{mia['id']}/roles/{reader}",
    ):
        admin.put(V3 + path, expect=404)


def _tree(admin: Caller) -> list[dict[str, Any]]:
    """Three projects, each below the one before."""
    found: list[dict[str, Any]] = []
    for name in ("top", "middle", "bottom"):
        more = {"parent_id": found[-1]["id"]} if found else {}
        found.append(make(admin, "project", name=name, **more))
    return found


def test_an_inherited_role_holds_below_the_project_and_not_on_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    top, middle, bottom = _tree(admin)
    mia = make_user(admin, "mia")
    path = grant(admin, f"projects/{top['id']}", f"users/{mia['id']}", "member", inherited=True)
    admin.request("HEAD", path, expect=204)
    login(cloud, mia, 401, project={"id": top["id"]})
    for project in (middle, bottom):
        assert roles_of(login(cloud, mia, project={"id": project["id"]})) == {"member", "reader"}
    mine = login(cloud, mia).get(f"{V3}/auth/projects").json()["projects"]
    assert {project["name"] for project in mine} == {"middle", "bottom"}
    assert admin.get(f"{V3}/projects/{top['id']}/users/{mia['id']}/roles").json()["roles"] == []
    admin.delete(path)
    login(cloud, mia, 401, project={"id": bottom["id"]})


def test_a_role_inherited_from_a_domain_holds_in_all_its_projects(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    garden = make(admin, "project", name="garden", domain_id=land["id"])
    shed = make(admin, "project", name="shed", domain_id=land["id"], parent_id=garden["id"])
    group, mia = make(admin, "group", name="g", domain_id=land["id"]), make_user(admin, "mia", land["id"])
    admin.put(f"{V3}/groups/{group['id']}/users/{mia['id']}", expect=204)
    grant(admin, f"domains/{land['id']}", f"groups/{group['id']}", "reader", inherited=True)
    listed = admin.get(f"{V3}/OS-INHERIT/domains/{land['id']}/groups/{group['id']}/roles/inherited_to_projects")
    assert [role["name"] for role in listed.json()["roles"]] == ["reader"]
    for project in (garden, shed):
        assert roles_of(login(cloud, mia, project={"id": project["id"]})) == {"reader"}
    login(cloud, mia, 401, domain={"id": land["id"]})
    assert login(cloud, mia).get(f"{V3}/auth/domains").json()["domains"] == []


def test_scopes_a_user_can_ask_for_are_told(cloud: ApiCloud) -> None:
    admin, mia = cloud.admin, None
    mia = make_user(admin, "mia")
    caller = login(cloud, mia)
    assert caller.get(f"{V3}/auth/system").json()["system"] == []
    grant(admin, "domains/default", f"users/{mia['id']}", "reader")
    grant(admin, "system", f"users/{mia['id']}", "reader")
    assert [d["id"] for d in caller.get(f"{V3}/auth/domains").json()["domains"]] == ["default"]
    assert caller.get(f"{V3}/auth/system").json()["system"] == [{"all": True}]
    caller.request("HEAD", f"{V3}/auth/projects", expect=200)


def _listed(caller: Caller, query: str, expect: int = 200) -> list[dict[str, Any]]:
    answer = caller.get(f"{V3}/role_assignments?{query}", expect=expect).json()
    return list(answer.get("role_assignments", ()))


def test_assignments_are_listed_by_every_filter(cloud: ApiCloud) -> None:
    admin = cloud.admin
    top, middle, _ = _tree(admin)
    group, mia = make(admin, "group", name="g"), make_user(admin, "mia")
    grant(admin, f"projects/{top['id']}", f"users/{mia['id']}", "member")
    grant(admin, f"projects/{top['id']}", f"groups/{group['id']}", "reader", inherited=True)
    grant(admin, f"projects/{middle['id']}", f"users/{mia['id']}", "reader")
    grant(admin, "domains/default", f"users/{mia['id']}", "reader")
    grant(admin, "system", f"users/{mia['id']}", "reader")
    me = f"user.id={mia['id']}"
    assert len(_listed(admin, me)) == 4
    assert len(_listed(admin, f"{me}&scope.system=all")) == 1
    assert len(_listed(admin, f"{me}&scope.domain.id=default")) == 1
    assert len(_listed(admin, f"{me}&role.id={role_id(admin, 'member')}")) == 1
    assert len(_listed(admin, f"scope.project.id={top['id']}")) == 2
    assert len(_listed(admin, f"scope.project.id={top['id']}&include_subtree")) == 3
    [inherited] = _listed(admin, f"group.id={group['id']}&scope.OS-INHERIT:inherited_to=projects")
    assert inherited["scope"] == {"project": {"id": top["id"]}, "OS-INHERIT:inherited_to": "projects"}
    assert inherited["links"]["assignment"].endswith(
        f"{V3}/OS-INHERIT/projects/{top['id']}/groups/{group['id']}/roles/{role_id(admin, 'reader')}"
        "/inherited_to_projects"
    )
    [system] = _listed(admin, f"{me}&scope.system=all")
    assert system["scope"] == {"system": {"all": True}}
    assert f"{V3}/system/users/{mia['id']}/roles/" in system["links"]["assignment"]


def test_names_are_listed_when_asked_for(cloud: ApiCloud) -> None:
    admin = cloud.admin
    mia, garden = make_user(admin, "mia"), make(admin, "project", name="garden")
    grant(admin, f"projects/{garden['id']}", f"users/{mia['id']}", "member")
    [entry] = _listed(admin, f"user.id={mia['id']}&include_names")
    home = {"id": "default", "name": "Default"}
    assert entry["user"] == {"id": mia["id"], "name": "mia", "domain": home}
    assert entry["scope"] == {"project": {"id": garden["id"], "name": "garden", "domain": home}}
    assert entry["role"] == {"id": role_id(admin, "member"), "name": "member"}
    [plain] = _listed(admin, f"user.id={mia['id']}&include_names=0")
    assert plain["user"] == {"id": mia["id"]}


def test_effective_assignments_are_those_of_users_on_targets(cloud: ApiCloud) -> None:
    admin = cloud.admin
    top, middle, bottom = _tree(admin)
    group, mia = make(admin, "group", name="g"), make_user(admin, "mia")
    admin.put(f"{V3}/groups/{group['id']}/users/{mia['id']}", expect=204)
    grant(admin, f"projects/{top['id']}", f"groups/{group['id']}", "member", inherited=True)
    found = _listed(admin, f"effective&user.id={mia['id']}")
    assert {(e["scope"]["project"]["id"], e["role"]["id"]) for e in found} == {
        (project["id"], role_id(admin, role)) for project in (middle, bottom) for role in ("member", "reader")
    }
    member, reader = role_id(admin, "member"), role_id(admin, "reader")
    [implied] = _listed(admin, f"effective&role.id={reader}&scope.project.id={bottom['id']}&user.id={mia['id']}")
    source = f"{V3}/OS-INHERIT/projects/{top['id']}/groups/{group['id']}/roles/{member}/inherited_to_projects"
    assert implied["links"]["assignment"].endswith(source)
    assert implied["links"]["membership"].endswith(f"{V3}/groups/{group['id']}/users/{mia['id']}")
    assert implied["links"]["prior_role"].endswith(f"/prior_role/{reader}/implies/{member}")
    assert "group" not in implied


@pytest.mark.parametrize(
    "query",
    [
        "scope.domain.id=default&scope.project.id=x",
        "scope.domain.id=default&scope.system=all",
        "scope.project.id=x&scope.system=all",
        "user.id=x&group.id=y",
        "effective&group.id=x",
        "effective&scope.domain.id=default&scope.OS-INHERIT:inherited_to=projects",
        "include_subtree",
    ],
)
def test_filters_that_exclude_each_other_are_refused(cloud: ApiCloud, query: str) -> None:
    _listed(cloud.admin, query, expect=400)


def test_a_list_of_many_assignments_costs_no_more_queries_than_one_of_few(cloud: ApiCloud) -> None:
    admin = cloud.admin
    group = make(admin, "group", name="g")
    mia = make_user(admin, "mia")
    admin.put(f"{V3}/groups/{group['id']}/users/{mia['id']}", expect=204)

    def queries() -> int:
        count: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            count.append(statement)

        engine = cloud.core.db.engines.reader
        event.listen(engine, "before_cursor_execute", note)
        _listed(admin, "effective&include_names")
        event.remove(engine, "before_cursor_execute", note)
        return len(count)

    grant(admin, "domains/default", f"groups/{group['id']}", "member", inherited=True)
    queries()
    few = queries()
    for number in range(10):
        project = make(admin, "project", name=f"p{number}")
        grant(admin, f"projects/{project['id']}", f"groups/{group['id']}", "member")
    queries()
    assert queries() == few


def test_a_reader_of_a_domain_lists_what_is_in_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    land = make(admin, "domain", name="land")
    garden = make(admin, "project", name="garden", domain_id=land["id"])
    mia = make_user(admin, "mia", land["id"])
    grant(admin, f"domains/{land['id']}", f"users/{mia['id']}", "reader")
    grant(admin, f"projects/{garden['id']}", f"users/{mia['id']}", "member")
    reader = login(cloud, mia, domain={"id": land["id"]})
    assert len(_listed(reader, "")) == 2
    assert {entry["user"]["id"] for entry in _listed(reader, "effective")} == {mia["id"]}
    _listed(reader, f"scope.project.id={garden['id']}&include_subtree")
    _listed(reader, f"scope.project.id={admin.project_id}&include_subtree", expect=403)
    _listed(login(cloud, mia, project={"id": garden["id"]}), "", expect=403)
