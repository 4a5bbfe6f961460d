"""Which resource needs which: what ``depends_on`` says, and what functions refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

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
    return located(TemplateError(f'The specified reference "{other}" (in {place}) is incorrect.', path), template)


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


class Ways:
    """All that each of a graph without circles needs, over others too: a number with one bit for each name."""

    def __init__(self, graph: Mapping[str, set[str]]) -> None:
        self._bits = {name: 1 << place for place, name in enumerate(graph)}
        self._needs: dict[str, int] = {}
        for name in TopologicalSorter(graph).static_order():
            self._needs[name] = self._all(graph[name])

    def _all(self, names: Iterable[str]) -> int:
        found = 0
        for name in names:
            found |= self._bits[name] | self._needs[name]
        return found

    def join(self, name: str, wanted: Iterable[str]) -> set[str]:
        """Let ``name`` need all of ``wanted`` that do not need it themselves, and tell which these are."""
        bit = self._bits[name]
        # What it needs from now on leads away from it: none of them is nearer to it through another.
        added = {other for other in wanted if other != name and not self._needs[other] & bit}
        more = self._all(added)
        if more | self._needs[name] != self._needs[name]:
            for other, needs in self._needs.items():
                if other == name or needs & bit:
                    self._needs[other] = needs | more
        return added
