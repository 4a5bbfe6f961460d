"""Templates of an enemy: none takes more time or memory than its size allows, and none reads what is not its."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.nearest import nearest
from tane.services.orchestration.template import (
    Environment,
    TemplateError,
    merge_environments,
    parse,
    parse_document,
    parse_environment,
)
from tane.services.orchestration.template.properties import Property, check_properties
from tane.services.orchestration.template.reading import parsed
from tests.services.orchestration.template.support import hot, refused, value_of

HEAD = "heat_template_version: 2021-04-16\n"


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """Whatever it is, it is refused within seconds of this process's time."""
    begun = time.process_time()
    yield
    assert time.process_time() - begun < 5


def refused_text(text: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    return caught.value


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "resources:\n  " + bomb(9).replace("\n", "\n  "), "when its aliases are written out"),
        (HEAD + "x: &x [*x]\n", "found undefined alias"),
        (HEAD + f"x: &x {'y' * 100_000}\nz: [{'*x, ' * 50}1]\n", "when its aliases are written out"),
        (HEAD + "x: " + "[" * 200_000, "nest"),
        (HEAD + "x: " + "{a: " * 100_000, "nest"),
        ("- " * 100_000, "nest"),
        ('{"a":' * 50_000, "nest"),
        (HEAD + "x: !!python/object/apply:os.system [id]\n", "could not determine a constructor for the tag"),
        (HEAD + "x: !Sub y\n", "could not determine a constructor for the tag '!Sub'"),
        (HEAD + f"x: {'9' * 200_000}\n", "is no int"),
        (HEAD + "x: 99999999999999999999999\n", "larger than 64 bits"),
        (HEAD + "x: .inf\n", "JSON has no number"),
        (HEAD + "x: 1\n---\ny: 1\n", "expected a single document"),
        (HEAD + "? [a]\n: b\n", "unhashable key"),
        (HEAD + "x: 'a\x00b'\n", "control characters"),
        (HEAD + "x: [1,\n", "did not find expected node content"),
    ],
)
def test_a_text_that_grows_or_is_more_than_data_is_refused(text: str, words: str) -> None:
    error = refused_text(text)
    assert words in error.message
    assert len(error.message) < 1000


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "resources:\n  a: {type: T}\n  b: {type: T}\n  a: {type: U}\n",
        '{"heat_template_version": "2021-04-16",\n"resources": {"a": {"type": "T"},\n\n"a": {"type": "U"}}}',
    ],
)
def test_a_key_that_is_there_twice_is_told_with_its_line(text: str) -> None:
    error = refused_text(text)
    assert 'the key "a" is there twice and means different things' in error.message
    assert error.line == (5 if text.startswith("heat") else 4)


def test_a_key_that_says_the_same_twice_does_no_harm() -> None:
    template = parse(HEAD + "resources:\n  a: {type: T}\n  a: {type: T}\n")
    assert list(template.resources) == ["a"]


def test_aliases_and_merged_maps_within_reason_are_taken() -> None:
    template = parse(
        HEAD + "resources:\n  a: &a {type: T, properties: {x: 1}}\n  b: *a\n  c:\n    <<: *a\n    properties: {x: 2}\n"
    )
    assert [one.properties for one in template.resources.values()] == [{"x": 1}, {"x": 1}, {"x": 2}]


def test_a_text_of_more_than_512_kib_is_refused() -> None:
    assert "exceeds maximum allowed size (524288 bytes)" in refused_text(HEAD + "#" * 524_288).message


def test_a_document_that_came_decoded_is_bounded_too() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"a": deep}
    for value, words in ((deep, "deeper"), ("x" * 2_000_000, "maximum allowed size"), (1 << 70, "nothing that JSON")):
        with pytest.raises(TemplateError, match=words):
            parse_document({"heat_template_version": "2021-04-16", "outputs": {"o": {"value": value}}})


def test_functions_do_not_make_more_than_a_stack_can_hold() -> None:
    lists = {f"%{letter}%": ["x" * 50] * 100 for letter in "abcdefgh"}
    for value in (
        {"repeat": {"template": "%a%%b%%c%%d%", "for_each": lists}},
        {"repeat": {"template": "%a%" * 10_000, "for_each": {"%a%": ["x" * 10_000] * 10}}},
        {"str_replace": {"template": "a" * 50_000, "params": {"a": "x" * 50_000}}},
        {"list_join": ["x" * 50_000, ["y"] * 50_000]},
        {"list_join": [{"list_join": ["x" * 20_000, ["y"] * 200]}, ["y"] * 2000]},
        [{"get_file": "large"}] * 200,
    ):
        assert "more than 16777216 bytes" in refused(value, files={"large": "x" * 100_000}).message


def test_functions_do_not_look_for_ever() -> None:
    params = {f"${n:05}": "" for n in range(20_000)}
    assert "take too long" in refused({"str_replace": {"template": "a" * 100_000, "params": params}}).message
    many = {"list_concat_unique": [[[n] for n in range(50_000)], [[n] for n in range(50_000)]]}
    assert len(value_of(many)) == 50_000
    assert value_of({"filter": [list(range(50_000)), list(range(50_000))]}) == []


def test_functions_in_functions_end_at_a_depth() -> None:
    value: Any = "x"
    for _ in range(80):
        value = {"list_join": ["", [value]]}
    with pytest.raises(TemplateError, match="deeper"):
        hot(value)


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/", "../../../etc/passwd", "/proc/self/environ"],
)
def test_files_are_those_that_the_client_sent_and_no_others(name: str) -> None:
    error = refused({"get_file": name})
    assert error.message == f'No content found in the "files" section for get_file path: {name}'
    assert value_of({"get_file": name}, files={name: "sent"}) == "sent"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("pow(9, pow(9, 9))", "takes too long"),
        ("range(200).select(range(200).select(range(200).select(range(200))))", "takes too long"),
        ("regex('(a+)+$').matches('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab')", "takes too long"),
        ("'a' * 100000000", "too much memory"),
        ("range(1000).toList()", "exceeds 200 elements"),
        ("$.data.x.__class__", ""),
        ("call(open, ['/etc/passwd'], {})", ""),
        ("(" * 5000, "Bad expression"),
    ],
)
def test_queries_have_an_end(expression: str, words: str) -> None:
    assert words in refused({"yaql": {"expression": expression, "data": {"x": 1}}}).message


def test_the_same_question_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from tane.services.orchestration.template import apart

    query = {"yaql": {"expression": "$.data.len() + 40", "data": [1, 2]}}
    assert value_of(query) == 42
    monkeypatch.setattr(apart, "_found", lambda *_: pytest.fail("asked again"))
    assert value_of(query) == 42


def test_queries_run_with_no_rights(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tane.services.orchestration.template import apart

    probe = tmp_path / "probe.py"
    probe.write_text(
        apart.WORKER.read_text().replace(
            "    question = json.loads", "    print(os.geteuid()); return\n    question = json.loads"
        )
    )
    done = subprocess.run([sys.executable, "-I", str(probe), "match", "12345"], capture_output=True, text=True)
    assert done.stdout.strip() == ("12345" if os.geteuid() == 0 else "") or "PermissionError" in done.stderr


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("(a+)+", "a" * 40 + "b"),
        ("(a|a)*", "a" * 40 + "b"),
        ("(a*)*(a*)*", "a" * 40 + "b"),
        (r"(\w+)\1+!", "a" * 20_000),
    ],
)
def test_a_pattern_that_goes_astray_is_ended(pattern: str, value: str) -> None:
    parameter = {"type": "string", "constraints": [{"allowed_pattern": pattern}]}
    template = hot(1, parameters={"p": parameter})
    with pytest.raises(TemplateError, match=r"takes too long|does not match"):
        template.parameters["p"].value(value)


@pytest.mark.parametrize("pattern", ["(", "[", "a{99999999999}", "(?P<a>", "x" * 5000, "(" * 3000 + ")" * 3000])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(TemplateError, match="Invalid pattern"):
        hot(1, parameters={"p": {"type": "string", "constraints": [{"allowed_pattern": pattern}]}})


def test_a_hidden_value_is_in_no_error() -> None:
    parameter = {"type": "string", "hidden": True, "constraints": [{"allowed_pattern": "[a-z]+"}]}
    template = hot(1, parameters={"p": parameter})
    with pytest.raises(TemplateError) as caught:
        template.parameters["p"].value("S3cret!")
    assert "S3cret!" not in str(caught.value)
    with pytest.raises(TemplateError) as caught:
        hot(1, parameters={"p": {**parameter, "default": "S3cret!"}})
    assert "S3cret!" not in str(caught.value)


def test_environments_are_read_as_carefully() -> None:
    for text in ("parameters: &p [*p]", "parameters: {a: 1, a: 2}", "[" * 10_000, "parameters: !!python/none x"):
        with pytest.raises(TemplateError):
            parse_environment(text)


def test_odd_values_of_properties_are_refused_not_a_failure() -> None:
    for kind in ("string", "integer", "number", "boolean", "map", "list"):
        for value in ({}, [], None, "", "x", 1.5, True, -1, {"a": [{}]}, [[[]]], "9" * 5000):
            try:
                check_properties({"p": Property(type=kind)}, {"p": value}, name="r")
            except TemplateError as error:
                assert error.path.startswith("resources.r.properties")


def test_no_text_of_a_template_has_a_nul() -> None:
    for text in (HEAD + 'description: "\\0"\n', '{"heat_template_version": "2021-04-16", "description": "\\u0000"}'):
        assert "NUL" in refused_text(text).message
    for key, value in (("description", "\0"), ("x\0", "y")):
        with pytest.raises(TemplateError, match="NUL"):
            parse_document({"heat_template_version": "2021-04-16", key: value})
    with pytest.raises(TemplateError, match="NUL"):
        parsed('{"a": "x\\u0000y"}')


def test_half_a_character_is_no_text() -> None:
    for text in (HEAD + "description: \ud800\n", '{"heat_template_version": "2021-04-16", "description": "\\ud800"}'):
        assert "surrogate" in refused_text(text).message
    with pytest.raises(TemplateError, match="surrogate"):
        parse_document({"heat_template_version": "2021-04-16", "description": "\ud800"})


def test_whatever_the_template_it_is_answered_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from conformance.heat_cases import Cases
    from conformance.heat_oracle import answer
    from tane.services.orchestration.template import apart

    monkeypatch.setattr(apart, "query", lambda expression, data: data)
    answers = [answer(case) for case in Cases(7).some(1000)]
    assert sum("value" in one for one in answers) > 200
    assert sum("error" in one for one in answers) > 200


LONG = "ab" * 30_000


def test_a_long_name_is_compared_with_none() -> None:
    template = parse_document({"heat_template_version": "2021-04-16", "parameters": {"a" * 255: {"type": "string"}}})
    declared = {name: Property(type="string") for name in template.parameters}
    with pytest.raises(TemplateError) as caught:
        check_properties(declared, {LONG: 1})
    assert caught.value.message == f"Unknown Property {LONG[:255]}"
    with pytest.raises(TemplateError, match="must be a string"):
        check_properties({"word": Property(type="string")}, {"word": {LONG: [LONG]}})
    assert nearest(LONG, [LONG]) is None
    assert nearest("colour", ["a" * 60_000, *map(str, range(100_000))]) is None
    assert nearest("flavour", ["image", "flavor"]) == "flavor"


@pytest.mark.parametrize("section", ["parameters", "resources", "outputs", "conditions"])
def test_names_have_255_characters(section: str) -> None:
    given = {
        "parameters": {"type": "string"},
        "resources": {"type": "OS::Heat::None"},
        "outputs": {"value": 1},
        "conditions": True,
    }[section]
    parse_document({"heat_template_version": "2021-04-16", section: {"n" * 255: given}})
    with pytest.raises(TemplateError, match=f"A name in {section} is longer than 255 characters: n{{64}}…"):
        parse_document({"heat_template_version": "2021-04-16", section: {"n" * 256: given}})


def test_a_long_key_above_many_values_costs_no_more_than_they() -> None:
    """Each value has a path while it is looked at."""
    value = {"k" * 200_000: [0] * 100_000}
    assert value_of(value) == value
    with pytest.raises(TemplateError) as caught:
        value_of({"k" * 200_000: [0, {"get_param": "nothing"}]})
    assert len(caught.value.path) <= 2048


def test_a_long_list_is_compared_with_long_allowed_values_at_once() -> None:
    allowed = [*(f"{number}" for number in range(50_000)), "x"]
    parameter = {"type": "comma_delimited_list", "constraints": [{"allowed_values": allowed}]}
    template = parse_document({"heat_template_version": "2021-04-16", "parameters": {"list": parameter}})
    assert template.parameters["list"].value("x," * 50_000 + "x") == ["x"] * 50_001


def test_many_entries_of_a_registry_that_are_taken_away_are_quickly_gone() -> None:
    first = Environment(resource_registry={f"Own::{number}": "a.yaml" for number in range(20_000)})
    gone = Environment(resource_registry={f"Own::{number}": None for number in range(20_000)})
    assert merge_environments([first, gone]).resource_registry == {}
