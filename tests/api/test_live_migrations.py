"""Servers that go to another host while they run, as administrators see it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs

from tane.agent.compute.drivers.fake import FakeCompute
from tane.hosts import store
from tane.services.compute.tables import migration
from tane.wire.documents import Landing
from tane.wire.errors import HostError
from tests.api.compute_support import LATEST, Project, V, project
from tests.support import HOST_ID, OTHER_HOST_ID, ApiCloud, second_host

OLD = {"OpenStack-API-Version": "compute 2.1"}
ANYWHERE = {"host": None, "block_migration": "auto"}


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


@pytest.fixture
def there(garden: Project) -> FakeCompute:
    return second_host(garden.cloud.core)


def live(
    garden: Project, server_id: str, body: dict[str, Any], status: int = 202, headers: dict[str, str] = LATEST
) -> str:
    path = f"{V}/servers/{server_id}/action"
    return garden.admin.post(path, {"os-migrateLive": body}, status, headers=headers).text


def seen(garden: Project, server_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = garden.admin.get(f"{V}/servers/{server_id}", headers=LATEST).json()["server"]
    return shown


def under_way(garden: Project, server_id: str, version: str = "2.96") -> list[dict[str, Any]]:
    headers = {"OpenStack-API-Version": f"compute {version}"}
    found: list[dict[str, Any]] = garden.admin.get(f"{V}/servers/{server_id}/migrations", headers=headers).json()[
        "migrations"
    ]
    return found


def test_a_running_server_goes_to_another_host_and_its_user_sees_it_migrating(
    garden: Project, there: FakeCompute
) -> None:
    server_id = garden.server()
    live(garden, server_id, ANYWHERE)
    assert garden.show(server_id)["status"] == "MIGRATING"
    [shown] = under_way(garden, server_id)
    assert (shown["status"], shown["server_uuid"], shown["dest_compute"]) == ("preparing", server_id, "host-2")
    assert shown["memory_total_bytes"] == 0 and shown["uuid"]
    one = garden.admin.get(f"{V}/servers/{server_id}/migrations/{shown['id']}", headers=LATEST).json()["migration"]
    assert one == shown
    assert "uuid" not in under_way(garden, server_id, "2.23")[0]
    garden.cloud.run_jobs()
    after = seen(garden, server_id)
    assert (after["status"], after["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-2")
    assert there.guest(server_id).id == server_id and under_way(garden, server_id) == []
    [done] = garden.admin.get(f"{V}/os-migrations", headers=LATEST).json()["migrations"]
    assert (done["migration_type"], done["status"]) == ("live-migration", "completed")
    actions = garden.user.get(f"{V}/servers/{server_id}/os-instance-actions").json()["instanceActions"]
    assert actions[0]["action"] == "live-migration"


def test_only_administrators_move_servers(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    path = f"{V}/servers/{server_id}"
    garden.user.post(f"{path}/action", {"os-migrateLive": ANYWHERE}, 403, headers=LATEST)
    garden.user.get(f"{path}/migrations", 403, headers=LATEST)
    garden.user.delete(f"{path}/migrations/1", 403, headers=LATEST)
    garden.user.post(f"{path}/migrations/1/action", {"force_complete": None}, 403, headers=LATEST)


def test_a_paused_server_stays_paused(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    assert garden.done(server_id, "pause")["status"] == "PAUSED"
    live(garden, server_id, {"host": "host-2", "block_migration": True})
    garden.cloud.run_jobs()
    assert seen(garden, server_id)["status"] == "PAUSED" and seen(garden, server_id)["OS-EXT-SRV-ATTR:host"] == "host-2"


@pytest.mark.parametrize(
    ("body", "version", "told"),
    [
        ({"host": "nowhere", "block_migration": "auto"}, "2.96", "Compute host nowhere could not be found"),
        ({"host": "host-1", "block_migration": "auto"}, "2.96", "to current host"),
        ({"host": None, "block_migration": False}, "2.96", "not on shared storage"),
        ({"host": None, "block_migration": "auto"}, "2.24", "block_migration"),
        ({"host": None, "block_migration": True}, "2.24", "disk_over_commit"),
        ({"host": None, "block_migration": True, "disk_over_commit": False}, "2.25", "disk_over_commit"),
        ({"host": None, "block_migration": True, "force": True}, "2.68", "force"),
        ({"block_migration": True}, "2.96", "host"),
        ({"host": None, "block_migration": "some"}, "2.96", "block_migration"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_its_reason(
    garden: Project, there: FakeCompute, body: dict[str, Any], version: str, told: str
) -> None:
    server_id = garden.server()
    headers = {"OpenStack-API-Version": f"compute {version}"}
    assert told in live(garden, server_id, body, 400, headers)
    assert garden.show(server_id)["status"] == "ACTIVE"


def test_old_clients_say_whether_disks_are_copied(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    live(garden, server_id, {"host": None, "block_migration": "True", "disk_over_commit": "False"}, headers=OLD)
    garden.cloud.run_jobs()
    assert seen(garden, server_id)["OS-EXT-SRV-ATTR:host"] == "host-2"


def test_without_another_host_nothing_is_begun(garden: Project) -> None:
    server_id = garden.server()
    assert "No valid host" in live(garden, server_id, ANYWHERE, 400)


def test_a_host_with_another_accelerator_is_none_to_go_on_at(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    with garden.cloud.core.db.write() as tx:
        row = store.get(tx, OTHER_HOST_ID)
        assert row is not None
        store.change(tx, OTHER_HOST_ID, capabilities={**row.capabilities, "accelerator": "kvm"})
    assert "another accelerator" in live(garden, server_id, {"host": "host-2", "block_migration": "auto"}, 400)


def test_a_stopped_server_is_moved_by_other_means(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    garden.done(server_id, "os-stop")
    assert "vm_state stopped" in live(garden, server_id, ANYWHERE, 409)


def test_a_migration_that_is_aborted_leaves_the_server_where_it_was(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    live(garden, server_id, ANYWHERE)
    [found] = under_way(garden, server_id)
    path = f"{V}/servers/{server_id}/migrations/{found['id']}"
    assert "Cannot abort" in garden.admin.delete(path, 400, headers={"OpenStack-API-Version": "compute 2.24"}).text
    garden.admin.post(f"{path}/action", {"force_complete": None}, 400, headers=LATEST)
    garden.admin.delete(path, 202, headers=LATEST)
    garden.cloud.run_jobs()
    assert seen(garden, server_id)["OS-EXT-SRV-ATTR:host"] == "host-1" and garden.show(server_id)["status"] == "ACTIVE"
    [row] = garden.admin.get(f"{V}/os-migrations", headers=LATEST).json()["migrations"]
    assert row["status"] == "cancelled"
    garden.admin.delete(path, 404, headers=LATEST)


def test_a_running_migration_tells_how_far_it_is_and_can_be_hurried(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    live(garden, server_id, ANYWHERE)
    with garden.cloud.core.db.write() as tx:
        tx.execute(migration.update().values(status="running"))
    [found] = under_way(garden, server_id)
    assert found["memory_total_bytes"] == 64 << 20 == found["memory_processed_bytes"]
    path = f"{V}/servers/{server_id}/migrations/{found['id']}"
    garden.admin.post(f"{path}/action", {"force_complete": None}, 202, headers=LATEST)
    assert ("hurry", server_id) in garden.host.calls


def test_one_that_fails_on_the_way_leaves_the_server_running(garden: Project, there: FakeCompute) -> None:
    server_id = garden.server()
    garden.host.fail("send", server_id, HostError("no space is left on the host's disk"))
    live(garden, server_id, ANYWHERE)
    garden.cloud.run_jobs()
    after = seen(garden, server_id)
    assert (after["status"], after["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-1")
    assert asyncio.run(there.states()) == {} and there.awaited == {}
    assert HOST_ID in {agent.host_id for agent in garden.cloud.core.hosts.reached()}


def test_a_host_that_awaits_a_guest_sends_its_memory_to_no_third_one(
    garden: Project, there: FakeCompute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever address it says that it waits at: the one at which the cloud reaches it counts."""
    told: list[str] = []
    real_expect, real_send = there.expect, garden.host.send

    async def expect(**given: Any) -> Landing:
        return structs.replace(await real_expect(**given), host="192.0.2.66")

    async def send(guest_id: str, landing: Landing) -> None:
        told.append(landing.host)
        await real_send(guest_id, landing)

    monkeypatch.setattr(there, "expect", expect)
    monkeypatch.setattr(garden.host, "send", send)
    server_id = garden.server()
    live(garden, server_id, ANYWHERE)
    garden.cloud.run_jobs()
    assert told == ["127.0.0.1"] and seen(garden, server_id)["OS-EXT-SRV-ATTR:host"] == "host-2"
