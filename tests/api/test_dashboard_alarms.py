"""Alarms by forms: on events, put together, changed; and what "show as command" says of them."""

from __future__ import annotations

import html
import json
import re
import shlex
from typing import Any

import pytest

from tane.services.dashboard.api.alarms import PERIOD
from tests.api.dashboard_support import D, Scene, make_scene
from tests.support import ApiCloud

KEPT = ("name", "type", "severity", "description", "alarm_actions", "ok_actions")
HOOK = "https://hooks.example.com/in?a=1&b=2"


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def alarm(scene: Scene, alarm_id: str) -> dict[str, Any]:
    return dict(scene.api.get(f"/alarm/v2/alarms/{alarm_id}").json())


def make(scene: Scene, kind: str = "alarms", **values: Any) -> dict[str, Any]:
    answer = scene.browser.fill(f"{D}/new/{kind}", f"/new/{kind}", **values)
    assert answer.status_code == 303, answer.text[-3000:]
    return alarm(scene, answer.headers["location"].partition("?")[0].rpartition("/")[2])


def commands(scene: Scene, path: str, **values: Any) -> list[str]:
    """What the form shows as commands for what is typed; nothing is done by that."""
    answer = scene.browser.fill(path, path, show="command", **values)
    assert answer.status_code == 200, answer.text[-2000:]
    return [html.unescape(one) for one in re.findall(r"<pre[^>]*><code>(.*?)</code>", answer.text, re.S)]


TYPED: list[tuple[str, dict[str, Any]]] = [
    ("alarms", {"metric": "cpu", "threshold": "80", "severity": "critical", "address": HOOK, "back": "true"}),
    ("alarms", {"metric": "disk.device.read.bytes", "threshold": "1e6", "comparison_operator": "lt"}),
    ("event-alarms", {"event_type": "compute.instance.*", "conditions": "traits.name eq it's web"}),
]


@pytest.mark.parametrize(("kind", "values"), TYPED)
def test_what_is_shown_as_command_is_what_the_form_sends(scene: Scene, kind: str, values: dict[str, Any]) -> None:
    values = {"name": "busy, it's", "description": "of mine", **values}
    line, request = commands(scene, f"{D}/new/{kind}", **values)
    assert scene.api.get("/alarm/v2/alarms").json() == []
    made = make(scene, kind, **values)
    words = shlex.split(request)
    sent = json.loads(words[words.index("-d") + 1])
    again = scene.api.post("/alarm/v2/alarms", {**sent, "name": "again"}, 201).json()
    for name in (*KEPT[1:], f"{made['type']}_rule"):
        assert again[name] == made[name], name
    words = shlex.split(line)
    told = {words[place]: words[place + 1] for place in range(3, len(words), 2)}
    assert told["--name"] == made["name"] and told["--type"] == made["type"]
    rule = made[f"{made['type']}_rule"]
    if kind == "event-alarms":
        assert told["--query"] == "traits.name=string::it's web"
        return
    for name, value in rule.items():
        assert told[f"--{name.replace('_', '-')}"] == str(value), name


def test_an_operator_that_is_none_is_refused_and_told_as_no_command(scene: Scene) -> None:
    values = {"name": "gone", "event_type": "compute.*", "conditions": "traits.name like web"}
    assert commands(scene, f"{D}/new/event-alarms", **values)[0].startswith("openstack alarm create --type event")
    wrong = scene.browser.fill(f"{D}/new/event-alarms", "/new/event-alarms", **values)
    assert wrong.status_code == 400 and "is none of eq, ne, lt" in wrong.text


def test_alarms_are_put_together_from_others(scene: Scene) -> None:
    one = make(scene, name="cpu", metric="cpu", threshold="80")
    other = make(scene, name="memory", metric="memory.resident", threshold="900")
    both = make(scene, "composite-alarms", name="both", together="and", parts=[one["alarm_id"], other["alarm_id"]])
    parts = both["composite_rule"]["and"]
    assert [part["metric"] for part in parts] == ["cpu", "memory.resident"]
    assert parts[0] == {**one[f"{one['type']}_rule"], "type": one["type"]}
    event = make(scene, "event-alarms", name="gone", event_type="compute.server.delete")
    wrong = scene.browser.fill(
        f"{D}/new/composite-alarms", "/new/composite-alarms", name="no", together="or", parts=event["alarm_id"]
    )
    assert wrong.status_code == 400 and "has no threshold" in wrong.text
    many = scene.browser.fill(
        f"{D}/new/composite-alarms", "/new/composite-alarms", name="no", together="and", parts=[one["alarm_id"]] * 11
    )
    assert many.status_code == 400 and "at most 10 alarms" in many.text
    page = scene.browser.get(f"{D}/alarms")
    assert "/new/event-alarms" in page and "/new/composite-alarms" in page


def test_a_rule_is_changed_in_the_units_it_was_made_in(scene: Scene) -> None:
    made = make(scene, name="busy", metric="cpu", threshold="80", address=HOOK)
    path = f"{D}/alarms/{made['alarm_id']}/change"
    assert 'value="80"' in scene.browser.get(path)
    same = scene.browser.fill(path, path)
    assert same.status_code == 303
    rule = f"{made['type']}_rule"
    assert alarm(scene, made["alarm_id"])[rule] == made[rule]
    scene.browser.fill(path, path, threshold="90", comparison_operator="lt", evaluation_periods="3", name="calm")
    found = alarm(scene, made["alarm_id"])
    assert found["name"] == "calm" and found["alarm_actions"] == [HOOK]
    assert found[rule] == {
        **made[rule],
        "threshold": made[rule]["threshold"] / 80 * 90,
        "comparison_operator": "lt",
        "evaluation_periods": 3,
    }
    event = make(scene, "event-alarms", name="gone", event_type="compute.server.delete", conditions="a eq b c")
    path = f"{D}/alarms/{event['alarm_id']}/" + "change-event"
    assert "a eq b c" in scene.browser.get(path)
    scene.browser.fill(path, path, event_type="compute.*", conditions="")
    assert alarm(scene, event["alarm_id"])["event_rule"] == {"event_type": "compute.*", "query": []}
    wrong = scene.browser.fill(path, path, conditions="nonsense")
    assert wrong.status_code == 400 and "field operator value" in wrong.text


def sent_by(line: str, had: dict[str, Any]) -> dict[str, Any]:
    """What ``openstack alarm update`` sends: the alarm as it is, with what its options say."""
    words = shlex.split(line)
    assert words[:4] == ["openstack", "alarm", "update", had["alarm_id"]] and len(words) % 2 == 0, line
    told = {name[2:].replace("-", "_"): value for name, value in zip(words[4::2], words[5::2], strict=True)}
    kind = told.pop("type")
    rule = dict(had[f"{kind}_rule"])
    rule |= {name: told.pop(name) for name in list(told) if name in rule}
    for name, form in (("threshold", float), ("evaluation_periods", int)):
        rule |= {name: form(rule[name])} if name in rule else {}
    if kind == "event" and isinstance(rule["query"], str):
        found = [re.split("(<=|>=|!=|<|>|=)", one, maxsplit=1) for one in rule["query"].split(";") if one]
        names = {"=": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
        rule["query"] = [
            {"field": field, "op": names[sign], "type": typed.partition("::")[0], "value": typed.partition("::")[2]}
            for field, sign, typed in found
        ]
    return {**had, **told, f"{kind}_rule": rule}


CHANGES: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("alarms", {"metric": "cpu", "threshold": "80"}, "change", {"threshold": "90", "evaluation_periods": "2"}),
    ("event-alarms", {"event_type": "*", "conditions": "b eq c"}, "change-event", {"conditions": "b ne it's\nd ge 2"}),
    ("event-alarms", {"event_type": "a.*", "conditions": "b eq c"}, "change-event", {"conditions": ""}),
]


@pytest.mark.parametrize(("kind", "values", "action", "wanted"), CHANGES)
def test_the_command_of_a_change_changes_what_the_form_changes(
    scene: Scene, kind: str, values: dict[str, Any], action: str, wanted: dict[str, Any]
) -> None:
    made = make(scene, kind, name="busy", **values)
    path = f"{D}/alarms/{made['alarm_id']}/{action}"
    line, _ = commands(scene, path, name="calm, it's", **wanted)
    assert alarm(scene, made["alarm_id"]) == made
    assert scene.browser.fill(path, path, name="calm, it's", **wanted).status_code == 303
    by_form = alarm(scene, made["alarm_id"])
    scene.api.put(f"/alarm/v2/alarms/{made['alarm_id']}", sent_by(line, made), 200)
    by_command = alarm(scene, made["alarm_id"])
    for name in (*KEPT, f"{made['type']}_rule"):
        assert by_command[name] == by_form[name], name


def test_what_no_command_can_say_is_shown_as_a_request_alone(scene: Scene) -> None:
    [request] = commands(scene, f"{D}/new/event-alarms", name="one", event_type="a.*", conditions="b eq c;d")
    assert request.startswith("curl ") and "c;d" in request


def test_changing_the_name_changes_nothing_of_a_rule_that_a_program_made(scene: Scene) -> None:
    query = [
        {"field": "traits.size", "op": "lt", "type": "integer", "value": "10"},
        {"field": "traits.size", "op": "lt", "type": "float", "value": "10"},
        {"field": "traits.name", "op": "eq", "type": "string", "value": "  of  two\nlines "},
        {"field": "traits.name", "op": "ne", "type": "", "value": "   "},
    ]
    rule = {"metric": "cpu", "aggregation_method": "mean", "resource_type": "instance", "resource_id": "one"}
    rule |= {"comparison_operator": "le", "threshold": 0.1234567890123456, "granularity": PERIOD}
    for kind, told, action in (
        ("event", {"event_type": "compute.*", "query": query}, "change-event"),
        ("gnocchi_resources_threshold", rule, "change"),
    ):
        made = scene.api.post("/alarm/v2/alarms", {"name": "one", "type": kind, f"{kind}_rule": told}, 201).json()
        path = f"{D}/alarms/{made['alarm_id']}/{action}"
        assert scene.browser.fill(path, path, name="other").status_code == 303
        found = alarm(scene, made["alarm_id"])
        assert found["name"] == "other" and found[f"{kind}_rule"] == made[f"{kind}_rule"]
    made = scene.api.post("/alarm/v2/alarms", {"name": "one", "type": "event", "event_rule": {"query": query}}, 201)
    path = f"{D}/alarms/{made.json()['alarm_id']}/change-event"
    assert scene.browser.fill(path, path, conditions="traits.size lt 10\r\ntraits.size lt 11").status_code == 303
    found = alarm(scene, made.json()["alarm_id"])["event_rule"]["query"]
    assert found == [query[0], {"field": "traits.size", "op": "lt", "type": "string", "value": "11"}]


def test_a_plan_that_is_no_longer_true_is_told_and_not_done(scene: Scene) -> None:
    template = "heat_template_version: 2021-04-16\nresources:\n  one: {type: OS::Heat::TestResource}\n"
    wanted = template.replace("one:", "two:")
    stack = scene.make("stacks", stack_name="bed", template=template)
    path = f"{D}/stacks/{stack}"
    plan = scene.browser.fill(f"{path}/plan", f"/stacks/{stack}/plan", template=wanted).text
    [mark] = re.findall(r'<textarea name="planned" hidden>\n(.*?)</textarea>', plan)
    scene.cloud.core.clock.advance(5)  # type: ignore[attr-defined]
    scene.do("stacks", stack, "update", template=template.replace("one:", "three:"))
    answer = scene.browser.fill(f"{path}/update", f"/stacks/{stack}/update", template=wanted, planned=mark)
    assert answer.status_code == 412 and "after this was planned" in answer.text and "two:" in answer.text
    assert "three" in scene.browser.get(path)
    plan = scene.browser.fill(f"{path}/plan", f"/stacks/{stack}/plan", template=wanted).text
    [mark] = re.findall(r'<textarea name="planned" hidden>\n(.*?)</textarea>', plan)
    scene.do("stacks", stack, "update", template=wanted, planned=mark)


def test_passwords_are_not_shown_as_command(cloud: ApiCloud) -> None:
    from tests.api.dashboard_support import admin

    browser = admin(cloud)
    answer = browser.fill(f"{D}/new/users", "/new/users", name="noa", password="secret-9", show="command")
    assert answer.status_code == 200 and "secret-9" not in answer.text and "noa" in answer.text
    assert cloud.admin.get("/identity/v3/users?name=noa").json()["users"] == []
    line = "<code>openstack user create noa --password-prompt --enable</code>"
    assert line in answer.text, "the option takes no value"
    user = cloud.admin.post("/identity/v3/users", {"user": {"name": "noa", "password": "old-secret"}}, 201)
    path = f"{D}/users/{user.json()['user']['id']}/edit"
    for typed in ("", "secret-9"):
        answer = browser.fill(path, path, password=typed, description="far", show="command")
        assert "secret-9" not in answer.text
        assert ("--password-prompt" in answer.text) == ("password&#34;" in answer.text) == bool(typed), answer.text
