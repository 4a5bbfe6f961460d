"""What does not exist and what is somebody else's look alike, and whose it is does not follow from the path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tane.services.identity.domain import signatures
from tane.web.context import Context
from tane.web.policy import Policy, Rule
from tests.api.identity_support import V3, grant, login, make, make_user, role_id
from tests.support import ApiCloud, Caller

NO_ID = "0" * 32
NEW = {
    "application_credential": {"name": "robot", "access_rules": [{"service": "image", "method": "GET", "path": "/"}]}
}


def _owned(mia: Caller) -> dict[str, str]:
    """One of each thing that is a user's own: its path below the user."""
    robot = mia.post(f"{V3}/users/{mia.user_id}/application_credentials", NEW, 201).json()["application_credential"]
    keys = mia.post(f"{V3}/users/{mia.user_id}/credentials/OS-EC2", {"tenant_id": mia.project_id}, 201).json()
    return {
        "application_credentials": robot["id"],
        "access_rules": robot["access_rules"][0]["id"],
        "credentials/OS-EC2": keys["credential"]["access"],
    }


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


@pytest.fixture
def tom(cloud: ApiCloud) -> Caller:
    return cloud.new_user("tom", "forest")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("kind", ["application_credentials", "access_rules", "credentials/OS-EC2"])
def test_what_is_a_users_own_opens_to_nobody_by_any_path(mia: Caller, tom: Caller, kind: str, method: str) -> None:
    own = _owned(mia)[kind]
    tom.request(method, f"{V3}/users/{mia.user_id}/{kind}/{own}", expect=403)
    # By the stranger's own name in the path: Keystone looks at whose it is. An access rule is not found there.
    below_own_name = 404 if kind == "access_rules" else 403
    tom.request(method, f"{V3}/users/{tom.user_id}/{kind}/{own}", expect=below_own_name)
    # That there are no such EC2 keys Keystone tells everyone; of the others' the rest nobody learns.
    nothing = 404 if kind == "credentials/OS-EC2" else 403
    tom.request(method, f"{V3}/users/{mia.user_id}/{kind}/{NO_ID}", expect=nothing)
    tom.request(method, f"{V3}/users/{tom.user_id}/{kind}/{NO_ID}", expect=404)
    mia.get(f"{V3}/users/{mia.user_id}/{kind}/{own}")


def test_an_administrator_reaches_them_and_learns_what_does_not_exist(cloud: ApiCloud, mia: Caller) -> None:
    own, path = _owned(mia), f"{V3}/users/{mia.user_id}"
    for kind in ("application_credentials", "credentials/OS-EC2"):
        cloud.admin.get(f"{path}/{kind}/{NO_ID}", expect=404)
        cloud.admin.get(f"{path}/{kind}/{own[kind]}")
        cloud.admin.delete(f"{path}/{kind}/{own[kind]}")


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {"blob": "x"}), ("DELETE", None)])
def test_credentials_of_others_and_none_at_all_are_refused_alike(
    cloud: ApiCloud, mia: Caller, tom: Caller, method: str, body: dict[str, Any] | None
) -> None:
    made = make(mia, "credential", user_id=mia.user_id, type="cert", blob="secret")
    answers = {
        tom.request(method, f"{V3}/credentials/{one}", json=body and {"credential": body}, expect=403).text
        for one in (made["id"], NO_ID)
    }
    assert len(answers) == 1
    cloud.admin.request(method, f"{V3}/credentials/{NO_ID}", json=body and {"credential": body}, expect=404)


@pytest.mark.parametrize("scope", ["project", "domain"])
@pytest.mark.parametrize("role", ["reader", "member", "manager"])
def test_roles_of_a_domain_are_the_clouds_administrators(cloud: ApiCloud, role: str, scope: str) -> None:
    """Neither read, listed, changed nor implied by others, not by those of the domain either; one that does not exist
    is not found, by anyone."""
    admin = cloud.admin
    land = make(admin, "domain", name="land")["id"]
    field = make(admin, "project", name="field", domain_id=land)["id"]
    special = make(admin, "role", name="special", domain_id=land)["id"]
    place = field if scope == "project" else land
    user = make_user(admin, "boss", land)
    grant(admin, f"{scope}s/{place}", f"users/{user['id']}", role)
    boss = login(cloud, user, **{scope: {"id": place}})
    boss.get(f"{V3}/roles?domain_id={land}", expect=403)
    for method in ("GET", "PATCH", "DELETE"):
        boss.request(method, f"{V3}/roles/{special}", json={"role": {"name": "x"}}, expect=403)
        boss.request(method, f"{V3}/roles/{NO_ID}", json={"role": {"name": "x"}}, expect=404)
    reader = role_id(admin, "reader")
    for prior, implied in ((special, reader), (reader, special)):
        for method in ("GET", "PUT", "DELETE", "HEAD"):
            boss.request(method, f"{V3}/roles/{prior}/implies/{implied}", expect=403)
    boss.put(f"{V3}/projects/{field}/users/{user['id']}/roles/{special}", expect=403)


def test_the_manager_of_a_domain_names_the_domain(cloud: ApiCloud) -> None:
    """Nothing is made in a domain that was not named, be it the own one or, by null or nothing, the default one."""
    admin = cloud.admin
    land = make(admin, "domain", name="land")["id"]
    user = make_user(admin, "boss", land)
    grant(admin, f"domains/{land}", f"users/{user['id']}", "manager")
    boss = login(cloud, user, domain={"id": land})
    for kind in ("user", "group", "project"):
        for named in ({}, {"domain_id": None}, {"domain_id": "default"}, {"domain_id": ""}, {"domain_id": [land]}):
            answer = boss.post(f"{V3}/{kind}s", {kind: {"name": "new", **named}})
            assert answer.status_code in (400, 403), (kind, named, answer.text)
        boss.post(f"{V3}/{kind}s", {kind: {"name": "new", "domain_id": land}}, 201)
    assert [u["name"] for u in admin.get(f"{V3}/users?domain_id=default").json()["users"]] == ["admin"]


@pytest.mark.parametrize("role", ["manager", "admin"])
def test_who_manages_a_domain_does_not_take_over_the_project_that_looks_after_the_cloud(
    cloud: ApiCloud, role: str
) -> None:
    admin, dora = cloud.admin, make_user(cloud.admin, "dora")
    grant(admin, "domains/default", f"users/{dora['id']}", role)
    manager = login(cloud, dora, domain={"id": "default"})
    clouds = f"/identity/v3/projects/{admin.project_id}"
    manager.patch(clouds, {"project": {"enabled": False}}, 403)
    manager.patch(clouds, {"project": {"name": "mine"}}, 403)
    manager.delete(clouds, 403)
    manager.put(f"{clouds}/tags/mine", expect=403)
    group = make(manager, "group", name="friends", domain_id="default")
    member = role_id(admin, "member")
    for who in (f"users/{dora['id']}", f"groups/{group['id']}"):
        manager.put(f"{clouds}/{who}/roles/{member}", expect=403)
        inherited = f"{who}/roles/{member}/inherited_to_projects"
        manager.put(f"/identity/v3/OS-INHERIT/domains/default/{inherited}", expect=403)
        manager.put(f"/identity/v3/OS-INHERIT/projects/{admin.project_id}/{inherited}", expect=403)
    own = make(manager, "project", name="own", domain_id="default")
    manager.put(f"/identity/v3/projects/{own['id']}/users/{dora['id']}/roles/{member}", expect=204)
    manager.patch(f"/identity/v3/projects/{own['id']}", {"project": {"enabled": False}})
    admin.get(clouds)


@pytest.mark.parametrize("named", [{}, {"domain_id": None}, {"domain_id": "None"}, {"domain_id": ""}])
@pytest.mark.parametrize("kind", ["user", "group", "project"])
@pytest.mark.parametrize("scope", ["project", "system"])
def test_who_manages_no_domain_makes_nothing_where_none_is_named(
    cloud: ApiCloud, kind: str, named: dict[str, Any], scope: str
) -> None:
    """A token that is of no domain is not of the one that was left out."""
    land = make(cloud.admin, "domain", name="land")["id"]
    field = make(cloud.admin, "project", name="field", domain_id=land)["id"]
    user = make_user(cloud.admin, "boss", land)
    grant(cloud.admin, f"projects/{field}" if scope == "project" else "system", f"users/{user['id']}", "manager")
    boss = login(cloud, user, **({"project": {"id": field}} if scope == "project" else {"system": {"all": True}}))
    boss.post(f"{V3}/{kind}s", {kind: {"name": "weed", **named}}, 403)


@pytest.mark.parametrize(
    ("check", "target"),
    [
        ("domain_id:%(target.user.domain_id)s", {"target.user.domain_id": None}),
        ("domain_id:%(target.user.domain_id)s", {"target.user.domain_id": "None"}),
        ("project_id:%(project_id)s", {"project_id": None}),
        ("project_id:%(project_id)s", {"project_id": "None"}),
        ("token.domain.id:%(target.domain_id)s", {"target.domain_id": None}),
        ("system_scope:%(x)s", {"x": None}),
    ],
)
def test_what_a_caller_has_none_of_is_nobodys(check: str, target: dict[str, Any]) -> None:
    policy = Policy([Rule("x", check), Rule("none", "None:%(target.role.domain_id)s"), Rule("no", "domain_id:None")])
    nobody = Context(request_id="r", user_id="u")
    assert not policy.allows("x", nobody, target)
    assert policy.allows("none", nobody, {"target.role.domain_id": None})
    assert policy.allows("no", nobody, target)


@pytest.mark.parametrize("held_by", ["user", "group"])
def test_the_manager_of_a_domain_does_not_become_its_administrator(cloud: ApiCloud, held_by: str) -> None:
    """Neither by a group nor by a password: what he may not grant himself he does not get by another way."""
    admin = cloud.admin
    land = make(admin, "domain", name="land")["id"]
    boss, king = make_user(admin, "boss", land), make_user(admin, "king", land)
    rulers = make(admin, "group", name="rulers", domain_id=land)["id"]
    grant(admin, f"domains/{land}", f"users/{boss['id']}", "manager")
    grant(admin, f"domains/{land}", f"users/{king['id']}" if held_by == "user" else f"groups/{rulers}", "admin")
    if held_by == "group":
        admin.put(f"{V3}/groups/{rulers}/users/{king['id']}", expect=204)
    manager = login(cloud, boss, domain={"id": land})
    manager.patch(f"{V3}/users/{king['id']}", {"user": {"password": "mine-now-it-is"}}, 403)
    manager.delete(f"{V3}/users/{king['id']}", 403)
    if held_by == "group":
        manager.put(f"{V3}/groups/{rulers}/users/{boss['id']}", expect=403)
        manager.patch(f"{V3}/groups/{rulers}", {"group": {"name": "ruled"}}, 403)
    ruler = login(cloud, king, domain={"id": land})
    ruler.patch(f"{V3}/users/{boss['id']}", {"user": {"description": "manages"}}, 200)
    ruler.patch(f"{V3}/groups/{rulers}", {"group": {"description": "of the land"}}, 200)
    other = make_user(admin, "other", land)
    grant(admin, f"domains/{land}", f"users/{other['id']}", "admin")
    ruler.patch(f"{V3}/users/{other['id']}", {"user": {"description": "rules, too"}}, 200)


@pytest.mark.parametrize("secret", [None, "", "missing"])
def test_keys_without_a_secret_are_nobodys(cloud: ApiCloud, mia: Caller, secret: Any) -> None:
    keys = {"access": "a" * 20} if secret == "missing" else {"access": "a" * 20, "secret": secret}
    body = {"user_id": mia.user_id, "project_id": mia.project_id, "type": "ec2", "blob": json.dumps(keys)}
    mia.post(f"{V3}/credentials", {"credential": body}, 201)
    call: dict[str, Any] = {"access": "a" * 20, "verb": "GET", "host": "x", "path": "/", "headers": {}, "body_hash": ""}
    call["params"] = {"SignatureVersion": "2", "SignatureMethod": "HmacSHA256"}
    for guess in ("None", ""):
        call["signature"] = signatures.ec2_signature(guess, call)
        cloud.admin.post(f"{V3}/ec2tokens", {"credentials": call}, 401)


def test_a_secret_that_is_no_text_is_refused(mia: Caller) -> None:
    blob = json.dumps({"access": "a" * 20, "secret": 7})
    body = {"user_id": mia.user_id, "project_id": mia.project_id, "type": "ec2", "blob": blob}
    mia.post(f"{V3}/credentials", {"credential": body}, 400)


def test_the_account_of_nobody_is_nobodys(cloud: ApiCloud) -> None:
    land = make(cloud.admin, "domain", name="land")["id"]
    user = make_user(cloud.admin, "dom", land)
    grant(cloud.admin, f"domains/{land}", f"users/{user['id']}", "member")
    login(cloud, user, domain={"id": land}).get("/object-store/v1/AUTH_None", 403)
