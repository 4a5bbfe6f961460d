"""What the engine does with stacks that are changed, cancelled, late, paused, taken over or turned."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update as sql_update

from tane.services.orchestration.reconcilers import deadlines
from tane.services.orchestration.tables import stack as stack_table
from tests.api.orchestration_support import at, begin, delete, hot, outputs, path, resources, show, stack, update
from tests.support import ApiCloud, Caller

N = "/network/v2.0"


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def value(word: str = "a", **more: Any) -> dict[str, Any]:
    return res("OS::Heat::TestResource", value=word, **more)


HANDLE = {"type": "OS::Heat::WaitConditionHandle"}
DEPLOY = res("OS::Heat::SoftwareDeployment", config={"get_resource": "config"}, server="s1")
WAIT = res("OS::Heat::WaitCondition", handle={"get_resource": "handle"}, timeout=60)


def test_an_update_during_a_creation_wins(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"handle": HANDLE, "wait": WAIT, "after": {**value(), "depends_on": "wait"}}))
    assert made["stack_status"] == "CREATE_IN_PROGRESS"
    mia.put(path(mia, made), {"template": hot({"handle": HANDLE, "wait": WAIT, "other": value()})}, 202)
    mia.post(path(mia, made, "/resources/handle/signal"), {}, 200)
    cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "UPDATE_COMPLETE", shown["stack_status_reason"]
    assert set(resources(mia, made)) == {"handle", "wait", "other"}


def test_a_stack_that_waits_is_deleted_at_once(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    inner = {"heat_template_version": "2021-04-16", "resources": {"handle": HANDLE, "wait": WAIT}}
    made = stack(cloud, mia, hot({"one": {"type": "in.yaml"}}), files={"in.yaml": inner})
    assert made["stack_status"] == "CREATE_IN_PROGRESS"
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert not mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"]


def test_what_takes_too_long_fails_and_can_be_deleted(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    patient = res("OS::Heat::WaitCondition", handle={"get_resource": "handle"}, timeout=9000)
    inner = hot({"config": res("OS::Heat::SoftwareConfig"), "run": DEPLOY})
    template = hot({"handle": HANDLE, "wait": patient, "in": {"type": "in.yaml"}})
    made = stack(cloud, mia, template, timeout_mins=5, files={"in.yaml": inner})
    cloud.advance(301)
    assert cloud.wait(deadlines.look(cloud.core)) == "2 stacks timed out, 0 resources were looked at"
    cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    assert (shown["stack_status"], shown["stack_status_reason"]) == ("CREATE_FAILED", "Create timed out")
    assert resources(mia, shown)["wait"]["resource_status_reason"] == "Stopped: its time is over"
    [deployment] = mia.get(at(mia, "/software_deployments")).json()["software_deployments"]
    assert deployment["status"] == "FAILED"
    other = stack(cloud, mia, hot({"handle": HANDLE, "wait": WAIT}), "daisy")
    cloud.advance(61)
    cloud.wait(deadlines.look(cloud.core))
    cloud.run_jobs()
    told = "WaitConditionTimeout: 0 of 1 received: guests cannot reach http://127.0.0.1:8770 (see public_url and host)"
    assert told in show(mia, "daisy", other["id"])["stack_status_reason"]
    for one in (made, other):
        assert delete(cloud, mia, one)["stack_status"] == "DELETE_COMPLETE"


def test_a_cancelled_update_goes_back_or_stays_where_it_is(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"one": value()}))
    waiting = hot({"one": value("b"), "handle": HANDLE, "wait": WAIT})
    mia.put(path(mia, made), {"template": waiting}, 202)
    cloud.run_jobs()
    mia.post(path(mia, made, "/actions"), {"cancel_update": None}, 201)
    cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "ROLLBACK_COMPLETE", shown["stack_status_reason"]
    assert set(resources(mia, made)) == {"one"}
    mia.put(path(mia, made), {"template": waiting}, 202)
    cloud.run_jobs()
    mia.post(path(mia, made, "/actions"), {"cancel_without_rollback": None}, 201)
    cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "UPDATE_FAILED" and "User cancelled" in shown["stack_status_reason"]
    mia.post(path(mia, made, "/actions"), {"cancel_update": None}, 400)
    assert update(cloud, mia, made, hot({"one": value()}))["stack_status"] == "UPDATE_COMPLETE"


def test_an_unhealthy_resource_is_replaced_by_the_next_update(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot({"one": value(), "two": res("OS::Heat::Value", value={"get_resource": "one"})})
    made = stack(cloud, mia, template)
    before = resources(mia, made)["one"]["physical_resource_id"]
    body = {"mark_unhealthy": True, "resource_status_reason": "it fell over"}
    answer = mia.patch(path(mia, made, "/resources/one"), body, 200)
    assert answer.json() is None, "the client reads a document"
    assert resources(mia, made)["one"]["resource_status"] == "CHECK_FAILED"
    told = mia.put(path(mia, made, "/preview"), {"template": template}, 200).json()["resource_changes"]
    assert [one["resource_name"] for one in told["replaced"]] == ["one"]
    assert update(cloud, mia, made, template)["stack_status"] == "UPDATE_COMPLETE"
    after = resources(mia, made)["one"]["physical_resource_id"]
    assert after != before
    assert mia.get(path(mia, made, "/resources/two")).json()["resource"]["attributes"]["value"] == after


def test_what_vanished_behind_the_stacks_back_is_found_by_a_check(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot({"net": {"type": "OS::Neutron::Net"}})
    made = stack(cloud, mia, template)
    net = resources(mia, made)["net"]["physical_resource_id"]
    mia.delete(f"{N}/networks/{net}")
    mia.post(path(mia, made, "/actions"), {"check": None}, 201)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "CHECK_FAILED"
    assert update(cloud, mia, made, template)["stack_status"] == "UPDATE_COMPLETE"
    assert resources(mia, made)["net"]["physical_resource_id"] != net
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"


def test_a_preview_of_an_update_says_what_it_then_does(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(
        cloud, mia, hot({"same": value(), "change": value(), "new": {"type": "OS::Heat::RandomString"}, "old": value()})
    )
    longer = res("OS::Heat::RandomString", length=10)
    wanted = hot({"same": value(), "change": value("b"), "new": longer, "more": value()})
    told = mia.put(path(mia, made, "/preview"), {"template": wanted}, 200).json()["resource_changes"]
    names = {what: [one["resource_name"] for one in changed] for what, changed in told.items()}
    assert names == {
        "unchanged": ["same"],
        "updated": ["change"],
        "replaced": ["new"],
        "added": ["more"],
        "deleted": ["old"],
    }
    before = resources(mia, made)
    update(cloud, mia, made, wanted)
    after = resources(mia, made)
    assert (
        after["same"]["resource_status"] == "CREATE_COMPLETE"
        and after["change"]["resource_status"] == "UPDATE_COMPLETE"
    )
    assert after["new"]["physical_resource_id"] != before["new"]["physical_resource_id"] and "old" not in after


def test_what_is_retained_or_was_there_before_outlives_the_stack(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    mine = mia.post(f"{N}/networks", {"network": {"name": "mine"}}, 201).json()["network"]["id"]
    template = hot(
        {
            "kept": {"type": "OS::Neutron::Net", "deletion_policy": "retain"},
            "mine": {"type": "OS::Neutron::Net", "external_id": mine},
            "gone": {"type": "OS::Neutron::Net"},
        },
        outputs={"name": {"value": {"get_attr": ["mine", "name"]}}},
    )
    made = stack(cloud, mia, template)
    assert outputs(made) == {"name": "mine"}
    kept = resources(mia, made)["kept"]["physical_resource_id"]
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    left = {one["id"] for one in mia.get(f"{N}/networks?router:external=false").json()["networks"]}
    assert left == {mine, kept}


def test_conditions_decide_what_there_is(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    template = hot(
        {"one": {**value(), "condition": "big"}, "two": value({"if": ["big", "large", "small"]})},  # type: ignore[arg-type]
        parameters={"size": {"type": "number", "default": 1}},
        conditions={"big": {"equals": [{"get_param": "size"}, 2]}},
    )
    made = stack(cloud, mia, template)
    assert set(resources(mia, made)) == {"two"}
    mia.patch(path(mia, made), {"parameters": {"size": 2}}, 202)
    cloud.run_jobs()
    assert set(resources(mia, made)) == {"one", "two"}
    assert mia.get(path(mia, made, "/resources/two")).json()["resource"]["attributes"]["output"] == "large"
    mia.patch(path(mia, made), {"clear_parameters": ["size"]}, 202)
    cloud.run_jobs()
    assert set(resources(mia, made)) == {"two"}


def test_hooks_pause_before_a_step_and_are_cleared_by_a_signal(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    hooks = {"resource_registry": {"resources": {"t*": {"hooks": "pre-create"}, "one": {"hooks": ["pre-delete"]}}}}
    made = stack(cloud, mia, hot({"one": value(), "two": value()}), environment=hooks)
    assert resources(mia, made)["two"]["resource_status"] == "INIT_COMPLETE"
    mia.post(path(mia, made, "/resources/one/signal"), {"unset_hook": "pre-create"}, 400)
    mia.post(path(mia, made, "/resources/two/signal"), {"unset_hook": "pre-create"}, 200)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "CREATE_COMPLETE"
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_IN_PROGRESS"
    mia.post(path(mia, made, "/resources/one/signal"), {"unset_hook": "pre-delete"}, 200)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "DELETE_COMPLETE"


def test_restricted_actions_are_not_done(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    environment = {"resource_registry": {"resources": {"one": {"restricted_actions": "update"}}}}
    made = stack(cloud, mia, hot({"one": value()}), environment=environment)
    shown = update(cloud, mia, made, hot({"one": value("b")}), environment=environment)
    assert shown["stack_status"] == "UPDATE_FAILED" and "restricted" in shown["stack_status_reason"]


def test_lists_filter_sort_page_and_hide(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    for name, tags in (("aster", "red,tall"), ("rose", "red"), ("tulip", "data-processing-cluster")):
        stack(cloud, mia, hot({}), name, tags=tags)
        cloud.advance(1)

    def listed(query: str) -> list[str]:
        return [one["stack_name"] for one in mia.get(at(mia, f"/stacks?{query}")).json()["stacks"]]

    assert listed("") == ["rose", "aster"]
    assert listed("sort_keys=name&sort_dir=asc") == ["aster", "rose"]
    assert listed("tags=red,tall") == ["aster"] and listed("not_tags=tall") == ["rose"]
    assert listed("show_hidden=true&name=tulip") == ["tulip"] and listed("status=FAILED") == []
    first = mia.get(at(mia, "/stacks?limit=1&with_count=1")).json()
    assert first["count"] == 2 and listed(f"limit=1&marker={first['stacks'][0]['id']}") == ["aster"]
    mia.get(at(mia, "/stacks?sort_keys=colour"), 400)
    mia.get(at(mia, "/stacks?limit=x"), 400)


def test_two_stacks_of_one_name_are_refused_and_a_deleted_name_is_free(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({}))
    refused = begin(mia, hot({}), expect=409)
    assert refused["error"]["message"] == "The Stack (rose) already exists."
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
    assert stack(cloud, mia, hot({}))["stack_status"] == "CREATE_COMPLETE"


def test_an_abandoned_stack_leaves_what_it_made(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"net": {"type": "OS::Neutron::Net"}}))
    told = mia.delete(path(mia, made, "/abandon"), 200).json()
    net = told["resources"]["net"]["resource_id"]
    mia.get(f"{N}/networks/{net}")
    assert not mia.get(at(mia, "/stacks")).json()["stacks"]


def test_what_is_not_known_yet_is_no_mistake_of_a_nested_template(cloud: ApiCloud) -> None:
    """Nor does it hide the mistakes that there are."""
    mia = cloud.new_user("mia", "garden")
    inner = hot(
        {"port": res("OS::Neutron::Port", network={"get_param": "net"})},
        parameters={"net": {"type": "string", "constraints": [{"custom_constraint": "neutron.network"}]}},
    )
    nested = res("in.yaml", net={"get_resource": "net"})
    group = res("OS::Heat::ResourceGroup", count=2, resource_def=nested)
    template = hot({"net": {"type": "OS::Neutron::Net"}, "group": group, "one": nested})
    body = {"stack_name": "rose", "template": template, "files": {"in.yaml": inner}}
    mia.post(at(mia, "/stacks/preview"), body, 200)
    made = stack(cloud, mia, template, files={"in.yaml": inner})
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    inner["resources"]["port"]["properties"]["colour"] = "red"
    refused = mia.post(at(mia, "/stacks/preview"), {**body, "stack_name": "daisy"}, 400).json()
    assert "Unknown Property colour" in refused["error"]["message"]


def test_a_stack_in_a_stack_has_the_files_of_the_first(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    files = {"base.yaml": hot({"it": value("deep")}, outputs={"told": {"value": {"get_attr": ["it", "output"]}}})}
    middle = hot({"base": res("base.yaml")}, outputs={"told": {"value": {"get_attr": ["base", "told"]}}})
    files["middle.yaml"] = middle
    outer = res("OS::Heat::Stack", template={"get_file": "middle.yaml"})
    out = {"all": {"value": {"get_attr": ["outer", "outputs"]}}}
    made = stack(cloud, mia, hot({"outer": outer}, outputs=out), files=files)
    assert made["stack_status"] == "CREATE_COMPLETE" and outputs(made) == {"all": {"told": "deep"}}


@pytest.mark.parametrize("body", [b"null", b"", b"{}"])
def test_a_signal_without_details_is_one(cloud: ApiCloud, body: bytes) -> None:
    """The client of Heat sends ``null``."""
    mia = cloud.new_user("mia", "garden")
    made = begin(mia, hot({"handle": HANDLE, "wait": WAIT}))["stack"]
    cloud.run_jobs()
    shown = show(mia, "rose", made["id"])
    headers = {"Content-Type": "application/json"}
    mia.request("POST", path(mia, shown, "/resources/handle/signal"), content=body, headers=headers, expect=200)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "CREATE_COMPLETE"


def test_a_template_stands_for_the_resource_that_it_names(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    inner = hot({"net": {"type": "OS::Neutron::Net"}}, outputs={"OS::stack_id": {"value": {"get_resource": "net"}}})
    told = {"got": {"value": {"get_resource": "bed"}}}
    made = stack(cloud, mia, hot({"bed": {"type": "bed.yaml"}}, outputs=told), files={"bed.yaml": inner})
    [network] = mia.get(f"{N}/networks?project_id={mia.project_id}").json()["networks"]
    assert outputs(made) == {"got": network["id"]}


def test_nothing_is_marked_as_unhealthy_while_its_stack_is_at_work(cloud: ApiCloud) -> None:
    """It would be handled no more, and the stack wait for it till its time is over."""
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"one": value()}))
    mia.put(path(mia, made), {"template": hot({"one": value(), "handle": HANDLE, "wait": WAIT})}, 202)
    cloud.run_jobs()
    told = mia.patch(path(mia, made, "/resources/one"), {"mark_unhealthy": True}, 409).json()["error"]
    assert told["type"] == "ActionInProgress"
    mia.post(path(mia, made, "/resources/handle/signal"), {}, 200)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "UPDATE_COMPLETE"
    mia.patch(path(mia, made, "/resources/one"), {"mark_unhealthy": True}, 200)


def nested_of(mia: Caller) -> dict[str, Any]:
    [found] = [one for one in mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"] if one["parent"]]
    return dict(found)


def test_a_stack_is_turned_when_what_is_nested_in_it_is_at_rest(cloud: ApiCloud) -> None:
    """What a nested stack has under way is not thrown away; nor is the root abandoned meanwhile, nor it alone."""
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"in": {"type": "in.yaml"}}), files={"in.yaml": hot({"first": value()})})
    inner = nested_of(mia)
    after = {**value(), "depends_on": "wait"}
    mia.put(path(mia, inner), {"template": hot({"handle": HANDLE, "wait": WAIT, "after": after})}, 202)
    cloud.run_jobs()
    mia.delete(path(mia, made, "/abandon"), 409)
    refused = mia.delete(path(mia, inner, "/abandon"), 400).json()["error"]
    assert "nested in another" in refused["message"]
    mia.post(path(mia, made, "/actions"), {"suspend": None}, 200)
    cloud.run_jobs()
    assert nested_of(mia)["stack_status"] == "UPDATE_IN_PROGRESS"
    mia.post(path(mia, inner, "/resources/handle/signal"), {}, 200)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "SUSPEND_COMPLETE"
    assert nested_of(mia)["stack_status"] == "SUSPEND_COMPLETE"
    assert resources(mia, inner)["after"]["resource_status"] == "SUSPEND_COMPLETE"
    mia.delete(path(mia, made, "/abandon"), 200)
    assert mia.get(at(mia, "/stacks?show_nested=1")).json()["stacks"] == []


def test_what_a_nested_stack_left_unmade_is_made_by_the_next_update(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    files = {"in.yaml": hot({"first": value()})}
    made = stack(cloud, mia, hot({"in": {"type": "in.yaml"}}), files=files)
    inner = nested_of(mia)
    broken = hot({"first": value(), "bad": value(fail=True), "more": {**value(), "depends_on": "bad"}})
    assert update(cloud, mia, inner, broken)["stack_status"] == "UPDATE_FAILED"
    mia.post(path(mia, made, "/actions"), {"check": None}, 201)
    cloud.run_jobs()
    assert update(cloud, mia, made, hot({"in": {"type": "in.yaml"}}), files=files)["stack_status"] == "UPDATE_COMPLETE"
    assert set(resources(mia, inner)) == {"first"}


def test_a_stack_of_which_no_plan_can_be_made_is_shown_and_deleted(cloud: ApiCloud) -> None:
    """A type of it went with a release."""
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"one": value()}))
    gone = {"template": hot({"one": {"type": "OS::Gone::Type"}}), "files": {}, "environment": {}}
    with cloud.core.db.write() as tx:
        tx.execute(sql_update(stack_table).values(source=gone))
    cloud.core.memory.pop("orchestration.plans", None)
    assert show(mia, "rose", made["id"])["stack_status"] == "CREATE_COMPLETE"
    assert delete(cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"


def test_a_quota_goes_with_its_stack_also_when_its_project_is_gone(cloud: ApiCloud) -> None:
    admin = cloud.admin
    project = admin.post("/identity/v3/projects", {"project": {"name": "meadow"}}, 201).json()["project"]["id"]
    made = stack(cloud, admin, hot({"limit": res("OS::Nova::Quota", project=project, cores=3)}))
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    admin.delete(f"/identity/v3/projects/{project}")
    assert delete(cloud, admin, made)["stack_status"] == "DELETE_COMPLETE"


def test_parameters_that_are_immutable_keep_their_values(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    declared = {"word": {"type": "string", "immutable": True, "default": "a"}}
    template = hot({"one": value({"get_param": "word"})}, parameters=declared)
    made = stack(cloud, mia, template)
    for method, below in (("PUT", ""), ("PUT", "/preview"), ("PATCH", "")):
        body = {"template": template, "parameters": {"word": "b"}}
        told = mia.request(method, path(mia, made, below), json=body, expect=400).json()["error"]
        assert told["type"] == "ImmutableParameterModified" and "word" in told["message"]
    assert update(cloud, mia, made, template, parameters={"word": "a"})["stack_status"] == "UPDATE_COMPLETE"


def test_what_environments_ask_for_and_is_not_done_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    late = {"resource_registry": {"resources": {"one": {"hooks": ["pre-create", "post-create"]}}}}
    for environment, word in ((late, "post-create"), ({"event_sinks": [{"type": "zaqar-queue"}]}, "event_sinks")):
        told = begin(mia, hot({"one": value()}), expect=400, environment=environment)["error"]
        assert told["type"] == "StackValidationFailed" and word in told["message"]


def test_states_that_a_list_is_asked_for_are_whole(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    stack(cloud, mia, hot({"one": value(fail=True)}), "failed")
    stack(cloud, mia, hot({"one": value()}), "well")
    asked = "/stacks?stack_status=CREATE_COMPLETE&stack_status=UPDATE_FAILED"
    assert [one["stack_name"] for one in mia.get(at(mia, asked)).json()["stacks"]] == ["well"]


def test_a_signal_to_what_is_not_made_yet_is_refused(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    handle = {"type": "OS::Heat::WaitConditionHandle"}
    wait = {"type": "OS::Heat::WaitCondition", "properties": {"handle": {"get_resource": "handle"}, "timeout": 60}}
    member = {"type": "OS::Heat::TestResource"}
    group = {"type": "OS::Heat::AutoScalingGroup", "properties": {"min_size": 1, "max_size": 2, "resource": member}}
    policy = {
        "auto_scaling_group_id": {"get_resource": "group"},
        "scaling_adjustment": 1,
        "adjustment_type": "change_in_capacity",
    }
    server = {"InstanceID": {"get_resource": "group"}}
    later = {
        "up": {"type": "OS::Heat::ScalingPolicy", "properties": policy},
        "amazon": {
            "type": "AWS::AutoScaling::ScalingPolicy",
            "properties": {
                "AutoScalingGroupName": {"get_resource": "group"},
                "ScalingAdjustment": 1,
                "AdjustmentType": "ChangeInCapacity",
            },
        },
        "again": {"type": "OS::Heat::HARestarter", "properties": server},
        "other": handle,
    }
    template = {"handle": handle, "wait": wait, "group": group}
    template |= {name: {**one, "depends_on": "wait"} for name, one in later.items()}
    made = stack(cloud, mia, hot(template))
    for name in later:
        told = mia.post(path(mia, made, f"/resources/{name}/signal"), {}, 400).json()["error"]["message"]
        assert told == "Cannot signal resource during INIT"
