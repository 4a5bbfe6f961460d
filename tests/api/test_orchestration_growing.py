"""A stack's volume grows where it is: on its server, with what it holds."""

from __future__ import annotations

from typing import Any

import pytest

from tane.agent.volume.drivers.fake import FakeVolume
from tane.wire.errors import HostError
from tests.api.orchestration_support import hot, resources
from tests.api.test_orchestration_replacing import NET, Garden, get, res
from tests.support import HOST_ID, ApiCloud, Caller


def template(garden: Garden, size: int, **more: Any) -> dict[str, Any]:
    plug = res("OS::Cinder::VolumeAttachment", instance_uuid=get("web"), volume_id=get("disk"))
    web = garden.server(networks=[{"network": get("net")}])
    return hot({**NET, "disk": res("OS::Cinder::Volume", size=size), "web": web, "plug": plug, **more})


def disk(caller: Caller, made: dict[str, Any]) -> tuple[int, str, list[str]]:
    """Size, status and servers of the volume of a stack."""
    volume_id = resources(caller, made)["disk"]["physical_resource_id"]
    shown = caller.get(f"/volume/v3/volumes/{volume_id}").json()["volume"]
    return shown["size"], shown["status"], [one["server_id"] for one in shown["attachments"]]


def pool_of(cloud: ApiCloud) -> FakeVolume:
    agent = next(one for one in cloud.core.hosts.reached() if one.host_id == HOST_ID)
    pool = agent.volume
    assert isinstance(pool, FakeVolume)
    return pool


@pytest.fixture
def garden(cloud: ApiCloud) -> Garden:
    return Garden(cloud)


def test_an_attached_volume_is_taken_off_grows_and_is_put_on_again(garden: Garden) -> None:
    made = garden.made(template(garden, 1))
    before = {name: one["physical_resource_id"] for name, one in resources(garden.mia, made).items()}
    garden.updated(made, template(garden, 2))
    assert disk(garden.mia, made) == (2, "in-use", [before["web"]])
    assert {name: one["physical_resource_id"] for name, one in resources(garden.mia, made).items()} == before


def test_what_there_is_no_quota_for_leaves_the_volume_where_it_was_and_is_tried_again(
    cloud: ApiCloud, garden: Garden
) -> None:
    made = garden.made(template(garden, 1))
    web = resources(garden.mia, made)["web"]["physical_resource_id"]

    def allow(gigabytes: int) -> None:
        where = f"/volume/v3/os-quota-sets/{garden.mia.project_id}"
        cloud.admin.put(where, {"quota_set": {"gigabytes": gigabytes}})

    allow(1)
    garden.updated(made, template(garden, 3), "UPDATE_FAILED")
    reason = resources(garden.mia, made)["disk"]["resource_status_reason"]
    assert "The volume is left as it was" in reason and "exceeds" in reason
    assert disk(garden.mia, made) == (1, "in-use", [web])
    allow(10)
    garden.updated(made, template(garden, 3))
    assert disk(garden.mia, made) == (3, "in-use", [web])
    allow(3)
    garden.updated(made, template(garden, 5), "ROLLBACK_COMPLETE", disable_rollback=False)
    assert disk(garden.mia, made) == (3, "in-use", [web])


def test_a_volume_that_a_server_boots_from_is_not_taken_off_it(cloud: ApiCloud, garden: Garden) -> None:
    def boots(size: int) -> dict[str, Any]:
        root = res("OS::Cinder::Volume", size=size, image=garden.image)
        disks = [{"volume_id": get("disk"), "boot_index": 0}]
        web = res(
            "OS::Nova::Server", flavor=garden.flavor, block_device_mapping_v2=disks, networks=[{"network": get("net")}]
        )
        return hot({**NET, "disk": root, "web": web})

    made = garden.made(boots(1))
    garden.updated(made, boots(2), "UPDATE_FAILED")
    assert "boots from the volume" in resources(garden.mia, made)["disk"]["resource_status_reason"]
    assert disk(garden.mia, made)[:2] == (1, "in-use")
    garden.updated(made, boots(1))


def test_a_backup_waits_for_the_size_that_was_refused_before_it(cloud: ApiCloud, garden: Garden) -> None:
    """The same template again does all that it says."""
    mia = garden.mia
    old = mia.post("/volume/v3/volumes", {"volume": {"size": 2}}, 202).json()["volume"]["id"]
    cloud.run_jobs()
    backup = mia.post("/volume/v3/backups", {"backup": {"volume_id": old}}, 202).json()["backup"]["id"]
    cloud.run_jobs()

    def wanted(size: int, **more: Any) -> dict[str, Any]:
        return hot({"disk": res("OS::Cinder::Volume", size=size, **more)})

    def restored() -> int:
        return sum(step == "restore" for step, _ in pool_of(cloud).calls)

    def allow(gigabytes: int) -> None:
        cloud.admin.put(f"/volume/v3/os-quota-sets/{mia.project_id}", {"quota_set": {"gigabytes": gigabytes}})

    made = garden.made(wanted(1))
    allow(3)
    garden.updated(made, wanted(2, backup_id=backup), "UPDATE_FAILED")
    assert restored() == 0
    allow(10)
    garden.updated(made, wanted(2, backup_id=backup))
    assert restored() == 1 and disk(mia, made)[:2] == (2, "available")
    # Its end is its end: what is written since is not overwritten.
    garden.updated(made, wanted(3, backup_id=backup))
    assert restored() == 1 and disk(mia, made)[:2] == (3, "available")


def test_a_size_that_its_pool_refuses_leaves_the_volume_to_the_administrator(cloud: ApiCloud, garden: Garden) -> None:
    made = garden.made(template(garden, 1))
    web = resources(garden.mia, made)["web"]["physical_resource_id"]
    pool_of(cloud).fail("extend", None, HostError("the pool is full"))
    garden.updated(made, template(garden, 2), "UPDATE_FAILED")
    assert disk(garden.mia, made) == (1, "error_extending", [])
    volume_id = resources(garden.mia, made)["disk"]["physical_resource_id"]
    reset = {"os-reset_status": {"status": "available"}}
    cloud.admin.post(f"/volume/v3/volumes/{volume_id}/action", reset, 202)
    garden.updated(made, template(garden, 2))
    assert disk(garden.mia, made) == (2, "in-use", [web])
