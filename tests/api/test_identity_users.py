"""Users, their passwords and the rules of both."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.identity.domain import audit, users
from tane.services.identity.drivers import User
from tane.services.identity.drivers.sql import SqlUsers
from tane.web.request import CURRENT, NeedsHashing
from tests.api.identity_support import V3, authenticate, by_password, make_user, process_of
from tests.support import ApiCloud


def settings(cloud: ApiCloud, **values: Any) -> None:
    for name, value in values.items():
        setattr(cloud.core.config, name, value)


def status(cloud: ApiCloud, name: str, password: str) -> int:
    return authenticate(cloud, by_password(name, password)).status_code


def change(cloud: ApiCloud, user: dict[str, Any], old: str, new: str) -> int:
    body = {"user": {"original_password": old, "password": new}}
    return cloud.call("POST", f"{V3}/users/{user['id']}/password", json=body).status_code


def test_a_user_keeps_what_it_was_given(cloud: ApiCloud) -> None:
    admin = cloud.admin
    given = {"name": "mia", "description": "a gardener", "email": "mia@garden.test", "options": {"lock_password": True}}
    user = admin.post(f"{V3}/users", {"user": given}, 201).json()["user"]
    assert user | given == user
    assert (user["enabled"], user["federated"], user["password_expires_at"]) == (True, [], None)
    changed = {"user": {"options": {"lock_password": None, "ignore_password_expiry": True}, "email": "m@garden.test"}}
    user = admin.patch(f"{V3}/users/{user['id']}", changed, 200).json()["user"]
    assert user["options"] == {"ignore_password_expiry": True}
    assert user["email"] == "m@garden.test"


def test_a_password_sent_along_with_a_change_is_not_shown(cloud: ApiCloud) -> None:
    user = make_user(cloud.admin, "mia")
    body = {"user": {"password": "second", "original_password": "mia-secret"}}
    shown = cloud.admin.patch(f"{V3}/users/{user['id']}", body, 200).json()["user"]
    assert not {"password", "original_password"} & set(shown)


@pytest.mark.parametrize(
    "wrong",
    [
        {"enabled": "False"},
        {"name": "x" * 256},
        {"name": 5},
        {"options": {"no_such_option": True}},
        {"options": {"lock_password": "yes"}},
        {"default_project_id": "default"},
    ],
)
def test_a_wrong_value_is_refused(cloud: ApiCloud, wrong: dict[str, Any]) -> None:
    cloud.admin.post(f"{V3}/users", {"user": {"name": "mia", **wrong}}, 400)


def test_a_password_must_follow_the_pattern(cloud: ApiCloud) -> None:
    settings(cloud, password_regex="^(?=.*[0-9]).{7,}$", password_regex_description="7 characters with a digit")
    response = cloud.admin.post(f"{V3}/users", {"user": {"name": "mia", "password": "simple"}}, 400)
    assert response.json()["error"]["message"] == (
        "The password does not match the requirements: 7 characters with a digit."
    )
    make_user(cloud.admin, "mia1")


def test_an_expired_password_can_only_be_changed(cloud: ApiCloud) -> None:
    settings(cloud, password_expires_days=10)
    user = make_user(cloud.admin, "mia")
    exempt = cloud.admin.post(
        f"{V3}/users",
        {"user": {"name": "tom", "password": "tom-secret", "options": {"ignore_password_expiry": True}}},
        201,
    ).json()["user"]
    assert exempt["password_expires_at"] is None
    cloud.advance(11 * 86400)
    response = authenticate(cloud, by_password("mia", "mia-secret"))
    assert response.status_code == 401
    assert f"needs to be changed for user: {user['id']}" in response.json()["error"]["message"]
    assert status(cloud, "tom", "tom-secret") == 201
    assert change(cloud, user, "wrong", "new-secret") == 401
    assert change(cloud, user, "mia-secret", "new-secret") == 204
    assert status(cloud, "mia", "new-secret") == 201


def test_users_are_found_by_when_their_password_expires(cloud: ApiCloud) -> None:
    settings(cloud, password_expires_days=10)
    admin = cloud.admin
    make_user(admin, "mia")
    path = f"{V3}/users?password_expires_at="
    assert [u["name"] for u in admin.get(f"{path}lt:2999-01-01T00:00:00Z").json()["users"]] == ["mia"]
    assert admin.get(f"{path}gt:2999-01-01T00:00:00Z").json()["users"] == []
    admin.get(f"{path}soon", expect=400)


def test_the_first_login_asks_for_a_new_password(cloud: ApiCloud) -> None:
    settings(cloud, change_password_upon_first_use=True)
    user = make_user(cloud.admin, "mia")
    assert status(cloud, "mia", "mia-secret") == 401
    assert change(cloud, user, "mia-secret", "own-secret") == 204
    assert status(cloud, "mia", "own-secret") == 201
    cloud.admin.patch(f"{V3}/users/{user['id']}", {"user": {"password": "reset-secret"}}, 200)
    assert status(cloud, "mia", "reset-secret") == 401


def test_old_passwords_do_not_come_again(cloud: ApiCloud) -> None:
    settings(cloud, unique_last_password_count=2)
    user = make_user(cloud.admin, "mia")
    assert change(cloud, user, "mia-secret", "second") == 204
    assert change(cloud, user, "second", "second") == 400
    assert change(cloud, user, "second", "mia-secret") == 400
    assert change(cloud, user, "second", "third") == 204
    assert change(cloud, user, "third", "mia-secret") == 204


def test_a_password_must_be_used_for_a_while(cloud: ApiCloud) -> None:
    settings(cloud, minimum_password_age=2)
    user = make_user(cloud.admin, "mia")
    assert change(cloud, user, "mia-secret", "second") == 204
    assert change(cloud, user, "second", "third") == 400
    cloud.advance(2 * 86400)
    assert change(cloud, user, "second", "third") == 204


def test_a_locked_password_is_changed_by_administrators_only(cloud: ApiCloud) -> None:
    user = make_user(cloud.admin, "mia")
    path = f"{V3}/users/{user['id']}"
    cloud.admin.patch(path, {"user": {"options": {"lock_password": True}}}, 200)
    assert change(cloud, user, "mia-secret", "second") == 403
    cloud.admin.patch(path, {"user": {"password": "second"}}, 200)
    assert status(cloud, "mia", "second") == 201


def test_failed_logins_lock_the_account_for_a_while_in_every_process(cloud: ApiCloud) -> None:
    settings(cloud, lockout_failure_attempts=3, lockout_duration=60)
    user = make_user(cloud.admin, "mia")
    assert status(cloud, "mia", "mia-secret") == 201
    with process_of(cloud) as other:
        for process in (cloud, other, cloud):
            assert status(process, "mia", "wrong") == 401
        for process in (cloud, other):
            response = authenticate(process, by_password("mia", "mia-secret"))
            assert response.status_code == 401
            assert response.json() == authenticate(process, by_password("nobody", "mia-secret")).json()
            event = audit.index(cloud.core)[-2]
            assert event["reason"]["reasonType"] == f"The account is locked for user: {user['id']}."
            assert change(process, user, "mia-secret", "second") == 401
    with process_of(cloud) as restarted:
        assert status(restarted, "mia", "mia-secret") == 401
    cloud.advance(61)
    assert status(cloud, "mia", "mia-secret") == 201
    for _ in range(2):
        assert status(cloud, "mia", "wrong") == 401
    assert status(cloud, "mia", "mia-secret") == 201


def test_guesses_at_the_same_time_are_no_way_round_the_lock(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(cloud, lockout_failure_attempts=1)
    make_user(cloud.admin, "mia")

    def slow(driver: SqlUsers, user: User, password: str) -> bool:
        with cloud.core.db.write() as tx:
            driver.login_failed(tx, user)
        return True

    monkeypatch.setattr(SqlUsers, "check_password", slow)
    assert status(cloud, "mia", "mia-secret") == 401


def test_a_password_that_is_changed_during_a_login_makes_no_token(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user(cloud.admin, "mia")

    def slow(driver: SqlUsers, found: User, password: str) -> bool:
        request = CURRENT.get()
        if request is not None and not request.may_hash:
            raise NeedsHashing
        monkeypatch.undo()
        users.update(cloud.core, user["id"], {"password": "second"})
        return driver.check_password(found, password)

    monkeypatch.setattr(SqlUsers, "check_password", slow)
    assert status(cloud, "mia", "mia-secret") == 401
    assert status(cloud, "mia", "second") == 201


def test_what_is_typed_at_a_login_is_not_kept_at_any_length(cloud: ApiCloud) -> None:
    by_id = {"password": {"user": {"id": "x" * 10_000, "password": "x"}}}
    assert authenticate(cloud, by_id).status_code == 401
    assert len(audit.index(cloud.core)[-1]["initiator"]["id"]) == 255


def test_an_administrator_unlocks_an_account(cloud: ApiCloud) -> None:
    settings(cloud, lockout_failure_attempts=1, lockout_duration=0)
    user = make_user(cloud.admin, "mia")
    assert status(cloud, "mia", "wrong") == 401
    cloud.advance(1e6)
    assert status(cloud, "mia", "mia-secret") == 401
    cloud.admin.patch(f"{V3}/users/{user['id']}", {"user": {"enabled": True}}, 200)
    assert status(cloud, "mia", "mia-secret") == 201


def test_a_user_who_stays_away_is_disabled(cloud: ApiCloud) -> None:
    settings(cloud, disable_user_account_days_inactive=30)
    user = make_user(cloud.admin, "mia")
    options = {"options": {"ignore_user_inactivity": True}}
    cloud.admin.patch(f"{V3}/users/{cloud.admin.user_id}", {"user": options}, 200)
    cloud.admin.post(f"{V3}/users", {"user": {"name": "tom", "password": "tom-secret", **options}}, 201)
    cloud.advance(20 * 86400)
    assert status(cloud, "mia", "mia-secret") == 201
    cloud.advance(31 * 86400)
    assert status(cloud, "mia", "mia-secret") == 401
    assert status(cloud, "tom", "tom-secret") == 201
    assert cloud.admin.get(f"{V3}/users/{user['id']}").json()["user"]["enabled"] is False
    cloud.admin.patch(f"{V3}/users/{user['id']}", {"user": {"enabled": True}}, 200)
    assert status(cloud, "mia", "mia-secret") == 201


def test_who_stayed_away_and_is_enabled_again_has_no_old_token_back(cloud: ApiCloud) -> None:
    settings(cloud, disable_user_account_days_inactive=30, token_ttl=60 * 86400)
    mia, options = cloud.new_user("mia", "garden"), {"options": {"ignore_user_inactivity": True}}
    cloud.admin.patch(f"{V3}/users/{cloud.admin.user_id}", {"user": options}, 200)
    mia.get(f"{V3}/auth/projects")
    cloud.advance(31 * 86400)
    mia.get(f"{V3}/auth/projects", expect=401)
    cloud.admin.patch(f"{V3}/users/{mia.user_id}", {"user": {"enabled": True}}, 200)
    mia.get(f"{V3}/auth/projects", expect=401)
    assert status(cloud, "mia", "mia-secret") == 201


def test_nor_does_the_program_of_a_user_who_stays_away_log_in(cloud: ApiCloud) -> None:
    settings(cloud, disable_user_account_days_inactive=30)
    options = {"options": {"ignore_user_inactivity": True}}
    cloud.admin.patch(f"{V3}/users/{cloud.admin.user_id}", {"user": options}, 200)
    mia = cloud.new_user("mia", "garden")
    path = f"{V3}/users/{mia.user_id}/application_credentials"
    made = mia.post(path, {"application_credential": {"name": "robot"}}, 201).json()["application_credential"]
    proof = {"application_credential": {"id": made["id"], "secret": made["secret"]}}
    assert authenticate(cloud, proof).status_code == 201
    cloud.advance(31 * 86400)
    assert authenticate(cloud, proof).status_code == 401
