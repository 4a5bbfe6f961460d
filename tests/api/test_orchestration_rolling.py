"""Groups that are made and changed in batches, with pauses, and with some members in service all the time."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.orchestration.reconcilers import deadlines
from tane.services.orchestration.resources.rolling import Members, Policy, batches_to, following
from tests.api.orchestration_support import at, begin, hot, outputs, path, resources, show, stack, update
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

    reckoned, count = batches_to(now, wanted, Policy(batch, in_service)), 0
    for count in range(50):  # noqa: B007
        if now == wanted:
            break
        later = following(now, wanted, Policy(batch, in_service), spare)
        changed = [name for name in now if name in later and later[name] != now[name]]
        added = [name for name in later if name not in now]
        assert len(changed) + len(added) <= batch and (changed or added or later == wanted)
        if changed:
            assert len(now) - len(changed) >= min(in_service, after)
        now = later
    assert now == wanted and reckoned == count


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
            # Four batches: the first is of one that comes before, the last of one that goes.
            ({"max_batch_size": 2, "min_in_service": 3, "pause_time": 1300}, "will result in stack update timeout"),
            ({"max_batch_size": 9, "pause_time": 1e13}, "pause_time is a number, at least 0 and at most 31622400"),
        )
    ):
        begin(mia, group("a", rolling_update=policy), f"rose{number}")
        cloud.run_jobs()
        [shown] = mia.get(at(mia, f"/stacks?name=rose{number}")).json()["stacks"]
        assert shown["stack_status"] == "CREATE_FAILED" and reason in shown["stack_status_reason"]


GROUP, MORE = "OS::Heat::AutoScalingGroup", "OS::Heat::ScalingPolicy"


def beds(value: str, size: int = 3, most: int = 5, **more: Any) -> dict[str, Any]:
    """A group and a policy that makes it larger by one; ``more``: of the members."""
    policy = more.pop("rolling_updates", None)
    of = {"type": "OS::Heat::TestResource", "properties": {"value": value, **more}}
    given = {"min_size": 1, "desired_capacity": size, "max_size": most, "resource": of}
    by: dict[str, Any] = {"auto_scaling_group_id": {"get_resource": "beds"}}
    by |= {"adjustment_type": "change_in_capacity", "scaling_adjustment": 1}
    return hot(
        {
            "beds": {"type": GROUP, "properties": given if policy is None else {**given, "rolling_updates": policy}},
            "more": {"type": MORE, "properties": by},
        },
        outputs={
            "size": {"value": {"get_attr": ["beds", "current_size"]}},
            "values": {"value": {"get_attr": ["beds", "output"]}},
        },
    )


def signal(cloud: ApiCloud, caller: Caller, shown: dict[str, Any]) -> str:
    """Ask for one more. Returns what is answered."""
    answer = caller.post(path(caller, shown, "/resources/more/signal"), {}, 200).text
    cloud.run_jobs()
    return answer


def values(caller: Caller, shown: dict[str, Any]) -> list[str]:
    return list(outputs(show(caller, shown["stack_name"], shown["id"]))["values"])


def test_a_group_that_could_not_be_changed_in_time_at_its_greatest_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, beds("a", size=1, most=7, rolling_updates={"pause_time": 600}))
    assert made["stack_status"] == "CREATE_FAILED" and "will result in stack update" in made["stack_status_reason"]
    refused = begin(mia, beds("a", rolling_updates={"pause_time": 1e13}), "tulip", 400)
    assert "pause_time" in str(refused) and "31622400" in str(refused)


def test_a_group_is_resized_whatever_the_pauses_of_a_change_would_take(cloud: ApiCloud) -> None:
    mia, policy = cloud.new_user("mia", "garden"), {"pause_time": 600}
    made = stack(cloud, mia, beds("a", 7, 9, rolling_updates=policy), timeout_mins=120)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    larger = update(cloud, mia, made, beds("a", 8, 9, rolling_updates=policy), timeout_mins=60)
    assert larger["stack_status"] == "UPDATE_COMPLETE", larger["stack_status_reason"]
    assert "8 members become 9" in signal(cloud, mia, made)
    late = update(cloud, mia, made, beds("b", 8, 9, rolling_updates=policy), timeout_mins=60)
    assert late["stack_status"] == "UPDATE_FAILED" and "in stack update timeout" in late["stack_status_reason"]
    assert values(mia, made) == ["a"] * 9


@pytest.mark.parametrize("by", ["cancel", "timeout", "failure"])
def test_a_group_whose_change_was_interrupted_scales_and_is_changed_in_place_later(cloud: ApiCloud, by: str) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, beds("a"))
    before = resources(mia, made)["beds"]["physical_resource_id"]
    wrong = {"fail": True} if by == "failure" else {"action_wait_secs": {"update": -1}}
    update(cloud, mia, made, beds("b", **wrong), timeout_mins=5)
    if by == "cancel":
        mia.post(path(mia, made, "/actions"), {"cancel_without_rollback": None}, 201)
    elif by == "timeout":
        cloud.advance(301)
        cloud.wait(deadlines.look(cloud.core))
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_FAILED"
    assert resources(mia, made)["beds"]["resource_status"] == "UPDATE_FAILED"
    assert "3 members become 4" in signal(cloud, mia, made)
    assert "4 members become 5" in signal(cloud, mia, made)
    # Those that nobody had come to stay as they are: a signal has no time to change one after another.
    assert values(mia, made).count("a") == 2
    count = len(begun(told(mia, made), "UPDATE_IN_PROGRESS"))
    plan = mia.put(path(mia, made, "/preview"), {"template": beds("c")}, 200).json()["resource_changes"]
    assert [one["resource_name"] for one in plan["updated"]] == ["beds"] and not plan["replaced"]
    again = update(cloud, mia, made, beds("c"))
    assert again["stack_status"] == "UPDATE_COMPLETE", again["stack_status_reason"]
    assert resources(mia, made)["beds"]["physical_resource_id"] == before
    assert set(values(mia, made)) == {"c"}
    assert all(len(one) <= 1 for one in begun(told(mia, made), "UPDATE_IN_PROGRESS")[count:])


def test_who_takes_a_group_over_changes_it_one_after_another(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, beds("a"))
    body = {"template": beds("b")}
    cloud.admin.request("PUT", path(mia, made), json=body, expect=202)
    cloud.run_jobs()
    assert values(mia, made) == ["b"] * 3
    assert [len(one) for one in begun(told(mia, made), "UPDATE_IN_PROGRESS")] == [0, 1, 1, 1]


def test_a_change_that_is_taken_back_goes_back_in_place(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, beds("a"))
    before = resources(mia, made)["beds"]["physical_resource_id"]
    update(cloud, mia, made, beds("b", action_wait_secs={"update": -1}))
    mia.post(path(mia, made, "/actions"), {"cancel_update": None}, 201)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "ROLLBACK_COMPLETE"
    assert resources(mia, made)["beds"]["physical_resource_id"] == before and values(mia, made) == ["a"] * 3


def test_a_group_that_is_marked_as_unhealthy_is_replaced(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, beds("a"))
    before = resources(mia, made)["beds"]["physical_resource_id"]
    mia.patch(path(mia, made, "/resources/beds"), {"mark_unhealthy": True}, 200)
    assert update(cloud, mia, made, beds("a"))["stack_status"] == "UPDATE_COMPLETE"
    assert resources(mia, made)["beds"]["physical_resource_id"] != before


def test_a_signal_changes_no_members(cloud: ApiCloud) -> None:
    """Also where the user has changed those himself: nobody would wait for one batch after another."""
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, beds("a"))
    child = resources(mia, made)["beds"]["physical_resource_id"]
    [found] = mia.get(at(mia, f"/stacks?show_nested=true&id={child}")).json()["stacks"]
    names = list(resources(mia, found))
    of = {"type": "OS::Heat::TestResource", "properties": {"value": "mine"}}
    assert update(cloud, mia, found, hot(dict.fromkeys(names, of)))["stack_status"] == "UPDATE_COMPLETE"
    assert "3 members become 4" in signal(cloud, mia, made)
    assert "4 members become 5" in signal(cloud, mia, made)
    assert sorted(values(mia, made)) == ["a", "a", "mine", "mine", "mine"]
