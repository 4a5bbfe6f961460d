"""What a server uses is detached by compute alone, while the server's host can do it (OSSA-2023-003)."""

from __future__ import annotations

import pytest

from tests.api.compute_support import Project, V, project
from tests.support import ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def attached(garden: Project, server_id: str) -> tuple[str, str]:
    """A volume that a server uses, and the attachment."""
    url = f"/volume/v3/{garden.user.project_id}/volumes"
    volume = garden.user.post(url, {"volume": {"size": 1}}, 202).json()["volume"]["id"]
    garden.cloud.run_jobs()
    body = {"volumeAttachment": {"volumeId": volume}}
    garden.user.post(f"{V}/servers/{server_id}/os-volume_attachments", body, 200)
    garden.cloud.run_jobs()
    [attachment] = garden.user.get(f"{url}/{volume}").json()["volume"]["attachments"]
    return volume, attachment["attachment_id"]


def act(garden: Project, volume: str, action: str, expect: int, *, by_admin: bool = False, **value: object) -> str:
    who = garden.admin if by_admin else garden.user
    url = f"/volume/v3/{who.project_id}/volumes/{volume}/action"
    answer: str = who.post(url, {action: value}, expect).text
    return answer


def test_a_volume_in_use_by_a_server_is_not_taken_away(garden: Project) -> None:
    server_id = garden.server()
    volume, attachment = attached(garden, server_id)
    _, other = attached(garden, server_id)
    assert "using the Compute API" in act(garden, volume, "os-detach", 409)
    assert "using the Compute API" in act(garden, volume, "os-terminate_connection", 409, connector={})
    act(garden, volume, "os-initialize_connection", 409, connector={})
    act(garden, volume, "os-force_detach", 409, by_admin=True, connector=None, attachment_id=attachment)
    act(garden, volume, "os-detach", 400, attachment_id=other)
    act(garden, volume, "os-detach", 404, attachment_id=server_id)
    garden.user.delete(f"{V}/servers/{server_id}/os-volume_attachments/{volume}", 202)
    garden.cloud.run_jobs()
    act(garden, volume, "os-terminate_connection", 501, connector={})


def test_another_projects_attachment_is_none(garden: Project) -> None:
    volume, _ = attached(garden, garden.server())
    theirs = project(garden.cloud, "street")
    _, foreign = attached(theirs, theirs.server())
    act(garden, volume, "os-detach", 404, attachment_id=foreign)


def test_a_volume_is_taken_from_a_server_whose_host_is_lost(garden: Project) -> None:
    volume, _ = attached(garden, garden.server())
    [service] = garden.admin.get(f"{V}/os-services").json()["services"]
    headers = {"OpenStack-API-Version": "compute 2.11"}
    body = {"host": service["host"], "binary": "nova-compute", "forced_down": True}
    garden.admin.put(f"{V}/os-services/force-down", body, 200, headers=headers)
    act(garden, volume, "os-force_detach", 202, by_admin=True, connector=None)
    garden.cloud.run_jobs()
    url = f"/volume/v3/{garden.user.project_id}/volumes/{volume}"
    assert garden.user.get(url).json()["volume"]["status"] == "available"
