"""Stacks of an enemy that hang together in more ways than their templates are long, or that cannot be ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import StatementError

from tane.services.orchestration.domain import engine, masking, plans
from tane.services.orchestration.domain import outputs as resolving
from tane.services.orchestration.domain import resources as domain
from tane.services.orchestration.reconcilers import deadlines
from tane.services.orchestration.store import resources as rows
from tane.services.orchestration.tables import stack as stack_table
from tane.services.orchestration.tables import stack_resource
from tests.api.orchestration_support import begin, hot, outputs, path, resources, show, stack
from tests.support import ApiCloud


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


# --------------------------------------------------------------------------------------------------- late stacks


WAITS = hot({"it": res("OS::Heat::WaitCondition", handle="h", timeout=3600)})


def late(cloud: ApiCloud) -> None:
    """Let the time of all stacks be over."""
    with cloud.core.db.write() as tx:
        tx.execute(update(stack_table).where(stack_table.c.status == "IN_PROGRESS").values(deadline=tx.now))


def test_a_stack_that_cannot_be_ended_fails_alone(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong with it: others have their end in the same look, and so has it, without more ado."""
    eve, mia = cloud.new_user("eve", "shed"), cloud.new_user("mia", "garden")
    ids = {who.project_id: begin(who, WAITS, name)["stack"]["id"] for who, name in ((eve, "thorn"), (mia, "rose"))}
    other = begin(eve, WAITS, "nettle")["stack"]["id"]
    with cloud.core.db.write() as tx:
        tx.execute(update(stack_resource).values(expires_at=tx.now))
    late(cloud)
    expire = engine.expire

    def broken(tx: Any, core: Any, stack_id: str) -> None:
        assert not tx.all(select(stack_resource.c.id).where(stack_resource.c.expires_at.is_not(None)))
        if stack_id == ids[eve.project_id]:
            raise RuntimeError("no plan")
        expire(tx, core, stack_id)

    monkeypatch.setattr(engine, "expire", broken)
    assert cloud.wait(deadlines.look(cloud.core)) == "3 stacks timed out, 3 resources were looked at"
    assert show(mia, "rose", ids[mia.project_id])["stack_status_reason"] == "Create timed out"
    assert show(eve, "nettle", other)["stack_status"] == "CREATE_FAILED"
    assert show(eve, "thorn", ids[eve.project_id])["stack_status"] == "CREATE_FAILED"


def test_late_stacks_of_one_project_leave_the_next_look_to_others(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look takes as long as the slowest of a project's stacks, not as all of them."""
    eve, mia = cloud.new_user("eve", "shed"), cloud.new_user("mia", "garden")
    for number in range(3):
        begin(eve, WAITS, f"thorn{number}")
    made = begin(mia, WAITS)["stack"]["id"]
    late(cloud)
    monkeypatch.setattr(deadlines, "SECONDS", -1.0)
    assert "2 stacks timed out" in str(cloud.wait(deadlines.look(cloud.core)))
    assert show(mia, "rose", made)["stack_status"] == "CREATE_FAILED"
    assert "1 stacks timed out" in str(cloud.wait(deadlines.look(cloud.core)))


# --------------------------------------------------------------------------------------------------------- graphs


def test_of_two_that_want_each_other_the_first_does_not_wait() -> None:
    graph = {"a": {"b"}, "b": set[str](), "c": set[str](), "d": {"a"}}
    plans._add_needs(graph, {"b": {"a", "b", "c", "d"} - {"b"}, "c": {"a", "b", "d"}, "d": {"c"}, "a": {"d", "c"}})
    assert graph == {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"a", "c"}}


class Steps(dict[str, set[str]]):
    """A graph that counts how often it is asked."""

    taken = 0

    def __getitem__(self, name: str) -> set[str]:
        self.taken += 1
        return super().__getitem__(name)


def test_the_graph_of_many_servers_and_legs_is_drawn_in_few_steps() -> None:
    count = 150
    graph = Steps({f"leg{number}": {f"leg{number - 1}"} if number else set[str]() for number in range(count)})
    graph |= {f"server{number}": {f"server{number - 1}"} if number else set[str]() for number in range(count)}
    graph["leg0"] = {"server3"}
    legs = {name for name in graph if name.startswith("leg")}
    plans._add_needs(graph, {f"server{number}": legs for number in range(count)})
    # Each pair is looked at once, whatever lies between.
    assert graph.taken < 2 * count * count
    assert graph["server149"] == {"server148", *legs}
    assert graph["server3"] == {"server2"} and graph["leg0"] == {"server3"}


def test_who_waited_for_a_resource_is_asked_for_at_once(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    first = {f"first{number}": res("OS::Heat::None") for number in range(2)}
    then = {f"then{number}": {**res("OS::Heat::None"), "depends_on": list(first)} for number in range(10)}
    asked: list[int] = []
    of_names = rows.of_names

    def counted(tx: Any, stack_id: str, names: Collection[str]) -> Any:
        asked.append(len(names))
        return of_names(tx, stack_id, names)

    monkeypatch.setattr(rows, "of_names", counted)
    assert stack(cloud, mia, hot({**first, **then}))["stack_status"] == "CREATE_COMPLETE"
    assert len(asked) <= 12


# -------------------------------------------------------------------------------------------------------- outputs


def test_an_output_of_a_nested_stack_is_evaluated_once(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often, and along however many paths, the levels above mention it."""
    width, levels = 6, 4
    files = {}
    for level in range(1, levels + 1):
        inner = res("OS::Heat::Value", value="x") if level == levels else {"type": f"f{level + 1}.yaml"}
        own = ["r", "value"] if level == levels else ["r", "o"]
        mentions = [{"get_attr": [*own, number % 2] if level < levels else own} for number in range(width)]
        text = hot({"r": inner}, outputs={"o": {"value": mentions}})
        files[f"f{level}.yaml"] = msgspec.json.encode(text).decode()
    asked = [{"get_attr": ["r", "o", 0]}, {"get_attr": ["r", "o", 1]}, {"get_attr": ["r", "o"]}]
    template = hot({"r": {"type": "f1.yaml"}}, outputs={"all": {"value": asked * width}})
    mia = cloud.new_user("mia", "garden")
    evaluated: list[str] = []
    plainly = resolving.evaluate

    def counted(value: Any, scope: Any, *rest: Any) -> Any:
        evaluated.append(scope.stack.id)
        return plainly(value, scope, *rest)

    made = stack(cloud, mia, template, files=files)
    assert made["stack_status"] == "CREATE_COMPLETE", made
    monkeypatch.setattr(resolving, "evaluate", counted)
    shown = outputs(show(mia, "rose", made["id"]))
    assert shown["all"][2][0] == shown["all"][0] and len(evaluated) == levels + 1 == len(set(evaluated))


def test_another_path_of_an_attribute_is_another_value(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    value = {"a": {"b": 1}, "c": 2}
    wanted = [["v", "value", "a", "b"], ["v", "value"], ["v", "value", "c"], ["v", "value", "a"]]
    template = hot(
        {"v": res("OS::Heat::Value", value=value)}, outputs={"o": {"value": [{"get_attr": one} for one in wanted]}}
    )
    assert outputs(stack(cloud, mia, template))["o"] == [1, value, 2, {"b": 1}]


# ---------------------------------------------------------------------------------------------------------- lists


def test_a_list_of_a_dense_stack_looks_at_each_resource_once(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    names = [f"n{number:02}" for number in range(12)]
    dense = {
        name: {**res("OS::Heat::None"), "depends_on": names[max(0, place - 5) : place]}
        for place, name in enumerate(names)
    }
    made = stack(cloud, mia, hot(dense))
    looked: list[str] = []

    class Seen:
        def __init__(self, row: Any) -> None:
            self._row = row

        def __getattr__(self, name: str) -> Any:
            if name == "requires":
                looked.append(self._row.id)
            return getattr(self._row, name)

    of_stacks = rows.of_stacks
    monkeypatch.setattr(domain.resources, "of_stacks", lambda *args: [Seen(row) for row in of_stacks(*args)])
    shown = resources(mia, made)
    assert shown["n00"]["required_by"] == names[1:6] and shown["n11"]["required_by"] == []
    assert len(looked) == len(names)
    assert mia.get(path(mia, made, "/resources/n05")).json()["resource"]["required_by"] == names[6:11]


# ---------------------------------------------------------------------------------------------------------- secrets


def test_many_hidden_values_that_overlap_are_quickly_found() -> None:
    class Counted(str):
        finds = 0

        def find(self, *args: Any) -> int:
            Counted.finds += 1
            return str.find(self, *args)

    text = Counted("a" * 10_000)
    assert masking.masked(text, {"a" * length for length in range(1, 200)}) == "******"
    assert Counted.finds < 10 * len(text)


def test_errors_of_the_database_tell_no_values(cloud: ApiCloud) -> None:
    with pytest.raises(StatementError) as told, cloud.core.db.write() as tx:
        tx.execute(update(stack_table).values(reason={"word": "sunflower-4711"}))
    assert "sunflower" not in str(told.value)
