"""A mistake in a template is told with its place, before anything is made."""

from __future__ import annotations

import pytest

from tests.api.orchestration_support import at
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
            "Property error: : resources.a.properties.valu: Unknown Property valu (did you mean value?)",
        ),
        (
            "resources:\n  a: {type: OS::Heat::Value, properties: {value: {get_param: nope}}}\n",
            "Property error: : resources.a.properties.value: : The Parameter (nope) was not provided.",
        ),
        (
            "resources:\n  a: {type: OS::Heat::None, depends_on: b}\n  b: {type: OS::Heat::None, depends_on: a}\n",
            "Circular Dependency Found: a -> b -> a",
        ),
        ("resources:\n  a: {type: OS::Heat::None}\n  a: {type: OS::Heat::Value}\n", "(line 4)"),
        (
            "resources:\n  a: {type: OS::Heat::RandomString}\noutputs:\n  o:\n    value: {get_attr: [a, nope]}\n",
            "outputs.o.value.get_attr: The Referenced Attribute (a nope) is incorrect.",
        ),
        (
            "resources:\n  a: {type: OS::Heat::RandomString}\noutputs:\n  o:\n    value: {get_attr: [b, value]}\n",
            'outputs.o.value.get_attr: The specified reference "b" (in unknown) is incorrect.',
        ),
        (
            "resources:\n  a: {type: OS::Heat::RandomString}\noutputs:\n  o:\n    value: {get_resource: b}\n",
            'outputs.o.value.get_resource: The specified reference "b" (in unknown) is incorrect.',
        ),
        ("nonsense: 1\n", "The template section is invalid: nonsense (line 2)"),
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
