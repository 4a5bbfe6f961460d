"""Which resource needs which: what ``depends_on`` says, and what functions refer to."""

from __future__ import annotations

from collections.abc import Mapping

from tane.nearest import hint
from tane.services.orchestration.template.evaluation import located, references_at
from tane.services.orchestration.template.model import Scope, Template
from tane.services.orchestration.template.values import TemplateError


def order(template: Template, scope: Scope | None = None) -> dict[str, set[str]]:
    """For each resource the names of those that must be there before it, whether their conditions hold or not. With a
    ``scope`` of each ``if`` only the branch counts that its condition chooses.

    :raises TemplateError: one that there is not, or a circle, which is named.
    """
    graph: dict[str, set[str]] = {}
    resources = "Resources" if template.kind == "cfn" else "resources"
    for name, declared in template.resources.items():
        graph[name] = set() if declared.external_id is not None else set(declared.depends_on)
        if declared.external_id is not None and declared.depends_on:
            raise TemplateError(
                f"Invalid dependency with external {declared.type} resource: {declared.external_id}",
                f"{resources}.{name}",
            )
        for other in declared.depends_on:
            if other not in template.resources:
                key = "DependsOn" if template.kind == "cfn" else "depends_on"
                raise _incorrect(template, other, name, f"{resources}.{name}.{key}")
        for key in ("properties", "metadata"):
            shown = key.capitalize() if template.kind == "cfn" else key
            path = f"{resources}.{name}.{shown}"
            for other, where in references_at(getattr(declared, key), template, path, scope):
                if other not in template.resources:
                    raise _incorrect(template, other, where.removeprefix(f"{resources}."), where)
                if declared.external_id is None:
                    graph[name].add(other)
    circle = circle_in(graph)
    if circle:
        words = " -> ".join(circle)
        error = TemplateError(f"Circular Dependency Found: {words}", f"{resources}.{circle[0]}")
        raise located(error, template)
    return graph


def _incorrect(template: Template, other: str, place: str, path: str) -> TemplateError:
    words = f'The specified reference "{other}" (in {place}) is incorrect.{hint(other, template.resources)}'
    return located(TemplateError(words, path), template)


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """The names of one circle, the first again at its end; empty when there is none."""
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        path, open_names = [start], {start}
        waiting = [iter(sorted(graph[start]))]
        while waiting:
            other = next(waiting[-1], None)
            if other is None:
                waiting.pop()
                left = path.pop()
                open_names.discard(left)
                done.add(left)
            elif other in open_names:
                return [*path[path.index(other) :], other]
            elif other not in done and other in graph:
                path.append(other)
                open_names.add(other)
                waiting.append(iter(sorted(graph[other])))
    return []
