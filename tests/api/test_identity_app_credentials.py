"""Application credentials: a program's own way in, narrower than its user's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tane.web.access import AccessRule, permits
from tests.api.identity_support import V3, as_in, authenticate, by_password, caller_of, process_of, token_of
from tests.support import ApiCloud, Caller

LIST_SERVERS = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


def make(caller: Caller, expect: int = 201, **values: Any) -> dict[str, Any]:
    body = {"application_credential": {"name": "robot", **values}}
    path = f"{V3}/users/{caller.user_id}/application_credentials"
    made: dict[str, Any] = caller.post(path, body, expect).json().get("application_credential", {})
    return made


def proof(credential: dict[str, Any]) -> dict[str, Any]:
    return {"application_credential": {"id": credential["id"], "secret": credential["secret"]}}


def login(cloud: ApiCloud, credential: dict[str, Any]) -> Caller:
    return caller_of(cloud, authenticate(cloud, proof(credential)))


def test_a_program_logs_in_with_a_secret_that_is_shown_once(cloud: ApiCloud, mia: Caller) -> None:
    made = make(mia, description="waters the plants")
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    shown = mia.get(f"{path}/{made['id']}").json()["application_credential"]
    assert "secret" not in shown and shown["description"] == "waters the plants"
    assert [one["id"] for one in mia.get(f"{path}?name=robot").json()["application_credentials"]] == [made["id"]]
    robot = login(cloud, made)
    token = token_of(robot)
    assert token["methods"] == ["application_credential"]
    assert token["application_credential"] == {"id": made["id"], "name": "robot", "restricted": True}
    assert (token["project"]["id"], token["user"]["id"]) == (mia.project_id, mia.user_id)
    by_name = {"name": "robot", "secret": made["secret"], "user": {"name": "mia", "domain": {"id": "default"}}}
    assert authenticate(cloud, {"application_credential": by_name}).status_code == 201
    robot.get("/compute/v2.1/servers")


def test_a_wrong_secret_a_scope_and_an_unknown_credential_are_refused(cloud: ApiCloud, mia: Caller) -> None:
    made = make(mia, secret="chosen")
    assert made["secret"] == "chosen"
    assert authenticate(cloud, proof({**made, "secret": "wrong"})).status_code == 401
    assert authenticate(cloud, proof({**made, "id": "0" * 32})).status_code == 401
    assert authenticate(cloud, proof(made), {"project": {"id": mia.project_id}}).status_code == 401
    assert authenticate(cloud, proof(made)).status_code == 201
    assert authenticate(cloud, proof({**made, "secret": "wrong"})).status_code == 401


def test_a_credential_holds_some_of_the_roles_of_its_user(cloud: ApiCloud, mia: Caller) -> None:
    reader = make(mia, roles=[{"name": "reader"}])
    assert [role["name"] for role in token_of(login(cloud, reader))["roles"]] == ["reader"]
    make(mia, 400, name="boss", roles=[{"name": "admin"}])
    make(mia, 404, name="ghost", roles=[{"name": "ghost"}])
    make(mia, 409)


def test_a_credential_ends_by_time_by_deletion_and_with_a_lost_role(cloud: ApiCloud, mia: Caller) -> None:
    ends = (cloud.core.clock.now() + timedelta(seconds=60)).isoformat()
    short, deleted, last = make(mia, expires_at=ends), make(mia, name="second"), make(mia, name="third")
    assert short["expires_at"] == ends
    robots = [login(cloud, one) for one in (short, deleted, last)]
    with process_of(cloud) as other:
        there = as_in(other, robots[1])
        there.get(f"{V3}/auth/catalog")
        mia.delete(f"{V3}/users/{mia.user_id}/application_credentials/{deleted['id']}")
        there.get(f"{V3}/auth/catalog", expect=401)
    cloud.advance(61)
    robots[0].get(f"{V3}/auth/catalog", expect=401)
    assert authenticate(cloud, proof(short)).status_code == 401
    robots[2].get(f"{V3}/auth/catalog")
    admin = cloud.admin
    [role] = admin.get(f"{V3}/roles?name=member").json()["roles"]
    admin.delete(f"{V3}/projects/{mia.project_id}/users/{mia.user_id}/roles/{role['id']}")
    robots[2].get(f"{V3}/auth/catalog", expect=401)
    assert authenticate(cloud, proof(last)).status_code == 401
    make(mia, 401, name="late")
    make(cloud.admin, 400, name="old", expires_at="2001-01-01T00:00:00")


def test_a_restricted_credential_makes_no_other_delegation(cloud: ApiCloud, mia: Caller) -> None:
    robot = login(cloud, make(mia))
    make(robot, 403, name="second")
    body = {"tenant_id": mia.project_id}
    robot.post(f"{V3}/users/{mia.user_id}/credentials/OS-EC2", body, 403)
    trust = {"trustor_user_id": mia.user_id, "trustee_user_id": mia.user_id, "impersonation": False}
    robot.post(f"{V3}/OS-TRUST/trusts", {"trust": {**trust, "project_id": mia.project_id, "roles": []}}, 403)
    free = login(cloud, make(mia, name="free", unrestricted=True))
    make(free, name="of free")
    free.post(f"{V3}/OS-TRUST/trusts", {"trust": {**trust, "project_id": mia.project_id, "roles": []}}, 403)


def test_a_token_of_a_credential_makes_only_tokens_of_the_same(cloud: ApiCloud, mia: Caller) -> None:
    robot = login(cloud, make(mia, access_rules=[LIST_SERVERS]))
    identity = {"token": {"id": robot.token}}
    assert authenticate(cloud, identity, {"project": {"id": mia.project_id}}).status_code == 403
    assert authenticate(cloud, identity, "unscoped").status_code == 403
    again = caller_of(cloud, authenticate(cloud, identity))
    again.get("/compute/v2.1/servers")
    again.get("/compute/v2.1/flavors", expect=401)


def test_access_rules_are_enforced_by_every_service(cloud: ApiCloud, mia: Caller) -> None:
    rules = [
        LIST_SERVERS,
        {"service": "network", "method": "GET", "path": "/v2.0/networks/*"},
        {"service": "image", "method": "GET", "path": "/v2/**"},
        {"service": "block-storage", "method": "GET", "path": "/v3/{project_id}/volumes"},
    ]
    robot = login(cloud, make(mia, access_rules=rules, unrestricted=True))
    robot.get("/compute/v2.1/servers")
    robot.post("/compute/v2.1/servers", {"server": {}}, 401)
    robot.get("/compute/v2.1/servers/detail", expect=401)
    robot.get("/network/v2.0/networks/0", expect=404)
    robot.get("/network/v2.0/networks", expect=401)
    robot.get("/network/v2.0/networks/0/tags", expect=401)
    robot.get("/image/v2/images")
    robot.get("/image/v2/schemas/image")
    robot.post("/image/v2/images", {}, 401)
    robot.get(f"/volume/v3/{mia.project_id}/volumes")
    robot.get(f"/volume/v3/{mia.project_id}/snapshots", expect=401)
    make(robot, 401, name="second")
    robot.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": robot.token})


def test_access_rules_are_shared_listed_and_kept_while_used(cloud: ApiCloud, mia: Caller) -> None:
    first, second = make(mia, access_rules=[LIST_SERVERS]), make(mia, name="second", access_rules=[LIST_SERVERS])
    [rule] = first["access_rules"]
    assert second["access_rules"] == [rule]
    path = f"{V3}/users/{mia.user_id}/access_rules"
    [listed] = mia.get(path).json()["access_rules"]
    assert listed.items() >= (LIST_SERVERS | {"id": rule["id"]}).items()
    assert mia.get(f"{path}?service=image").json()["access_rules"] == []
    mia.get(f"{path}/{rule['id']}")
    mia.delete(f"{path}/{rule['id']}", expect=403)
    for made in (first, second):
        mia.delete(f"{V3}/users/{mia.user_id}/application_credentials/{made['id']}")
    mia.delete(f"{path}/{rule['id']}")
    mia.get(f"{path}/{rule['id']}", expect=404)
    make(mia, 400, access_rules=[{**LIST_SERVERS, "method": "LOOK"}])
    make(mia, 404, access_rules=[{"id": "0" * 32}])


def test_others_see_nothing_of_a_users_credentials(cloud: ApiCloud, mia: Caller) -> None:
    tom, made = cloud.new_user("tom", "forest"), make(mia)
    path = f"{V3}/users/{mia.user_id}"
    for rest in ("application_credentials", f"application_credentials/{made['id']}", "access_rules"):
        tom.get(f"{path}/{rest}", expect=403)
    tom.delete(f"{path}/application_credentials/{made['id']}", expect=403)
    # Whose it is, it says itself, whatever the path says; and of others' nobody learns whether there is one.
    tom.get(f"{V3}/users/{tom.user_id}/application_credentials/{made['id']}", expect=403)
    tom.delete(f"{V3}/users/{tom.user_id}/application_credentials/{made['id']}", expect=403)
    tom.get(f"{path}/application_credentials/{'0' * 32}", expect=403)
    tom.get(f"{V3}/users/{tom.user_id}/application_credentials/{'0' * 32}", expect=404)
    cloud.admin.post(f"{path}/application_credentials", {"application_credential": {"name": "x"}}, 403)


def test_a_service_that_knows_no_access_rules_does_not_find_their_token(cloud: ApiCloud, mia: Caller) -> None:
    robot, service = login(cloud, make(mia, access_rules=[LIST_SERVERS])), cloud.new_user("nova", "services", "service")
    header = {"X-Subject-Token": robot.token}
    service.get(f"{V3}/auth/tokens", expect=404, headers=header)
    service.get(f"{V3}/auth/tokens", headers={**header, "OpenStack-Identity-Access-Rules": "1.0"})
    token_of(robot)


def test_a_locked_out_password_does_not_stop_the_program(cloud: ApiCloud, mia: Caller) -> None:
    made = make(mia)
    cloud.core.config.lockout_failure_attempts = 1
    assert authenticate(cloud, by_password("mia", "wrong")).status_code == 401
    assert authenticate(cloud, proof(made)).status_code == 201


def test_a_pattern_made_to_take_for_ever_takes_no_time() -> None:
    rule = AccessRule("compute", "GET", "/" + "**a" * 74 + "b")
    assert not permits([rule], ["compute"], "GET", "/compute/" + "a" * 400)


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/v2.1/servers", "/compute/v2.1/servers", True),
        ("/compute/v2.1/servers", "/compute/v2.1/servers", True),
        ("/v2.1/servers", "/compute/v2.1/servers/1", False),
        ("/v2.1/servers/*", "/compute/v2.1/servers/1", True),
        ("/v2.1/servers/*", "/compute/v2.1/servers/1/ips", False),
        ("/v2.1/servers/*/ips", "/compute/v2.1/servers/1/ips", True),
        ("/v2.1/servers/{id}/ips", "/compute/v2.1/servers/1/ips", True),
        ("/v2.1/**", "/compute/v2.1/servers/1/ips", True),
        ("/v2.1/servers", "/compute/v2x1/servers", False),
        ("/v2.1/*", "/compute/v2.1/", False),
        ("/v2.1/s*s/**/x", "/compute/v2.1/servers/1/2/x", True),
        ("/v2.1/**x/**", "/compute/v2.1/servers", False),
        ("/{a}/{b}", "/compute/v2.1", True),
    ],
)
def test_patterns_of_paths(pattern: str, path: str, allowed: bool) -> None:
    assert permits([AccessRule("compute", "GET", pattern)], ["compute"], "GET", path) is allowed
    assert not permits([AccessRule("image", "GET", pattern)], ["compute"], "GET", path)
    assert not permits([AccessRule("compute", "POST", pattern)], ["compute"], "GET", path)
