"""A connected host in other hands is put out, whatever is on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tane.hosts import listener
from tane.wire.errors import Refused
from tests.api.compute_support import Project, V, project
from tests.joined import Agent, api, listening, new_token
from tests.services.network.following import until
from tests.support import ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def beta(tmp_path: Path) -> Agent:
    return Agent(tmp_path / "beta", "beta")


def test_a_host_in_other_hands_is_cut_off_whatever_is_on_it(garden: Project, beta: Agent) -> None:
    cloud = garden.cloud

    async def work() -> None:
        async with listening(cloud):
            token = await new_token(cloud)
            await beta.join(token)
            async with beta.connected() as line:
                await api(cloud, "PUT", "/hosts/host-1", json={"host": {"enabled": False}})
                headers = {"X-Auth-Token": garden.user.token}
                made = await cloud._client.post(f"{V}/servers", json=garden.body("far"), headers=headers)
                assert made.status_code == 202, made.text
                await cloud._run_jobs()
                assert (await api(cloud, "DELETE", "/hosts/nobody/certificates")).status_code == 404
                assert (await api(cloud, "DELETE", "/hosts/host-1/certificates")).status_code == 409
                assert (await api(cloud, "DELETE", "/hosts/beta/certificates")).status_code == 204
                await until(lambda: not line.connected.is_set(), "its line ends")
            with pytest.raises(Refused, match="join it anew"):
                async with beta.connected():
                    pass
            with pytest.raises(Refused, match="unknown or expired"):
                await beta.join(token)
            shown = (await api(cloud, "GET", "/hosts/beta")).json()["host"]
            assert (shown["connected"], shown["servers"]) == (False, 1)
            assert (shown["state"], shown["enabled"], shown["disabled_reason"]) == ("down", False, "cut off")
            again = await api(cloud, "PUT", "/hosts/beta", json={"host": {"enabled": True}})
            assert again.status_code == 409 and "tane join --again" in again.text
            dead = await api(cloud, "PUT", "/hosts/beta", json={"host": {"dead": True}})
            assert dead.json()["host"]["state"] == "dead"
            await beta.join(await new_token(cloud, name="beta"))
            async with beta.connected():
                assert (await api(cloud, "GET", "/hosts/beta")).json()["host"]["connected"]
                back = {"host": {"enabled": True, "dead": False}}
                assert (await api(cloud, "PUT", "/hosts/beta", json=back)).json()["host"]["state"] == "up"

    cloud.wait(work())


def test_a_host_that_is_cut_off_while_it_greets_is_not_let_in(
    cloud: ApiCloud, beta: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with listening(cloud) as door:
            await beta.join(await new_token(cloud))
            serve = listener.Listener._serve_host

            async def late(self: Any, *told: Any) -> None:
                monkeypatch.setattr(listener.Listener, "_serve_host", serve)
                assert (await api(cloud, "DELETE", "/hosts/beta/certificates")).status_code == 204
                await serve(self, *told)

            monkeypatch.setattr(listener.Listener, "_serve_host", late)
            with pytest.raises(Refused, match="join it anew"):
                async with beta.connected():
                    pass
            assert not door._lines

    cloud.wait(work())
