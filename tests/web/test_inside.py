"""Calls of the cloud's own API from inside it: the same rules, without HTTP."""

from __future__ import annotations

import pytest

from tane.services.identity import interface as identity
from tane.web import inside
from tane.web.context import Context
from tane.web.errors import BadRequest, Forbidden, NotFound
from tests.support import ApiCloud, Caller


def acting(cloud: ApiCloud, user: Caller) -> Context:
    return identity.acting(cloud.core, identity.Delegation(user.user_id, user.project_id), "req-1")


def test_a_call_answers_what_a_request_would(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    ctx = acting(cloud, mia)
    made = inside.call(cloud.core, ctx, "network", "POST", "/v2.0/networks", {"network": {"name": "rose"}})["network"]
    assert mia.get(f"/network/v2.0/networks/{made['id']}").json()["network"] == made
    volumes = inside.call(cloud.core, ctx, "volume", "GET", "/v3/volumes")
    assert volumes == mia.get(f"/volume/v3/{mia.project_id}/volumes").json()
    inside.call(cloud.core, ctx, "network", "DELETE", f"/v2.0/networks/{made['id']}")
    mia.get(f"/network/v2.0/networks/{made['id']}", 404)


def test_policy_schema_and_ownership_hold_inside(cloud: ApiCloud) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed", role="reader")
    net = mia.post("/network/v2.0/networks", {"network": {"name": "rose"}}, 201).json()["network"]["id"]
    reader, member = acting(cloud, bob), acting(cloud, mia)
    with pytest.raises(NotFound):
        inside.call(cloud.core, reader, "network", "GET", f"/v2.0/networks/{net}")
    with pytest.raises(Forbidden):
        inside.call(cloud.core, reader, "network", "POST", "/v2.0/networks", {"network": {}})
    with pytest.raises(BadRequest, match="colour"):
        inside.call(cloud.core, member, "network", "POST", "/v2.0/networks", {"network": {"colour": "red"}})
    with pytest.raises(Forbidden):
        inside.call(cloud.core, member, "identity", "POST", "/v3/projects", {"project": {"name": "pond"}})


def test_what_no_thread_can_answer_is_not_called(cloud: ApiCloud) -> None:
    ctx = acting(cloud, cloud.new_user("mia", "garden"))
    for service, path in (("object", f"/v1/AUTH_{ctx.project_id}"), ("compute", "/v2.1/nowhere"), ("pond", "/")):
        with pytest.raises(NotFound):
            inside.call(cloud.core, ctx, service, "GET", path)
