"""Functions resolved: the values of a template as they are now; what they refer to; whether their arguments can be so.

A function stands in a template as a map of one entry. Which names are functions follows from the template's version,
and from whether it stands in a condition. What functions make is counted: a short template can ask for more than any
memory has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tane.services.orchestration.template import effort
from tane.services.orchestration.template.model import ResourceDeclaration, Scope, Template
from tane.services.orchestration.template.reading import DEPTH, line_of, steps
from tane.services.orchestration.template.values import (
    ABSENT,
    UNKNOWN,
    Conditional,
    TemplateError,
    below,
    holds_unknown,
)

LARGEST = 16 * 1024 * 1024
"""Characters and values that functions may make in one evaluation."""
MOST_WORK = 512 * 1024 * 1024
"""Characters that they may look at."""


class Nested:
    """Stands for a function among the arguments of another one, where only their shape is looked at."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return repr(self.raw)


Shape = Callable[[str, Any], None]


@dataclass(frozen=True)
class Function:
    """``shape``, ``usage``: look at the arguments before they are resolved; functions among them are ``Nested``. What
    ``usage`` finds is told after all shapes are right. ``result``: of the call. ``lazy``: it resolves its arguments
    itself, and only those that it needs. ``sealed``: its arguments do not matter."""

    description: str
    result: Callable[[Call], Any]
    shape: Shape | None = None
    lazy: bool = False
    usage: Shape | None = None
    sealed: bool = False


Table = Mapping[str, Function]


class Call:
    """One function with its arguments: ``raw`` as they stand, ``args`` resolved (``raw`` for lazy functions)."""

    __slots__ = ("args", "evaluation", "name", "path", "raw")

    def __init__(self, evaluation: Evaluation, name: str, raw: Any, path: str) -> None:
        self.evaluation, self.name, self.raw, self.path = evaluation, name, raw, path
        self.args: Any = raw

    @property
    def scope(self) -> Scope:
        return self.evaluation.scope

    @property
    def template(self) -> Template:
        return self.evaluation.template

    def resolve(self, raw: Any, at: str = "", *, nullable: bool = False) -> Any:
        """``at``: where among the arguments, as it stands in paths."""
        return self.evaluation.resolve(raw, f"{self.path}{at}", nullable=nullable)

    def work(self, amount: int) -> None:
        """Say before how many characters are to be looked at."""
        self.evaluation.budget.work(amount)

    def grow(self, amount: int) -> None:
        """Say before how many characters or values are to be made."""
        self.evaluation.budget.grow(amount)


class Budget:
    """What one evaluation may still make and look at; what it is a part of has an end too."""

    def __init__(self) -> None:
        self.whole = effort.CURRENT.get()
        self.left, self.work_left = LARGEST, MOST_WORK

    def grow(self, amount: int) -> None:
        self.left -= amount
        if self.whole is not None:
            self.whole.make(amount)
        if self.left < 0:
            raise TemplateError(f"The functions of the template make values of more than {LARGEST} bytes.")

    def work(self, amount: int) -> None:
        self.work_left -= amount
        if self.whole is not None:
            self.whole.see(amount)
            self.whole.look()
        if self.work_left < 0:
            raise TemplateError("The functions of the template take too long.")


class Evaluation:
    def __init__(self, scope: Scope, template: Template, table: Table, budget: Budget | None = None) -> None:
        self.scope, self.template, self.table, self.budget = scope, template, table, budget or Budget()

    def condition(self, raw: Any, path: str) -> Any:
        """Whether the condition holds that stands among the arguments of a function: its name, a boolean, a function of
        conditions. UNKNOWN where it rests on a parameter that is not known."""
        if isinstance(raw, Mapping):
            table = table_of(self.template, conditions=True)
            raw = Evaluation(self.scope, self.template, table, self.budget).resolve(raw, path)
        return self.named(raw)

    def named(self, found: Any) -> Any:
        """Whether the condition holds that was resolved to its name, or to a boolean."""
        if isinstance(found, bool) or found is UNKNOWN:
            return found
        if not isinstance(found, str) or found not in self.template.conditions:
            raise TemplateError(f'Invalid condition "{found}"')
        return self.scope.condition(found)

    def resolve(self, value: Any, path: str, *, nullable: bool = False) -> Any:
        if isinstance(value, Mapping):
            called = function_in(value, self.table)
            if called is not None:
                found = self._call(called, value[called], below(path, called))
                return None if found is ABSENT and not nullable else found
            made = {}
            for key, item in value.items():
                found = self.resolve(item, below(path, key), nullable=True)
                if found is not ABSENT:
                    made[key] = found
            return made
        if isinstance(value, list | tuple):
            items = (self.resolve(item, below(path, index), nullable=True) for index, item in enumerate(value))
            return [item for item in items if item is not ABSENT]
        return value

    def _call(self, name: str, raw: Any, path: str) -> Any:
        function = self.table[name]
        call = Call(self, name, raw, path)
        try:
            effort.look()
            for looked_at in (function.shape, function.usage):
                if looked_at is not None:
                    looked_at(name, shallow(raw, self.table))
            if not function.lazy:
                call.args = self.resolve(raw, path)
                if call.args is UNKNOWN or holds_unknown(call.args):
                    return UNKNOWN
            found = function.result(call)
        except TemplateError as error:
            raise error if error.path else TemplateError(error.message, path, error.line) from None
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
            raise TemplateError(words(error), path) from None
        self._count(found, path, 0)
        return found

    def _count(self, value: Any, path: str, depth: int) -> None:
        if depth > DEPTH:
            raise TemplateError(f"Values are nested deeper than {DEPTH} levels.", path)
        self.budget.grow(1 + (len(value) if isinstance(value, str) else 0))
        if self.budget.whole is not None:
            self.budget.whole.make(effort.NODE)
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.budget.grow(len(key) if isinstance(key, str) else 1)
                self._count(item, path, depth + 1)
        elif isinstance(value, list | tuple):
            for item in value:
                self._count(item, path, depth + 1)


def words(error: Exception) -> str:
    """What an error says; that of a missing key says it in quotes otherwise."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)


def function_in(value: Mapping[str, Any], table: Table) -> str | None:
    """The name of the function that a map is; None when it is only a map."""
    if len(value) != 1:
        return None
    name = next(iter(value))
    return name if name in table else None


def shallow(raw: Any, table: Table) -> Any:
    """Arguments with the functions among them, or in their place, as ``Nested``."""
    if isinstance(raw, Mapping):
        if function_in(raw, table) is not None:
            return Nested(raw)
        return {key: _seen(item, table) for key, item in raw.items()}
    if isinstance(raw, list | tuple):
        return [_seen(item, table) for item in raw]
    return raw


def _seen(item: Any, table: Table) -> Any:
    return Nested(item) if isinstance(item, Mapping) and function_in(item, table) is not None else item


def table_of(template: Template, *, conditions: bool = False) -> Table:
    from tane.services.orchestration.template.versions import version_of

    version = version_of(template.version_key, template.version)
    return version.condition_functions if conditions else version.functions


def evaluate(value: Any, scope: Scope, template: Template, path: str = "") -> Any:
    """``value`` with all functions of the template's version resolved. ``path``: where it stands in the template.

    :raises TemplateError: with its path, and its line where ``path`` is given and the template was read from text.
    """
    table = table_of(template, conditions=isinstance(value, Conditional))
    try:
        return Evaluation(scope, template, table).resolve(value, path)
    except RecursionError:
        raise TemplateError("Functions are nested too deep.", path) from None
    except TemplateError as error:
        raise located(error, template) from None


def located(error: TemplateError, template: Template) -> TemplateError:
    """The mistake with its line, where it can be known."""
    if error.line is None and error.path and template.text is not None:
        return TemplateError(error.message, error.path, line_of(template.text, steps(error.path)))
    return error


def holds(condition: Any, scope: Scope, template: Template, path: str = "") -> Any:
    """Whether a condition holds that stands at a resource or output: a name, a boolean, a function, or None for always;
    UNKNOWN where it rests on a parameter that is not known. :raises TemplateError:"""
    if condition is None or isinstance(condition, bool):
        return condition is not False
    try:
        return Evaluation(scope, template, {}).condition(condition, path)
    except TemplateError as error:
        raise located(error if error.path else TemplateError(error.message, path), template) from None


def settled(declared: ResourceDeclaration, scope: Scope, template: Template) -> ResourceDeclaration:
    """A declaration with what parameters alone decide and is asked for before anything is made: the deletion policy,
    and the id of a resource that is there already. :raises TemplateError:"""
    from tane.services.orchestration.template.versions import version_of

    path = f"{'Resources' if template.kind == 'cfn' else 'resources'}.{declared.name}"
    policy, external_id = declared.deletion_policy, declared.external_id
    if isinstance(external_id, Mapping):
        external_id = evaluate(external_id, scope, template, f"{path}.external_id")
    if isinstance(policy, Mapping):
        key = "DeletionPolicy" if template.kind == "cfn" else "deletion_policy"
        given = evaluate(policy, scope, template, f"{path}.{key}")
        known = version_of(template.version_key, template.version).deletion_policies
        if given is not None and given is not UNKNOWN and (not isinstance(given, str) or given not in known):
            raise located(TemplateError(f'Invalid deletion policy "{given}"', f"{path}.{key}"), template)
        policy = known[given] if isinstance(given, str) else None
    return replace(declared, deletion_policy=policy, external_id=external_id)


def condition_of(template: Template, scope: Scope, name: str) -> Any:
    """Whether the condition of that name holds, which a scope's ``condition`` may be made of; UNKNOWN where it rests on
    a parameter that is not known. The scope has to see to conditions that rest on themselves.

    :raises TemplateError: there is none, or it is neither true nor false.
    """
    if name not in template.conditions:
        raise TemplateError(f'Invalid condition "{name}"')
    definition = template.conditions[name]
    path = f"{'Conditions' if template.kind == 'cfn' else 'conditions'}.{name}"
    if isinstance(definition, bool):
        return definition
    found = evaluate(Conditional(definition), scope, template, path) if isinstance(definition, Mapping) else None
    if isinstance(found, bool) or found is UNKNOWN:
        return found
    raise located(TemplateError(f'The definition of condition "{name}" is invalid: {found}', path), template)


def references(value: Any, template: Template, scope: Scope | None = None) -> set[str]:
    """The names of the resources that a value refers to. With a ``scope`` only what conditions choose is looked at."""
    return {name for name, _ in references_at(value, template, scope=scope)}


def references_at(
    value: Any, template: Template, path: str = "", scope: Scope | None = None
) -> Iterator[tuple[str, str]]:
    """The names of the resources that a value refers to, each with where."""
    yield from _references(value, template, table_of(template), path, scope)


def _references(
    value: Any, template: Template, table: Table, path: str, scope: Scope | None
) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        called = function_in(value, table)
        if called is not None:
            raw = value[called]
            if scope is not None and called in ("if", "Fn::If") and isinstance(raw, list) and len(raw) > 1:
                raw = _chosen(raw, template, scope)
            named = _named(called, raw, template)
            if named is not None:
                yield named, path
            yield from _references(raw, template, table, below(path, called), scope)
            return
        for key, item in value.items():
            yield from _references(item, template, table, below(path, key), scope)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _references(item, template, table, below(path, index), scope)


def _chosen(raw: list[Any], template: Template, scope: Scope) -> list[Any]:
    condition = holds(raw[0], scope, template)
    if condition is UNKNOWN:
        return raw[1:]
    return raw[1:2] if condition else raw[2:3]


def _named(called: str, raw: Any, template: Template) -> str | None:
    if called == "get_resource" or (called == "Ref" and isinstance(raw, str) and raw in template.resources):
        return raw if isinstance(raw, str) else None
    if called in ("get_attr", "Fn::GetAtt"):
        first = raw[0] if isinstance(raw, list) and raw else raw
        return first if isinstance(first, str) else None
    return None


def check(value: Any, template: Template, path: str) -> None:
    """See whether the arguments of all functions in a value can be right; what stands in an ``if`` is left until it is
    known which branch counts.

    :raises TemplateError: with its path.
    """
    table = table_of(template, conditions=isinstance(value, Conditional))
    for usage in (False, True):
        _check(value, template, table, path, usage)


def _check(value: Any, template: Template, table: Table, path: str, usage: bool) -> None:
    if isinstance(value, Mapping):
        called = function_in(value, table)
        if called is not None:
            _check_call(called, value[called], template, table, below(path, called), usage)
            return
        for key, item in value.items():
            _check(item, template, table, below(path, key), usage)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, template, table, below(path, index), usage)


def _check_call(name: str, raw: Any, template: Template, table: Table, path: str, usage: bool) -> None:
    """What is inside first, as upstream."""
    function = table[name]
    chooses = name in ("if", "Fn::If")
    if not chooses and not (usage and function.sealed):
        _check(raw, template, table, path, usage)
    looked_at = function.usage if usage else function.shape
    try:
        if looked_at is not None:
            looked_at(name, shallow(raw, table))
        if chooses and not usage:
            _check(raw[0], template, table_of(template, conditions=True), path, usage)
            if isinstance(raw[0], str) and raw[0] not in template.conditions:
                raise TemplateError(f'Invalid condition "{raw[0]}"')
    except TemplateError as error:
        raise error if error.path else TemplateError(error.message, path) from None
    except (ValueError, TypeError, KeyError) as error:
        raise TemplateError(words(error), path) from None
