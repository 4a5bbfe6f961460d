"""Which resource needs which: what ``depends_on`` says, and what functions refer to."""

from __future__ import annotations

from collections.abc import Mapping

from tane.services.orchestration.template.evaluation import references
from tane.services.orchestration.template.model import Template
from tane.services.orchestration.template.values import TemplateError


def order(template: Template) -> dict[str, set[str]]:
    """For each resource the names of those that must be there before it, whether their conditions hold or not.

    :raises TemplateError: one that there is not, or a circle, which is named.
    """
    graph: dict[str, set[str]] = {}
    for name, declared in template.resources.items():
        needed = references(declared.properties, template) | references(declared.metadata, template)
        if declared.external_id is not None and declared.depends_on:
            raise TemplateError(
                f"Invalid dependency with external {declared.type} resource: {declared.external_id}",
                f"resources.{name}.depends_on",
            )
        needed |= set(declared.depends_on)
        for other in needed:
            if other not in template.resources:
                raise TemplateError(f'The specified reference "{other}" (in {name}) is incorrect.', f"resources.{name}")
        graph[name] = set() if declared.external_id is not None else needed
    circle = circle_in(graph)
    if circle:
        words = ", ".join(f"{name}: {{{', '.join(sorted(graph[name]))}}}" for name in sorted(set(circle)))
        raise TemplateError(f"Circular Dependency Found: {{{words}}} ({' -> '.join(circle)})", f"resources.{circle[0]}")
    return graph


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
