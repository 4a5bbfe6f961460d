"""Configuration of domains, and OAuth consumers: what is kept for others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity_support import V3, make
from tests.support import ApiCloud

LDAP = {"ldap": {"url": "ldap://203.0.113.9", "user_tree_dn": "OU=users", "password": "hush"}}
SHOWN = {"ldap": {"url": "ldap://203.0.113.9", "user_tree_dn": "OU=users"}}


def test_a_domain_is_configured_changed_and_reset(cloud: ApiCloud) -> None:
    admin = cloud.admin
    path = f"{V3}/domains/{make(admin, 'domain', name='land')['id']}/config"
    admin.get(path, expect=404)
    assert admin.put(path, {"config": LDAP}, 201).json()["config"] == SHOWN
    assert admin.put(path, {"config": LDAP}, 200).json()["config"] == SHOWN
    assert admin.get(path).json()["config"] == SHOWN
    assert admin.get(f"{path}/ldap").json()["config"] == SHOWN
    assert admin.get(f"{path}/ldap/url").json()["config"] == {"url": "ldap://203.0.113.9"}
    admin.get(f"{path}/ldap/password", expect=404)
    admin.get(f"{path}/identity", expect=404)
    admin.patch(path, {"config": {"identity": {"driver": "ldap"}}}, 200)
    changed = admin.patch(f"{path}/ldap", {"config": {"ldap": {"url": "ldap://203.0.113.10"}}}, 200)
    assert changed.json()["config"]["ldap"]["url"] == "ldap://203.0.113.10"
    admin.patch(f"{path}/ldap/url", {"config": {"url": "ldap://203.0.113.11"}}, 200)
    assert admin.get(f"{path}/ldap/url").json()["config"] == {"url": "ldap://203.0.113.11"}
    admin.delete(f"{path}/ldap/url")
    admin.delete(f"{path}/ldap/url", expect=404)
    admin.delete(f"{path}/ldap")
    assert admin.get(path).json()["config"] == {"identity": {"driver": "ldap"}}
    admin.delete(path)
    admin.get(path, expect=404)


@pytest.mark.parametrize(
    "config", [{}, {"ldap": {}}, {"ldap": "x"}, {"ldap": {"colour": "red"}}, {"token": {"provider": "fernet"}}]
)
def test_what_may_not_be_set_for_a_domain_is_refused(cloud: ApiCloud, config: Any) -> None:
    admin = cloud.admin
    path = f"{V3}/domains/default/config"
    admin.put(path, {"config": config}, 403)
    admin.get(path, expect=404)
    admin.put(f"{V3}/domains/none/config", {"config": LDAP}, 404)
    admin.put(path, {"config": "ldap"}, 400)


def test_a_change_names_the_group_and_option_of_its_address(cloud: ApiCloud) -> None:
    admin = cloud.admin
    path = f"{V3}/domains/default/config"
    admin.put(path, {"config": LDAP}, 201)
    admin.patch(f"{path}/identity", {"config": LDAP}, 403)
    admin.patch(f"{path}/identity", {"config": {"identity": {"driver": "ldap"}}}, 404)
    admin.patch(f"{path}/ldap/url", {"config": {"ldap": {"user": "x", "url": "y"}}}, 403)
    admin.patch(f"{path}/ldap/suffix", {"config": {"suffix": "x"}}, 404)


def test_defaults_are_told(cloud: ApiCloud) -> None:
    admin = cloud.admin
    path = f"{V3}/domains/config"
    whole = admin.get(f"{path}/default").json()["config"]
    assert set(whole) == {"identity", "ldap"}
    assert admin.get(f"{path}/ldap/default").json()["config"] == {"ldap": whole["ldap"]}
    assert admin.get(f"{path}/ldap/url/default").json()["config"] == {"url": "ldap://localhost"}
    admin.get(f"{path}/ldap/password/default", expect=403)
    cloud.new_user("mia", "garden").get(f"{path}/default", expect=403)


def test_a_consumer_tells_its_secret_once(cloud: ApiCloud) -> None:
    admin = cloud.admin
    made = make(admin, "consumer", "OS-OAUTH1/consumers", description="painter")
    secret = made.pop("secret")
    assert len(secret) == 32
    path = f"{V3}/OS-OAUTH1/consumers/{made['id']}"
    assert admin.get(path).json()["consumer"] == made
    assert admin.get(f"{V3}/OS-OAUTH1/consumers").json()["consumers"] == [made]
    changed = admin.patch(path, {"consumer": {"description": "printer"}}, 200).json()["consumer"]
    assert changed["description"] == "printer"
    admin.patch(path, {"consumer": {"secret": "mine"}}, 400)
    cloud.new_user("mia", "garden").get(path, expect=403)
    admin.delete(path)
    admin.delete(path, expect=404)
