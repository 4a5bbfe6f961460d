"""What old clients call in the compute API: other names of servers, and the proxies of other services."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.compute_support import Project, V, at, project
from tests.support import ApiCloud


@pytest.fixture
def garden(cloud: ApiCloud) -> Project:
    return project(cloud)


def disk(garden: Project) -> dict[str, Any]:
    return {
        "boot_index": 0,
        "uuid": garden.image_id,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }


@pytest.mark.parametrize("version", ["2.1", "2.96"])
def test_a_server_is_made_acted_on_and_deleted_under_its_old_name(garden: Project, version: str) -> None:
    body = garden.body("web", imageRef=None, block_device_mapping_v2=[disk(garden)])
    made = garden.user.post(f"{V}/os-volumes_boot", body, 202, headers=at(version)).json()["server"]
    garden.cloud.run_jobs()
    assert garden.show(made["id"])["status"] == "ACTIVE"
    old = f"{V}/os-volumes_boot/{made['id']}"
    assert garden.user.get(old).json() == garden.user.get(f"{V}/servers/{made['id']}").json()
    garden.user.post(f"{old}/action", {"os-stop": None}, 202)
    garden.cloud.run_jobs()
    assert garden.show(made["id"])["status"] == "SHUTOFF"
    [listed] = garden.user.get(f"{V}/os-volumes_boot/detail").json()["servers"]
    assert listed["id"] == made["id"]
    garden.user.delete(old, expect=204)
