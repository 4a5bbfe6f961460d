"""Delegation by OAuth 1.0a: a program acts for a user, as far and as long as the user lets it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tane.services.identity.domain import audit, oauth, revocations
from tane.services.identity.domain.signatures import ec2_signature
from tests.api.identity_support import (
    V3,
    as_in,
    authenticate,
    caller_of,
    grant,
    make,
    process_of,
    role_id,
    token_of,
)
from tests.api.oauth_support import OAUTH, Consumer, Pair, authorize, pair_of
from tests.support import ApiCloud, Caller


@pytest.fixture
def program(cloud: ApiCloud) -> Consumer:
    return Consumer.make(cloud)


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    """An administrator, as Keystone's policy has it, of a project of her own, where she is a member as well."""
    return cloud.new_user("mia", "garden", "admin")


def access_tokens(user: Caller) -> str:
    return f"{V3}/users/{user.user_id}/OS-OAUTH1/access_tokens"


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["message"]


def test_a_program_acts_for_a_user_with_the_roles_it_was_given(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    access = program.get_access(mia, "member")
    acting = caller_of(cloud, program.enter(access))
    token = token_of(acting)
    assert token["methods"] == ["oauth1"]
    assert token["user"]["name"] == "mia"
    assert token["project"]["id"] == mia.project_id
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert token["OS-OAUTH1"] == {"access_token_id": access.key, "consumer_id": program.pair.key}
    assert "catalog" in token
    acting.get(f"{V3}/auth/catalog")
    acting.get("/network/v2.0/networks")
    acting.post(f"{V3}/projects", {"project": {"name": "another"}}, 403)


def test_a_user_sees_and_takes_back_what_programs_may_do(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    access = program.get_access(mia, "member", "reader")
    path = f"{access_tokens(mia)}/{access.key}"
    shown = mia.get(path).json()["access_token"]
    assert shown == {
        "id": access.key,
        "consumer_id": program.pair.key,
        "project_id": mia.project_id,
        "authorizing_user_id": mia.user_id,
        "expires_at": access.expires_at,
        "links": {"self": f"http://cloud.test{path}", "roles": f"http://cloud.test{path}/roles"},
    }
    assert mia.get(access_tokens(mia)).json()["access_tokens"] == [shown]
    roles = mia.get(f"{path}/roles").json()["roles"]
    assert {role["name"] for role in roles} == {"member", "reader"}
    assert mia.get(f"{path}/roles/{roles[0]['id']}").json()["role"]["id"] == roles[0]["id"]
    mia.get(f"{path}/roles/none", expect=404)
    other = f"{V3}/users/{cloud.admin.user_id}/OS-OAUTH1/access_tokens/{access.key}"
    for address in (other, f"{other}/roles"):
        mia.get(address, expect=404)
    mia.delete(other, expect=404)
    mia.delete(path)
    mia.get(path, expect=404)
    assert mia.get(access_tokens(mia)).json()["access_tokens"] == []
    assert program.enter(access).status_code == 404


def test_a_member_lets_no_program_in_where_the_policy_is_that_of_keystone(cloud: ApiCloud, program: Consumer) -> None:
    tom = cloud.new_user("tom", "forest")
    asked = pair_of(program.ask(tom.project_id))
    tom.put(f"{OAUTH}/authorize/{asked.key}", {"roles": [{"name": "member"}]}, 403)
    tom.get(access_tokens(tom), expect=403)


def test_only_roles_one_has_are_given_on(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    painter = make(cloud.admin, "role", name="painter")
    asked = pair_of(program.ask(mia.project_id))
    path = f"{OAUTH}/authorize/{asked.key}"
    for role in ({"id": painter["id"]}, {"name": "painter"}):
        answer = mia.put(path, {"roles": [role]}, 401)
        assert answer.json()["error"]["message"] == "authorizing user does not have role required"
    mia.put(path, {"roles": [{"name": "no such role"}]}, 404)
    mia.put(path, {"roles": []}, 400)
    mia.put(path, {"roles": [{}]}, 400)
    mia.put(f"{OAUTH}/authorize/none", {"roles": [{"name": "member"}]}, 404)
    grant(cloud.admin, f"projects/{mia.project_id}", f"users/{mia.user_id}", "painter")
    mia = cloud.login("mia", "mia-secret", "garden")
    verifier = mia.put(path, {"roles": [{"id": painter["id"]}]}, 200).json()["token"]["oauth_verifier"]
    assert len(verifier) == 8
    acting = caller_of(cloud, program.enter(pair_of(program.exchange(asked, verifier))))
    assert [role["name"] for role in token_of(acting)["roles"]] == ["painter"]


def test_a_request_token_is_exchanged_once_and_not_before_it_is_authorized(
    cloud: ApiCloud, program: Consumer, mia: Caller
) -> None:
    asked = pair_of(program.ask(mia.project_id))
    early = program.exchange(asked, "abcdefgh")
    assert error_of(early) == (401, "Provided verifier does not match stored verifier")
    verifier = authorize(mia, asked, "member")
    assert program.exchange(asked, verifier).status_code == 201
    assert program.exchange(asked, verifier).status_code == 404


def test_a_wrong_request_is_refused_with_what_is_wrong(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    """As Keystone's own tests have it."""
    project_id = mia.project_id
    liar = Consumer(cloud, Pair(program.pair.key, "guess"))
    assert error_of(liar.ask(project_id)) == (401, "Invalid signature")
    assert Consumer(cloud, Pair("none", program.pair.secret)).ask(project_id).status_code == 404
    assert program.ask("none").status_code == 404
    assert program.ask("default").status_code == 404, "a domain is no project"
    assert program.ask("").status_code == 400
    path = f"{OAUTH}/request_token"
    project = {"Requested-Project-Id": project_id}
    for header in (None, "Basic abc", "OAuth", 'OAuth oauth_version="1.0"'):
        headers = project if header is None else project | {"Authorization": header}
        assert cloud.call("POST", path, headers=headers).status_code == 400, header
    bare = project | {"Authorization": f'OAuth oauth_version="1.0", oauth_consumer_key="{program.pair.key}"'}
    status, message = error_of(cloud.call("POST", path, headers=bare))
    assert (status, "Validation failed with errors" in message) == (400, True)
    assert program.ask(project_id, signature_method="PLAINTEXT").status_code == 400
    assert cloud.call("POST", path, headers=project | program.sign(path)).status_code == 400, "no callback"
    elsewhere = program.sign(f"{OAUTH}/access_token", callback_uri="oob")
    assert cloud.call("POST", path, headers=project | elsewhere).status_code == 401

    asked = pair_of(program.ask(project_id))
    verifier = authorize(mia, asked, "member")
    stranger = Consumer.make(cloud)
    expected = "Provided consumer key does not match stored consumer key."
    assert error_of(stranger.exchange(asked, verifier)) == (401, expected)
    ghost = Consumer(cloud, Pair("none", "none"))
    assert error_of(ghost.exchange(asked, verifier)) == (401, "Provided consumer does not exist.")
    expected = "Provided verifier does not match stored verifier"
    assert error_of(liar.exchange(asked, "abcdefgh")) == (401, expected)
    assert error_of(liar.exchange(asked, verifier)) == (401, "Invalid signature")
    assert error_of(program.exchange(Pair(asked.key, "guess"), verifier)) == (401, "Invalid signature")
    assert program.exchange(asked, verifier).status_code == 201


def test_an_access_token_is_good_for_its_own_consumer_with_the_right_secrets_only(
    cloud: ApiCloud, program: Consumer, mia: Caller
) -> None:
    access = program.get_access(mia, "member")
    expected = (401, "Could not validate the access token")
    assert error_of(Consumer.make(cloud).enter(access)) == expected
    assert error_of(program.enter(Pair(access.key, "guess"))) == expected
    assert error_of(Consumer(cloud, Pair(program.pair.key, "guess")).enter(access)) == expected
    assert program.enter(Pair("none", access.secret)).status_code == 404
    body = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    assert cloud.call("POST", f"{V3}/auth/tokens", json=body).status_code == 400
    event = audit.index(cloud.core)[-1]
    assert (event["action"], event["outcome"]) == ("authenticate", "failure")
    assert program.enter(access, signature_method="HMAC-SHA256").status_code == 201


def test_a_signed_request_is_good_once_and_for_some_minutes(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    access = program.get_access(mia, "member")
    path, body = f"{V3}/auth/tokens", {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    headers = program.sign(path, access)
    assert cloud.call("POST", f"{path}?nocatalog", json=body, headers=headers).status_code == 201
    assert cloud.call("POST", path, json=body, headers=headers).status_code == 401
    with process_of(cloud) as restarted:
        assert restarted.call("POST", path, json=body, headers=headers).status_code == 401
    late = program.sign(path, access)
    cloud.advance(601)
    assert cloud.call("POST", path, json=body, headers=late).status_code == 400
    now = int((cloud.core.clock.now() - datetime(1970, 1, 1)).total_seconds())
    for timestamp in (str(now + 602), "12", "abcdefghij"):
        assert program.enter(access, timestamp=timestamp).status_code == 400
    assert program.enter(access).status_code == 201


def test_a_program_gets_no_other_scope_than_that_it_was_given(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    access = program.get_access(mia, "member")
    admin = cloud.admin
    grant(admin, f"projects/{admin.project_id}", f"users/{mia.user_id}", "member")
    grant(admin, "system", f"users/{mia.user_id}", "reader")
    for scope in ({"project": {"id": admin.project_id}}, {"system": {"all": True}}, "unscoped"):
        assert program.enter(access, scope).status_code == 401, scope
    assert program.enter(access, {"project": {"id": mia.project_id}}).status_code == 201


@pytest.mark.parametrize("what", ["access token", "consumer", "password", "user", "role", "project"])
def test_tokens_of_a_program_end_with_what_they_stand_on_at_once_everywhere(
    cloud: ApiCloud, program: Consumer, mia: Caller, what: str
) -> None:
    admin = cloud.admin
    painting = grant(admin, f"projects/{mia.project_id}", f"users/{mia.user_id}", "member")
    mia = cloud.login("mia", "mia-secret", "garden")
    asked = pair_of(program.ask(mia.project_id))
    access = pair_of(program.exchange(asked, authorize(mia, asked, "admin")))
    acting = caller_of(cloud, program.enter(access))
    user = f"{V3}/users/{mia.user_id}"
    with process_of(cloud) as other:
        as_in(other, acting).get(f"{V3}/auth/projects")
        if what == "access token":
            mia.delete(f"{access_tokens(mia)}/{access.key}")
        elif what == "consumer":
            admin.delete(f"{OAUTH}/consumers/{program.pair.key}")
        elif what == "password":
            admin.patch(user, {"user": {"password": "another"}}, 200)
        elif what == "user":
            for enabled in (False, True):
                admin.patch(user, {"user": {"enabled": enabled}}, 200)
        elif what == "role":
            admin.delete(painting.rpartition("/")[0] + f"/{role_id(admin, 'admin')}")
        else:
            for enabled in (False, True):
                admin.patch(f"{V3}/projects/{mia.project_id}", {"project": {"enabled": enabled}}, 200)
        for place in (other, cloud):
            as_in(place, acting).get(f"{V3}/auth/projects", expect=401)
    with process_of(cloud) as restarted:
        as_in(restarted, acting).get(f"{V3}/auth/projects", expect=401)
    gone = {"access token": 404, "consumer": 404, "role": 401}
    assert program.enter(access).status_code == gone.get(what, 201)


def test_who_may_not_log_in_is_not_let_in_by_a_program(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    access = program.get_access(mia, "member")
    cloud.admin.patch(f"{V3}/users/{mia.user_id}", {"user": {"enabled": False}}, 200)
    assert program.enter(access).status_code == 401
    cloud.admin.delete(f"{V3}/users/{mia.user_id}")
    assert program.enter(access).status_code == 404


def test_request_and_access_tokens_last_as_long_as_the_settings_say(
    cloud: ApiCloud, program: Consumer, mia: Caller
) -> None:
    config = cloud.core.config
    asked = pair_of(program.ask(mia.project_id))
    verifier = authorize(mia, asked, "member")
    cloud.advance(config.request_token_duration + 1)
    assert error_of(program.exchange(asked, verifier)) == (401, "Request token is expired")
    mia = cloud.login("mia", "mia-secret", "garden")
    mia.put(f"{OAUTH}/authorize/{asked.key}", {"roles": [{"name": "member"}]}, 401)

    access = program.get_access(mia, "member")
    cloud.advance(config.access_token_duration - 60)
    acting = caller_of(cloud, program.enter(access))
    assert token_of(acting)["expires_at"] == access.expires_at
    cloud.advance(61)
    acting.get(f"{V3}/auth/projects", expect=401)
    assert error_of(program.enter(access)) == (401, "Access token is expired")
    assert oauth.forget_expired(cloud.core) == 2

    config.request_token_duration = config.access_token_duration = 0
    mia = cloud.login("mia", "mia-secret", "garden")
    access = program.get_access(mia, "member")
    assert access.expires_at == ""
    cloud.advance(400 * 86400)
    assert oauth.forget_expired(cloud.core) == 0
    assert program.enter(access).status_code == 201


def test_a_program_makes_no_further_delegation(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    acting = caller_of(cloud, program.enter(program.get_access(mia, "admin")))
    answer = authenticate(cloud, {"token": {"id": acting.token}}, {"project": {"id": mia.project_id}})
    assert answer.status_code == 403
    trust = {
        "trustor_user_id": mia.user_id,
        "trustee_user_id": cloud.admin.user_id,
        "project_id": mia.project_id,
        "impersonation": True,
        "roles": [{"name": "member"}],
    }
    acting.post(f"{V3}/OS-TRUST/trusts", {"trust": trust}, 403)
    acting.get(f"{V3}/OS-TRUST/trusts?trustor_user_id={mia.user_id}", expect=403)
    given = mia.post(f"{V3}/OS-TRUST/trusts", {"trust": trust}, 201).json()["trust"]
    acting.delete(f"{V3}/OS-TRUST/trusts/{given['id']}", expect=403)
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    acting.post(path, {"application_credential": {"name": "robot"}}, 403)
    acting.get(path, expect=403)
    acting.get(f"{V3}/users/{mia.user_id}/access_rules", expect=403)
    asked = pair_of(program.ask(mia.project_id))
    acting.put(f"{OAUTH}/authorize/{asked.key}", {"roles": [{"name": "member"}]}, 403)
    acting.get(access_tokens(mia), expect=403)


def test_who_acts_by_another_delegation_lets_no_program_in(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    made = mia.post(path, {"application_credential": {"name": "robot", "unrestricted": True}}, 201)
    robot = made.json()["application_credential"]
    proof = {"application_credential": {"id": robot["id"], "secret": robot["secret"]}}
    acting = caller_of(cloud, authenticate(cloud, proof))
    asked = pair_of(program.ask(mia.project_id))
    acting.put(f"{OAUTH}/authorize/{asked.key}", {"roles": [{"name": "member"}]}, 403)
    acting.get(access_tokens(mia), expect=403)


def test_keys_of_ec2_that_a_program_makes_stay_within_what_it_was_given(
    cloud: ApiCloud, program: Consumer, mia: Caller
) -> None:
    access = program.get_access(mia, "member")
    acting = caller_of(cloud, program.enter(access))
    ec2 = f"{V3}/users/{mia.user_id}/credentials/OS-EC2"
    foreign = mia.post(ec2, {"tenant_id": mia.project_id}, 201).json()["credential"]
    acting.get(f"{ec2}/{foreign['access']}", expect=403)
    own = acting.post(ec2, {"tenant_id": mia.project_id}, 201).json()["credential"]
    assert [one["access"] for one in acting.get(ec2).json()["credentials"]] == [own["access"]]
    acting.post(ec2, {"tenant_id": cloud.admin.project_id}, 403)
    call = {"access": own["access"], "verb": "GET", "host": "h", "path": "/", "params": {"SignatureVersion": "2"}}
    signed = {"credentials": {**call, "signature": ec2_signature(own["secret"], call)}}
    token = cloud.admin.post(f"{V3}/ec2tokens", signed, 200).json()["token"]
    assert token["OS-OAUTH1"]["access_token_id"] == access.key
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    mia.delete(f"{access_tokens(mia)}/{access.key}")
    cloud.admin.post(f"{V3}/ec2tokens", signed, 401)


def test_each_step_is_in_the_audit_trail_and_what_ends_tokens_is_told(
    cloud: ApiCloud, program: Consumer, mia: Caller
) -> None:
    asked = pair_of(program.ask(mia.project_id))
    access = pair_of(program.exchange(asked, authorize(mia, asked, "member")))
    mia.delete(f"{access_tokens(mia)}/{access.key}")
    cloud.admin.delete(f"{OAUTH}/consumers/{program.pair.key}")
    assert [event["action"] for event in audit.index(cloud.core, asked.key)] == [
        "created.request_token",
        "updated.request_token",
    ]
    made, deleted = audit.index(cloud.core, access.key)
    assert (made["action"], deleted["action"]) == ("created.access_token", "deleted.access_token")
    assert deleted["initiator"]["id"] == mia.user_id
    assert made["target"]["consumer"] == program.pair.key
    told = [(event.attribute, event.value) for event in revocations.index(cloud.core)]
    assert told == [("OS-OAUTH1:access_token_id", access.key), ("OS-OAUTH1:consumer_id", program.pair.key)]
    assert access.secret not in str(audit.index(cloud.core))


def test_rules_for_several_factors_hold_for_programs_too(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    access = program.get_access(mia, "member")
    rules = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
    cloud.admin.patch(f"{V3}/users/{mia.user_id}", {"user": {"options": rules}}, 200)
    answer = program.enter(access)
    assert (answer.status_code, "openstack-auth-receipt" in answer.headers) == (401, True)
    rules["multi_factor_auth_rules"] = [["password", "totp"], ["oauth1"]]
    cloud.admin.patch(f"{V3}/users/{mia.user_id}", {"user": {"options": rules}}, 200)
    assert program.enter(access).status_code == 201


def test_two_delegations_at_a_time_are_none(cloud: ApiCloud, program: Consumer, mia: Caller) -> None:
    access = program.get_access(mia, "member")
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    robot = mia.post(path, {"application_credential": {"name": "robot"}}, 201).json()["application_credential"]
    both = {"oauth1": {}, "application_credential": {"id": robot["id"], "secret": robot["secret"]}}
    headers = program.sign(f"{V3}/auth/tokens", access)
    assert authenticate(cloud, both, **headers).status_code == 401
