"""Identity as its clients see it."""

from __future__ import annotations

from tests.support import ADMIN_PASSWORD, ApiCloud


def test_the_administrator_logs_in_and_sees_the_catalogue(cloud: ApiCloud) -> None:
    admin = cloud.admin
    token = admin.get("/identity/v3/auth/tokens", headers={"X-Subject-Token": admin.token}).json()["token"]
    assert token["project"]["name"] == "admin"
    assert {role["name"] for role in token["roles"]} == {"admin", "manager", "member", "reader"}
    [identity] = [entry for entry in token["catalog"] if entry["type"] == "identity"]
    assert {endpoint["interface"] for endpoint in identity["endpoints"]} == {"public", "internal", "admin"}


def test_a_wrong_password_and_an_unknown_user_are_refused_alike(cloud: ApiCloud) -> None:
    for name in ("admin", "nobody"):
        user = {"name": name, "domain": {"id": "default"}, "password": "wrong"}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        response = cloud.call("POST", "/identity/v3/auth/tokens", json=body)
        assert response.status_code == 401
        assert response.json()["error"]["message"] == "The request you have made requires authentication."


def test_a_revoked_token_is_refused(cloud: ApiCloud) -> None:
    admin, other = cloud.admin, cloud.admin_again()
    admin.delete("/identity/v3/auth/tokens", headers={"X-Subject-Token": other.token})
    other.get("/identity/v3/users", expect=401)
    admin.get("/identity/v3/users")


def test_taking_a_role_away_works_at_once(cloud: ApiCloud) -> None:
    user, admin = cloud.new_user("mia", "garden"), cloud.admin
    [role] = admin.get("/identity/v3/roles?name=member").json()["roles"]
    user.get("/identity/v3/auth/projects")
    admin.delete(f"/identity/v3/projects/{user.project_id}/users/{user.user_id}/roles/{role['id']}")
    user.get("/identity/v3/auth/projects", expect=401)


def test_a_changed_password_ends_older_tokens(cloud: ApiCloud) -> None:
    user = cloud.new_user("mia", "garden")
    body = {"user": {"original_password": "mia-secret", "password": "another"}}
    user.post(f"/identity/v3/users/{user.user_id}/password", body, 204)
    user.get("/identity/v3/auth/projects", expect=401)
    cloud.login("mia", "another", "garden")


def test_a_member_may_not_administer(cloud: ApiCloud) -> None:
    user = cloud.new_user("mia", "garden")
    for method, path in (("GET", "/users"), ("POST", "/projects"), ("GET", "/role_assignments")):
        response = user.request(method, f"/identity/v3{path}", json={"project": {"name": "x"}})
        assert response.status_code == 403, path
        assert "You are not authorized" in response.json()["error"]["message"]


def test_a_name_is_taken_only_once_in_a_domain(cloud: ApiCloud) -> None:
    admin = cloud.admin
    admin.post("/identity/v3/projects", {"project": {"name": "garden"}}, 201)
    admin.post("/identity/v3/projects", {"project": {"name": "garden"}}, 409)


def test_bad_input_names_the_field_and_the_rule(cloud: ApiCloud) -> None:
    admin = cloud.admin
    response = admin.post("/identity/v3/projects", {"project": {"name": "x" * 65}}, 400)
    assert "project.name" in response.json()["error"]["message"]
    response = admin.post("/identity/v3/projects", {"project": {"name": 5}}, 400)
    assert "project.name" in response.json()["error"]["message"]
    admin.request("POST", "/identity/v3/projects", content=b"{", expect=400)


def test_a_token_of_a_token_ends_when_the_first_one_does(cloud: ApiCloud) -> None:
    first = cloud.admin
    shown = first.get("/identity/v3/auth/tokens", headers={"X-Subject-Token": first.token}).json()["token"]
    body = {
        "auth": {
            "identity": {"methods": ["token"], "token": {"id": first.token}},
            "scope": {"project": {"id": first.project_id}},
        }
    }
    second = cloud.call("POST", "/identity/v3/auth/tokens", json=body).json()["token"]
    assert second["expires_at"] == shown["expires_at"]
    assert second["methods"] == ["token", "password"]


def test_scopes_of_domain_system_and_none(cloud: ApiCloud) -> None:
    assert cloud.login("admin", ADMIN_PASSWORD, domain={"id": "default"}).project_id == ""
    assert cloud.login("admin", ADMIN_PASSWORD, system={"all": True}).project_id == ""
    unscoped = cloud.login("admin", ADMIN_PASSWORD)
    assert [p["name"] for p in unscoped.get("/identity/v3/auth/projects").json()["projects"]] == ["admin"]


def test_a_project_has_tags(cloud: ApiCloud) -> None:
    user, admin = cloud.new_user("mia", "garden"), cloud.admin
    path = f"/identity/v3/projects/{user.project_id}/tags"
    admin.request("PUT", f"{path}/green").raise_for_status()
    admin.get(f"{path}/green", expect=204)
    tags = admin.request("PUT", path, json={"tags": ["wide", "wide", "old"]}).json()["tags"]
    assert tags == ["wide", "old"]
    admin.delete(f"{path}/wide")
    admin.get(f"{path}/wide", expect=404)
    assert user.get(path).json()["tags"] == ["old"]
    assert user.request("DELETE", path).status_code == 403
    admin.delete(path)
    assert user.get(path).json()["tags"] == []
    assert admin.request("PUT", path, json={"tags": ["a,b"]}).status_code == 400


def test_a_member_sees_the_domain_of_the_own_project_only(cloud: ApiCloud) -> None:
    user, admin = cloud.new_user("mia", "garden"), cloud.admin
    other = admin.post("/identity/v3/domains", {"domain": {"name": "other"}}, 201).json()["domain"]
    assert user.get("/identity/v3/domains/default").json()["domain"]["id"] == "default"
    user.get(f"/identity/v3/domains/{other['id']}", expect=403)


def test_a_domain_made_as_a_project_is_changed_and_deleted_as_one(cloud: ApiCloud) -> None:
    admin = cloud.admin
    body = {"project": {"name": "land", "is_domain": True, "domain_id": None}}
    path = f"/identity/v3/projects/{admin.post('/identity/v3/projects', body, 201).json()['project']['id']}"
    assert admin.request("DELETE", path).status_code == 403
    admin.request("PATCH", path, json={"project": {"enabled": False}}).raise_for_status()
    admin.delete(path)
    admin.get(path, expect=404)


def test_a_region_is_made_by_its_id_and_by_an_endpoint_that_names_it(cloud: ApiCloud) -> None:
    admin = cloud.admin
    body = {"region": {"description": "far"}}
    assert admin.request("PUT", "/identity/v3/regions/north", json=body).status_code == 201
    assert admin.request("PUT", "/identity/v3/regions/north", json=body).status_code == 409
    endpoint = admin.get("/identity/v3/endpoints").json()["endpoints"][0]
    changed = {"endpoint": {"region": "south"}}
    admin.request("PATCH", f"/identity/v3/endpoints/{endpoint['id']}", json=changed).raise_for_status()
    admin.get("/identity/v3/regions/south")


def test_a_user_of_an_unknown_domain_is_not_made(cloud: ApiCloud) -> None:
    cloud.admin.post("/identity/v3/users", {"user": {"name": "mia", "domain_id": "nowhere"}}, 404)
