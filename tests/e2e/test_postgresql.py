"""A running cloud on PostgreSQL: it is killed, its database server is restarted under it, and all goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tane.cli.client import CallError, Client
from tests.databases import PrivateServer, private_server
from tests.e2e.real import RealCloud, wait_for
from tests.e2e.shell import Shell

pytestmark = pytest.mark.postgresql


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as made:
        yield made


@pytest.fixture
def cloud(server: PrivateServer, tmp_path: Path) -> Iterator[RealCloud]:
    made = RealCloud(tmp_path / "cloud")
    made.folder.mkdir()
    (made.folder / "tane.toml").write_text(f"database_url = {json.dumps(server.url())}\n")
    yield made
    made.tane("down", "--purge")


def up(cloud: RealCloud, check: bool = True) -> str:
    return cloud.tane("up", "--mode", "simulated", "--port", str(cloud.port), check=check)


def volume(client: Client, name: str) -> str:
    body = {"volume": {"name": name, "size": 1}}
    return str(client.call("POST", f"/volume/v3/{client.project_id}/volumes", body)["volume"]["id"])


def wait_volume(client: Client, volume_id: str) -> None:
    def ready() -> Any:
        found = client.call("GET", f"/volume/v3/{client.project_id}/volumes/{volume_id}")["volume"]
        return found["status"] == "available"

    wait_for("the volume is available", ready, 60)


def answers(client: Client) -> bool:
    try:
        client.call("GET", "/compute/v2.1/servers")
    except CallError as error:
        assert ": 503 " in str(error)
        return False
    return True


def test_all_goes_on_when_the_cloud_is_killed_and_when_its_database_is_restarted(
    cloud: RealCloud, server: PrivateServer
) -> None:
    up(cloud)
    assert not (cloud.folder / "tane.db").exists()
    with closing(Shell(cloud)) as shell:
        shell.run("project", "create", "garden")
    client = cloud.admin()
    # Killed with jobs under way, whose leases are still good: the next start takes them back at once.
    made = [volume(client, f"v{number}") for number in range(5)]
    cloud.kill()
    up(cloud)
    for volume_id in made:
        wait_volume(client, volume_id)
    with closing(Shell(cloud)) as shell:
        assert "garden" in shell.run("project", "list", "-f", "value", "-c", "Name")

    server.stop()
    assert not answers(client)
    assert "does not answer" in cloud.tane("status", check=False)
    assert "does not answer" in cloud.tane("doctor", check=False)
    server.start()
    wait_for("the cloud answers again", lambda: answers(client), 30)
    wait_volume(client, volume(client, "after the restart"))
    assert "6 volumes" in cloud.tane("status")


def test_a_start_without_its_database_says_so(cloud: RealCloud, server: PrivateServer) -> None:
    server.stop()
    said = up(cloud, check=False)
    assert "the cloud's database cannot be used" in said
    assert "Traceback" not in said
    server.start()
    up(cloud)
