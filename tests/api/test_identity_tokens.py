"""Tokens as their users see them: scopes, chains, validity, and what one costs to check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import httpx
import pytest
from sqlalchemy import insert, select

from tane.services.identity.domain import audit, keys, revocations
from tane.services.identity.domain.memory import Desk
from tane.services.identity.domain.tokens import user_at
from tane.services.identity.store.audit import NUMBER
from tane.services.identity.tables import revoked_token
from tane.services.identity.tables import user as user_table
from tests.api.identity_support import (
    V3,
    as_in,
    authenticate,
    by_password,
    caller_of,
    count_queries,
    grant,
    make,
    make_user,
    process_of,
    token_of,
)
from tests.support import ADMIN_PASSWORD, ApiCloud, Caller

FAR = datetime(2999, 1, 1)

ADMIN = by_password("admin", ADMIN_PASSWORD)


def rescope(cloud: ApiCloud, caller: Caller, scope: object) -> Caller:
    return caller_of(cloud, authenticate(cloud, {"token": {"id": caller.token}}, scope))


def test_a_scope_of_two_kinds_is_refused(cloud: ApiCloud) -> None:
    assert authenticate(cloud, ADMIN, {"domain": {"id": "default"}, "system": {"all": True}}).status_code == 400
    assert authenticate(cloud, ADMIN, {}).status_code == 400


def test_a_token_of_a_domain_and_of_the_system_say_so(cloud: ApiCloud) -> None:
    domain = caller_of(cloud, authenticate(cloud, ADMIN, {"domain": {"name": "Default"}}))
    assert token_of(domain)["domain"] == {"id": "default", "name": "Default"}
    system = caller_of(cloud, authenticate(cloud, ADMIN, {"system": {"all": True}}))
    assert token_of(system)["system"] == {"all": True}


def test_a_user_with_a_default_project_gets_it_unless_unscoped_is_asked_for(cloud: ApiCloud) -> None:
    user, admin = cloud.new_user("mia", "garden"), cloud.admin
    admin.patch(f"{V3}/users/{user.user_id}", {"user": {"default_project_id": user.project_id}}, 200)
    login = by_password("mia", "mia-secret")
    assert authenticate(cloud, login).json()["token"]["project"]["name"] == "garden"
    unscoped = authenticate(cloud, login, {"unscoped": {}}).json()["token"]
    assert "project" not in unscoped and "roles" not in unscoped and "catalog" not in unscoped


def test_the_catalogue_is_left_out_on_request(cloud: ApiCloud) -> None:
    admin = cloud.admin
    header = {"X-Subject-Token": admin.token}
    for _ in range(2):
        assert "catalog" not in admin.get(f"{V3}/auth/tokens?nocatalog", headers=header).json()["token"]
        assert "catalog" in admin.get(f"{V3}/auth/tokens", headers=header).json()["token"]


def test_a_chain_of_tokens_keeps_its_end_and_the_id_of_the_first(cloud: ApiCloud) -> None:
    first = cloud.admin
    cloud.advance(100)
    second = rescope(cloud, first, {"project": {"id": first.project_id}})
    third = rescope(cloud, second, "unscoped")
    tokens = [token_of(caller) for caller in (first, second, third)]
    assert len({token["expires_at"] for token in tokens}) == 1
    [own] = tokens[0]["audit_ids"]
    assert [token["audit_ids"][-1] for token in tokens] == [own] * 3
    assert tokens[2]["methods"] == ["token", "password"]


def test_a_token_of_the_system_makes_none_of_a_project_or_a_domain(cloud: ApiCloud) -> None:
    system = caller_of(cloud, authenticate(cloud, ADMIN, {"system": {"all": True}}))
    identity = {"token": {"id": system.token}}
    for scope in ({"project": {"id": cloud.admin.project_id}}, {"domain": {"id": "default"}}):
        assert authenticate(cloud, identity, scope).status_code == 403
    rescope(cloud, system, "unscoped")
    rescope(cloud, system, {"system": {"all": True}})


def test_an_invalid_token_makes_no_other_one(cloud: ApiCloud) -> None:
    old = cloud.admin
    old.delete(f"{V3}/auth/tokens", headers={"X-Subject-Token": old.token})
    for text in (old.token, "nonsense"):
        assert authenticate(cloud, {"token": {"id": text}}).status_code == 404
    event = audit.index(cloud.core)[-1]
    assert (event["action"], event["outcome"]) == ("authenticate", "failure")


def test_head_answers_without_a_body(cloud: ApiCloud) -> None:
    admin = cloud.admin
    response = admin.request("HEAD", f"{V3}/auth/tokens", headers={"X-Subject-Token": admin.token})
    assert (response.status_code, response.content) == (200, b"")


def test_an_expired_token_is_shown_only_on_request_and_for_some_days(cloud: ApiCloud) -> None:
    old = cloud.admin
    cloud.advance(3601)
    admin, header = cloud.admin, {"X-Subject-Token": old.token}
    old.get(f"{V3}/users", expect=401)
    admin.get(f"{V3}/auth/tokens", expect=404, headers=header)
    assert admin.get(f"{V3}/auth/tokens?allow_expired=1", headers=header).json()["token"]["user"]["name"] == "admin"
    cloud.advance(172_800)
    cloud.admin.get(f"{V3}/auth/tokens?allow_expired=1", expect=404, headers=header)


def test_a_user_validates_and_revokes_the_own_tokens_only(cloud: ApiCloud) -> None:
    user, admin = cloud.new_user("mia", "garden"), cloud.admin
    header = {"X-Subject-Token": admin.token}
    user.get(f"{V3}/auth/tokens", expect=403, headers=header)
    user.delete(f"{V3}/auth/tokens", expect=403, headers=header)
    user.delete(f"{V3}/auth/tokens", headers={"X-Subject-Token": user.token})
    user.get(f"{V3}/auth/projects", expect=401)


@pytest.mark.parametrize("what", ["user", "project", "domain"])
def test_disabling_any_part_of_a_token_ends_it(cloud: ApiCloud, what: str) -> None:
    admin = cloud.admin
    domain = admin.post(f"{V3}/domains", {"domain": {"name": "land"}}, 201).json()["domain"]
    body = {"project": {"name": "garden", "domain_id": domain["id"]}}
    project = admin.post(f"{V3}/projects", body, 201).json()["project"]
    body = {"user": {"name": "mia", "password": "mia-secret", "domain_id": domain["id"]}}
    user = admin.post(f"{V3}/users", body, 201).json()["user"]
    [role] = admin.get(f"{V3}/roles?name=member").json()["roles"]
    admin.put(f"{V3}/projects/{project['id']}/users/{user['id']}/roles/{role['id']}", expect=204)
    identity = {"password": {"user": {"id": user["id"], "password": "mia-secret"}}}
    mia = caller_of(cloud, authenticate(cloud, identity, {"project": {"id": project["id"]}}))
    mia.get(f"{V3}/auth/projects")
    ids = {"user": user["id"], "project": project["id"], "domain": domain["id"]}
    admin.patch(f"{V3}/{what}s/{ids[what]}", {what: {"enabled": False}}, 200)
    mia.get(f"{V3}/auth/projects", expect=401)
    assert authenticate(cloud, identity, {"project": {"id": project["id"]}}).status_code == 401


def inhabitant(cloud: ApiCloud) -> tuple[Caller, dict[str, str], Callable[[], httpx.Response]]:
    """Mia of a domain with a project of its own, logged in; the ids of the three, and how she logs in again."""
    admin = cloud.admin
    domain = make(admin, "domain", name="land")
    project = make(admin, "project", name="garden", domain_id=domain["id"])
    user = make_user(admin, "mia", domain["id"])
    grant(admin, f"projects/{project['id']}", f"users/{user['id']}", "member")
    identity = {"password": {"user": {"id": user["id"], "password": "mia-secret"}}}

    def enter() -> httpx.Response:
        return authenticate(cloud, identity, {"project": {"id": project["id"]}})

    return caller_of(cloud, enter()), {"user": user["id"], "project": project["id"], "domain": domain["id"]}, enter


def switch(caller: Caller, what: str, ids: dict[str, str], enabled: bool) -> None:
    caller.patch(f"{V3}/{what}s/{ids[what]}", {what: {"enabled": enabled}}, 200)


@pytest.mark.parametrize("what", ["user", "project", "domain"])
def test_what_was_disabled_ended_its_tokens_for_ever_also_when_it_is_enabled_again(cloud: ApiCloud, what: str) -> None:
    mia, ids, enter = inhabitant(cloud)
    unscoped = rescope(cloud, mia, "unscoped")
    with process_of(cloud) as other:
        as_in(other, mia).get(f"{V3}/auth/projects")
        switch(cloud.admin, what, ids, enabled=False)
        as_in(other, mia).get(f"{V3}/auth/projects", expect=401)
        switch(as_in(other, cloud.admin), what, ids, enabled=True)
        for place in (cloud, other):
            as_in(place, mia).get(f"{V3}/auth/projects", expect=401)
            # A token that is of no project does not hang on one.
            as_in(place, unscoped).get(f"{V3}/auth/projects", expect=200 if what == "project" else 401)
        caller_of(cloud, enter()).get(f"{V3}/auth/projects")
    with process_of(cloud) as restarted:
        as_in(restarted, mia).get(f"{V3}/auth/projects", expect=401)
        caller_of(restarted, enter()).get(f"{V3}/auth/projects")


def test_enabling_what_is_enabled_or_changing_its_name_ends_no_token(cloud: ApiCloud) -> None:
    mia, ids, _ = inhabitant(cloud)
    for what in ids:
        switch(cloud.admin, what, ids, enabled=True)
        cloud.admin.patch(f"{V3}/{what}s/{ids[what]}", {what: {"name": f"new-{what}"}}, 200)
    mia.get(f"{V3}/auth/projects")


def test_tokens_of_a_trust_end_for_ever_when_the_domain_of_who_gave_it_is_disabled(cloud: ApiCloud) -> None:
    mia, ids, _ = inhabitant(cloud)
    tom = make_user(cloud.admin, "tom")
    body = {"trustor_user_id": mia.user_id, "trustee_user_id": tom["id"], "project_id": mia.project_id}
    trust = make(mia, "trust", "OS-TRUST/trusts", **body, impersonation=False, roles=[{"name": "member"}])
    scope = {"OS-TRUST:trust": {"id": trust["id"]}}
    helper = caller_of(cloud, authenticate(cloud, by_password("tom", "tom-secret"), scope))
    helper.get(f"{V3}/auth/projects")
    switch(cloud.admin, "domain", ids, enabled=False)
    switch(cloud.admin, "domain", ids, enabled=True)
    helper.get(f"{V3}/auth/projects", expect=401)
    caller_of(cloud, authenticate(cloud, by_password("tom", "tom-secret"), scope)).get(f"{V3}/auth/projects")


def test_services_are_told_of_what_was_disabled(cloud: ApiCloud) -> None:
    _, ids, _ = inhabitant(cloud)
    for what in ("project", "domain"):
        switch(cloud.admin, what, ids, enabled=False)
    events = cloud.admin.get(f"{V3}/OS-REVOKE/events").json()["events"]
    assert [event | {"issued_before": ""} for event in events] == [
        {"issued_before": "", "project_id": ids["project"]},
        {"issued_before": "", "domain_id": ids["domain"]},
    ]


def test_what_ends_tokens_is_told_to_services(cloud: ApiCloud) -> None:
    user, admin, other = cloud.new_user("mia", "garden"), cloud.admin, cloud.admin_again()
    admin.delete(f"{V3}/auth/tokens", headers={"X-Subject-Token": other.token})
    admin.delete(f"{V3}/users/{user.user_id}")
    events = admin.get(f"{V3}/OS-REVOKE/events").json()["events"]
    assert [next(k for k in event if k != "issued_before") for event in events] == ["audit_id", "user_id"]
    assert admin.get(f"{V3}/OS-REVOKE/events?since=2999-01-01T00:00:00Z").json()["events"] == []
    cloud.new_user("tom", "garden").get(f"{V3}/OS-REVOKE/events", expect=403)
    assert len(revocations.index(cloud.core)) == 2


def test_the_list_of_revoked_tokens_is_gone(cloud: ApiCloud) -> None:
    cloud.admin.get(f"{V3}/auth/tokens/OS-PKI/revoked", expect=410)


def test_a_known_token_costs_no_query_however_many_are_revoked(cloud: ApiCloud) -> None:
    admin = cloud.admin
    header = {"X-Subject-Token": admin.token}
    admin.get(f"{V3}/auth/tokens", headers=header)
    with cloud.core.db.write() as tx:
        rows = [{"audit_id": f"audit-{number}", "expires_at": FAR} for number in range(10_000)]
        tx.execute(insert(revoked_token), rows)
    sent = count_queries(cloud)
    admin.get(f"{V3}/auth/tokens", headers=header)
    authenticate(cloud, {"token": {"id": admin.token}}, {"project": {"id": admin.project_id}})
    assert sent == []


def test_a_token_not_known_yet_costs_the_same_few_queries_however_many_are_revoked(cloud: ApiCloud) -> None:
    admin = cloud.admin
    costs = []
    for round_ in range(2):
        with process_of(cloud) as other:
            sent = count_queries(other)
            as_in(other, admin).get(f"{V3}/auth/tokens", headers={"X-Subject-Token": admin.token})
            costs.append(len(sent))
        with cloud.core.db.write() as tx:
            rows = [{"audit_id": f"audit-{round_}-{number}", "expires_at": FAR} for number in range(10_000)]
            tx.execute(insert(revoked_token), rows)
    assert costs[0] == costs[1] <= 20


def test_a_repeated_login_derives_no_key(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert authenticate(cloud, ADMIN).status_code == 201
    monkeypatch.setattr("bcrypt.checkpw", lambda *_: pytest.fail("a key was derived"))
    assert authenticate(cloud, ADMIN).status_code == 201


def test_a_remembered_password_is_forgotten_with_any_change_of_the_user_and_after_a_while(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bcrypt

    derived: list[int] = []
    real = bcrypt.checkpw
    monkeypatch.setattr("bcrypt.checkpw", lambda *given: derived.append(1) or real(*given))
    user, admin = cloud.new_user("mia", "garden"), cloud.admin
    login = by_password("mia", "mia-secret")
    derived.clear()
    authenticate(cloud, login)
    assert derived == []
    admin.patch(f"{V3}/users/{user.user_id}", {"user": {"description": "new"}}, 200)
    authenticate(cloud, login)
    assert derived == [1]
    cloud.advance(301)
    authenticate(cloud, login)
    assert derived == [1, 1]


def test_keys_rotate_and_old_tokens_stay_good(cloud: ApiCloud) -> None:
    admin = cloud.admin
    body = {"credential": {"type": "totp", "blob": "GEZDGNBVGY3TQOJQ", "user_id": admin.user_id}}
    made = admin.post(f"{V3}/credentials", body, 201).json()["credential"]
    keys.rotate(cloud.core)
    admin.get(f"{V3}/users")
    assert admin.get(f"{V3}/credentials/{made['id']}").json()["credential"]["blob"] == "GEZDGNBVGY3TQOJQ"
    assert not keys.keep(cloud.core)
    cloud.advance(3600 + 172_800 + 1)
    assert keys.keep(cloud.core)
    cloud.admin.get(f"{V3}/users")
    cloud.advance(31 * 86400)
    assert keys.keep(cloud.core)
    cloud.admin.get(f"{V3}/users")


def test_a_revocation_holds_at_once_in_another_process_and_after_a_restart(cloud: ApiCloud) -> None:
    admin, doomed = cloud.admin, cloud.admin_again()
    with process_of(cloud) as other:
        as_in(other, doomed).get(f"{V3}/users")
        admin.delete(f"{V3}/auth/tokens", headers={"X-Subject-Token": doomed.token})
        as_in(other, doomed).get(f"{V3}/users", expect=401)
        as_in(other, admin).get(f"{V3}/users")
    with process_of(cloud) as restarted:
        as_in(restarted, doomed).get(f"{V3}/users", expect=401)


def test_changes_of_one_process_hold_at_once_in_the_other(cloud: ApiCloud) -> None:
    user, admin = cloud.new_user("mia", "garden"), cloud.admin
    with process_of(cloud) as other:
        there = as_in(other, user)
        there.get(f"{V3}/auth/projects")
        [role] = admin.get(f"{V3}/roles?name=member").json()["roles"]
        path = f"{V3}/projects/{user.project_id}/users/{user.user_id}/roles/{role['id']}"
        admin.delete(path)
        there.get(f"{V3}/auth/projects", expect=401)
        as_in(other, admin).put(path, expect=204)
        user.get(f"{V3}/auth/projects")
        body = {"user": {"original_password": "mia-secret", "password": "another"}}
        there.post(f"{V3}/users/{user.user_id}/password", body, 204)
        user.get(f"{V3}/auth/projects", expect=401)
        assert authenticate(cloud, by_password("mia", "mia-secret")).status_code == 401
        assert authenticate(cloud, by_password("mia", "another")).status_code == 201


def test_what_was_read_before_a_change_reaches_nobody_who_came_after_it(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three requests at a time: one reads slowly, one comes after the change, one has looked before it and lags."""
    user = make_user(cloud.admin, "mia")
    before = cloud.core.db.glance(NUMBER)
    with Desk(cloud.core) as slow:
        assert slow.tx.first(select(user_table)), "what it sees of the database is fixed now"
        cloud.admin.patch(f"{V3}/users/{user['id']}", {"user": {"enabled": False}}, 200)
        with Desk(cloud.core) as late:
            monkeypatch.setattr(cloud.core.db, "glance", lambda query: before)
            Desk(cloud.core)
            read = user_at(slow, user["id"])
            assert read is not None and read.enabled
            found = user_at(late, user["id"])
            assert found is not None and not found.enabled


def test_a_service_reads_tokens_and_does_not_just_check_them(cloud: ApiCloud) -> None:
    """As upstream, where ``check_token`` (HEAD) is not for the service role."""
    mia, robot = cloud.new_user("mia", "garden"), cloud.new_user("robot", "services", "service")
    headers = {"X-Subject-Token": mia.token}
    robot.get(f"{V3}/auth/tokens", headers=headers)
    robot.request("HEAD", f"{V3}/auth/tokens", headers=headers, expect=403)
    mia.request("HEAD", f"{V3}/auth/tokens", headers=headers, expect=200)
