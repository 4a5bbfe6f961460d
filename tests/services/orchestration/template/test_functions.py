"""What the functions of templates give, and what they say when they are called wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.orchestration.template import UNKNOWN, TemplateError, functions, versions
from tests.services.orchestration.template.support import LATEST, aws, refused, value_of

RESOURCES = {"resources": {"web": {"type": "OS::Heat::None"}}}
PARAMETERS = {
    "parameters": {
        "names": {"type": "comma_delimited_list", "default": "a,b"},
        "size": {"type": "json", "default": {"disk": {"gb": [10, 20]}}},
    }
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"get_param": "names"}, ["a", "b"]),
        ({"get_param": ["size", "disk", "gb", 1]}, 20),
        ({"get_param": ["size", "disk", "gb", "0"]}, 10),
        ({"get_param": ["size", "nowhere"]}, ""),
        ({"get_param": "OS::stack_name"}, "garden"),
        ({"list_join": ["-", ["a", None, {"k": 1}], ["b"]]}, 'a--{"k": 1}-b'),
        ({"str_replace": {"template": "$n $name", "params": {"$n": 1, "$name": ["x"]}}}, '1 ["x"]'),
        ({"str_replace": {"template": "ab", "params": {"a": "b", "b": "c"}}}, "bc"),
        ({"str_split": [",", "a,b,c"]}, ["a", "b", "c"]),
        ({"str_split": [",", "a,b,c", 1]}, "b"),
        ({"repeat": {"template": "%a%%b%", "for_each": {"%a%": ["1", "2"], "%b%": ["x", "y"]}}},
         ["1x", "1y", "2x", "2y"]),
        ({"repeat": {"template": {"k": "%a%%b%"}, "for_each": {"%a%": ["1", "2"], "%b%": ["x", "y"]},
                     "permutations": False}}, [{"k": "1x"}, {"k": "2y"}]),
        ({"repeat": {"template": "%k%", "for_each": {"%k%": {"one": 1, "two": 2}}}}, ["one", "two"]),
        ({"map_merge": [{"a": 1, "b": 1}, None, {"b": 2}]}, {"a": 1, "b": 2}),
        ({"map_replace": [{"a": "x", "b": "y"}, {"keys": {"a": "c"}, "values": {"y": "z"}}]}, {"c": "x", "b": "z"}),
        ({"list_concat": [[1], None, [1, 2]]}, [1, 1, 2]),
        ({"list_concat_unique": [[1, {"k": []}], [1, {"k": []}, 2]]}, [1, {"k": []}, 2]),
        ({"filter": [["", "b"], ["a", "", "b", "c"]]}, ["a", "c"]),
        ({"contains": ["a", {"get_param": "names"}]}, True),
        ({"digest": ["md5", "tane"]}, "621f32486607ced4dc1dffc0702ada3f"),
        ({"make_url": {"scheme": "https", "host": "::1", "port": 8080, "path": "/a b", "query": {"q": "x y"}}},
         "https://[::1]:8080/a%20b?q=x+y"),
        ({"make_url": {"scheme": "ftp", "username": "mia", "password": "p@ss", "host": "h"}}, "ftp://mia:p%40ss@h"),
        ({"yaql": {"expression": "$.data.l.where($ > 1).select($ * 10)", "data": {"l": [1, 2, 3]}}}, [20, 30]),
        ({"yaql": {"expression": "'a\\tb'", "data": {}}}, "a\tb"),
        ({"resource_facade": "metadata"}, {"role": "web"}),
    ],
)  # fmt: skip
def test_functions_give_what_the_guide_says(value: Any, expected: Any) -> None:
    assert value_of(value, sections=PARAMETERS) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Fn::Join": ["-", ["a", "b"]]}, "a-b"),
        ({"Fn::Select": ["1", ["a", "b"]]}, "b"),
        ({"Fn::Select": ["k", {"k": "v"}]}, "v"),
        ({"Fn::Select": ["9", ["a"]]}, ""),
        ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
        ({"Fn::Replace": [{"$a": "x"}, "$a!"]}, "x!"),
        ({"Fn::Base64": {"Fn::Join": ["", ["#!/bin/sh\n", "true\n"]]}}, "#!/bin/sh\ntrue\n"),
        ({"Fn::FindInMap": ["Sizes", "small", "ram"]}, 512),
        ({"Fn::GetAZs": ""}, ["nova"]),
        ({"Fn::MemberListToMap": ["Name", "Value", [".member.0.Name=k", ".member.0.Value=v=1"]]}, {"k": "v=1"}),
        ({"Fn::If": ["Big", "large", "small"]}, "small"),
        ({"Fn::ResourceFacade": "DeletionPolicy"}, "Retain"),
        ({"Ref": "Web"}, "web-1"),
        ({"Ref": "Size"}, "small"),
        ({"Fn::GetAtt": ["Web", "PublicIp"]}, "198.51.100.7"),
    ],
)
def test_functions_of_amazons_format_give_what_they_do_there(value: Any, expected: Any) -> None:
    sections = {
        "Parameters": {"Size": {"Type": "String", "Default": "small"}},
        "Mappings": {"Sizes": {"small": {"ram": 512}}},
        "Conditions": {"Big": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Size"}, "small"]}]}},
        "Resources": {"Web": {"Type": "AWS::EC2::Instance"}},
    }
    known = {"references": {"Web": "web-1"}, "attributes": {"Web": {"PublicIp": "198.51.100.7"}}}
    assert aws(value, sections, **known) == expected


def test_what_is_not_there_yet_makes_all_unknown_that_is_made_of_it() -> None:
    address = {"get_attr": ["web", "first_address"]}
    assert value_of(address, sections=RESOURCES) is UNKNOWN
    for value in (
        {"list_join": [":", [address, "80"]]},
        {"str_replace": {"template": "x", "params": {"a": address}}},
        {"map_merge": [{"a": address}]},
        {"equals_in_a_map": {"list_concat": [[address]]}},
        {"repeat": {"template": "%a%", "for_each": {"%a%": [address]}}},
        {"yaql": {"expression": "$.data", "data": address}},
        {"digest": ["md5", address]},
    ):
        found = value_of(value, sections=RESOURCES)
        assert found is UNKNOWN or found == {"equals_in_a_map": UNKNOWN}
    assert value_of([{"get_resource": "web"}, "known"], sections=RESOURCES) == [UNKNOWN, "known"]


@pytest.mark.parametrize("expression", ["2 * 9223372036854775807", f"1{'0' * 308}.0 * 10", "-10 * 9223372036854775807"])
def test_a_number_that_json_has_not_is_told(expression: str) -> None:
    with pytest.raises(TemplateError, match="it gives a number that is too large"):
        value_of({"yaql": {"expression": expression, "data": {}}})


def test_a_path_leads_into_attributes() -> None:
    known: dict[str, Any] = {"attributes": {"web": {"addresses": {"net": [{"addr": "10.0.0.4"}]}, "name": None}}}
    path = {"get_attr": ["web", "addresses", "net", 0, "addr"]}
    assert value_of(path, sections=RESOURCES, **known) == "10.0.0.4"
    assert value_of({"get_attr": ["web", "addresses", "other"]}, sections=RESOURCES, **known) is None
    assert value_of({"get_attr": ["web", "name"]}, sections=RESOURCES, **known) is None


def test_each_version_has_its_functions() -> None:
    by_version = {one["version"]: one for one in versions()}
    assert by_version["heat_template_version.2021-04-16"]["aliases"] == ["heat_template_version.wallaby"]
    assert by_version["heat_template_version.2016-10-14"]["aliases"] == ["heat_template_version.newton"]
    assert by_version["AWSTemplateFormatVersion.2010-09-09"]["type"] == "cfn"
    assert len(by_version) == 13

    def names(version: str, *, conditions: bool = False) -> set[str]:
        return {one["functions"] for one in functions(version, conditions)}

    assert "Ref" in names("heat_template_version.2013-05-23")
    assert "Ref" not in names("heat_template_version.2014-10-16")
    assert "yaql" not in names("heat_template_version.2016-04-08")
    assert {"yaql", "if"} <= names("heat_template_version.newton")
    assert "equals" not in names("heat_template_version.rocky")
    assert "equals" in names("heat_template_version.rocky", conditions=True)
    with pytest.raises(TemplateError, match="not found"):
        functions("heat_template_version.2013-05-24")


def test_a_function_of_a_later_version_is_only_a_map_and_a_former_one_is_refused() -> None:
    later = {"repeat": {"template": "x", "for_each": {"%a%": ["1"]}}}
    assert value_of(later, "2013-05-23") == later
    assert value_of({"Fn::Join": ["-", ["a"]]}, "2013-05-23") == "a"
    error = refused({"Fn::Join": ["-", ["a"]]}, "2014-10-16")
    assert "The function Fn::Join is not supported in this version of HOT." in error.message
    assert error.path == "outputs.it.value.Fn::Join"


def test_versions_differ_in_what_a_function_takes() -> None:
    maps = {"list_join": [",", [{"k": 1}]]}
    assert value_of(maps, "2015-10-15") == '{"k": 1}'
    assert "must be strings" in refused(maps, "2015-04-30").message
    params = {"str_replace": {"template": "$a", "params": {"$a": [1]}}}
    assert value_of(params, "2015-10-15") == "[1]"
    assert refused(params, "2014-10-16").message == (
        '"str_replace" params must be strings or numbers, param $a is not valid'
    )


def test_an_if_without_else_leaves_the_entry_out() -> None:
    sections = {"conditions": {"never": {"equals": [1, 2]}}}
    value = {"kept": 1, "gone": {"if": ["never", "x"]}, "list": [{"if": ["never", "x"]}, "y"]}
    assert value_of(value, sections=sections) == {"kept": 1, "list": ["y"]}
    assert "must be of the form" in refused(value, "2018-08-31", sections).message


def test_conditions_are_made_of_conditions() -> None:
    sections = {
        "parameters": {"env": {"type": "string", "default": "prod"}},
        "conditions": {
            "prod": {"equals": [{"get_param": "env"}, "prod"]},
            "test": {"not": "prod"},
            "both": {"and": ["prod", {"not": "test"}]},
            "none": {"or": ["test", False]},
            "asked": {"yaql": {"expression": "$.data.e = prod", "data": {"e": {"get_param": "env"}}}},
            "in": {"contains": [{"get_param": "env"}, ["prod", "stage"]]},
        },
    }
    for name, expected in [("prod", 1), ("test", 0), ("both", 1), ("none", 0), ("asked", 1), ("in", 1)]:
        assert value_of({"if": [name, 1, 0]}, sections=sections) == expected, name
    assert value_of({"if": [{"not": {"and": ["test", "prod"]}}, 1, 0]}, sections=sections) == 1
    assert value_of({"if": ["prod", 1, 2]}, sections=sections, parameters={"env": UNKNOWN}) is UNKNOWN


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"get_param": "nope"}, "The Parameter (nope) was not provided."),
        ({"get_resource": "nope"}, 'The specified reference "nope" (in unknown) is incorrect.'),
        ({"get_file": "nope"}, 'No content found in the "files" section for get_file path: nope'),
        ({"list_join": "x"}, 'Incorrect arguments to "list_join"'),
        ({"repeat": {"template": 1, "for_each": []}}, "must contain a map"),
        ({"repeat": {"template": "a", "for_each": {"a": "text"}}}, "must be lists or maps"),
        ({"map_merge": [1]}, "Items to merge must be maps"),
        ({"str_replace_strict": {"template": "x", "params": {"y": 1}}}, "not found in the template: y"),
        ({"str_replace_vstrict": {"template": "y", "params": {"y": ""}}}, "must be a defined non-empty value"),
        ({"digest": ["md0", "x"]}, "Algorithm must be one of"),
        ({"make_url": {"port": 70000}}, "must be in range 1-65535"),
        ({"make_url": {"nonsense": 1}}, 'Invalid arguments to "make_url": nonsense'),
        ({"if": ["nope", 1, 2]}, 'Invalid condition "nope"'),
        ({"yaql": {"expression": "$.data.l.", "data": {}}}, "Bad expression"),
        ({"yaql": {"data": {}}}, "syntax should be"),
        ({"resource_facade": "name"}, "should be one of: metadata, deletion_policy, update_policy"),
    ],
)
def test_a_wrong_call_is_told_with_its_place(value: Any, words: str) -> None:
    error = refused({"inner": [0, value]})
    assert words in error.message
    assert error.path.startswith(f"outputs.it.value.inner[1].{next(iter(value))}")


def test_the_latest_version_is_the_newest_release() -> None:
    assert value_of({"if": [False, 1]}, "wallaby") is None
    assert value_of({"if": [False, 1]}, LATEST) is None
