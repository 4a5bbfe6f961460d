"""A scope of plain dictionaries, and short ways to a template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tane.services.orchestration.template import (
    UNKNOWN,
    Template,
    TemplateError,
    condition_of,
    evaluate,
    parse_document,
)

LATEST = "2021-04-16"


class Known:
    """What functions see: nothing but what the test says. ``asked``: the files that were asked for."""

    def __init__(self, template: Template, **known: Any) -> None:
        self.template = template
        self.parameters: dict[str, Any] = known.get("parameters", {})
        self.attributes: dict[str, Any] = known.get("attributes", {})
        self.references: dict[str, str] = known.get("references", {})
        self.files: dict[str, str] = known.get("files", {})

    def parameter(self, name: str) -> Any:
        if name == "OS::stack_name":
            return "garden"
        if name not in self.template.parameters:
            raise TemplateError(f"The Parameter ({name}) was not provided.")
        if self.parameters.get(name) is UNKNOWN:
            return UNKNOWN
        return self.template.parameters[name].value(self.parameters.get(name))

    def reference(self, resource: str) -> Any:
        return self.references.get(resource, UNKNOWN)

    def attribute(self, resource: str, name: str, path: Sequence[Any]) -> Any:
        return self.attributes.get(resource, {}).get(name, UNKNOWN)

    def condition(self, name: str) -> Any:
        return condition_of(self.template, self, name)

    def file(self, name: str) -> str:
        if name not in self.files:
            raise TemplateError(f'No content found in the "files" section for get_file path: {name}')
        return self.files[name]

    def facade(self, key: str) -> Any:
        return {"metadata": {"role": "web"}, "deletion_policy": "Retain", "update_policy": {}}[key]

    def availability_zones(self) -> list[str]:
        return ["nova"]


def hot(value: Any, version: str = LATEST, **sections: Any) -> Template:
    """A template with one output, ``it``."""
    return parse_document({"heat_template_version": version, "outputs": {"it": {"value": value}}, **sections})


def value_of(value: Any, version: str = LATEST, sections: dict[str, Any] | None = None, **known: Any) -> Any:
    template = hot(value, version, **(sections or {}))
    return evaluate(template.outputs["it"].value, Known(template, **known), template, "outputs.it.value")


def aws(value: Any, sections: dict[str, Any] | None = None, **known: Any) -> Any:
    document = {"AWSTemplateFormatVersion": "2010-09-09", "Outputs": {"It": {"Value": value}}, **(sections or {})}
    template = parse_document(document)
    return evaluate(template.outputs["It"].value, Known(template, **known), template, "Outputs.It.Value")


def refused(value: Any, version: str = LATEST, sections: dict[str, Any] | None = None, **known: Any) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        value_of(value, version, sections, **known)
    return caught.value
