"""What a tenant may make orchestration keep, and hold in memory: groups, configurations, reasons, events, files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.orchestration_support import at, hot, path, stack
from tests.support import ApiCloud


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


NONE = {"type": "OS::Heat::None"}
HUGE = 30_000_000
SERVERS = {"AvailabilityZones": [], "LaunchConfigurationName": {"get_resource": "launch"}}
LAUNCH = res("AWS::AutoScaling::LaunchConfiguration", ImageId="i", InstanceType="t")
GROUPS: dict[str, dict[str, Any]] = {
    "a count": res("OS::Heat::ResourceGroup", count=HUGE, resource_def=NONE),
    "a wish": res("OS::Heat::AutoScalingGroup", min_size=0, max_size=HUGE, desired_capacity=HUGE, resource=NONE),
    "a least": res("OS::Heat::AutoScalingGroup", min_size=HUGE, max_size=HUGE, resource=NONE),
    "a size": res("OS::Heat::InstanceGroup", Size=HUGE, **SERVERS),
    "Amazon's": res("AWS::AutoScaling::AutoScalingGroup", MinSize=HUGE, MaxSize=HUGE, **SERVERS),
    "a chain": res("OS::Heat::ResourceChain", resources=["OS::Heat::None"] * 1001),
    "a long definition": res(
        "OS::Heat::ResourceGroup", count=900, resource_def={**NONE, "properties": {"x": "y" * 1000}}
    ),
    "a long definition of a chain": res(
        "OS::Heat::ResourceChain", resources=["OS::Heat::None"] * 900, resource_properties={"x": "y" * 1000}
    ),
    "servers": res("OS::Heat::SoftwareDeploymentGroup", servers={str(one): "s" for one in range(1001)}),
}


@pytest.mark.parametrize("what", GROUPS)
def test_a_group_is_refused_before_its_members_are_written_down(
    cloud: ApiCloud, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its size is known at the request, or by the job alone."""
    from tane.services.orchestration.domain import nested

    written: list[int] = []
    plainly = nested.source_of

    def counted(template: Any, *rest: Any) -> Any:
        written.append(len(template.get("resources") or {}))
        return plainly(template, *rest)

    monkeypatch.setattr(nested, "source_of", counted)
    mia = cloud.new_user("mia", "garden")
    size = {"launch": LAUNCH} if "LaunchConfigurationName" in GROUPS[what]["properties"] else {}
    body = {"stack_name": "x", "template": hot({"it": GROUPS[what], **size})}
    assert mia.post(at(mia, "/stacks"), body).status_code == 400
    late = {name: res("OS::Heat::Value", value=value) for name, value in GROUPS[what]["properties"].items()}
    later = {name: {"get_attr": [name, "value"]} for name in late}
    whole = hot({**late, "it": {"type": GROUPS[what]["type"], "properties": later}})
    mia.post(at(mia, "/stacks"), {"stack_name": "late", "template": whole})
    cloud.run_jobs()
    found = mia.get(at(mia, "/stacks")).json()["stacks"]
    assert all(one["stack_status"] == "CREATE_FAILED" for one in found), found
    assert max(written, default=0) <= 1, written


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        ("exact_capacity", HUGE),
        ("change_in_capacity", HUGE),
        ("percent_change_in_capacity", 1e300),
        ("exact_capacity", 1e300),
    ],
)
def test_a_policy_makes_no_group_larger_than_a_stack(cloud: ApiCloud, kind: str, by: float) -> None:
    mia = cloud.new_user("mia", "garden")
    group = res("OS::Heat::AutoScalingGroup", min_size=1, max_size=HUGE, resource=NONE)
    policy = res(
        "OS::Heat::ScalingPolicy",
        auto_scaling_group_id={"get_resource": "group"},
        adjustment_type=kind,
        scaling_adjustment=by,
        cooldown=1e300,
    )
    made = stack(cloud, mia, hot({"group": group, "policy": policy}))
    assert made["stack_status"] == "CREATE_COMPLETE", made
    answer = mia.post(path(mia, made, "/resources/policy/signal"), {})
    assert answer.status_code == 400 and "1000" in answer.text
    attributes = mia.get(path(mia, made, "/resources/group")).json()["resource"]["attributes"]
    assert attributes["current_size"] == 1


def test_a_wait_of_ages_is_no_error_of_ours(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    inner = "heat_template_version: 2021-04-16"
    made = stack(cloud, mia, hot({"in": res("OS::Heat::Stack", template=inner, timeout=10**15)}))
    assert made["stack_status"] == "CREATE_COMPLETE", made
