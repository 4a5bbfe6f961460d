"""Templates of an enemy that cost more to look at than they are long: patterns, filters, nesting, queries, text."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import Any

import pytest

from tane.core import Core
from tane.services.orchestration.domain import ahead, plans
from tane.services.orchestration.store import resources as rows
from tane.services.orchestration.template import apart, effort, environments, evaluation, parsing, patterns, reading
from tane.shares import Full, Turns
from tests.api.orchestration_support import at, delete, hot, outputs, path, show, stack, update
from tests.support import ApiCloud


def res(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "properties": properties}


# -------------------------------------------------------------------------------------------------------- patterns


@pytest.fixture
def asked_apart(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The patterns that were handed to the process apart."""
    asked: list[str] = []

    def matches(pattern: str, text: str) -> bool:
        asked.append(pattern)
        return False

    monkeypatch.setattr(apart, "matches", matches)
    return asked


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a?" * 28 + "a" * 28, "a" * 28),
        ("(?:a|aa)" * 24 + "b", "a" * 24),
        ("(?:a{0,1}){24}a{24}", "a" * 24),
        ("(?:a|b|ab){20}c", "ab" * 20),
        ("(?:a{0,2}?b?){1,12}", "a" * 24),
        (".*" * 9 + "0", "a" * 64),
        ("(?=(?:a?){25}a{25}).", "a" * 25),
        ("(?>(?:a|aa){40}b)", "a" * 41),
        ("(?:)" + "{4294967290}", ""),
        ("a*a{400000}b", "a" * 600_000),
    ],
)
def test_a_pattern_that_may_choose_often_is_not_matched_here(pattern: str, text: str, asked_apart: list[str]) -> None:
    patterns.whole(pattern, text)
    assert asked_apart == [pattern]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[a-z0-9-]+", "rose-garden-7" * 8),
        (r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", "192.168.1.1"),
        ("(small|medium|large)(-v[0-9])?", "large-v2"),
        (r"[a-z]+@[a-z]+\.(org|net)", "rose@garden.org"),
    ],
)
def test_an_ordinary_pattern_needs_no_process(pattern: str, text: str, asked_apart: list[str]) -> None:
    assert patterns.whole(pattern, text) and not patterns.whole(pattern, text + "!") and asked_apart == []


def test_a_filter_of_resource_types_never_goes_back(cloud: ApiCloud) -> None:
    eve = cloud.new_user("eve", "shed", role="reader")

    def listed(name: str, expect: int = 200) -> Any:
        answer = eve.get(at(eve, "/resource_types"), expect, params={"name": name}).json()
        return answer["resource_types"] if expect == 200 else answer

    everything = listed("*")
    assert listed(".*" * 120 + "0") == [name for name in everything if "0" in name]
    nets = [name for name in everything if name.startswith("OS::Neutron::")]
    assert nets and listed("OS::Neutron::*") == listed("^OS::Neutron::.*$") == listed("OS::Neutron::") == nets
    assert listed("OS::*::Net$") == ["OS::Neutron::Net"] and listed("*Server") == listed(".*Server")
    assert "OS::Nova::Server" in listed("*Server$") and listed("OS::Nova::Server$") == ["OS::Nova::Server"]
    for pattern in ("a?a?", "[a-z]*", "(a|b)", "x" * 300, "a+"):
        assert "no pattern" in listed(pattern, 400)["error"]["message"]


WIDE_CLASS = "[\u0100-\uffffac0-2]"
"""Twelve bytes that take some milliseconds to compile."""


def test_compiling_patterns_counts_as_work_on_the_template(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "COMPILED", 16 * effort.MIB)
    eve = cloud.new_user("eve", "shed", role="reader")
    expensive = {
        f"p{number}": {
            "type": "string",
            "default": "x",
            "constraints": [{"allowed_pattern": WIDE_CLASS * 330 + f"|x|{number}"}],
        }
        for number in range(2)
    }
    body = {"stack_name": "s", "template": hot({}, parameters=expensive)}
    assert "takes too long" in eve.post(at(eve, "/stacks/preview"), body, 400).text
    ordinary = {"p": {"type": "string", "default": "名前", "constraints": [{"allowed_pattern": "[ぁ-んァ-ヶ一-龠]+"}]}}
    eve.post(at(eve, "/stacks/preview"), {"stack_name": "s", "template": hot({}, parameters=ordinary)}, 200)


def test_wildcards_of_an_environment_are_names_and_are_not_compiled(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = cloud.new_user("eve", "shed", role="reader")
    compiled: list[str] = []
    compile_one = re._compiler.compile
    monkeypatch.setattr(re._compiler, "compile", lambda p, flags=0: compiled.append(str(p)) or compile_one(p, flags))

    def registered(*names: str) -> dict[str, Any]:
        return {"resource_registry": {"resources": {name: {"hooks": "pre-create"} for name in names}}}

    body = {"stack_name": "s", "template": hot({"r": {"type": "OS::Heat::None"}})}
    within = {**body, "environment": registered(*(WIDE_CLASS * 20 + str(number) for number in range(50)))}
    eve.post(at(eve, "/stacks/preview"), within, 200)
    assert not [one for one in compiled if "\uffff" in one]
    longer = {**body, "environment": registered("a" * 256)}
    assert "at most 255 characters" in eve.post(at(eve, "/stacks/preview"), longer, 400).text


# --------------------------------------------------------------------------------------------------------- nesting


def nest(width: int) -> dict[str, Any]:
    """A template whose files make ``width`` of each other, five times."""
    files = {}
    for level in range(1, 6):
        kind = f"f{level + 1}.yaml" if level < 5 else "OS::Heat::None"
        lines = [f"  r{number}: {{type: {kind}}}" for number in range(width)]
        files[f"f{level}.yaml"] = "\n".join(["heat_template_version: 2021-04-16", "resources:", *lines])
    return {"template": hot({f"r{number}": {"type": "f1.yaml"} for number in range(width)}), "files": files}


def test_resources_of_nested_templates_count_together(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    made: list[None] = []
    make = plans._graph
    monkeypatch.setattr(plans, "_graph", lambda *args: made.append(None) or make(*args))
    body = nest(8)
    for where in ("/stacks/preview", "/stacks"):
        answer = mia.post(at(mia, where), {"stack_name": "deep", **body}, 400)
        assert "Maximum resources per stack exceeded" in answer.text and len(made) < 1000
        made.clear()
    assert "Maximum resources" in mia.post(at(mia, "/validate?show_nested=1"), body, 400).text and len(made) < 1000
    ring = "heat_template_version: 2021-04-16\nresources: {it: {type: ring.yaml}}\n"
    body = {"template": ring, "files": {"ring.yaml": ring}}
    assert "Recursion depth" in mia.post(at(mia, "/validate?show_nested=1"), body, 400).text


# ------------------------------------------------------------------------------------------------- the one writer


def writing(core: Core) -> bool:
    """Whether this thread has the cloud's one writer."""
    return bool(getattr(core.db._local, "writing", False))


@pytest.fixture
def looks(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is parsed, evaluated and asked for of templates from now on, none of it in a transaction that writes."""
    seen: list[str] = []

    def watch(where: Any, name: str) -> None:
        real = getattr(where, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            assert not writing(cloud.cloud.core), f"{name} while the writer is held"
            seen.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(where, name, called)

    for where, name in (
        (parsing, "_template"),
        (environments, "bounded"),
        (reading, "_Reader"),
        (evaluation.Evaluation, "resolve"),
        (apart, "_asked"),
        (plans, "_graph"),
    ):
        watch(where, name)
    return seen


FILE = """
heat_template_version: 2021-04-16
parameters: {word: {type: string, constraints: [{allowed_pattern: '(a|[a-z])+'}]}}
resources:
  it: {type: OS::Heat::TestResource, properties: {value: {get_param: word}}, metadata: {is: {get_param: word}}}
outputs: {said: {value: {get_attr: [it, output]}}}
"""


def answered(what: str, question: str) -> str:
    """What the process apart would say."""
    return json.dumps(json.loads(question)["data"]["x"] + "n" if what == "yaql" else True)


def everything(word: str, **more: Any) -> dict[str, Any]:
    get = {"get_attr": ["one", "output"]}
    asked = {"yaql": {"expression": "$.data.x + 'n'", "data": {"x": get}}}
    inner = "{heat_template_version: 2021-04-16, resources: {in: {type: OS::Heat::None}}}"
    policy = {"auto_scaling_group_id": {"get_resource": "scaled"}, "adjustment_type": "change_in_capacity"}
    return hot(
        {
            "one": res("OS::Heat::TestResource", value=word),
            "asked": {**res("OS::Heat::TestResource", value=asked), "metadata": {"is": get}},
            "file": res("rose.yaml", word=get),
            "stack": res("OS::Heat::Stack", template=inner),
            "group": res("OS::Heat::ResourceGroup", count=1, resource_def=res("rose.yaml", word=get)),
            "scaled": res("OS::Heat::AutoScalingGroup", min_size=1, max_size=3, resource={"type": "OS::Heat::None"}),
            "up": res("OS::Heat::ScalingPolicy", scaling_adjustment=1, **policy),
            **more,
        },
        outputs={
            "asked": {"value": {"get_attr": ["asked", "output"]}},
            "said": {"value": {"get_attr": ["file", "said"]}},
        },
    )


def test_nothing_is_looked_at_in_a_template_while_the_writer_is_held(
    cloud: ApiCloud, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made, scaled, changed, rolled back, checked and deleted, with files, groups, queries and patterns in it."""
    monkeypatch.setattr(apart, "_found", answered)
    mia = cloud.new_user("mia", "garden")
    files = {"files": {"rose.yaml": FILE}}
    made = stack(cloud, mia, everything("rose"), **files)
    assert made["stack_status"] == "CREATE_COMPLETE", made["stack_status_reason"]
    assert outputs(made) == {"asked": "rosen", "said": "rose"}
    assert "1 members become 2" in mia.post(path(mia, made, "/resources/up/signal"), {}, 200).text
    cloud.run_jobs()
    changed = update(cloud, mia, made, everything("tulip"), **files)
    assert changed["stack_status"] == "UPDATE_COMPLETE" and outputs(changed) == {"asked": "tulipn", "said": "tulip"}
    bad = {"bad": {**res("OS::Heat::TestResource", fail=True), "depends_on": ["asked", "file"]}}
    back = update(cloud, mia, changed, everything("weed", **bad), disable_rollback=False, **files)
    assert back["stack_status"] == "ROLLBACK_COMPLETE" and outputs(back) == {"asked": "tulipn", "said": "tulip"}
    mia.post(path(mia, made, "/actions"), {"check": None}, 201)
    cloud.run_jobs()
    assert show(mia, "rose", made["id"])["stack_status"] == "CHECK_COMPLETE"
    assert {"_template", "resolve", "_asked", "_graph"} <= set(looks)
    assert delete(cloud, mia, back)["stack_status"] == "DELETE_COMPLETE"


def test_values_are_found_anew_when_the_rows_they_rest_on_have_changed(cloud: ApiCloud) -> None:
    core, found = cloud.cloud.core, []
    state = {"row": 1}

    def look(_: Any) -> int:
        assert not writing(core)
        found.append(state["row"])
        return found[-1]

    @ahead.writes
    def change(core: Core) -> int:
        with core.db.write() as tx:
            if len(found) == 1:
                state["row"] = 2
            return ahead.known(tx, "value", look, lambda value: value == state["row"])

    assert change(core) == 2 and found == [1, 2]


def test_a_value_made_of_a_resource_that_changes_meanwhile_is_the_new_one(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = cloud.new_user("mia", "garden")
    core, changed = cloud.cloud.core, []
    template = hot(
        {
            "a": res("OS::Heat::Value", value="old"),
            "b": res("OS::Heat::TestResource", value={"get_attr": ["a", "value"]}),
        },
        outputs={"b": {"value": {"get_attr": ["b", "output"]}}},
    )
    real = ahead.known

    def change(stack_id: str) -> None:
        with core.db.write() as tx:
            [row] = rows.whole(tx, stack_id, ["a"])
            rows.change(tx, row.id, properties={"value": "new"})
            changed.append(row.id)

    def meanwhile(tx: Any, key: Any, *args: Any) -> Any:
        value = real(tx, key, *args)
        if key[0] == ("properties", "b") and not writing(core) and not changed:
            other = threading.Thread(target=change, args=(key[1],))
            other.start()
            other.join()
        return value

    monkeypatch.setattr(ahead, "known", meanwhile)
    made = stack(cloud, mia, template)
    assert made["stack_status"] == "CREATE_COMPLETE" and len(changed) == 1
    assert outputs(made) == {"b": "new"}


# ------------------------------------------------------------------------------------------------ threads and bounds


def queries(count: int) -> dict[str, Any]:
    one = {"yaql": {"expression": "$.data + 1", "data": 1}}
    return hot({"it": res("OS::Heat::None", **{f"p{number}": one for number in range(count)})})


def test_a_template_has_so_many_queries_and_no_more(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_found", lambda *_: "2")
    mia = cloud.new_user("mia", "garden")
    mia.post(at(mia, "/stacks/preview"), {"stack_name": "few", "template": queries(50)}, 200)
    answer = mia.post(at(mia, "/stacks/preview"), {"stack_name": "many", "template": queries(51)}, 400)
    assert "at most 50 queries" in answer.text


def test_what_takes_long_is_done_in_threads_of_its_own(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries, long texts and much work keep no thread in which all requests are answered; nor do those of jobs."""
    where: list[str] = []

    def query(*_: Any) -> str:
        where.append(threading.current_thread().name)
        return "2"

    monkeypatch.setattr(apart, "_found", query)
    monkeypatch.setattr(apart, "REMEMBERED", type(apart.REMEMBERED)())
    mia = cloud.new_user("mia", "garden")
    body = {"stack_name": "asks", "template": queries(3)}
    for way in ("/stacks/preview", "/validate"):
        mia.post(at(mia, way), body, 200)
        apart.REMEMBERED.clear()
    later = {"yaql": {"expression": "$.data + 1", "data": {"get_attr": ["one", "value"]}}}
    template = hot({"one": res("OS::Heat::RandomString"), "it": res("OS::Heat::None", p=later)})
    assert not where[2:] and stack(cloud, mia, template)["stack_status"] == "CREATE_COMPLETE"
    assert len(where) == 3 and all(name.startswith("tane-long") for name in where), where

    real = plans.parse
    monkeypatch.setattr(plans, "parse", lambda text: where.append(threading.current_thread().name) or real(text))
    del where[:]
    long = "heat_template_version: 2021-04-16\ndescription: " + "x" * 70_000
    mia.post(at(mia, "/stacks/preview"), {"stack_name": "long", "template": long}, 200)
    assert len(where) == 1 and where[0].startswith("tane-long")


def test_all_that_a_request_asks_for_together_has_an_end(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each property is within its own bounds; one of thousands more would be too."""
    mia = cloud.new_user("mia", "garden")
    join = {"list_join": ["-", [{"get_param": "text"}, "x"]]}
    template = hot(
        {"it": res("OS::Heat::None", **{f"p{number}": join for number in range(40)})},
        parameters={"text": {"type": "string", "default": "y" * 10_000}},
    )
    body = {"stack_name": "much", "template": template}
    mia.post(at(mia, "/stacks/preview"), body, 200)
    for bound in ("made", "text", "seconds"):
        few = effort.much()
        setattr(few, bound, 300_000 if bound == "made" else 1_000 if bound == "text" else 0)
        least = effort.Effort(0.0, 0, 0, 0, 0.0, last=False)
        monkeypatch.setattr(effort, "little", lambda least=least: least)
        monkeypatch.setattr(effort, "much", lambda few=few: few)
        for way in ("/stacks/preview", "/stacks", "/validate"):
            answer = mia.post(at(mia, way), body, 400)
            assert "takes too long to be evaluated" in answer.text, (bound, way)


def test_a_file_is_parsed_once_a_request(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    mia = cloud.new_user("mia", "garden")
    parsed: list[str] = []
    real = plans.parse
    monkeypatch.setattr(plans, "parse", lambda text: parsed.append(text) or real(text))
    template = hot({f"r{number}": res("rose.yaml", word="a") for number in range(20)})
    body = {"stack_name": "files", "template": template, "files": {"rose.yaml": FILE}}
    for way in ("/stacks/preview", "/validate?show_nested=1", "/stacks"):
        mia.post(at(mia, way), body)
        assert parsed == [FILE], way
        parsed.clear()


def test_nobody_has_all_the_threads_for_what_takes_long() -> None:
    async def main() -> None:
        turns, order, go_on = Turns(3, 10, 2, most=2), list[str](), asyncio.Event()

        async def hold(owner: str) -> None:
            async with turns.turn(owner):
                order.append(owner)
                await go_on.wait()

        async def settle() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(hold("eve")) for _ in range(4)]
        await settle()
        assert order == ["eve", "eve"]
        with pytest.raises(Full):
            await hold("eve")
        tasks.append(asyncio.create_task(hold("mia")))
        await settle()
        assert order == ["eve", "eve", "mia"]
        tasks[2].cancel()
        go_on.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == ["eve", "eve", "mia", "eve"]
        go_on.clear()
        again = [asyncio.create_task(hold(owner)) for owner in ("eve", "eve", "mia")]
        await settle()
        assert order[4:] == ["eve", "eve", "mia"]
        go_on.set()
        await asyncio.gather(*again)

    asyncio.run(main())


def test_who_gives_up_a_long_work_keeps_its_place_until_that_ends(cloud: ApiCloud) -> None:
    core, started, end = cloud.cloud.core, threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        assert end.wait(10)

    async def main() -> None:
        task = asyncio.create_task(core.in_long_thread("eve", work))
        await core.in_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert core.long._held["eve"] == 1
        end.set()
        async with asyncio.timeout(10):
            while core.long._held:
                await core.in_thread(end.wait)

    cloud.wait(main())
