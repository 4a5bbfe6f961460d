"""Names of identity are compared without case, as Keystone's are on MySQL, and shown as they were given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity_support import V3, authenticate, make
from tests.support import ADMIN_PASSWORD, ApiCloud

KINDS = {
    "domain": ("domains", {}),
    "project": ("projects", {"domain_id": "default"}),
    "user": ("users", {"domain_id": "default"}),
    "group": ("groups", {"domain_id": "default"}),
    "role": ("roles", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_spelling_of_a_name_is_the_same_name(cloud: ApiCloud, kind: str) -> None:
    collection, more = KINDS[kind]
    admin = cloud.admin
    made = make(admin, kind, name="Garden", **more)
    assert made["name"] == "Garden"
    admin.post(f"{V3}/{collection}", {kind: {"name": "gARDEN", **more}}, 409)
    other = make(admin, kind, name="orchard", **more)
    admin.patch(f"{V3}/{collection}/{other['id']}", {kind: {"name": "GARDEN"}}, 409)
    [found] = admin.get(f"{V3}/{collection}?name=garden").json()[collection]
    assert found["id"] == made["id"]
    renamed = admin.patch(f"{V3}/{collection}/{made['id']}", {kind: {"name": "garden"}}, 200).json()[kind]
    assert renamed["name"] == "garden"


@pytest.mark.parametrize("more", [{}, {"domain_id": "default"}])
def test_the_name_of_a_role_of_the_cloud_is_taken_in_every_case(cloud: ApiCloud, more: dict[str, Any]) -> None:
    expect = 201 if more else 409
    cloud.admin.post(f"{V3}/roles", {"role": {"name": "ADMIN", **more}}, expect)


@pytest.mark.parametrize("domain", ["Default", "default", "DEFAULT"])
@pytest.mark.parametrize("name", ["admin", "Admin"])
def test_who_logs_in_may_spell_names_as_they_come(cloud: ApiCloud, domain: str, name: str) -> None:
    user = {"name": name, "domain": {"name": domain}, "password": ADMIN_PASSWORD}
    scope = {"project": {"name": name, "domain": {"name": domain}}}
    response = authenticate(cloud, {"password": {"user": user}}, scope)
    assert response.status_code == 201, response.text
    token = response.json()["token"]
    assert (token["user"]["name"], token["project"]["domain"]["name"]) == ("admin", "Default")
