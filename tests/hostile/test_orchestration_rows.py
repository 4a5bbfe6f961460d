"""What a tenant may make orchestration keep, and hold in memory: groups, configurations, reasons, events, files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from tane.services.orchestration import tables
from tane.services.orchestration.domain import common, engine, hand, happenings, masking, software
from tane.services.orchestration.reconcilers import deadlines
from tane.services.orchestration.store import events
from tane.services.orchestration.store import resources as resource_rows
from tane.services.orchestration.tables import stack_event, stack_files
from tests.api.orchestration_support import at, hot, path, resources, show, stack, update
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


# --------------------------------------------------------------------------------------------------------------- rows


def held(cloud: ApiCloud, table: Any) -> list[Any]:
    with cloud.core.db.read() as tx:
        return tx.all(select(table))


def test_reasons_are_short_and_events_that_users_write_go_as_new_ones_come(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "MOST_EVENTS", 6)
    mia = cloud.new_user("mia", "garden")
    made = stack(cloud, mia, hot({"one": res("OS::Heat::TestResource")}))
    body = {"mark_unhealthy": True, "resource_status_reason": "x" * 256}
    mia.patch(path(mia, made, "/resources/one"), body, 400)
    for _ in range(9):
        mia.patch(path(mia, made, "/resources/one"), {**body, "resource_status_reason": "x" * 255}, 200)
    assert len(held(cloud, stack_event)) == 6
    hooked = {"resource_registry": {"resources": {"*": {"hooks": "pre-create"}}}}
    wrong = hot({"bad": res("OS::Heat::TestResource", value={"yaql": {"expression": "x" * 9000, "data": {}}})})
    mia.put(path(mia, made), {"template": wrong, "environment": hooked})
    cloud.run_jobs()
    assert max(len(row.reason) for row in held(cloud, stack_event)) <= 1024


def test_a_list_of_events_is_a_page_in_the_database_too(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happenings, "MOST_LISTED", 7)
    mia = cloud.new_user("mia", "garden")
    inner = hot({"two": res("OS::Heat::TestResource")})
    template = hot({"one": res("OS::Heat::TestResource"), "in": {"type": "in.yaml"}, "three": NONE})
    made = stack(cloud, mia, template, files={"in.yaml": inner})
    read: list[int] = []
    plainly = events.find

    def counted(*args: Any, **more: Any) -> Any:
        rows = plainly(*args, **more)
        read.append(len(rows))
        assert more["limit"] <= 7
        return rows

    monkeypatch.setattr(events, "find", counted)
    number = len(held(cloud, stack_event))
    assert number > 7
    for order in ("", "&sort_dir=desc", "&sort_keys=resource_type", "&sort_keys=resource_type&sort_dir=desc"):
        seen: list[str] = []
        for limit in ("", "&limit=2", "&limit=1", "&limit=100", "&limit=100"):
            marker = f"&marker={seen[-1]}" if seen else ""
            where = path(mia, made, f"/events?nested_depth=2{order}{limit}{marker}")
            seen += [one["id"] for one in mia.get(where).json()["events"]]
        assert len(seen) == len(set(seen)) == number, order
    assert max(read) == 7


def test_configurations_and_deployments_of_a_project_are_counted_and_weighed(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "MOST_CONFIGS", 3)
    monkeypatch.setattr(software, "MOST_DEPLOYMENTS", 3)
    monkeypatch.setattr(software, "CONFIGS_BYTES", 5000)
    monkeypatch.setattr(software, "DEPLOYMENTS_BYTES", 4000)
    monkeypatch.setattr(software, "SERVER_BYTES", 3000)
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    configs, deployments = at(mia, "/software_configs"), at(mia, "/software_deployments")
    [first, *_] = [mia.post(configs, {"config": "x" * 1000}, 200).json()["software_config"] for _ in range(3)]
    assert "at most 3" in mia.post(configs, {"config": "x"}, 400).text
    seen: list[str] = []
    for _ in range(3):
        marker = f"&marker={seen[-1]}" if seen else ""
        seen += [one["id"] for one in mia.get(f"{configs}?limit=1{marker}").json()["software_configs"]]
    assert len(set(seen)) == 3 and not mia.get(f"{configs}?marker={seen[-1]}").json()["software_configs"]
    made = stack(cloud, mia, hot({"config": res("OS::Heat::SoftwareConfig", config="x")}))
    assert made["stack_status"] == "CREATE_FAILED" and "at most 3" in made["stack_status_reason"]
    for one in mia.get(configs).json()["software_configs"]:
        if one["id"] != first["id"]:
            mia.delete(f"{configs}/{one['id']}")
    assert "5000 bytes" in mia.post(configs, {"config": "x" * 4500}, 400).text
    bob.post(at(bob, "/software_configs"), {"config": "x" * 4500}, 200)
    body = {"config_id": first["id"], "server_id": "s1", "input_values": {"x": "y" * 1000}}
    made = mia.post(deployments, body, 200).json()["software_deployment"]
    assert "server" in mia.post(deployments, body, 400).text
    mia.put(f"{deployments}/{made['id']}", {"output_values": {"x": "y" * 70_000}}, 400)
    mia.put(f"{deployments}/{made['id']}", {"output_values": {"x": "y" * 4000}}, 400)
    mia.put(f"{deployments}/{made['id']}", {"output_values": {"x": "y" * 500}}, 200)
    for server in ("s2", "s3"):
        mia.post(deployments, {**body, "server_id": server, "input_values": {}}, 200)
    assert "at most 3" in mia.post(deployments, {**body, "server_id": "s4", "input_values": {}}, 400).text
    assert len(mia.get(deployments).json()["software_deployments"]) == 3


def test_files_are_kept_once_however_many_stacks_are_nested_and_go_with_the_stack(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    files = {"in.yaml": hot({"one": NONE}), "big.txt": "x" * 100_000}
    template = hot({f"r{number}": {"type": "in.yaml"} for number in range(4)})
    made = [stack(cloud, mia, template, name, files=files) for name in ("one", "two")]
    assert made[0]["stack_status"] == "CREATE_COMPLETE", made[0]
    [kept] = held(cloud, stack_files)
    assert kept.bytes < 101_000 and len(held(cloud, tables.stack)) == 10
    assert max(row.bytes for row in held(cloud, tables.stack)) < 2000
    child = resources(mia, made[0])["r3"]["physical_resource_id"]
    where = at(mia, f"/stacks/{mia.get(at(mia, f'/stacks/{child}'), 302).headers['location'].split('/')[-2]}/{child}")
    assert mia.get(f"{where}/files").json() == mia.get(path(mia, made[0], "/files")).json()
    # Another text of them is another row until the update is done; what went wrong goes back to them.
    failing = {**template, "resources": {"r0": {"type": "in.yaml"}, "no": res("OS::Heat::TestResource", fail=True)}}
    other = {**files, "big.txt": "y" * 1000}
    body = {"template": failing, "files": other, "disable_rollback": False}
    mia.put(path(mia, made[0]), body, 202)
    cloud.run_jobs()
    assert show(mia, "one", made[0]["id"])["stack_status"] == "ROLLBACK_COMPLETE"
    assert mia.get(path(mia, made[0], "/files")).json()["big.txt"] == files["big.txt"]
    assert [row.id for row in held(cloud, stack_files)] == [kept.id]
    assert update(cloud, mia, made[0], template, files=other)["stack_status"] == "UPDATE_COMPLETE"
    assert len(held(cloud, stack_files)) == 2
    for one in made:
        mia.delete(path(mia, one))
        cloud.run_jobs()
        assert show(mia, one["stack_name"], one["id"])["stack_status"] == "DELETE_COMPLETE"
    assert held(cloud, stack_files) == []
    gone = held(cloud, tables.stack)
    assert len(gone) == 2 and sum(row.bytes for row in gone) < 400


def test_what_all_stacks_of_a_project_are_made_of_is_weighed(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SOURCES_BYTES", 20_000)
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    long = hot({}, description="x" * 9000)
    made = [stack(cloud, mia, long, name) for name in ("one", "two")]
    more = {"stack_name": "more", "template": long}
    assert "20000 bytes" in mia.post(at(mia, "/stacks"), more, 400).text
    mia.put(path(mia, made[0]), {"template": hot({}), "files": {"f": "x" * 12_000}}, 400)
    stack(cloud, bob, long)
    mia.delete(path(mia, made[0]))
    cloud.run_jobs()
    mia.post(at(mia, "/stacks"), more, 201)
    # Nested stacks are weighed as they are made.
    group = res("OS::Heat::ResourceGroup", count=5, resource_def={"type": "in.yaml"})
    files = {"in.yaml": hot({}, description="x" * 4000)}
    bob.delete(at(bob, f"/stacks/rose/{bob.get(at(bob, '/stacks')).json()['stacks'][0]['id']}"))
    cloud.run_jobs()
    heavy = stack(cloud, bob, hot({"group": group}), "group", files=files)
    assert heavy["stack_status"] == "CREATE_FAILED" and "20000 bytes" in heavy["stack_status_reason"], heavy


def test_deleted_stacks_beyond_a_number_are_forgotten(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_STACKS", 2)
    mia = cloud.new_user("mia", "garden")
    for name in ("one", "two", "three"):
        made = stack(cloud, mia, hot({}), name)
        mia.delete(path(mia, made))
        cloud.run_jobs()
        cloud.advance(1)
    shown = mia.get(at(mia, "/stacks?show_deleted=true")).json()["stacks"]
    assert sorted(one["stack_name"] for one in shown) == ["three", "two"]


def test_a_mask_is_never_masked_again(cloud: ApiCloud) -> None:
    """Hidden values that look like a mask, on each level of what is nested, make no text longer."""
    mia = cloud.new_user("mia", "garden")
    hidden = {f"p{number}": {"type": "string", "hidden": True, "default": "*" * number} for number in range(1, 9)}
    bad = {"no": res("OS::Heat::TestResource", value="*" * 300, fail=True)}
    levels = [hot(bad, parameters=hidden)]
    for number in range(4):
        levels.append(hot({"in": {"type": f"f{number}.yaml"}}, parameters=hidden))
    files = {f"f{number}.yaml": level for number, level in enumerate(levels[:4])}
    made = stack(cloud, mia, levels[-1], files=files)
    assert made["stack_status"] == "CREATE_FAILED"
    assert len(made["stack_status_reason"]) <= 4096
    assert max(len(row.reason) for row in held(cloud, stack_event)) <= 1024


def test_masking_tells_nothing_and_makes_little() -> None:
    stars = {"*" * number for number in range(1, 60)}
    assert len(masking.masked("*" * 1000, stars)) <= 6 * 1001
    assert masking.masked("a sunflower, sun", {"sun", "sunflower"}) == "a ******, ******"
    whole = masking.masked("x" * 65_530 + "sunflower" * 3, {"sunflower"})
    assert len(whole) <= 65_536 and not whole.endswith(("s", "su", "sun"))


def test_a_hidden_value_is_masked_also_where_a_sentence_quotes_it() -> None:
    value = 'Hid"den\\V\u00e4<lue>9'
    secrets = set(masking.strings(value))
    for quoted in (value, json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)):
        assert "den" not in masking.masked(f"{quoted} is not an allowed value", secrets)


def test_what_is_in_a_hidden_map_is_told_nowhere(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    secret = {"type": "json", "hidden": True, "default": {"k": ["sunflower-4711", 12345678]}}
    asked = {"list_join": ["", ["%", {"get_param": ["word", "k", 0]}]]}
    late = {"kept": res("OS::Heat::Value", value=asked)}
    net = res("OS::Neutron::Net", dns_domain={"get_attr": ["kept", "value"]})
    made = stack(cloud, mia, hot({**late, "net": net}, parameters={"word": secret}))
    assert made["stack_status"] == "CREATE_FAILED" and "******" in made["stack_status_reason"], made
    assert "sunflower" not in made["stack_status_reason"] + mia.get(path(mia, made, "/events")).text
    wrong = {"list_join": ["", ["%", {"get_param": ["word", "k", 1]}]]}
    template = hot({"kept": res("OS::Heat::Value", value=wrong)}, parameters={"word": secret})
    answer = mia.post(at(mia, "/stacks"), {"stack_name": "x", "template": template}, 400)
    assert "******" in answer.text and "12345678" not in answer.text


def test_a_way_back_is_never_refused_and_holds_up_no_other_stack(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MOST_RESOURCES", 6)
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    before = hot({f"a{number}": NONE for number in range(5)})
    made = stack(cloud, mia, before)
    handle = {"type": "OS::Heat::WaitConditionHandle"}
    wait = res("OS::Heat::WaitCondition", handle={"get_resource": "handle"}, timeout=40_000)
    held_up = {"resource_registry": {"resources": {"a0": {"hooks": "pre-delete"}}}}
    body = {"template": hot({"b": NONE}), "environment": held_up, "timeout_mins": 1, "disable_rollback": False}
    mia.put(path(mia, made), body, 202)
    cloud.run_jobs()
    other = stack(cloud, bob, hot({"handle": handle, "wait": wait}), "rose", timeout_mins=1)
    with cloud.core.db.write() as tx:
        stack_row = tx.first(select(tables.stack).where(tables.stack.c.id == made["id"]))
        new = [engine.fresh(tx, stack_row, f"c{number}", "OS::Heat::None") for number in range(5)]
        resource_rows.add(tx, new)
    cloud.advance(61)
    assert "2 stacks timed out" in str(cloud.wait(deadlines.look(cloud.core)))
    cloud.run_jobs()
    assert show(bob, "rose", other["id"])["stack_status"] == "CREATE_FAILED"
    assert show(mia, "rose", made["id"])["stack_status"].startswith("ROLLBACK")


def test_the_values_of_all_resources_of_a_project_are_weighed(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One long parameter in a thousand resources is a thousand long rows."""
    monkeypatch.setattr(hand, "VALUES_BYTES", 30_000)
    mia = cloud.new_user("mia", "garden")
    parameters = {"long": {"type": "string", "default": "x" * 9000}}
    many = {f"r{number}": res("OS::Heat::Value", value={"get_param": "long"}) for number in range(4)}
    made = stack(cloud, mia, hot(many, parameters=parameters))
    assert made["stack_status"] == "CREATE_FAILED" and "30000 bytes" in made["stack_status_reason"]
    rows = held(cloud, tables.stack_resource)
    assert sum(row.bytes for row in rows) == pytest.approx(27_000, abs=400)


def test_a_hidden_value_is_masked_as_a_key_too(cloud: ApiCloud) -> None:
    mia, eve = cloud.new_user("mia", "garden"), cloud.new_user("eve", "garden", role="reader")
    inner = hot({}, parameters={"js": {"type": "json"}})
    keyed = {"str_replace": {"template": '{"NAME": 1}', "params": {"NAME": {"get_param": "word"}}}}
    word = {"type": "string", "hidden": True, "default": "sunflower-4711"}
    template = hot({"in": {"type": "f.yaml", "properties": {"js": keyed}}}, parameters={"word": word})
    stack(cloud, mia, template, files={"f.yaml": inner})
    for one in mia.get(at(mia, "/stacks?show_nested=true")).json()["stacks"]:
        assert "sunflower" not in eve.get(path(eve, one)).text
