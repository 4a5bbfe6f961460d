"""A mistake in a template is told with its place, before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.orchestration_support import at, hot
from tests.support import ApiCloud

HEAD = "heat_template_version: 2018-08-31\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "resources:\n  a:\n    type: OS::Heat::Value\n    properties:\n      value:\n        list_join: x\n",
            'resources.a.properties.value.list_join: Incorrect arguments to "list_join" should be: "list_join" : '
            '[ " ", [ "str1", "str2"] ...] (line 7)',
        ),
        (
            "resources:\n  a: {type: OS::Heat::Value, properties: {valu: x}}\n",
            "Property error: : resources.a.properties.valu: Unknown Property valu (did you mean value?) (line 3)",
        ),
        (
            "resources:\n  a: {type: OS::Heat::Value, properties: {value: {get_param: nope}}}\n",
            "Property error: : resources.a.properties.value: : The Parameter (nope) was not provided. (line 3)",
        ),
        (
            "resources:\n  a: {type: OS::Heat::None, depends_on: b}\n  b: {type: OS::Heat::None, depends_on: a}\n",
            "Circular Dependency Found: a -> b -> a (line 3)",
        ),
        ("resources:\n  a: {type: OS::Heat::None}\n  a: {type: OS::Heat::Value}\n", "(line 4)"),
        (
            "resources:\n  a: {type: OS::Heat::RandomString}\noutputs:\n  o:\n    value: {get_attr: [a, nope]}\n",
            "outputs.o.value.get_attr: The Referenced Attribute (a nope) is incorrect. (line 6)",
        ),
        (
            "resources:\n  a: {type: OS::Heat::RandomString}\noutputs:\n  o:\n    value: {get_attr: [b, value]}\n",
            'outputs.o.value.get_attr: The specified reference "b" (in unknown) is incorrect. (line 6)',
        ),
        (
            "resources:\n  a: {type: OS::Heat::RandomString}\noutputs:\n  o:\n    value: {get_resource: b}\n",
            'outputs.o.value.get_resource: The specified reference "b" (in unknown) is incorrect. (line 6)',
        ),
        ("nonsense: 1\n", "The template section is invalid: nonsense (line 2)"),
        (
            "resources:\n  v: {type: OS::Cinder::Volume, properties: {name: v}}\n",
            '"image", "source_volid", "snapshot_id" must be specified. (line 3)',
        ),
        (
            "resources:\n  n: {type: OS::Neutron::Net}\n  s:\n    type: OS::Neutron::Subnet\n"
            "    properties: {network: {get_resource: n}}\n",
            "resources.s: Either property cidr or subnetpool must be specified for this resource. (line 4)",
        ),
        (
            "resources:\n  g:\n    type: OS::Heat::AutoScalingGroup\n"
            "    properties: {min_size: 3, max_size: 2, resource: {type: OS::Heat::None}}\n",
            "resources.g: min_size can not be greater than max_size (line 3)",
        ),
    ],
)
def test_it_is_told(cloud: ApiCloud, text: str, words: str) -> None:
    mia = cloud.new_user("mia", "garden")
    body = {"stack_name": "rose", "template": HEAD + text}
    told = mia.post(at(mia, "/stacks"), body, 400).json()["error"]["message"]
    validated = mia.post(at(mia, "/validate"), {"template": HEAD + text}, 400).json()["error"]["message"]
    assert validated.endswith(words), validated
    assert told.endswith(words), told
    assert not mia.get(at(mia, "/stacks")).json()["stacks"]


def resource(kind: str, *lines: str) -> str:
    """A template whose one resource has its type in line 4."""
    return f"resources:\n  a:\n    type: {kind}\n" + "".join(f"    {line}\n" for line in lines)


def value(said: str) -> str:
    """A value in line 6."""
    return resource("OS::Heat::Value", "properties:", f"  value: {said}")


FILE = HEAD + resource("OS::Heat::Value", "properties:", "  valu: 1")
CFN = "AWSTemplateFormatVersion: '2010-09-09'\n"
TYPES = (
    (resource("OS::Nova::Servr"), "could not be found. The nearest is OS::Nova::Server. (line 4)"),
    (resource("nope.yaml"), "Could not fetch contents for nope.yaml: the client has not sent it in 'files' (line 4)"),
    (resource("OS::Heat::None", "proprties: {}"), "resources.a.proprties: "),
    (resource("OS::Heat::None", "proprties: {}"), "inside a resource definition (line 5)"),
    (resource("OS::Heat::None", "deletion_policy: Keep"), 'Invalid deletion policy "Keep" (line 5)'),
    (resource("OS::Heat::None", "depends_on: nope"), 'The specified reference "nope" (in a) is incorrect. (line 5)'),
    (resource("OS::Heat::None", "condition: nope"), 'resources.a.condition: Invalid condition "nope" (line 5)'),
    (resource("OS::Heat::None", "metadata:", "  x: {get_param: nope}"), "(nope) was not provided. (line 6)"),
    (resource("OS::Heat::SoftwareConfig", "external_id: foo"), "belongs to no other. (line 5)"),
    (resource("OS::Heat::Value"), "Property error: : resources.a.properties: Property value not assigned (line 3)"),
    (resource("OS::Heat::Value", "properties:", "  valu: 1"), "Unknown Property valu (did you mean value?) (line 6)"),
    (resource("OS::Heat::RandomString", "properties:", "  length: many"), "is not an integer (line 6)"),
    (resource("OS::Heat::RandomString", "properties:", "  length: 0"), "(min: 1, max: 512) (line 6)"),
    (
        resource("OS::Neutron::Subnet", "properties:", "  cidr: 10.0.0.0/8", "  network: nope"),
        "Property error: : resources.a.properties.network: Error validating value 'nope': "
        "Unable to find network with name or id 'nope' (line 7)",
    ),
    (
        resource("OS::Heat::ResourceGroup", "properties:", "  resource_def: {type: OS::Heat::Valu}"),
        "resources.a: The Resource Type (OS::Heat::Valu) could not be found. The nearest is OS::Heat::Value. (line 3)",
    ),
)
FUNCTIONS = (
    (value("{str_split: [',']}"), "resources.a.properties.value: : Incorrect arguments to"),
    (value("{str_split: [',']}"), "(line 6)"),
    (value("{list_join: x}"), "(line 6)"),
    (value("{get_param: nope}"), "resources.a.properties.value: : The Parameter (nope) was not provided. (line 6)"),
    (value("{get_resource: nope}"), 'The specified reference "nope" (in a.properties.value) is incorrect. (line 6)'),
    (value("{get_attr: [a, nope]}"), "Circular Dependency Found: a -> a (line 3)"),
    (value("{get_file: nope}"), "get_file path: nope (line 6)"),
    (value("{if: [nope, 1, 2]}"), 'resources.a.properties.value.if: Invalid condition "nope" (line 6)'),
    (value("{map_merge: [3]}"), "(line 6)"),
    (value("{yaql: {expression: '$.(', data: {}}}"), "(line 6)"),
)
SECTIONS = (
    (
        "parameters:\n  p:\n    type: strin\nresources: {}\n",
        "Invalid type (strin) for parameter p (did you mean string?) (line 4)",
    ),
    ("parameters:\n  p: {type: string}\nresources: {}\n", "The Parameter (p) was not provided. (line 3)"),
    ("parameters:\n  p:\n    type: number\n    default: x\nresources: {}\n", "(line 3)"),
    ("parameters:\n  p: {type: string, default: x, constraints: [{lenth: 1}]}\nresources: {}\n", "(line 3)"),
    ("parameter_groups:\n- parameters: [nope]\nresources: {}\n", "nope does not reference a valid parameter. (line 3)"),
    ("conditions:\n  c:\n    equals: [1]\nresources: {}\n", "[value_1, value_2] (line 4)"),
    ("conditions:\n  c: {get_param: nope}\nresources: {}\n", "The Parameter (nope) was not provided. (line 3)"),
    ("conditions:\n  c: {not: d}\n  d: {not: c}\nresources: {}\n", "(c -> d -> c) (line 3)"),
    ("resources: {}\noutputs:\n  o:\n    value: {get_param: nope}\n", "outputs.o.value.get_param: The Parameter"),
    ("resources: {}\noutputs:\n  o:\n    value: {get_param: nope}\n", "was not provided. (line 5)"),
    ("resources: {}\noutputs:\n  o:\n    valu: 1\n", "inside a output definition (line 5)"),
    ("resources: {}\noutputs:\n  o: {value: 1, condition: nope}\n", 'Invalid condition "nope" (line 4)'),
    ("resources:\n\ta: 1\n", "(line 3)"),
)


@pytest.mark.parametrize("mistakes", [TYPES, FUNCTIONS, SECTIONS], ids=["types", "functions", "sections"])
def test_each_kind_of_mistake_has_its_line(cloud: ApiCloud, mistakes: tuple[tuple[str, str], ...]) -> None:
    mia = cloud.new_user("mia", "garden")
    for text, words in mistakes:
        body = {"stack_name": "rose", "template": HEAD + text}
        assert words in mia.post(at(mia, "/stacks"), body, 400).json()["error"]["message"], text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"environment": "parameters:\n  q: 1\n"}, "The Parameter (q) was not defined in template. (line 2)"),
        ({"environment": "parameters: {}\nparamters: {}\n"}, 'environment has wrong section "paramters" (line 2)'),
        ({"environment": "resource_registry:\n  A::B: [1]\n"}, '"A::B" must be mapped'),
        ({"environment": "resource_registry:\n  A::B: [1]\n"}, "(line 2)"),
        ({"environment": "resource_registry:\n  resources:\n    a:\n      hooks: pre-nope\n"}, "(line 4)"),
        (
            {
                "template": HEAD + resource("A::B"),
                "environment": "resource_registry:\n  A::B: B::C\n  B::C: A::B\n",
            },
            "There is a loop in the resource_registry: A::B -> B::C -> A::B (line 2)",
        ),
        (
            {"environment_files": ["e.yaml"], "files": {"e.yaml": "\nnope: {}\n"}},
            "e.yaml: environment has wrong section",
        ),
        ({"environment_files": ["e.yaml"], "files": {"e.yaml": "\nnope: {}\n"}}, '"nope" (line 2)'),
        ({"files": {"lan.yaml": FILE}}, "lan.yaml: Property error: : resources.a.properties.valu: Unknown Property"),
        ({"files": {"lan.yaml": FILE}}, "(line 6)"),
        ({"files": {"lan.yaml": FILE.replace("valu: 1", "value: {get_attr: [b, x]}")}}, "(line 6)"),
        (
            {"files": {"lan.yaml": HEAD + "resource: {}\n"}},
            "lan.yaml: The template section is invalid: resource (line 2)",
        ),
        ({"template": CFN + "Resources:\n  a:\n    Type: AWS::EC2::Instnce\n"}, "AWS::EC2::Instance. (line 4)"),
        (
            {"template": CFN + "Resources:\n  a:\n    Type: OS::Heat::Value\n    Properties:\n      valu: 1\n"},
            "Unknown Property valu (did you mean value?) (line 6)",
        ),
        ({"template": CFN + "Parameters:\n  p: {Type: String}\nResources: {}\n"}, "was not provided. (line 3)"),
    ],
)
def test_mistakes_in_environments_files_and_amazons_templates_have_their_lines(
    cloud: ApiCloud, body: dict[str, Any], words: str
) -> None:
    mia = cloud.new_user("mia", "garden")
    whole = {"stack_name": "rose", "template": HEAD + resource("lan.yaml"), **body}
    assert words in mia.post(at(mia, "/stacks"), whole, 400).json()["error"]["message"]


def test_what_came_as_a_document_has_paths_and_no_lines(cloud: ApiCloud) -> None:
    mia = cloud.new_user("mia", "garden")
    body = {"stack_name": "rose", "template": hot({"a": {"type": "OS::Heat::Value", "properties": {"valu": 1}}})}
    told = mia.post(at(mia, "/stacks"), body, 400).json()["error"]["message"]
    assert told == "Property error: : resources.a.properties.valu: Unknown Property valu (did you mean value?)"
