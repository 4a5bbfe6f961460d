"""Stacks in the portal: forms that begin with what there is, templates from files."""

from __future__ import annotations

import pytest

from tane.services.dashboard.domain import showing
from tane.services.dashboard.domain.describing import Column
from tane.services.dashboard.domain.messages import Words
from tests.api.dashboard_support import D, Forms, Scene, make_scene
from tests.support import ApiCloud

TEMPLATE = """heat_template_version: 2021-04-16
parameters:
  n: {type: string, default: one}
  kept: {type: string, default: two}
  key: {type: string, hidden: true}
resources:
  one: {type: OS::Heat::TestResource, properties: {value: {get_param: key}}}
"""
GIVEN = "n=five\nkey=topsecret"


@pytest.fixture
def scene(cloud: ApiCloud) -> Scene:
    return make_scene(cloud)


def bed(scene: Scene) -> tuple[str, str]:
    """A stack: its address in the portal and in the API."""
    stack = scene.make("stacks", stack_name="bed", template=TEMPLATE, parameters=GIVEN, tags="a, b")
    name, _, stack_id = stack.replace("%3A", ":").partition(":")
    return stack, f"/orchestration/v1/{scene.api.project_id}/stacks/{name}/{stack_id}"


def fields(scene: Scene, path: str) -> dict[str, str]:
    form = next(one for one in Forms(scene.browser.get(path)).forms if one["action"].endswith(path))
    return dict(form["fields"])


@pytest.mark.parametrize("action", ["plan", "update"])
def test_a_change_of_a_stack_begins_with_what_it_is(scene: Scene, action: str) -> None:
    stack, _ = bed(scene)
    found = fields(scene, f"{D}/stacks/{stack}/{action}")
    assert "OS::Heat::TestResource" in found["template"]
    assert found["parameters"].splitlines() == ["n=five", "kept=two"], "hidden ones are left out"
    assert found["tags"] == "a, b"


def test_an_update_leaves_what_was_not_touched(scene: Scene) -> None:
    stack, path = bed(scene)
    scene.do("stacks", stack, "update", template=TEMPLATE.replace("default: two", "default: three"))
    found = scene.show(path)
    assert found["stack_status"] == "UPDATE_COMPLETE" and found["tags"] == ["a", "b"]
    told = {name: found["parameters"][name] for name in ("n", "kept")}
    assert told == {"n": "five", "kept": "three"}, "what was the template's default is that of the new one"
    assert found["parameters"]["key"] == "******", "the hidden one is still there: nothing was asked for"


def test_an_update_sets_and_takes_away_what_was_typed(scene: Scene) -> None:
    stack, path = bed(scene)
    scene.do("stacks", stack, "update", parameters="kept=new", tags="")
    found = scene.show(path)
    assert (found["parameters"]["n"], found["parameters"]["kept"]) == ("one", "new")
    assert not found["tags"]


def test_the_plan_of_what_is_there_changes_nothing_and_its_button_does_the_same(scene: Scene) -> None:
    stack, path = bed(scene)
    told = scene.do("stacks", stack, "plan", expect=200, parameters="n=six\nkept=two")
    form = next(one for one in Forms(told).forms if one["action"].endswith("/update"))
    assert scene.browser.post(form["action"], form["fields"]).status_code == 303
    scene.cloud.run_jobs()
    found = scene.show(path)
    assert (found["parameters"]["n"], found["parameters"]["kept"], found["tags"]) == ("six", "two", ["a", "b"])


def sent(scene: Scene, path: str, file: bytes, **values: str) -> tuple[int, str]:
    """A form as a browser sends it when a file was chosen."""
    parts = [*values.items(), ("csrf", scene.browser.csrf)]
    body = b"".join(f'--X\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in parts[:-1])
    body = f'--X\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{parts[-1][1]}\r\n'.encode() + body
    body += b'--X\r\nContent-Disposition: form-data; name="template_file"; filename="t.yaml"\r\n\r\n' + file + b"\r\n"
    body += b'--X\r\nContent-Disposition: form-data; name="tags"\r\n\r\nlast\r\n--X--\r\n'
    answer = scene.browser.send("POST", path, content=body, headers={"Content-Type": "multipart/form-data; boundary=X"})
    scene.cloud.run_jobs()
    return answer.status_code, answer.text


def test_a_template_comes_from_a_file(scene: Scene) -> None:
    path, values = f"{D}/new/stacks", {"stack_name": "bed", "template": "", "parameters": GIVEN}
    assert sent(scene, path, b"\xef\xbb\xbf" + TEMPLATE.encode(), **values)[0] == 303
    [found] = scene.api.get(f"/orchestration/v1/{scene.api.project_id}/stacks").json()["stacks"]
    assert found["stack_status"] == "CREATE_COMPLETE" and found["tags"] == ["last"], (
        "what stands behind the file counts"
    )
    status, told = sent(scene, path, b"\xff\xfe", **{**values, "stack_name": "other"})
    assert status == 400 and "not text in UTF-8" in told
    status, told = sent(scene, path, b"", **{**values, "stack_name": "other"})
    assert status == 400 and "a value is required" in told and "other" in told, "what was typed stays"
    form = scene.browser.get(path)
    assert "multipart/form-data" in form and "data-upload" not in form, "its text is no upload with progress"


def test_a_new_stack_is_planned_before_it_is_made(scene: Scene) -> None:
    group = "  group: {type: OS::Heat::ResourceGroup, depends_on: one, properties: {count: 2, resource_def: "
    template = f"{TEMPLATE}{group}{{type: OS::Heat::RandomString}}}}}}\n"
    path = f"{D}/new/stacks"
    told = scene.browser.fill(path, show="plan", stack_name="bed", template=template, parameters=GIVEN, tags="a").text
    assert "Added: 2" in told and ">group<" in told and "<svg" in told
    assert scene.api.get(f"/orchestration/v1/{scene.api.project_id}/stacks").json()["stacks"] == []
    form = next(one for one in Forms(told).forms if one["action"] == path)
    assert scene.browser.post(form["action"], form["fields"]).status_code == 303
    [found] = scene.api.get(f"/orchestration/v1/{scene.api.project_id}/stacks").json()["stacks"]
    assert (found["stack_name"], found["tags"]) == ("bed", ["a"])
    wrong = scene.browser.fill(path, show="plan", stack_name="other", template="nonsense")
    assert wrong.status_code == 400 and "nonsense" in wrong.text


def test_outputs_are_a_table_whose_long_values_are_folded() -> None:
    outputs = [
        {"output_key": "url", "output_value": "http://10.0.0.2/", "description": "where it is"},
        {"output_key": "many", "output_value": ["a" * 300], "description": "No description given"},
        {"output_key": "none", "output_value": None, "description": "", "output_error": "It failed"},
        {"output_key": "no", "output_value": False, "description": ""},
    ]
    found = showing.cell(Words("en"), Column("outputs", "", "outputs"), {"outputs": outputs}, {}, None)
    head, *lines = [[cell.text for cell in line.lines] for line in found.lines]
    assert head == ["Name", "Value", "Description"]
    assert lines[0] == ["url", "http://10.0.0.2/", "where it is"]
    assert [lines[1][0], lines[1][2]] == ["many", "–"] and lines[1][1] == "a" * 80 + "…"
    assert found.lines[2].lines[1].lines[0].text == "a" * 300
    assert [line[1] for line in lines[2:]] == ["It failed", "False"]


def test_outputs_of_a_stack_are_shown_and_are_no_markup(scene: Scene) -> None:
    template = "heat_template_version: 2021-04-16\noutputs:\n  door: {value: '<b>open', description: the <i>door}\n"
    stack = scene.make("stacks", stack_name="bed", template=template)
    page = scene.browser.get(f"{D}/stacks/{stack}")
    assert "<td><code>&lt;b&gt;open</code></td><td>the &lt;i&gt;door</td>" in page and "output_key" not in page
