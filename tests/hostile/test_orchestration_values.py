"""Whatever value a property of whatever type has, a template is read or refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tane.services.orchestration import resources as types
from tane.services.orchestration.domain import stacks
from tane.services.orchestration.domain.plans import Source
from tane.services.orchestration.template.properties import Property
from tane.web.context import Context
from tane.web.errors import ApiError
from tests.api.orchestration_support import hot
from tests.support import ApiCloud

LATER = ({"get_attr": ["z", "value"]}, {"get_resource": "z"})
"""What is not known before the stack is made."""
Z = {"type": "OS::Heat::Value", "properties": {"value": ["x"]}}
ODD: tuple[Any, ...] = (None, "", "é", 0, -1, 1e308, True, [], [None], [[]], [{}], {}, {"": None}, "9" * 400, "1.2.3.4")


def filled(declared: Property, chance: random.Random, depth: int = 0) -> Any:
    """A value as its declaration has it, with something odd or unknown in it here and there."""
    if chance.random() < 0.15:
        return chance.choice(LATER)
    if chance.random() < 0.1 or depth > 4:
        return chance.choice(ODD)
    schema = declared.schema
    if declared.type == "list":
        inner = schema if isinstance(schema, Property) else Property(type="string")
        return [filled(inner, chance, depth + 1) for _ in range(chance.randint(0, 2))]
    if declared.type == "map":
        known = schema if schema is not None and not isinstance(schema, Property) else {"a": Property(type="string")}
        return {name: filled(one, chance, depth + 1) for name, one in known.items() if chance.random() < 0.6}
    return chance.choice([5, "5"] if declared.type in ("integer", "number") else ["x", "tiny", "10.0.0.0/24", True])


def templates(seed: int, each: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)
    for name in types.shown():
        kind = types.find(name)
        assert kind is not None
        for _ in range(each):
            given = {
                key: filled(one, chance)
                for key, one in kind.properties.items()
                if one.required or chance.random() < 0.4
            }
            yield hot({"r": {"type": name, "properties": given}, "z": Z})


def look(cloud: ApiCloud, asked: Iterator[dict[str, Any]]) -> int:
    """How many were not refused."""
    mia = cloud.new_user("mia", "garden")
    ctx = Context("req-1", user_id=mia.user_id, project_id=mia.project_id, roles=("member", "reader"))
    read = 0
    for template in asked:
        try:
            stacks.preview(cloud.core, ctx, "rose", Source(template=template))
            read += 1
        except ApiError:
            continue
        except Exception as error:
            raise AssertionError(template["resources"]["r"]) from error
    return read


def test_a_few_values_of_each_type(cloud: ApiCloud) -> None:
    assert look(cloud, templates(1, 8)) > 100


@pytest.mark.nightly
def test_many_values_of_each_type(cloud: ApiCloud) -> None:
    assert look(cloud, templates(2, 400)) > 1000


@pytest.mark.parametrize(
    "resource",
    [
        {"type": "OS::Heat::ResourceGroup", "properties": {"count": 2, "resource_def": LATER[0]}},
        {
            "type": "OS::Heat::ResourceGroup",
            "properties": {"count": 2, "index_var": LATER[0], "resource_def": {"type": "OS::Heat::None"}},
        },
        {"type": "OS::Heat::AccessPolicy", "properties": {"AllowedResources": [{}]}},
    ],
)
def test_what_was_a_fault_once(cloud: ApiCloud, resource: dict[str, Any]) -> None:
    look(cloud, iter([hot({"r": resource, "z": Z})]))
