"""Templates of an enemy in which one thing leads to ever more: masks, outputs of outputs, needs of needs, rollbacks."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tane.services.orchestration.domain import masking, outputs, plans
from tane.services.orchestration.reconcilers import deadlines
from tane.services.orchestration.store import stacks
from tests.api.orchestration_support import begin, hot, path, refused, show, stack
from tests.support import ApiCloud


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


def test_a_mask_is_never_masked_again() -> None:
    stars = ["*" * count for count in range(1, 60)]
    assert masking.masked("say ***** or *", stars) == "say ****** or ******"
    assert masking.masked("ab" * 8192, ["a"]) == "******b" * 8192
    assert masking.masked("rose tulip", ["rose", "se tu"]) == "******lip"
    assert masking.masked("x" * 20_000, []) == "x" * masking.MOST_TEXT
    # What begins at the end of what is told is hidden too.
    assert masking.masked("-" * (masking.MOST_TEXT - 2) + "secret", ["secret"]).endswith("-******")


def test_each_string_of_a_hidden_value_is_hidden() -> None:
    hidden = {"a": ["S3cret", {"b": "deep-one"}], "pin": 47114711, "few": 3, "on": True}
    assert set(masking.strings(hidden)) == {"S3cret", "deep-one", "47114711"}


def test_a_hidden_map_is_told_nowhere(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    name = {"list_join": ["", ["a", {"get_param": ["s", "k"]}]]}
    template = hot(
        {
            "one": res("OS::Heat::TestResource", value=name),
            "port": res("OS::Neutron::Port", network={"get_attr": ["one", "output"]}),
        },
        parameters={"s": {"type": "json", "hidden": True, "default": {"k": "sunflower-4711"}}},
    )
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_FAILED"
    for below in ("", "/events", "/resources"):
        assert "sunflower" not in mia.get(path(mia, made, below)).text


def test_stars_in_hidden_parameters_make_no_reason_long(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    hidden = "\n".join(f"  p{n}: {{type: string, hidden: true, default: '{'*' * n}'}}" for n in range(1, 6))
    files = {}
    for level in range(1, 4):
        inner = f"{{type: f{level + 1}.yaml}}" if level < 3 else "{type: OS::Neutron::Net, external_id: '***'}"
        files[f"f{level}.yaml"] = (
            f"heat_template_version: 2021-04-16\nparameters:\n{hidden}\nresources:\n  r: {inner}\n"
        )
    assert len(refused(mia, hot({"r": {"type": "f1.yaml"}}), files=files)) < 1000


def test_an_output_is_resolved_once_however_often_it_is_mentioned(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    width, levels, files = 6, 4, {}
    for level in range(1, levels + 1):
        inner = f"f{level + 1}.yaml" if level < levels else "OS::Heat::TestResource"
        get = "{get_attr: [r, o, 0]}" if level < levels else "{get_attr: [r, output]}"
        files[f"f{level}.yaml"] = (
            f"heat_template_version: 2021-04-16\nresources: {{r: {{type: {inner}}}}}\n"
            f"outputs: {{o: {{value: [{', '.join([get] * width)}]}}}}\n"
        )
    mention: Any = [{"get_attr": ["r", "o", 0]}] * width
    made = stack(cloud, mia, hot({"r": {"type": "f1.yaml"}}, outputs={"o": {"value": mention}}), files=files)
    assert made["stack_status"] == "CREATE_COMPLETE"
    resolved: list[Any] = []
    real = outputs.evaluate
    monkeypatch.setattr(outputs, "evaluate", lambda *args: resolved.append(args) or real(*args))
    [shown] = show(mia, "rose", made["id"])["outputs"]
    assert len(shown["output_value"]) == width and len(resolved) == levels + 1


def test_needs_are_added_as_far_as_they_make_no_circle() -> None:
    graph = {"a": {"b"}, "b": set(), "c": {"a"}, "d": set()}
    plans._add_needs(graph, {"b": {"c", "d"}, "d": {"c", "b"}})
    # c waits for b over a; d, which b waits for by now, waits for neither.
    assert graph == {"a": {"b"}, "b": {"d"}, "c": {"a"}, "d": set()}


def test_the_needs_of_many_servers_and_interfaces_are_found_quickly() -> None:
    count = 300
    graph: dict[str, set[str]] = {}
    for kind in ("server", "leg"):
        graph |= {f"{kind}{n}": {f"{kind}{n - 1}"} if n else set() for n in range(count)}
    legs = {f"leg{n}" for n in range(count)}
    began = time.thread_time()
    plans._add_needs(graph, {f"server{n}": legs for n in range(count)})
    assert time.thread_time() - began < 2
    assert all(legs < graph[f"server{n}"] or not n for n in range(count)) and graph["leg1"] == {"leg0"}


def test_a_stack_that_cannot_be_rolled_back_ends_and_keeps_no_other_from_its_end(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia, bob = cloud.new_user("mia", "garden"), cloud.new_user("bob", "shed")
    core = cloud.cloud.core
    wait = hot(
        {
            "h": res("OS::Heat::WaitConditionHandle"),
            "w": res("OS::Heat::WaitCondition", handle={"get_resource": "h"}, timeout=3600),
        }
    )
    made = stack(cloud, mia, hot({"one": res("OS::Heat::TestResource")}))
    mia.put(path(mia, made), {"template": wait, "timeout_mins": 1, "disable_rollback": False}, 202)
    other = begin(bob, wait, "lily", timeout_mins=1)["stack"]["id"]
    with core.db.write() as tx:
        broken = {"heat_template_version": "2021-04-16", "resources": {"one": {"type": "OS::Nobody::Knows"}}}
        stacks.change(tx, made["id"], previous={"template": broken, "files": {}, "environment": {}})
    cloud.advance(120)
    cloud.wait(deadlines.look(core))
    shown = show(mia, "rose", made["id"])
    assert shown["stack_status"] == "UPDATE_FAILED" and "cannot be rolled back" in shown["stack_status_reason"]
    assert show(bob, "lily", other)["stack_status"] == "CREATE_FAILED"


def test_who_needs_whom_is_turned_round_once_for_a_list(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    declared = {f"r{n}": {**res("OS::Heat::None"), "depends_on": [f"r{m}" for m in range(n)]} for n in range(4)}
    made = stack(cloud, mia, hot(declared))
    listed = mia.get(path(mia, made, "/resources")).json()["resources"]
    found = {one["resource_name"]: one["required_by"] for one in listed}
    assert found == {"r0": ["r1", "r2", "r3"], "r1": ["r2", "r3"], "r2": ["r3"], "r3": []}
    assert mia.get(path(mia, made, "/resources/r1")).json()["resource"]["required_by"] == ["r2", "r3"]
