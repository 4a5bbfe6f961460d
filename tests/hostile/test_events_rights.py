"""Who is told what happens: not by a role that reads nothing else, and not longer than one may be."""

from __future__ import annotations

import asyncio

import pytest

from tane.services.event.domain import following
from tane.services.event.domain.following import Wish
from tane.services.identity import interface as identity
from tests.api.identity_support import V3, grant, login, make, make_user, role_id
from tests.support import ApiCloud


def test_a_role_that_reads_nothing_is_told_nothing_of_the_project(cloud: ApiCloud) -> None:
    mia, admin = cloud.new_user("mia", "garden"), cloud.admin
    robot = make_user(admin, "robot")
    make(admin, "role", name="watcher")
    grant(admin, f"projects/{mia.project_id}", f"users/{robot['id']}", "watcher")
    mia.post("/network/v2.0/networks", {"network": {"name": "secret-bed"}}, 201)
    caller = login(cloud, robot, project={"id": mia.project_id})
    assert "secret-bed" in mia.get("/events?limit=1000").text
    assert "secret-bed" not in caller.get("/events?limit=1000").text


def test_a_stream_of_the_whole_cloud_ends_with_the_right_to_it(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.05)
    ann, admin = cloud.new_user("ann", "ops", "admin"), cloud.admin
    grant(admin, f"projects/{ann.project_id}", f"users/{ann.user_id}", "member")
    token = cloud.login("ann", "ann-secret", "ops").token
    ctx = identity.authenticate(cloud.core, token, "req-1")
    roles = f"{V3}/projects/{ann.project_id}/users/{ann.user_id}/roles"
    taken = f"{roles}/{role_id(admin, 'admin')}"

    async def listen() -> None:
        stream = following.follow(cloud.core, ctx, Wish(True, (), ""), following.newest(cloud.core))
        await anext(stream)
        await cloud._client.delete(taken, headers={"X-Auth-Token": admin.token})
        async for _ in stream:
            pass

    cloud.wait(asyncio.wait_for(listen(), 20))
    assert identity.authenticate(cloud.core, token, "req-2").roles, "the token is good for the rest"
