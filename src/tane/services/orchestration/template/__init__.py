"""The template language: HOT and CFN templates and environments, read, checked and evaluated.

A library: it knows no database, no API and no other service. What it needs of them is asked of a :class:`Scope`.
"""

from __future__ import annotations

from tane.services.orchestration.template.constraints import Check
from tane.services.orchestration.template.environments import Environment, merge_environments, parse_environment
from tane.services.orchestration.template.evaluation import condition_of, evaluate, holds, references, settled
from tane.services.orchestration.template.graph import order
from tane.services.orchestration.template.model import Output, ResourceDeclaration, Scope, Template
from tane.services.orchestration.template.parameters import Parameter
from tane.services.orchestration.template.parsing import parse, parse_document
from tane.services.orchestration.template.reading import line_of, steps
from tane.services.orchestration.template.values import UNKNOWN, Taken, TemplateError, select
from tane.services.orchestration.template.versions import functions, versions

__all__ = [
    "UNKNOWN",
    "Check",
    "Environment",
    "Output",
    "Parameter",
    "ResourceDeclaration",
    "Scope",
    "Taken",
    "Template",
    "TemplateError",
    "condition_of",
    "evaluate",
    "functions",
    "holds",
    "line_of",
    "merge_environments",
    "order",
    "parse",
    "parse_document",
    "parse_environment",
    "references",
    "select",
    "settled",
    "steps",
    "versions",
]
