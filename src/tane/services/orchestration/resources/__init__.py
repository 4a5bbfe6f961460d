"""The resource types: one file each, found by their names. They are loaded when the first template is read."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tane.services.orchestration.resources.base import Kind

if TYPE_CHECKING:
    from tane.services.orchestration.template import Environment, Template


@functools.cache
def types() -> Mapping[str, Kind]:
    """Every type by its name."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for value in vars(loaded).values():
            own = isinstance(value, type) and issubclass(value, Kind) and value.__module__ == loaded.__name__
            if own and value.__dict__.get("name"):
                found[value.name] = value()
    return found


def find(name: str) -> Kind | None:
    return types().get(name)


MISSING = {
    "AWS::ElasticLoadBalancing": "Tane has no load balancers.",
    "AWS::S3": "Containers are not made by templates: object storage keeps its rows in a database of its own.",
    "OS::Swift": "Containers are not made by templates: object storage keeps its rows in a database of its own.",
    "AWS::IAM": "Users are made by administrators (OS::Keystone::User); keys with `openstack ec2 credentials create`.",
}
"""Why there are no types of these."""


def nearest(name: str) -> str:
    """Why there is no such type, or a hint at the one that may be meant, or nothing."""
    why = MISSING.get(name.rpartition("::")[0])
    if why is not None:
        return f" {why}"
    close = difflib.get_close_matches(name, types(), 1, 0.8)
    return f" The nearest is {close[0]}." if close else ""


def nested_template(file: str, template: Template, environment: Environment, files: Mapping[str, str]) -> Kind:
    """The type that a file of the client is."""
    from tane.services.orchestration.resources.nested import NestedTemplate

    return NestedTemplate(file, template, environment, files)


def made_by(known_as: str, type_name: str) -> Kind:
    """The type that a resource was made by, from what its row keeps; of a file the part that needs no template."""
    from tane.services.orchestration.resources.nested import OfStack

    found = find(known_as or type_name)
    return OfStack() if found is None else found


def shown() -> list[str]:
    """Names that lists of types give."""
    return sorted(name for name, kind in types().items() if not kind.hidden)
