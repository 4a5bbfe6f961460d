"""Services are switched one by one, and one that is not there not at all."""

from __future__ import annotations

import pytest

from tests.support import ApiCloud

WRONG = (
    ("cinder-volum", "host-1@file"),
    ("nova-compute", "host-1@file"),
    ("nova-compute", "host-1"),
    ("cinder-backup", "host-1@file"),
    ("cinder-volume", "host-1"),
    ("cinder-volume", "host-1@other"),
    ("cinder-volume", "host-2@file"),
    ("cinder-volume\n", "host-1@file"),
    ("cinder-volume", "host-1@file\n"),
    ("cinder-scheduler", "host-1@file"),
)


@pytest.mark.parametrize("verb", ["enable", "disable", "disable-log-reason"])
@pytest.mark.parametrize(("binary", "host"), WRONG)
def test_a_service_that_is_not_there_is_not_found(cloud: ApiCloud, verb: str, binary: str, host: str) -> None:
    admin = cloud.admin
    path = f"/volume/v3/{admin.project_id}/os-services"
    for name in ("binary", "service"):
        answer = admin.put(f"{path}/{verb}", {"host": host, name: binary, "disabled_reason": "x"}, 404).json()
        assert "could not be found" in answer["itemNotFound"]["message"]
    assert {one["status"] for one in admin.get(path).json()["services"]} == {"enabled"}


def test_switching_the_pool_of_a_host_leaves_its_servers_alone(cloud: ApiCloud) -> None:
    """And the other way round."""
    admin = cloud.admin
    volume, compute = f"/volume/v3/{admin.project_id}/os-services", "/compute/v2.1/os-services"

    def states() -> tuple[str, str]:
        [pool] = admin.get(f"{volume}?binary=cinder-volume").json()["services"]
        [host] = admin.get(f"{compute}?binary=nova-compute").json()["services"]
        return pool["status"], host["status"]

    pool = {"host": "host-1@file", "binary": "cinder-volume"}
    admin.put(f"{volume}/disable-log-reason", {**pool, "disabled_reason": "a new disk"}, 200)
    assert states() == ("disabled", "enabled")
    [shown] = admin.get(f"{volume}?binary=cinder-volume").json()["services"]
    assert shown["disabled_reason"] == "a new disk"
    admin.put(f"{volume}/enable", pool, 200)
    assert states() == ("enabled", "enabled")
    admin.put(f"{compute}/disable", {"host": "host-1", "binary": "nova-compute"}, 200)
    assert states() == ("enabled", "disabled")


def test_a_member_reads_none_of_the_hidden_extra_specs(cloud: ApiCloud) -> None:
    """Neither in a list nor one by one, by its name."""
    admin, mia = cloud.admin, cloud.new_user("mia", "garden")
    specs = {"volume_backend_name": "secret pool", "multiattach": "<is> False", "replication_enabled": "<is> False"}
    made = admin.post(
        f"/volume/v3/{admin.project_id}/types", {"volume_type": {"name": "fast", "extra_specs": specs}}, 200
    ).json()["volume_type"]
    path = f"/volume/v3/{mia.project_id}/types/{made['id']}"
    visible = {name: value for name, value in specs.items() if name != "volume_backend_name"}
    assert mia.get(f"{path}/extra_specs").json()["extra_specs"] == visible
    for name, value in visible.items():
        assert mia.get(f"{path}/extra_specs/{name}").json() == {name: value}
    hidden = mia.get(f"{path}/extra_specs/volume_backend_name", expect=404).text
    assert hidden.replace("volume_backend_name", "none") == mia.get(f"{path}/extra_specs/none", expect=404).text
    own = f"/volume/v3/{admin.project_id}/types/{made['id']}/extra_specs/volume_backend_name"
    assert admin.get(own).json() == {"volume_backend_name": "secret pool"}
