"""What is over takes little room: deleted servers keep what reports of use ask for, and no more of them than that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tane.core import Core
from tane.services.compute.reconcilers import deleted
from tane.services.compute.store import migrations, servers
from tane.services.compute.tables import migration, nic_tag, server, server_tag
from tane.services.image.store import tasks
from tane.services.image.tables import image_task
from tane.services.volume.store import messages
from tane.services.volume.tables import volume_message
from tests.api.compute_support import V, project
from tests.support import ApiCloud

LONG = "ä" * 255


def test_a_deleted_server_keeps_nothing_that_its_user_wrote_at_length(cloud: ApiCloud) -> None:
    garden = project(cloud)
    written = {f"{number:0255}": LONG for number in range(100)}
    server_id = garden.server(metadata=written, description=LONG, tags=["a", "b"], user_data="YQ==")
    cloud.advance(1800)
    garden.user.delete(f"{V}/servers/{server_id}")
    cloud.run_jobs()
    with cloud.core.db.read() as tx:
        row = tx.first(select(server).where(server.c.id == server_id))
        left = tx.scalar(select(func.count()).select_from(server_tag)), tx.scalar(select(func.count(nic_tag.c.tag)))
    assert row is not None and row.deleted and left == (0, 0)
    assert (row.metadata, row.description, row.user_data, row.image_properties) == ({}, None, None, {})
    assert LONG not in str(row)
    found = cloud.admin.get(f"{V}/os-simple-tenant-usage/{garden.user.project_id}?detailed=1").json()
    assert [one["name"] for one in found["tenant_usage"]["server_usages"]] == ["web"]
    listed = cloud.admin.get(f"{V}/servers/detail?deleted=true&all_tenants=1").json()["servers"]
    assert [(one["id"], one["status"]) for one in listed] == [(server_id, "DELETED")]


def test_a_project_keeps_so_many_deleted_servers_whatever_others_have(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleted, "MOST", 1)
    garden, other = project(cloud), project(cloud, "other")
    first, second, living, others = (
        who.create(name) for who, name in zip((garden, garden, garden, other), "abcd", strict=True)
    )
    with cloud.core.db.write() as tx:
        for age, server_id in enumerate((others, first, second)):
            ended = tx.now + timedelta(seconds=age)
            servers.change(tx, server_id, deleted=True, terminated_at=ended)
    assert cloud.wait(deleted.run(cloud.core)) == "forgot 1 servers that were deleted long ago"
    with cloud.core.db.read() as tx:
        assert {row.id for row in tx.all(select(server.c.id))} == {second, living, others}


def test_a_server_that_is_resized_for_ever_keeps_its_last_moves(
    new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that failed, or are under way, are needed as long as it is there."""
    monkeypatch.setattr(migrations, "MOST_OVER", 3)
    values: dict[str, Any] = {
        "server_id": "s",
        "project_id": "p",
        "user_id": "u",
        "type": "resize",
        "vm_state": "active",
        "source_host_id": "h",
        "source_host": "h",
        "dest_host_id": "h",
        "dest_host": "h",
        "old_flavor": {},
        "new_flavor": {},
    }
    with new_core().db.write() as tx:
        for number, status in enumerate(("error", "finished", *["confirmed"] * 9)):
            migrations.add(tx, **values, uuid=f"{number}", status=status)
        left = tx.all(select(migration.c.status, func.count().label("many")).group_by(migration.c.status))
    assert {row.status: row.many for row in left} == {"error": 1, "finished": 1, "confirmed": 3}


def test_tasks_of_images_go_when_their_time_is_over(
    new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a project keeps so many of those that are over; what is under way stays."""
    monkeypatch.setattr(tasks, "MOST", 2)
    with new_core().db.write() as tx:
        for number in range(6):
            state = "pending" if number == 0 else "failure"
            tasks.add(tx, id=f"{number}", project_id="p", type="import", status=state, input={})
            if number:
                tasks.change(tx, f"{number}", expires_at=tx.now + timedelta(hours=number - 2))
        tasks.add(tx, id="last", project_id="p", type="import", status="pending", input={})
        assert {row.id for row in tx.all(select(image_task.c.id))} == {"0", "4", "5", "last"}


def test_an_import_says_no_more_than_is_kept_of_it(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    image = mia.post("/image/v2/images", {"name": "a", "disk_format": "raw", "container_format": "bare"}, 201).json()
    told = {"method": {"name": "web-download", "uri": "http://a.test/b"}, "padding": "a" * 70_000}
    assert "at most 65536 bytes" in mia.post(f"/image/v2/images/{image['id']}/import", told, 400).text


def test_a_project_has_so_many_messages(new_core: Callable[[], Core], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST", 3)
    core = new_core()
    with core.db.write() as tx:
        for number in range(6):
            one = {"id": f"{number}", "project_id": "p", "resource_type": "VOLUME", "resource_uuid": "v"}
            told = {"event_id": "e", "user_message": "m", "message_level": "ERROR", "expires_at": tx.now}
            messages.add(tx, {**one, **told})
        assert [row.id for row in tx.all(select(volume_message.c.id).order_by(volume_message.c.id))] == ["3", "4", "5"]
