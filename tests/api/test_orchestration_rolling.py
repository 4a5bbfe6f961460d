"""Groups that are made and changed in batches, with pauses, and with some members in service all the time."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.orchestration.resources.rolling import Members, Policy, following
from tests.api.orchestration_support import at, begin, hot, path, resources, stack, update
from tests.support import ApiCloud, Caller


@pytest.mark.parametrize("batch", [1, 2, 3, 9])
@pytest.mark.parametrize("in_service", [0, 1, 4, 9])
@pytest.mark.parametrize(("before", "after"), [(4, 4), (4, 6), (6, 4), (0, 3), (1, 5), (3, 0)])
def test_so_many_stay_in_service_and_no_more_change_at_a_time(
    batch: int, in_service: int, before: int, after: int
) -> None:
    now: Members = {str(number): "old" for number in range(before)}
    wanted: Members = {str(number): "new" for number in range(after)}

    def spare(others: set[str]) -> tuple[str, Any]:
        return next(str(number) for number in range(99) if str(number) not in others), "new"

    for _ in range(50):
        if now == wanted:
            break
        later = following(now, wanted, Policy(batch, in_service), spare)
        changed = [name for name in now if name in later and later[name] != now[name]]
        added = [name for name in later if name not in now]
        assert len(changed) + len(added) <= batch and (changed or added or later == wanted)
        if changed:
            assert len(now) - len(changed) >= min(in_service, after)
        now = later
    assert now == wanted


def group(value: str, count: int = 4, **policy: Any) -> dict[str, Any]:
    of = {"type": "OS::Heat::TestResource", "properties": {"value": value}}
    made = {"type": "OS::Heat::ResourceGroup", "properties": {"count": count, "resource_def": of}}
    return hot({"beds": {**made, "update_policy": policy}})


def told(caller: Caller, shown: dict[str, Any]) -> list[tuple[str, str]]:
    """The events of the group's stack."""
    child = resources(caller, shown)["beds"]["physical_resource_id"]
    [found] = caller.get(at(caller, f"/stacks?show_nested=true&id={child}")).json()["stacks"]
    listed = caller.get(path(caller, found, "/events")).json()["events"]
    return [(one["resource_name"], one["resource_status"]) for one in listed]


def begun(events: list[tuple[str, str]], status: str) -> list[list[str]]:
    """What was begun in each action of the group's stack."""
    found: list[list[str]] = []
    for name, said in events:
        if "-beds-" in name and said.endswith("IN_PROGRESS"):
            found.append([])
        elif said == status:
            found[-1].append(name)
    return [sorted(one) for one in found]


def test_a_group_is_made_and_changed_batch_by_batch(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, group("a", batch_create={"max_batch_size": 3}))
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert begun(told(mia, made), "CREATE_IN_PROGRESS") == [["0", "1", "2"], ["3"]]
    began = cloud.core.clock.now()
    policy = {"max_batch_size": 2, "min_in_service": 3, "pause_time": 20}
    changed = update(cloud, mia, made, group("b", rolling_update=policy))
    assert changed["stack_status"] == "UPDATE_COMPLETE", changed["stack_status_reason"]
    events = told(mia, made)
    assert begun(events, "UPDATE_IN_PROGRESS")[2:] == [[], ["0", "1"], ["2", "3"], []]
    # One more comes first, and goes at the end.
    assert ("4", "CREATE_COMPLETE") in events and ("4", "DELETE_COMPLETE") in events
    assert (cloud.core.clock.now() - began).total_seconds() >= 60
    same = update(cloud, mia, made, group("b", count=5, rolling_update=policy))
    assert same["stack_status"] == "UPDATE_COMPLETE" and len(begun(told(mia, made), "")) == 7


def test_an_autoscaling_group_changes_its_members_one_after_another(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")

    def beds(value: str) -> dict[str, Any]:
        of = {"type": "OS::Heat::TestResource", "properties": {"value": value}}
        size = {"min_size": 3, "max_size": 5, "resource": of}
        return hot({"beds": {"type": "OS::Heat::AutoScalingGroup", "properties": size}})

    made = stack(cloud, mia, beds("a"))
    assert update(cloud, mia, made, beds("b"))["stack_status"] == "UPDATE_COMPLETE"
    assert [len(one) for one in begun(told(mia, made), "UPDATE_IN_PROGRESS")] == [0, 1, 1, 1]


def test_a_policy_that_cannot_be_kept_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for number, (policy, reason) in enumerate(
        (
            ({"max_batch_size": 0}, "max_batch_size is a number, at least 1"),
            ({"pause_time": "soon"}, "pause_time is a number"),
            ({"pause_time": 4000}, "will result in stack update timeout"),
        )
    ):
        begin(mia, group("a", rolling_update=policy), f"rose{number}")
        cloud.run_jobs()
        [shown] = mia.get(at(mia, f"/stacks?name=rose{number}")).json()["stacks"]
        assert shown["stack_status"] == "CREATE_FAILED" and reason in shown["stack_status_reason"]
