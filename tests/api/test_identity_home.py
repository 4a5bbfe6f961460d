"""The home document, and HEAD where there is GET."""

from __future__ import annotations

from tane.services.identity.routes import ROUTES
from tests.api.identity_support import V3, grant, make
from tests.support import ApiCloud

REL = "https://docs.openstack.org/api/openstack-identity/3"


def test_the_home_document_tells_the_address_of_every_resource(cloud: ApiCloud) -> None:
    answer = cloud.call("GET", V3, headers={"Accept": "application/json-home"})
    assert answer.headers["content-type"] == "application/json-home"
    resources = answer.json()["resources"]
    # All but the list of a project's tags, which Keystone's document does not name either.
    assert len(resources) == len({route.path for route in ROUTES if route.path.startswith("/v3/")}) - 1
    assert resources[f"{REL}/rel/projects"] == {"href": "/projects"}
    assert resources[f"{REL}/rel/project_user_role"] == {
        "href-template": "/projects/{project_id}/users/{user_id}/roles/{role_id}",
        "href-vars": {name: f"{REL}/param/{name}" for name in ("project_id", "user_id", "role_id")},
    }
    assert f"{REL}/ext/OS-EP-FILTER/1.0/rel/endpoint_group" in resources
    assert resources[f"{REL}/rel/user_change_password"]["href-template"] == "/users/{user_id}/password"
    assert resources[f"{REL}/ext/OS-OAUTH1/1.0/rel/request_tokens"] == {"href": "/OS-OAUTH1/request_token"}
    assert resources[f"{REL}/rel/implied_role"]["href-vars"]["implied_role_id"] == f"{REL}/param/role_id"
    assert "version" in cloud.call("GET", V3).json()


def test_head_answers_as_get_without_a_body(cloud: ApiCloud) -> None:
    admin = cloud.admin
    grant(admin, "system", f"users/{admin.user_id}", "reader")
    role = make(admin, "role", name="painter")
    for path in ("projects", "domains/default", "role_assignments", f"roles/{role['id']}", "auth/catalog", "limits"):
        shown, headed = admin.get(f"{V3}/{path}"), admin.request("HEAD", f"{V3}/{path}", expect=200)
        assert headed.content == b""
        assert headed.headers["content-type"] == shown.headers["content-type"]


def test_the_password_rule_is_told_to_everyone(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    path = f"{V3}/domains/default/config/security_compliance"
    told = {"password_regex": None, "password_regex_description": None}
    assert mia.get(path).json()["config"] == {"security_compliance": told}
    assert mia.get(f"{path}/password_regex").json()["config"] == {"password_regex": None}
    mia.get(f"{path}/lockout_duration", expect=403)
    other = make(cloud.admin, "domain", name="other")
    mia.get(f"{V3}/domains/{other['id']}/config/security_compliance", expect=403)


def test_the_limits_of_relatives_are_told_when_asked_for(cloud: ApiCloud) -> None:
    admin = cloud.admin
    top = make(admin, "project", name="top")
    bottom = make(admin, "project", name="bottom", parent_id=top["id"])
    grant(admin, f"projects/{bottom['id']}", f"users/{admin.user_id}", "member")
    service = make(admin, "service", type="painting")
    entry = {"service_id": service["id"], "resource_name": "canvas"}
    admin.post(f"{V3}/registered_limits", {"registered_limits": [{**entry, "default_limit": 1}]}, 201)
    limit = {**entry, "project_id": bottom["id"], "resource_limit": 3}
    admin.post(f"{V3}/limits", {"limits": [limit]}, 201)
    shown = admin.get(f"{V3}/projects/{top['id']}?subtree_as_list&include_limits").json()["project"]
    assert [row["resource_limit"] for row in shown["subtree"][0]["project"]["limits"]] == [3]
