"""Cattle: a group of real guests grows under load, shrinks after it, and has another in the place of a dead one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tane.cli import dev
from tane.cli.common import State
from tane.guest.build import GuestImage
from tane.linux import process
from tests.e2e.real import MARKS, RealCloud, Tenant, wait_for

pytestmark = [*MARKS, pytest.mark.nightly]

BUSY, IDLE = 120_000_000, 60_000_000
"""Nanoseconds of a processor in a second, of a member in the middle."""
WORK = "for i in 1 2; do (while :; do :; done) & done >/dev/null 2>&1 </dev/null; echo $! "


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCloud]:
    cloud = RealCloud(tmp_path_factory.mktemp("scaling"))
    State.of(cloud.folder).prepare()
    dev.prepare(State.of(cloud.folder))
    with (cloud.folder / "tane.toml").open("a") as settings:
        settings.write('[metric]\ninterval = 1\narchive_policy = "ceilometer-high"\n')
        settings.write("[alarm]\nevaluation_interval = 5\n")
    cloud.up()
    yield cloud
    cloud.tane("down", "--purge")


def template(tenant: Tenant, image: str) -> dict[str, Any]:
    member = {
        "type": "OS::Nova::Server",
        "properties": {
            "image": image,
            "flavor": tenant.cloud.flavor(),
            "key_name": "key",
            "security_groups": ["open"],
            "networks": [{"network": tenant.network}],
        },
    }
    group = {
        "type": "OS::Heat::AutoScalingGroup",
        "metadata": {"replace_failed": {"port": 22, "grace_period": 120}},
        "properties": {"min_size": 3, "max_size": 4, "resource": member},
    }
    found: dict[str, Any] = {"herd": group}
    for way, by, compared, limit in (("more", 1, "gt", BUSY), ("less", -1, "lt", IDLE)):
        found[way] = {
            "type": "OS::Heat::ScalingPolicy",
            "properties": {
                "auto_scaling_group_id": {"get_resource": "herd"},
                "adjustment_type": "change_in_capacity",
                "scaling_adjustment": by,
                "cooldown": 5,
            },
        }
        found[f"{way}_wanted"] = {
            "type": "OS::Aodh::GnocchiAggregationByResourcesAlarm",
            "properties": {
                "metric": "cpu",
                "resource_type": "instance",
                "query": '{"like": {"display_name": "herd-%"}}',
                "aggregation_method": "rate:mean",
                "granularity": 1,
                "evaluation_periods": 3,
                "comparison_operator": compared,
                "threshold": limit,
                "alarm_actions": [{"get_attr": [way, "alarm_url"]}],
            },
        }
    outputs = {"ids": {"value": {"get_attr": ["herd", "refs"]}}}
    return {"heat_template_version": "2021-04-16", "resources": found, "outputs": outputs}


class Herd:
    """The stack, as its user sees it."""

    def __init__(self, tenant: Tenant, image: str) -> None:
        self.tenant, self.at = tenant, f"/orchestration/v1/{tenant.client.project_id}/stacks"
        body = {"stack_name": "herd", "template": template(tenant, image), "timeout_mins": 10}
        self.id = tenant.post(self.at, body)["stack"]["id"]
        wait_for("the stack", lambda: self.show()["stack_status"] == "CREATE_COMPLETE", 180)

    def show(self) -> dict[str, Any]:
        found: dict[str, Any] = self.tenant.get(f"{self.at}/herd/{self.id}")["stack"]
        assert "FAILED" not in found["stack_status"], found
        return found

    def members(self) -> list[str]:
        return [str(one) for one in self.show()["outputs"][0]["output_value"]]

    def until(self, what: str, size: int, seconds: float = 180) -> float:
        """Wait until there are so many servers, all of them running; for how long."""
        begun = time.monotonic()

        def ready() -> bool:
            servers = self.tenant.get("/compute/v2.1/servers/detail")["servers"]
            return len(servers) == size and all(one["status"] == "ACTIVE" for one in servers)

        wait_for(what, ready, seconds)
        return time.monotonic() - begun

    def rest(self, seconds: float = 300) -> float:
        """Wait until three are left and do nothing: that they boot is a load, too."""
        begun = time.monotonic()

        def idle() -> bool:
            [alarm] = [one for one in self.tenant.get("/alarm/v2/alarms") if one["name"].startswith("herd-less")]
            return bool(alarm["state"] == "alarm" and len(self.members()) == 3)

        wait_for("three members that rest", idle, seconds)
        self.until("three members alone", 3)
        return time.monotonic() - begun


def test_a_group_grows_under_load_shrinks_after_it_and_replaces_a_dead_member(
    cloud: RealCloud, guest: GuestImage, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = cloud.tenant("ann")
    herd = Herd(ann, ann.upload_image(guest))
    took = {"three guests that rest": herd.rest()}
    addresses = {server_id: ann.floating_ip(server_id)[1] for server_id in herd.members()}
    for address in addresses.values():
        ann.ssh(address, "true")
    took["three guests that rest"] += herd.rest()

    busy = [(address, ann.ssh(address, f"({WORK})")) for address in addresses.values()]
    took["load until four run"] = herd.until("a fourth member", 4)
    for address, _ in busy:
        ann.ssh_once(address, "killall -9 sh ash 2>/dev/null; true")
    took["rest until three are left"] = herd.rest()

    before = herd.members()
    victim = before[-1]
    pid = process.read_pid(cloud.folder / "host" / "guests" / victim / "qemu.pid")
    assert pid is not None
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wait_for("another in its place", lambda: victim not in herd.members(), 120)
    herd.until("three members after all", 3)
    took["death until replaced"] = time.monotonic() - begun
    after = herd.members()
    assert after[:-1] == before[:-1] and len(after) == 3
    assert ann.ssh(ann.floating_ip(after[-1])[1], "echo here") == "here"
    with capsys.disabled():
        print("; ".join(f"{what}: {seconds:.1f} s" for what, seconds in took.items()))
