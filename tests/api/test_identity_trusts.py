"""Trusts: acting for another user, within limits that nobody can stretch."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tane.services.identity.domain.signatures import ec2_signature
from tests.api.identity_support import V3, as_in, authenticate, by_password, caller_of, process_of, token_of
from tests.support import ApiCloud, Caller

TRUSTS = f"{V3}/OS-TRUST/trusts"


def give(trustor: Caller, trustee: Caller, expect: int = 201, **values: Any) -> dict[str, Any]:
    """``trustor`` trusts ``trustee`` with its member role on its project."""
    body = {
        "trustor_user_id": trustor.user_id,
        "trustee_user_id": trustee.user_id,
        "project_id": trustor.project_id,
        "impersonation": False,
        "roles": [{"name": "member"}],
        **values,
    }
    made: dict[str, Any] = trustor.post(TRUSTS, {"trust": body}, expect).json().get("trust", {})
    return made


def use(cloud: ApiCloud, name: str, trust: dict[str, Any]) -> httpx.Response:
    return authenticate(cloud, by_password(name, f"{name}-secret"), {"OS-TRUST:trust": {"id": trust["id"]}})


@pytest.fixture
def mia(cloud: ApiCloud) -> Caller:
    return cloud.new_user("mia", "garden")


@pytest.fixture
def tom(cloud: ApiCloud) -> Caller:
    return cloud.new_user("tom", "forest")


@pytest.mark.parametrize("impersonation", [True, False])
def test_a_trustee_acts_on_the_project_of_the_trustor(
    cloud: ApiCloud, mia: Caller, tom: Caller, impersonation: bool
) -> None:
    trust = give(mia, tom, impersonation=impersonation)
    assert [role["name"] for role in trust["roles"]] == ["member"]
    acting = caller_of(cloud, use(cloud, "tom", trust))
    token = token_of(acting)
    assert token["project"]["id"] == mia.project_id
    # With what the role implies, as in every token of it.
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert token["user"]["name"] == ("mia" if impersonation else "tom")
    assert token["OS-TRUST:trust"] == {
        "id": trust["id"],
        "impersonation": impersonation,
        "trustor_user": {"id": mia.user_id},
        "trustee_user": {"id": tom.user_id},
    }
    assert use(cloud, "mia", trust).status_code == 403
    assert authenticate(cloud, {"token": {"id": acting.token}}, "unscoped").status_code == 403


def test_a_trust_ends_with_its_deletion_its_time_or_a_lost_role(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    admin = cloud.admin
    deleted, short, last = give(mia, tom), None, give(mia, tom)
    ends = (cloud.core.clock.now() + timedelta(seconds=60)).isoformat() + "Z"
    short = give(mia, tom, expires_at=ends)
    assert short["expires_at"] == ends
    tokens = [caller_of(cloud, use(cloud, "tom", trust)) for trust in (deleted, short, last)]
    mia.delete(f"{TRUSTS}/{deleted['id']}")
    tokens[0].get(f"{V3}/auth/catalog", expect=401)
    mia.get(f"{TRUSTS}/{deleted['id']}", expect=404)
    cloud.advance(61)
    tokens[1].get(f"{V3}/auth/catalog", expect=401)
    assert use(cloud, "tom", short).status_code == 401
    tokens[2].get(f"{V3}/auth/catalog")
    [role] = admin.get(f"{V3}/roles?name=member").json()["roles"]
    admin.delete(f"{V3}/projects/{mia.project_id}/users/{mia.user_id}/roles/{role['id']}")
    tokens[2].get(f"{V3}/auth/catalog", expect=401)
    assert use(cloud, "tom", last).status_code == 403


def test_the_uses_of_a_trust_are_counted_across_processes_and_restarts(
    cloud: ApiCloud, mia: Caller, tom: Caller
) -> None:
    trust = give(mia, tom, remaining_uses=3)
    with process_of(cloud) as other:
        first = caller_of(cloud, use(cloud, "tom", trust))
        assert use(other, "tom", trust).status_code == 201
        assert mia.get(f"{TRUSTS}/{trust['id']}").json()["trust"]["remaining_uses"] == 1
    with process_of(cloud) as restarted:
        assert use(restarted, "tom", trust).status_code == 201
        for process in (restarted, cloud):
            assert use(process, "tom", trust).status_code == 401
        as_in(restarted, first).get(f"{V3}/auth/catalog")
    mia.get(f"{TRUSTS}/{trust['id']}", expect=404)


def test_a_trust_is_passed_on_as_often_as_it_says_and_never_for_more(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    eve, zoe = cloud.new_user("eve", "meadow"), cloud.new_user("zoe", "field")
    first = give(mia, tom, impersonation=True, allow_redelegation=True, redelegation_count=1)
    acting = caller_of(cloud, use(cloud, "tom", first))
    with process_of(cloud) as restarted:
        second = give(as_in(restarted, acting), eve, impersonation=True, allow_redelegation=True)
        assert second["redelegated_trust_id"] == first["id"]
        assert second["redelegation_count"] == 0
        acting_on = caller_of(restarted, use(restarted, "eve", second))
        give(acting_on, zoe, 403)
        acting_on.get(f"{V3}/auth/catalog")
    give(acting, eve, 403, roles=[{"name": "reader"}])
    give(acting, eve, 403, remaining_uses=1)
    mia.delete(f"{TRUSTS}/{first['id']}")
    as_in(cloud, acting_on).get(f"{V3}/auth/catalog", expect=401)
    assert use(cloud, "eve", second).status_code == 401


def test_a_trust_passed_on_ends_with_its_first_trustor(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    eve = cloud.new_user("eve", "meadow")
    first = give(mia, tom, allow_redelegation=True, redelegation_count=1)
    acting = caller_of(cloud, use(cloud, "tom", first))
    body = {"trustor_user_id": tom.user_id, "project_id": mia.project_id}
    second = give(acting, eve, **body)
    held = caller_of(cloud, use(cloud, "eve", second))
    cloud.admin.patch(f"{V3}/users/{mia.user_id}", {"user": {"enabled": False}}, 200)
    assert use(cloud, "eve", second).status_code == 401
    cloud.admin.patch(f"{V3}/users/{mia.user_id}", {"user": {"enabled": True}}, 200)
    assert use(cloud, "eve", second).status_code == 201
    held.get("/compute/v2.1/servers", expect=401)


def test_a_trustee_deletes_no_other_trust_of_the_trustor(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    own, other = give(mia, tom, impersonation=True), give(mia, cloud.new_user("eve", "meadow"))
    acting = caller_of(cloud, use(cloud, "tom", own))
    acting.delete(f"{TRUSTS}/{other['id']}", expect=403)
    acting.delete(f"{TRUSTS}/{own['id']}")


def test_a_trustor_cannot_sign_as_the_trustee(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    blob = {"access": "a", "secret": "b", "trust_id": give(mia, tom)["id"]}
    given = {"type": "ec2", "user_id": mia.user_id, "project_id": mia.project_id, "blob": json.dumps(blob)}
    mia.post(f"{V3}/credentials", {"credential": given}, 201)
    params = {"SignatureVersion": "2", "Timestamp": f"{cloud.core.clock.now().isoformat()}Z"}
    call: dict[str, Any] = {"access": "a", "host": "ec2.test", "verb": "GET", "path": "/", "params": params}
    call["signature"] = ec2_signature("b", call)
    cloud.admin.post(f"{V3}/ec2tokens", {"credentials": call}, 401)


def test_a_time_that_is_none_is_refused(mia: Caller, tom: Caller) -> None:
    give(mia, tom, 400, expires_at="0001-01-01T00:00:00+14:00")
    give(mia, tom, 400, remaining_uses=2**31)


def test_a_trust_without_redelegation_is_not_passed_on(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    eve = cloud.new_user("eve", "meadow")
    acting = caller_of(cloud, use(cloud, "tom", give(mia, tom, impersonation=True)))
    give(acting, eve, 403, impersonation=True)


@pytest.mark.parametrize(
    ("status", "values"),
    [
        (403, {"roles": []}),
        (404, {"roles": [{"name": "admin"}]}),
        (404, {"trustee_user_id": "0" * 32}),
        (400, {"expires_at": "bad.123Z"}),
        (400, {"expires_at": "2001-01-01T00:00:00Z"}),
        (400, {"remaining_uses": 0}),
        (400, {"impersonation": "yes"}),
        (403, {"allow_redelegation": True, "redelegation_count": 99}),
        (400, {"allow_redelegation": True, "remaining_uses": 1}),
    ],
)
def test_a_trust_that_cannot_be_is_refused(mia: Caller, tom: Caller, status: int, values: dict[str, Any]) -> None:
    give(mia, tom, status, **values)


def test_others_see_no_trust_and_make_none(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    eve, admin = cloud.new_user("eve", "meadow"), cloud.admin
    trust = give(mia, tom)
    path = f"{TRUSTS}/{trust['id']}"
    eve.get(path, expect=403)
    eve.delete(path, expect=403)
    tom.delete(path, expect=403)
    tom.get(path)
    give(mia, tom, 403, trustor_user_id=eve.user_id)
    eve.get(TRUSTS, expect=403)
    eve.get(f"{TRUSTS}?trustor_user_id={mia.user_id}", expect=403)
    mia.get(f"{TRUSTS}?trustor_user_id={mia.user_id}&trustee_user_id={tom.user_id}", expect=403)
    for caller, query in (
        (mia, f"?trustor_user_id={mia.user_id}"),
        (tom, f"?trustee_user_id={tom.user_id}"),
        (admin, f"?trustor_user_id={mia.user_id}&trustee_user_id={tom.user_id}"),
        (admin, ""),
    ):
        assert [found["id"] for found in caller.get(f"{TRUSTS}{query}").json()["trusts"]] == [trust["id"]]


def test_the_roles_of_a_trust_are_listed_and_checked(cloud: ApiCloud, mia: Caller, tom: Caller) -> None:
    path = f"{TRUSTS}/{give(mia, tom)['id']}/roles"
    [role] = tom.get(path).json()["roles"]
    assert role["name"] == "member"
    assert tom.get(f"{path}/{role['id']}").json()["role"]["links"]["self"].endswith(f"/v3/roles/{role['id']}")
    tom.request("HEAD", f"{path}/{role['id']}", expect=200)
    tom.get(f"{path}/{'0' * 32}", expect=404)
