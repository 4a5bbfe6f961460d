"""A template from text or from a document."""

from __future__ import annotations

from typing import Any

from tane.services.orchestration.template.model import Output, ResourceDeclaration, Template
from tane.services.orchestration.template.parameters import Parameter
from tane.services.orchestration.template.reading import read
from tane.services.orchestration.template.values import TemplateError

LIMIT = 512 * 1024


def parse(text: str, *, limit: int = LIMIT) -> Template:
    """:raises TemplateError:"""
    if len(text.encode()) > limit:
        raise TemplateError(f"Template size ({len(text)} bytes) exceeds maximum allowed size ({limit} bytes).")
    return parse_document(read(text))


def parse_document(document: dict[str, Any]) -> Template:
    """:raises TemplateError:"""
    return Template(
        kind="hot",
        version=str(document["heat_template_version"]),
        description=document.get("description") or "No description",
        parameters={
            name: Parameter(name, type=one["type"], default=one.get("default"))
            for name, one in (document.get("parameters") or {}).items()
        },
        parameter_groups=(),
        conditions=document.get("conditions") or {},
        resources={
            name: ResourceDeclaration(name, one["type"], one.get("properties"), one.get("metadata"))
            for name, one in (document.get("resources") or {}).items()
        },
        outputs={
            name: Output(name, one.get("value"), one.get("description"))
            for name, one in (document.get("outputs") or {}).items()
        },
        document=document,
    )
