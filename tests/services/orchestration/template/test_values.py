"""Values that are given: parameters, environments, properties."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.orchestration.template import (
    UNKNOWN,
    TemplateError,
    merge_environments,
    parse_document,
    parse_environment,
)
from tane.services.orchestration.template.constraints import AllowedValues, Custom, Length, Range
from tane.services.orchestration.template.properties import (
    Attribute,
    Property,
    check_properties,
    schema_view,
    template_view,
)
from tests.services.orchestration.template.support import hot


def given(declared: dict[str, Any], value: Any, check: Any = None) -> Any:
    return hot(1, parameters={"p": declared}).parameters["p"].value(value, check)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", 5, "5"),
        ("number", "5", 5),
        ("number", "2.5", 2.5),
        ("boolean", "yes", True),
        ("boolean", 0, False),
        ("comma_delimited_list", "a,b", ["a", "b"]),
        ("comma_delimited_list", "", []),
        ("comma_delimited_list", ["a", 1], ["a", "1"]),
        ("json", '{"a": [1]}', {"a": [1]}),
        ("json", {"a": 1}, {"a": 1}),
    ],
)
def test_a_value_becomes_what_the_type_says(kind: str, value: Any, expected: Any) -> None:
    found = given({"type": kind}, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("declared", "value", "words"),
    [
        ({"type": "string"}, None, "The Parameter (p) was not provided."),
        ({"type": "number"}, "x", "could not convert string to float: 'x'"),
        ({"type": "boolean"}, "x", "Unrecognized value 'x', acceptable values are: '0', '1', 'f', 'false'"),
        ({"type": "json"}, "{", "Value must be valid JSON"),
        ({"type": "comma_delimited_list"}, 5, "Value must be a comma-delimited list string"),
        ({"type": "string", "constraints": [{"length": {"min": 2}}]}, "a",
         "length (1) is out of range (min: 2, max: None)"),
        ({"type": "number", "constraints": [{"range": {"max": 2}}]}, "5", "5 is out of range (min: None, max: 2)"),
        ({"type": "number", "constraints": [{"modulo": {"step": 2, "offset": 1}}]}, 4,
         "4 is not a multiple of 2 with an offset of 1"),
        ({"type": "string", "constraints": [{"allowed_values": ["a", "b"]}]}, "c",
         '"c" is not an allowed value ["a", "b"]'),
        ({"type": "string", "constraints": [{"allowed_pattern": "[a-z]"}]}, "ab",
         '"ab" does not match pattern "[a-z]"'),
        ({"type": "string", "constraints": [{"allowed_pattern": "a", "description": "one a"}]}, "b",
         "is invalid: one a"),
        ({"type": "string", "constraints": [{"custom_constraint": "nova.flavor"}]}, "m9",
         "Error validating value 'm9': no such flavor"),
    ],
)  # fmt: skip
def test_a_value_that_breaks_a_rule_is_told_so(declared: dict[str, Any], value: Any, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        given(declared, value, lambda kind, name: f"no such {kind.partition('.')[2]}")
    assert words in caught.value.message
    assert caught.value.path == "parameters.p"


@pytest.mark.parametrize(
    ("kind", "good", "bad", "words"),
    [
        ("ip_addr", ["10.0.0.4", "fe80::1"], ["10.0.0", "x", "10.0.0.0/8", "10.0.0.4\n", ""], "Invalid IP address"),
        ("net_cidr", ["10.0.0.0/24", "10.0.0.1/24", "fd00::/64"], ["10.0.0.0", "10.0.0.0/99"], "subnet"),
        ("ip_or_cidr", ["10.0.0.4", "10.0.0.0/24"], ["x", "10.0.0.4/99"], "valid IP"),
        ("mac_addr", ["fa:16:3e:00:00:01"], ["fa:16:3e:00:00", "x"], "Invalid MAC address."),
        ("dns_name", ["a.example.org", "a.example.org.", "a"], ["-a.org", "a..org", "a" * 64], "not in valid format"),
        ("rel_dns_name", ["a.b"], ["a.b.", "a." * 150 + "a"], "FQDN"),
        ("dns_domain", ["example.org."], ["example.org"], "must end with '.'"),
        ("iso_8601", ["2026-11-26T16:00:00+00:00"], ["yesterday"], "Error validating value 'yesterday'"),
        ("expiration", ["2999-01-01T00:00:00"], ["2001-01-01T00:00:00", "x"], "is invalid"),
        ("timezone", ["Europe/Berlin"], ["Moon/Base", "../../etc/passwd"], "Invalid timezone"),
        ("json_string", ["{}"], ["{"], "is invalid"),
    ],
)
def test_values_of_a_form_keep_it(kind: str, good: list[str], bad: list[str], words: str) -> None:
    declared = {"type": "string", "constraints": [{"custom_constraint": kind}]}
    for value in good:
        assert given(declared, value, lambda *_: "never asked") == value
    for value in bad:
        with pytest.raises(TemplateError) as caught:
            given(declared, value, lambda *_: None)
        assert words in caught.value.message, caught.value


def test_amazons_parameters_have_their_own_words() -> None:
    declared = {
        "Type": "Number",
        "MinValue": "2",
        "Default": 3,
        "NoEcho": "true",
        "ConstraintDescription": "two at least",
    }
    template = parse_document({"AWSTemplateFormatVersion": "2010-09-09", "Parameters": {"P": declared}})
    parameter = template.parameters["P"]
    assert (parameter.hidden, parameter.value(), parameter.value("7")) == (True, 3, 7)
    with pytest.raises(TemplateError, match="two at least"):
        parameter.value(1)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"nonsense": {}}, 'environment has wrong section "nonsense"'),
        ({"parameters": None}, 'environment has empty section "parameters"'),
        ({"parameters": []}, "must be a map"),
        ({"resource_registry": {"resources": {"a": {"hooks": "pre-nothing"}}}}, "Invalid hook type"),
        (
            {"resource_registry": {"resources": {"a": {"restricted_actions": ["break"]}}}},
            "Invalid restricted_action type",
        ),
        ({"resource_registry": {"OS::A": 5}}, "must be mapped to the name of a type or a file"),
        ("just text", "not a valid YAML mapping"),
    ],
)
def test_a_wrong_environment_is_refused(document: Any, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_environment(document)
    assert words in caught.value.message


def test_environments_are_merged_the_later_winning() -> None:
    first = parse_environment(
        "parameters: {a: 1, list: [x], map: {k: {x: 1}}}\n"
        "resource_registry: {'OS::Old': old.yaml, 'OS::Net*': 'OS::Neutron*', resources: {a: {hooks: pre-create}}}\n"
    )
    second = parse_environment(
        {
            "parameters": {"a": 2, "list": ["y"], "map": {"k": {"y": 2}}},
            "parameter_merge_strategies": {"list": "merge", "map": "deep_merge"},
            "resource_registry": {"OS::Old": None, "resources": {"b": {"hooks": ["pre-update"]}}},
            "event_sinks": [{"type": "zaqar-queue"}],
        }
    )
    types = {"a": "number", "list": "list", "map": "map"}
    merged = merge_environments([first, second], {"a": "number"})
    assert merged.parameters == {"a": 2, "list": ["y"], "map": {"k": {"y": 2}}}
    assert merged.resource_registry == {
        "OS::Net*": "OS::Neutron*",
        "resources": {"a": {"hooks": "pre-create"}, "b": {"hooks": ["pre-update"]}},
    }
    with pytest.raises(
        TemplateError, match=r"Conflicting merge strategy 'merge' for parameter 'list' in file 'b\.yaml'"
    ):
        merge_environments([first, second], types, ["a.yaml", "b.yaml"])
    first.parameter_merge_strategies = second.parameter_merge_strategies
    merged = merge_environments([first, second], types)
    assert merged.parameters == {"a": 2, "list": ["x", "y"], "map": {"k": {"x": 1, "y": 2}}}


RULE = Property(
    type="map",
    schema={
        "port": Property(type="integer", required=True, constraints=[Range(min=1, max=65535)]),
        "protocol": Property(type="string", default="tcp", constraints=[AllowedValues(allowed=("tcp", "udp"))]),
    },
)
GROUP = {
    "name": Property(type="string", constraints=[Length(max=8)], update="in_place", description="What it is called."),
    "rules": Property(type="list", schema=RULE, default=[]),
    "network": Property(type="string", constraints=[Custom(kind="neutron.network")], update="no"),
    "tags": Property(type="list"),
    "open": Property(type="boolean", default=False),
}


def test_properties_are_cast_and_get_their_defaults() -> None:
    found = check_properties(GROUP, {"name": 5, "rules": [{"port": "22"}], "open": "TRUE"}, name="g")
    assert found == {
        "name": "5",
        "rules": [{"port": 22, "protocol": "tcp"}],
        "network": None,
        "tags": None,
        "open": True,
    }


def test_what_is_not_known_yet_is_taken_unchecked() -> None:
    found = check_properties(GROUP, {"name": UNKNOWN, "rules": [{"port": UNKNOWN}], "network": UNKNOWN}, name="g")
    assert found["name"] is UNKNOWN
    assert found["rules"] == [{"port": UNKNOWN, "protocol": "tcp"}]


@pytest.mark.parametrize(
    ("values", "words", "path"),
    [
        ({"nam": "x"}, "Unknown Property nam (did you mean name?)", "nam"),
        ({"zzz": "x"}, "Unknown Property zzz", "zzz"),
        ({"name": "much too long"}, "length (13) is out of range (min: None, max: 8)", "name"),
        ({"name": []}, "Value must be a string; got []", "name"),
        ({"rules": "x"}, "\"'x'\" is not a list", "rules"),
        ({"rules": [{}]}, "Property port not assigned", "rules[0]"),
        ({"rules": [{"port": 1}, {"port": "x"}]}, "Value 'x' is not an integer", "rules[1].port"),
        ({"rules": [{"port": 0}]}, "0 is out of range (min: 1, max: 65535)", "rules[0].port"),
        ({"rules": [{"port": 1, "protokol": 1}]}, "Unknown Property protokol (did you mean protocol?)",
         "rules[0].protokol"),
        ({"network": "nowhere"}, "Error validating value 'nowhere': none of that name", "network"),
        ({"open": "yes"}, '"yes" is not a valid boolean', "open"),
    ],
)  # fmt: skip
def test_a_wrong_property_is_told_with_its_place(values: dict[str, Any], words: str, path: str) -> None:
    with pytest.raises(TemplateError) as caught:
        check_properties(GROUP, values, name="g", check=lambda kind, value: "none of that name")
    assert caught.value.message == words
    assert caught.value.path == f"resources.g.properties.{path}"


def test_a_type_is_shown_as_clients_read_it() -> None:
    shown = schema_view("OS::Test::Group", GROUP, {"id": Attribute(type="string", description="Its id.")})
    assert shown["properties"]["name"] == {
        "type": "string",
        "description": "What it is called.",
        "required": False,
        "constraints": [{"length": {"max": 8}}],
        "update_allowed": True,
        "immutable": False,
    }
    assert shown["properties"]["rules"]["schema"]["*"]["schema"]["protocol"]["constraints"] == [
        {"allowed_values": ["tcp", "udp"]}
    ]
    assert shown["properties"]["network"]["immutable"]
    assert shown["attributes"]["id"] == {"description": "Its id.", "type": "string"}
    assert shown["attributes"]["show"]["type"] == "map"


@pytest.mark.parametrize("kind", ["hot", "cfn"])
def test_the_template_of_a_type_is_a_template(kind: str) -> None:
    shown = template_view("OS::Test::Group", GROUP, {"id": Attribute(type="string")}, kind=kind)
    template = parse_document(shown)
    assert set(template.parameters) == set(GROUP)
    assert template.resources["Group"].type == "OS::Test::Group"
    assert set(template.outputs) == {"id", "show", "OS::stack_id"}
