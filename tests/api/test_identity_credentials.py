"""Credentials: keys of EC2 and S3, one-time passwords, several factors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tane.services.identity.domain import methods
from tane.services.identity.domain.signatures import ec2_signature
from tests.api.identity_support import V3, authenticate, by_password, caller_of, grant
from tests.support import ApiCloud, Caller

SEED = b"12345678901234567890"


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


def keys_of(caller: Caller) -> dict[str, Any]:
    body = {"tenant_id": caller.project_id}
    made: dict[str, Any] = caller.post(f"{V3}/users/{caller.user_id}/credentials/OS-EC2", body, 201).json()[
        "credential"
    ]
    return made


def passcode(cloud: ApiCloud, back: int = 0) -> str:
    moment = int((cloud.core.clock.now() - datetime(1970, 1, 1)).total_seconds())
    return TOTP(SEED, 6, SHA1(), 30).generate(moment - back).decode()


def by_totp(name: str, code: str) -> dict[str, Any]:
    return {"totp": {"user": {"name": name, "domain": {"id": "default"}, "passcode": code}}}


def add_seed(caller: Caller) -> str:
    blob = base64.b32encode(SEED).decode()
    body = {"credential": {"type": "totp", "blob": blob, "user_id": caller.user_id}}
    return str(caller.post(f"{V3}/credentials", body, 201).json()["credential"]["id"])


def test_a_credential_of_any_kind_is_kept_encrypted(cloud: ApiCloud, mia: Caller) -> None:
    body = {"type": "cert", "blob": "-----BEGIN", "user_id": mia.user_id, "note": "mine"}
    made = mia.post(f"{V3}/credentials", {"credential": body}, 201).json()["credential"]
    assert made | body == made
    path = f"{V3}/credentials/{made['id']}"
    assert mia.patch(path, {"credential": {"blob": "changed"}}, 200).json()["credential"]["blob"] == "changed"
    assert [one["id"] for one in mia.get(f"{V3}/credentials?type=cert").json()["credentials"]] == [made["id"]]
    assert "changed" not in str(cloud.core.db.glance("SELECT encrypted_blob FROM credential"))
    mia.delete(path)
    mia.get(path, expect=403)


def test_credentials_of_others_are_out_of_reach(cloud: ApiCloud, mia: Caller) -> None:
    tom, seed = cloud.new_user("tom", "forest"), add_seed(mia)
    path = f"{V3}/credentials/{seed}"
    tom.get(path, expect=403)
    tom.patch(path, {"credential": {"blob": "x"}}, 403)
    tom.delete(path, expect=403)
    assert tom.get(f"{V3}/credentials").json()["credentials"] == []
    body = {"credential": {"type": "totp", "blob": "x", "user_id": mia.user_id}}
    tom.post(f"{V3}/credentials", body, 403)
    mia.patch(path, {"credential": {"user_id": tom.user_id}}, 403)
    tom.get(f"{V3}/users/{mia.user_id}/credentials/OS-EC2", expect=403)
    tom.post(f"{V3}/users/{mia.user_id}/credentials/OS-EC2", {"tenant_id": mia.project_id}, 403)


def test_bad_ec2_credentials_are_refused(mia: Caller) -> None:
    for body in (
        {"blob": "no json", "project_id": mia.project_id},
        {"blob": '{"secret": "x"}', "project_id": mia.project_id},
        {"blob": '{"access": "x", "secret": "y"}'},
    ):
        mia.post(f"{V3}/credentials", {"credential": {"type": "ec2", "user_id": mia.user_id, **body}}, 400)
    good = {
        "type": "ec2",
        "user_id": mia.user_id,
        "blob": '{"access": "x", "secret": "y"}',
        "project_id": mia.project_id,
    }
    mia.post(f"{V3}/credentials", {"credential": good}, 201)
    mia.post(f"{V3}/credentials", {"credential": good}, 409)


def test_ec2_keys_are_made_listed_and_deleted(mia: Caller) -> None:
    made = keys_of(mia)
    path = f"{V3}/users/{mia.user_id}/credentials/OS-EC2"
    assert [one["access"] for one in mia.get(path).json()["credentials"]] == [made["access"]]
    assert mia.get(f"{path}/{made['access']}").json()["credential"] == made
    mia.delete(f"{path}/{made['access']}")
    mia.get(f"{path}/{made['access']}", expect=404)


def signed(made: dict[str, Any], version: int, moment: str) -> dict[str, Any]:
    """A call as a service hands it over."""
    call: dict[str, Any] = {"access": made["access"], "host": "ec2.test:8788", "verb": "GET", "path": "/"}
    if version == 2:
        call["params"] = {"Action": "Describe Images", "SignatureVersion": "2", "SignatureMethod": "HmacSHA256"}
        call["params"] |= {"Timestamp": moment, "AWSAccessKeyId": made["access"]}
    else:
        scope = f"{moment[:10].replace('-', '')}/region/ec2/aws4_request"
        names = "host;x-amz-date"
        authorization = f"AWS4-HMAC-SHA256 Credential={made['access']}/{scope}, SignedHeaders={names}, Signature=x"
        date = moment.replace("-", "").replace(":", "")
        call |= {"params": {}, "headers": {"X-Amz-Date": date, "Authorization": authorization}}
        call["body_hash"] = hashlib.sha256(b"").hexdigest()
    call["signature"] = ec2_signature(made["secret"], call)
    return call


@pytest.mark.parametrize("version", [2, 4])
def test_a_service_asks_whose_signed_call_it_was_sent(cloud: ApiCloud, mia: Caller, version: int) -> None:
    made, admin = keys_of(mia), cloud.admin
    now = cloud.core.clock.now().isoformat(timespec="seconds") + "Z"
    call = signed(made, version, now)
    answer = admin.post(f"{V3}/ec2tokens", {"credentials": call}, 200)
    token = answer.json()["token"]
    assert (token["user"]["id"], token["project"]["id"]) == (mia.user_id, mia.project_id)
    served = Caller(cloud, answer.headers["x-subject-token"])
    shown = admin.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": served.token}).json()["token"]
    assert shown["methods"] == ["ec2credential"]
    served.get("/network/v2.0/networks")
    served.get(f"{V3}/auth/projects", expect=403)
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    served.post(path, {"application_credential": {"name": "for ever"}}, 403)
    admin.post(f"{V3}/ec2tokens", {"credentials": {**call, "signature": "wrong"}}, 401)
    admin.post(f"{V3}/ec2tokens", {"credentials": {**call, "verb": "POST"}}, 401)
    admin.post(f"{V3}/ec2tokens", {"credentials": {**call, "access": "unknown"}}, 404)
    admin.post(f"{V3}/ec2tokens", {}, 400)
    mia.post(f"{V3}/ec2tokens", {"credentials": call}, 403)
    cloud.advance(901)
    admin.post(f"{V3}/ec2tokens", {"credentials": call}, 401)


def test_a_call_that_is_dated_ahead_is_refused_as_an_old_one_is(cloud: ApiCloud, mia: Caller) -> None:
    made, now = keys_of(mia), cloud.core.clock.now()
    for seconds, status in ((600, 200), (1200, 401)):
        moment = (now + timedelta(seconds=seconds)).isoformat(timespec="seconds") + "Z"
        cloud.admin.post(f"{V3}/ec2tokens", {"credentials": signed(made, 4, moment)}, status)


def test_version_4_signs_as_in_the_examples_of_aws() -> None:
    """AWS General Reference, "Examples of the complete Signature Version 4 signing process": GET with parameters."""
    call = {
        "verb": "GET",
        "host": "iam.amazonaws.com",
        "path": "/",
        "params": {"Action": "ListUsers", "Version": "2010-05-08"},
        "headers": {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "X-Amz-Date": "20150830T123600Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, Signature=x",
        },
        "body_hash": hashlib.sha256(b"").hexdigest(),
    }
    expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    assert ec2_signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", call) == expected


@pytest.mark.parametrize("version", [2, 4])
def test_a_call_of_s3_is_checked_by_the_text_that_was_signed(cloud: ApiCloud, mia: Caller, version: int) -> None:
    made, admin = keys_of(mia), cloud.admin
    if version == 2:
        text = "GET\n\n\nTue, 27 Mar 2027 19:36:42 +0000\n/bucket/photo.jpg"
        signature = base64.b64encode(hmac.digest(made["secret"].encode(), text.encode(), "sha1")).decode()
    else:
        text = "AWS4-HMAC-SHA256\n20270327T193642Z\n20270327/region/s3/aws4_request\n" + "0" * 64
        key = f"AWS4{made['secret']}".encode()
        for part in ("20270327", "region", "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
    token = base64.urlsafe_b64encode(text.encode()).decode()
    call = {"access": made["access"], "token": token, "signature": signature}
    answer = admin.post(f"{V3}/s3tokens", {"credentials": call}, 200)
    assert answer.json()["token"]["user"]["id"] == mia.user_id
    assert "x-subject-token" not in answer.headers
    admin.post(f"{V3}/s3tokens", {"credentials": {**call, "signature": "wrong"}}, 401)
    admin.post(f"{V3}/s3tokens", {"credentials": {**call, "token": "%%%"}}, 401)


def test_keys_made_by_an_application_credential_stay_within_it(cloud: ApiCloud, mia: Caller) -> None:
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    body = {"application_credential": {"name": "robot", "unrestricted": True, "roles": [{"name": "reader"}]}}
    app = mia.post(path, body, 201).json()["application_credential"]
    proof = {"application_credential": {"id": app["id"], "secret": app["secret"]}}
    robot = caller_of(cloud, authenticate(cloud, proof))
    blob = {"access": "a", "secret": "b"}
    given = {"type": "ec2", "user_id": mia.user_id, "project_id": mia.project_id, "blob": json.dumps(blob)}
    made = robot.post(f"{V3}/credentials", {"credential": given}, 201).json()["credential"]
    call = signed(blob, 2, cloud.core.clock.now().isoformat(timespec="seconds") + "Z")
    token = cloud.admin.post(f"{V3}/ec2tokens", {"credentials": call}, 200).json()["token"]
    assert [role["name"] for role in token["roles"]] == ["reader"]
    mia.patch(f"{V3}/credentials/{made['id']}", {"credential": {"blob": json.dumps(blob)}}, 400)
    robot.get(f"{V3}/credentials/{add_seed(mia)}", expect=403)

    other = cloud.admin.post(f"{V3}/projects", {"project": {"name": "forest"}}, 201).json()["project"]["id"]
    grant(cloud.admin, f"projects/{other}", f"users/{mia.user_id}", "member")
    path = f"{V3}/credentials/{made['id']}"
    robot.patch(path, {"credential": {"project_id": other}}, 403)
    for wider in ({"project_id": other}, {"type": "cert"}):
        mia.patch(path, {"credential": wider}, 400)
    cloud.admin.patch(path, {"credential": {"user_id": cloud.admin.user_id}}, 400)


def test_a_program_does_not_see_the_keys_that_hold_all_of_its_users_roles(cloud: ApiCloud, mia: Caller) -> None:
    made = keys_of(mia)
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    body = {"application_credential": {"name": "robot", "roles": [{"name": "reader"}]}}
    app = mia.post(path, body, 201).json()["application_credential"]
    robot = caller_of(cloud, authenticate(cloud, {"application_credential": {n: app[n] for n in ("id", "secret")}}))
    [found] = mia.get(f"{V3}/credentials").json()["credentials"]
    for one in (f"{V3}/credentials/{found['id']}", f"{V3}/users/{mia.user_id}/credentials/OS-EC2/{made['access']}"):
        robot.get(one, expect=403)
    robot.patch(f"{V3}/credentials/{found['id']}", {"credential": {"blob": found["blob"]}}, 403)
    robot.delete(f"{V3}/credentials/{found['id']}", expect=403)
    for many in (f"{V3}/credentials", f"{V3}/users/{mia.user_id}/credentials/OS-EC2"):
        assert robot.get(many).json()["credentials"] == []


def test_a_delegation_makes_no_seed_to_log_in_by_and_reads_none(cloud: ApiCloud, mia: Caller) -> None:
    """With a seed of one's user one is that user, with all roles and for ever."""
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    body = {"application_credential": {"name": "robot", "roles": [{"name": "reader"}], "unrestricted": True}}
    app = mia.post(path, body, 201).json()["application_credential"]
    robot = caller_of(cloud, authenticate(cloud, {"application_credential": {n: app[n] for n in ("id", "secret")}}))
    seed = {"blob": base64.b32encode(SEED).decode(), "user_id": mia.user_id, "project_id": mia.project_id}
    for kind in ("totp", "TOTP"):
        robot.post(f"{V3}/credentials", {"credential": seed | {"type": kind}}, 403)
    note = robot.post(f"{V3}/credentials", {"credential": seed | {"type": "note"}}, 201).json()["credential"]
    robot.patch(f"{V3}/credentials/{note['id']}", {"credential": {"type": "totp"}}, 403)
    assert authenticate(cloud, by_totp("mia", passcode(cloud))).status_code == 401
    own = mia.post(f"{V3}/credentials", {"credential": seed | {"type": "totp"}}, 201).json()["credential"]
    robot.get(f"{V3}/credentials/{own['id']}", expect=403)
    robot.delete(f"{V3}/credentials/{own['id']}", expect=403)
    assert [one["id"] for one in robot.get(f"{V3}/credentials").json()["credentials"]] == [note["id"]]
    assert authenticate(cloud, by_totp("mia", passcode(cloud))).status_code == 201


def test_keys_without_a_secret_sign_nothing(cloud: ApiCloud, mia: Caller) -> None:
    given = {"type": "ec2", "user_id": mia.user_id, "project_id": mia.project_id, "blob": '{"access": "a"}'}
    mia.post(f"{V3}/credentials", {"credential": given}, 201)
    now = cloud.core.clock.now().isoformat(timespec="seconds") + "Z"
    cloud.admin.post(f"{V3}/ec2tokens", {"credentials": signed({"access": "a", "secret": ""}, 2, now)}, 401)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"signature": "é"}, 401),
        ({"params": []}, 400),
        ({"headers": "x"}, 400),
        ({"params": {"SignatureVersion": "2", "Timestamp": "0001-01-01T00:00:00+14:00"}}, 401),
    ],
)
def test_a_malformed_call_is_refused(cloud: ApiCloud, mia: Caller, wrong: dict[str, Any], status: int) -> None:
    call = {"access": keys_of(mia)["access"], "signature": "x", **wrong}
    cloud.admin.post(f"{V3}/ec2tokens", {"credentials": call}, status)
    cloud.admin.post(f"{V3}/s3tokens", {"credentials": {**call, "token": "é"}}, status)


def test_a_one_time_password_logs_in(cloud: ApiCloud, mia: Caller) -> None:
    add_seed(mia)
    scope = {"project": {"id": mia.project_id}}
    assert authenticate(cloud, by_totp("mia", passcode(cloud, 30)), scope).status_code == 201
    token = authenticate(cloud, by_totp("mia", passcode(cloud)), scope)
    assert token.json()["token"]["methods"] == ["totp"]
    assert authenticate(cloud, by_totp("mia", passcode(cloud, 90)), scope).status_code == 401
    assert authenticate(cloud, by_totp("mia", "é"), scope).status_code == 401


def test_a_one_time_password_is_good_for_one_login(cloud: ApiCloud, mia: Caller) -> None:
    add_seed(mia)
    assert authenticate(cloud, by_totp("mia", passcode(cloud))).status_code == 201
    again = authenticate(cloud, by_totp("mia", passcode(cloud)))
    assert again.status_code == 401
    assert again.json() == authenticate(cloud, by_totp("nobody", "000000")).json()
    assert authenticate(cloud, by_totp("mia", passcode(cloud, 30))).status_code == 401
    cloud.advance(30)
    assert authenticate(cloud, by_totp("mia", passcode(cloud))).status_code == 201


def test_who_knows_the_password_cannot_guess_the_second_factor_for_ever(cloud: ApiCloud, mia: Caller) -> None:
    add_seed(mia)
    rules = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
    cloud.admin.patch(f"{V3}/users/{mia.user_id}", {"user": {"options": rules}}, 200)
    cloud.core.config.lockout_failure_attempts = 2
    password = by_password("mia", "mia-secret")
    for _ in range(2):
        assert authenticate(cloud, password | by_totp("mia", "000000")).status_code == 401
    assert authenticate(cloud, password | by_totp("mia", passcode(cloud))).status_code == 401
    cloud.advance(cloud.core.config.lockout_duration)
    assert authenticate(cloud, password | by_totp("mia", passcode(cloud))).status_code == 201


def test_passcodes_are_not_guessed_one_after_the_other(cloud: ApiCloud, mia: Caller) -> None:
    add_seed(mia)
    for _ in range(methods.PASSCODES):
        assert authenticate(cloud, by_totp("mia", "000000")).status_code == 401
    assert authenticate(cloud, by_totp("mia", passcode(cloud))).status_code == 401, "no more is looked at"
    password = by_password("mia", "mia-secret")
    again = authenticate(cloud, password | by_totp("mia", passcode(cloud)))
    assert again.status_code == 201, "who knows more is let in"
    cloud.advance(60)
    assert authenticate(cloud, by_totp("mia", passcode(cloud))).status_code == 201


def test_rules_may_ask_for_two_factors_at_once_or_one_after_the_other(cloud: ApiCloud, mia: Caller) -> None:
    add_seed(mia)
    rules = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
    path = f"{V3}/users/{mia.user_id}"
    cloud.admin.patch(path, {"user": {"options": rules}}, 200)
    password, scope = by_password("mia", "mia-secret"), {"project": {"id": mia.project_id}}
    totp = by_totp("mia", passcode(cloud))
    both = authenticate(cloud, password | totp, scope)
    assert both.json()["token"]["methods"] == ["password", "totp"]

    half = authenticate(cloud, password, scope)
    assert half.status_code == 401
    cloud.advance(30)
    totp = by_totp("mia", passcode(cloud))
    assert half.json()["required_auth_methods"] == [["password", "totp"]]
    assert half.json()["receipt"]["methods"] == ["password"]
    receipt = {"Openstack-Auth-Receipt": half.headers["Openstack-Auth-Receipt"]}
    assert authenticate(cloud, totp, scope).status_code == 401
    cloud.advance(30)
    totp = by_totp("mia", passcode(cloud))
    assert authenticate(cloud, totp, scope, **receipt).json()["token"]["methods"] == ["totp", "password"]
    cloud.new_user("tom", "forest")
    forged = {"Openstack-Auth-Receipt": receipt["Openstack-Auth-Receipt"][:-4] + "AAAA"}
    assert authenticate(cloud, totp, scope, **forged).status_code == 401

    caller = caller_of(cloud, both)
    assert authenticate(cloud, {"token": {"id": caller.token}}, scope).status_code == 201
    cloud.advance(301)
    fresh = by_totp("mia", passcode(cloud))
    assert authenticate(cloud, fresh, scope, **receipt).status_code == 401
    cloud.admin.patch(path, {"user": {"options": {"multi_factor_auth_enabled": False}}}, 200)
    assert authenticate(cloud, password, scope).status_code == 201
