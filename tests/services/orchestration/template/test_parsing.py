"""Templates read from text: what is taken, and where a mistake is."""

from __future__ import annotations

from typing import Any

import pytest

from tane.services.orchestration.template import TemplateError, order, parse, parse_document, reading
from tane.services.orchestration.template.properties import Property, check_properties

WHOLE = """\
heat_template_version: 2018-08-31
description: A web server.
parameter_groups:
- {label: sizes, parameters: [flavor]}
parameters:
  flavor: {type: string, default: small, tags: [size]}
  password: {type: string, hidden: true}
conditions:
  public: {not: {equals: [{get_param: flavor}, tiny]}}
resources:
  net: {type: "OS::Neutron::Net"}
  subnet:
    type: OS::Neutron::Subnet
    properties: {network: {get_resource: net}, cidr: 10.0.0.0/24}
  web:
    type: OS::Nova::Server
    depends_on: [subnet]
    deletion_policy: retain
    condition: public
    metadata: {of: {get_attr: [subnet, name]}}
    properties:
      networks: [{network: {get_resource: net}}]
  old: {type: "OS::Nova::Server", external_id: 5f7d}
outputs:
  address: {description: where, value: {get_attr: [web, first_address]}, condition: public}
"""


def test_a_whole_template_is_read() -> None:
    template = parse(WHOLE)
    assert (template.kind, template.version, template.description) == ("hot", "2018-08-31", "A web server.")
    assert template.parameters["flavor"].tags == ("size",)
    assert template.parameters["password"].hidden
    web = template.resources["web"]
    assert (web.type, web.depends_on, web.deletion_policy, web.condition) == (
        "OS::Nova::Server",
        ("subnet",),
        "Retain",
        "public",
    )
    assert template.resources["old"].external_id == "5f7d"
    assert template.outputs["address"].description == "where"
    assert order(template) == {"net": set(), "subnet": {"net"}, "web": {"net", "subnet"}, "old": set()}


def test_json_reads_as_yaml_does_and_dates_stay_strings() -> None:
    assert parse('{"heat_template_version": "2013-05-23", "resources": {}}').version == "2013-05-23"
    template = parse("heat_template_version: 2013-05-23\nparameters:\n  day: {type: string, default: 2026-11-26}\n")
    assert template.parameters["day"].value() == "2026-11-26"
    cfn = parse('{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"A": {"Type": "AWS::EC2::EIP"}}}')
    assert (cfn.kind, cfn.resources["A"].type) == ("cfn", "AWS::EC2::EIP")


def test_a_release_names_the_version_it_came_with() -> None:
    assert parse("heat_template_version: rocky\n").version == "2018-08-31"
    assert parse("HeatTemplateFormatVersion: 2012-12-12\n").kind == "cfn"


def wrong(text: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        order(parse(text))
    return caught.value


@pytest.mark.parametrize(
    ("body", "words", "path", "line"),
    [
        ("nonsense: 1", "The template section is invalid: nonsense", "nonsense", 2),
        ("resources:\n  a: {}", "Each resource must contain a type key.", "resources.a", 3),
        ("resources:\n  a:\n    type: T\n    propertys: {}", '"propertys" is not a valid keyword',
         "resources.a.propertys", 5),
        ("resources:\n  a:\n    type: T\n    properties: []", "type must be object", "resources.a.properties", 5),
        ("resources:\n  a:\n    type: T\n    properties:\n      x:\n        - 1\n        - {list_join: y}",
         'Incorrect arguments to "list_join"', "resources.a.properties.x[1].list_join", 8),
        ("resources:\n  a: {type: T, depends_on: b}", 'The specified reference "b" (in a) is incorrect.',
         "resources.a.depends_on", 3),
        ("resources:\n  a:\n    type: T\n    properties:\n      x: {get_resource: b}",
         'The specified reference "b" (in a.properties.x) is incorrect.', "resources.a.properties.x", 6),
        ("resources:\n  a:\n    type: T\n    deletion_policy: keep", 'Invalid deletion policy "keep"',
         "resources.a.deletion_policy", 5),
        ("resources:\n  a/b: {type: T}", 'Resource name may not contain "/"', "resources.a/b", 3),
        ("parameters:\n  p:\n    type: text", "Invalid type (text)", "parameters.p.type", 4),
        ("parameters:\n  p: {default: 1}", "Missing parameter type for parameter: p", "parameters.p", 3),
        ("parameters:\n  p:\n    type: number\n    constraints:\n    - {allowed_pattern: a}",
         "Parameter 'p' is invalid: AllowedPattern constraint invalid for number", "parameters.p", 3),
        ("parameters:\n  p:\n    type: string\n    default: abc\n    constraints:\n    - length: {max: 2}",
         "Invalid default abc (length (3) is out of range (min: None, max: 2))", "parameters.p", 3),
        ("conditions:\n  c: maybe", 'The definition of condition "c" is invalid: maybe', "conditions.c", 3),
        ("conditions:\n  c: {get_attr: [a, b]}", 'The function "get_attr" is invalid in this context',
         "conditions.c.get_attr", 3),
        ("outputs:\n  o: {description: x}", "Each output definition must contain a value key.", "outputs.o", 3),
        ("parameter_groups:\n- {parameters: [p]}", "does not reference a valid parameter", "parameter_groups[0]", 3),
        ("parameters: {a: {type: string}}\nresources: {a: {type: T}}", "Duplicate names ['a']", "resources.a", 3),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_path(body: str, words: str, path: str, line: int) -> None:
    error = wrong(f"heat_template_version: 2018-08-31\n{body}\n")
    assert words in error.message
    assert (error.path, error.line) == (path, line)
    assert str(error) == f"{path}: {error.message} (line {line})"


def test_a_circle_is_named() -> None:
    resources = "\n".join(
        f"  r{n}: {{type: T, properties: {{x: {{get_attr: [r{(n + 1) % 3}, a]}}}}}}" for n in range(3)
    )
    error = wrong(f"heat_template_version: 2018-08-31\nresources:\n{resources}\n")
    assert error.message == "Circular Dependency Found: r0 -> r1 -> r2 -> r0"
    error = wrong("heat_template_version: 2018-08-31\nconditions:\n  a: {not: b}\n  b: {and: [a, true]}\n")
    assert error.message.startswith('Circular definition for condition "a"')


def test_of_an_if_only_the_branch_counts_that_is_chosen() -> None:
    from tests.services.orchestration.template.support import Known

    template = parse_document(
        {
            "heat_template_version": "2018-08-31",
            "conditions": {"c": True},
            "resources": {
                "a": {"type": "T", "properties": {"x": {"if": ["c", 1, {"get_resource": "b"}]}}},
                "b": {"type": "T", "properties": {"x": {"get_resource": "a"}}},
            },
        }
    )
    with pytest.raises(TemplateError, match="Circular"):
        order(template)
    assert order(template, Known(template)) == {"a": set(), "b": {"a"}}


def test_what_parameters_alone_decide_is_settled_first() -> None:
    from tane.services.orchestration.template import settled
    from tests.services.orchestration.template.support import Known

    declared = {"type": "T", "deletion_policy": {"get_param": "policy"}, "external_id": {"get_param": "id"}}
    template = parse_document(
        {
            "heat_template_version": "2018-08-31",
            "parameters": {"policy": {"type": "string", "default": "retain"}, "id": {"type": "string", "default": "i"}},
            "resources": {"r": declared},
        }
    )
    found = settled(template.resources["r"], Known(template), template)
    assert (found.deletion_policy, found.external_id) == ("Retain", "i")
    with pytest.raises(TemplateError, match='Invalid deletion policy "keep"'):
        settled(template.resources["r"], Known(template, parameters={"policy": "keep"}), template)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "The template is not a JSON object or YAML mapping."),
        ({}, "Template format version not found."),
        ({"heat_template_version": 20130523}, "Template version was not provided"),
        ({"heat_template_version": "2013-05-24"}, '"heat_template_version" should be one of: 2013-05-23, 2014-10-16'),
        ({"heat_template_version": "2013-05-23", "AWSTemplateFormatVersion": "2010-09-09"}, "Ambiguous versions"),
        ({"heat_template_version": "2013-05-23", "conditions": {}}, "The template section is invalid: conditions"),
        ({"HeatTemplateFormatVersion": "2012-12-12", "Conditions": {}}, "section is invalid: Conditions"),
        ({"heat_template_version": "2018-08-31", "resources": []}, '"resources" must contain a map'),
    ],
)
def test_what_is_no_template_is_refused(document: Any, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_document(document)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: !Ref x", "short forms are not read, write {Ref: …} (line 2)"),
        ("a: !GetAtt [x, y]", "short forms are not read, write {Fn::GetAtt: …} (line 1)"),
        ("a: 1\na: 2", "(line 2)"),
    ],
)
def test_what_yaml_has_and_templates_have_not_is_told_once(text: str, told: str) -> None:
    with pytest.raises(TemplateError) as caught:
        reading.read(text)
    assert str(caught.value).endswith(told) and str(caught.value).count("(line") == 1


def test_a_function_that_is_misspelt_is_told_with_the_nearest() -> None:
    with pytest.raises(TemplateError, match="there is no function str_replce: did you mean str_replace"):
        check_properties({"name": Property("string")}, {"name": {"str_replce": {}}})


@pytest.mark.parametrize(
    ("head", "key"),
    [("heat_template_version: 2021-04-16", "hidden"), ("HeatTemplateFormatVersion: 2012-12-12", "NoEcho")],
)
@pytest.mark.parametrize("word", ["yes", "1", "on", "''"])
def test_whether_a_parameter_is_hidden_is_said_clearly(head: str, key: str, word: str) -> None:
    cfn = key == "NoEcho"
    section, kind = ("Parameters", "Type: String") if cfn else ("parameters", "type: string")
    text = f"{head}\n{section}:\n  p: {{{kind}, {key}: {{}}}}\n"
    assert parse(text.replace("{}", "True")).parameters["p"].hidden
    assert not parse(text.replace("{}", "'false'")).parameters["p"].hidden
    with pytest.raises(TemplateError, match=rf"Invalid value '.*' of {key} for parameter p: it is true or false"):
        parse(text.replace("{}", f"'{word}'" if word != "''" else word))
