"""What a stack is to be: its template with the environment and the parameters it was given, and the graph of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane import wildcards
from tane.core import Core
from tane.services.orchestration import resources
from tane.services.orchestration.domain import masking
from tane.services.orchestration.domain.common import MASK, TEMPLATE_BYTES, RequestLimitExceeded, StackValidationFailed
from tane.services.orchestration.resources.base import Kind
from tane.services.orchestration.template import (
    UNKNOWN,
    Environment,
    ResourceDeclaration,
    Template,
    TemplateError,
    effort,
    line_of,
    order,
    parse,
    parse_document,
    parse_environment,
    settled,
    steps,
)
from tane.services.orchestration.template.versions import AWS, HEAT, HOT

MEMORY = "orchestration.plans"
MOST_KEPT, MOST_BYTES = 32, 4 * 1024 * 1024
"""Plans that are kept for the next step, and bytes of what they were made of: in memory they are many times that."""
MOST_MAPPINGS = 10
NOT_KNOWN = "OS::unknown"
"""The parameter that stands in a generated template, and in what it is given, for a value that is not known yet."""
ENDINGS = (".yaml", ".yml", ".template", ".json")
NAMED = ("Circular Dependency", "The specified reference", "Property error")
Check = Callable[[str, Any], str | None]


class Source(msgspec.Struct, kw_only=True):
    """What a stack is made of, as it is kept: the template as a document, files by name, the environment merged."""

    template: dict[str, Any]
    files: dict[str, str] = {}
    environment: dict[str, Any] = {}

    def given(self) -> dict[str, Any]:
        """What a nested stack takes over."""
        return {"environment": self.environment, "files": self.files}


@dataclass
class Plan:
    """``resources`` are those whose condition holds; ``graph``: name → names of what must be there before it."""

    template: Template
    environment: Environment
    files: Mapping[str, str]
    parameters: dict[str, Any]
    conditions: dict[str, bool] = field(default_factory=dict)
    resources: dict[str, ResourceDeclaration] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    graph: dict[str, set[str]] = field(default_factory=dict)
    needed_by: dict[str, set[str]] = field(default_factory=dict)
    """The graph the other way round."""
    found: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """What was looked up for a user: (user, kind, name or id) → id."""
    check: Check | None = None
    """Of custom constraints, as the request that the plan is of asked so far."""
    size: int = 0
    """Bytes of what it was made of."""
    _secrets: frozenset[str] | None = None
    of_files: dict[str, Kind] = field(default_factory=dict)
    """The types that are files, which many resources may have."""

    def kind(self, type_name: str, resource_name: str) -> Kind:
        """The type that a declaration means here: mappings of the environment, then ours, then files."""
        return kind_of(self, type_name, resource_name)

    def check_external(self) -> None:
        """:raises StackValidationFailed: ``external_id`` of a type that keeps rows of its own, or of which an id does
        not tell what it stands for."""
        for name, declared in self.resources.items():
            kind = self.kinds[name]
            if declared.external_id is not None and kind.essential:
                raise StackValidationFailed(
                    f"resources.{name}: external_id is not possible for {declared.type}: it does not tell "
                    f"{' and '.join(kind.essential)}.",
                    path=f"resources.{name}.external_id",
                )
            if declared.external_id is not None and not kind.adopts:
                raise StackValidationFailed(
                    f"resources.{name}: external_id is not possible for {declared.type}: what it stands for is kept by "
                    "its stack, and belongs to no other.",
                    path=f"resources.{name}.external_id",
                )

    def secrets(self) -> frozenset[str]:
        """The values of hidden parameters, as they may stand in texts."""
        if self._secrets is None:
            hidden = [name for name, parameter in self.template.parameters.items() if parameter.hidden]
            found = {one for name in hidden for one in masking.strings(self.parameters.get(name))}
            self._secrets = frozenset(one for one in found if one not in MASK)
        return self._secrets

    def hooks(self, name: str) -> set[str]:
        """The hooks of a resource that the environment sets."""
        return self._set_for(name, "hooks")

    def restricted(self, name: str) -> set[str]:
        """The actions that the environment forbids for a resource."""
        return self._set_for(name, "restricted_actions")

    def _set_for(self, name: str, what: str) -> set[str]:
        found: set[str] = set()
        for pattern, values in (self.environment.resource_registry.get("resources") or {}).items():
            words = values.get(what) if isinstance(values, Mapping) else None
            if words and _is_meant(pattern, name):
                found.update([words] if isinstance(words, str) else words)
        return found


def _is_meant(pattern: str, resource_name: str) -> bool:
    effort.look()
    return wildcards.matches(pattern, resource_name)


def refused(error: TemplateError) -> StackValidationFailed:
    """A mistake of a template as the API tells it, with its place."""
    where = f" (line {error.line})" if error.line else ""
    section = error.path.partition(".")[0].lower()
    # Heat tells the place of what is in these, where the words do not name it already.
    named = section != "outputs" and error.message.startswith(NAMED)
    placed = section in ("resources", "outputs", "conditions") and not named
    place = f"{error.path}: " if placed and error.path not in error.message else ""
    return StackValidationFailed(f"{place}{error.message}{where}", path="" if where else error.path)


@contextmanager
def placed(template: Any, environment: Any = None, *, within: str = "", path: str = "") -> Iterator[None]:
    """Tell mistakes with their lines, where what was sent is text: what is made of it knows places by their paths
    alone. ``within``: what is read, where it is not the request itself; ``path``: where that stands in the request,
    whose line is told where what is read has none of its own."""
    try:
        yield
    except StackValidationFailed as error:
        text = template if error.of_template else environment
        line = _line(text, error.path) if isinstance(text, str) and error.path else None
        where = f" (line {line})" if line else ""
        named = f"{within}: " if within and within not in error.message else ""
        words = f"{named}{error.message}{where}"
        raise StackValidationFailed(words, type=error.type, path="" if where else path) from None


def _line(text: str, path: str) -> int | None:
    """Rules know a property by HOT's words, also in CloudFormation's templates."""
    parts = steps(path)
    amazons = [str(one).capitalize() if number in (0, 2) else one for number, one in enumerate(parts)]
    return line_of(text, parts) or line_of(text, amazons)


def read_template(text: str | Mapping[str, Any]) -> Template:
    """:raises StackValidationFailed: :raises RequestLimitExceeded:"""
    if isinstance(text, str):
        whole = text.encode("utf-8", "surrogatepass")
        if len(whole) > TEMPLATE_BYTES:
            raise RequestLimitExceeded(
                f"Request limit exceeded: Template size ({len(whole)} bytes) exceeds maximum allowed size "
                f"({TEMPLATE_BYTES} bytes)."
            )
        given = text
        return _read_once("text", whole, lambda: parse(given))
    whole = msgspec.json.encode(text, enc_hook=repr)
    if len(whole) > TEMPLATE_BYTES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: Template exceeds maximum allowed size ({TEMPLATE_BYTES} bytes)."
        )
    document = dict(text)
    return _read_once("document", whole, lambda: parse_document(document))


def _read_once(what: str, whole: bytes, read: Callable[[], Template]) -> Template:
    try:
        return effort.once(what, whole, read)
    except TemplateError as error:
        raise refused(error) from None


def read_environment(text: str | Mapping[str, Any]) -> Environment:
    try:
        if isinstance(text, str):
            effort.read(len(text))
        return parse_environment(text)
    except TemplateError as error:
        found = refused(error)
        found.of_template = False
        raise found from None


def registered(environment: Environment, type_name: str, resource_name: str) -> str:
    """The type, or file, that a type stands for. :raises StackValidationFailed: mappings go round in a ring."""
    effort.look()
    registry = environment.resource_registry
    seen: list[str] = []
    for pattern, values in (registry.get("resources") or {}).items():
        if isinstance(values, Mapping) and _is_meant(pattern, resource_name):
            mapped = _mapped(values, type_name)
            if mapped is not None:
                type_name = mapped
                break
    while (mapped := _mapped(registry, type_name)) is not None and mapped != type_name:
        seen.append(type_name)
        if len(seen) > MOST_MAPPINGS or mapped in seen:
            words = f"There is a loop in the resource_registry: {' -> '.join([*seen, mapped])}"
            raise StackValidationFailed(words, path=f"resource_registry.{seen[0]}", of_template=False)
        type_name = mapped
    return type_name


def _mapped(registry: Mapping[str, Any], type_name: str) -> str | None:
    found = registry.get(type_name)
    if isinstance(found, str):
        return found or None
    best = ""
    for pattern, target in registry.items():
        wild = isinstance(target, str) and pattern.endswith("*") and type_name.startswith(pattern[:-1])
        if wild and len(pattern) > len(best):
            best = pattern
    if not best:
        return None
    target = str(registry[best])
    return target[:-1] + type_name[len(best) - 1 :] if target.endswith("*") else target


def is_file(type_name: str) -> bool:
    return type_name.endswith(ENDINGS) or "://" in type_name


def kind_of(plan: Plan, type_name: str, resource_name: str) -> Kind:
    """:raises StackValidationFailed: there is no such type; the nearest is named."""
    environment, files = plan.environment, plan.files
    target = registered(environment, type_name, resource_name)
    if target in files and not target.startswith(("OS::", "AWS::")):
        if target not in plan.of_files:
            with placed(files[target], within=target):
                template = read_template(files[target])
            plan.of_files[target] = resources.nested_template(target, template, environment, files)
        return plan.of_files[target]
    if is_file(target):
        words = f"Could not fetch contents for {target}: the client has not sent it in 'files'"
        raise StackValidationFailed(words, path=_path(plan, "resources", resource_name, "type"))
    found = resources.find(target)
    if found is None:
        words = f"The Resource Type ({type_name[:255]}) could not be found.{resources.hint(target)}"
        raise StackValidationFailed(words, path=_path(plan, "resources", resource_name, "type"))
    return found


def _path(plan: Plan, *steps: str) -> str:
    """Of sections and keys of HOT, as the plan's template writes them; the second one is a user's name."""
    cfn = plan.template.kind == "cfn"
    return ".".join(one.capitalize() if cfn and number != 1 else one for number, one in enumerate(steps))


def make(
    source: Source,
    scope: Callable[[Plan], Any],
    check: Check | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    strict: bool = True,
    guessed: bool = False,
) -> Plan:
    """Read a source whole.

    ``scope``: makes the scope in which conditions are resolved. ``check``: of custom constraints; None where they held
    already. ``values``: parameter values where they are known. ``strict``: parameters without a value are refused.
    ``guessed``: whether values may be :data:`NOT_KNOWN`, as in what is only looked at.

    :raises StackValidationFailed: with Heat's words.
    """
    template = read_template(source.template)
    environment = read_environment(source.environment)
    plan = Plan(template, environment, source.files, {})
    try:
        plan.parameters = _parameters(plan, check, values, strict, guessed)
        within = scope(plan)
        plan.conditions = {name: bool(within.condition(name)) for name in template.conditions}
        plan.resources = {
            name: settled(declared, within, template)
            for name, declared in template.resources.items()
            if _holds(declared.condition, within, plan)
        }
        for name, declared in plan.resources.items():
            plan.kinds[name] = plan.kind(declared.type, name)
        plan.graph = _graph(plan, within)
        for name, needs in plan.graph.items():
            for other in needs:
                plan.needed_by.setdefault(other, set()).add(name)
    except TemplateError as error:
        raise refused(error) from None
    return plan


def sketch(source: Mapping[str, Any]) -> Plan:
    """As far as parameters go what a source that is kept is: its resources, and its files, are not looked at.

    :raises StackValidationFailed: it is no template any more.
    """
    document = source.get("template") or {}
    declared = {key: document[key] for key in (HOT, AWS, HEAT, "parameters", "Parameters") if key in document}
    plan = Plan(read_template(declared), read_environment(source.get("environment") or {}), {}, {})
    try:
        plan.parameters = _parameters(plan, None, None, strict=False, guessed=False)
    except TemplateError as error:
        raise refused(error) from None
    return plan


def _holds(condition: Any, within: Any, plan: Plan) -> bool:
    from tane.services.orchestration.template import evaluate

    if condition is None:
        return True
    if isinstance(condition, bool):
        return condition
    if isinstance(condition, str):
        return bool(within.condition(condition))
    return bool(evaluate(condition, within, plan.template))


def _is_guess(value: Any) -> bool:
    """Whether something in it is not known yet."""
    if isinstance(value, Mapping):
        return value.get("get_param") == NOT_KNOWN or any(map(_is_guess, value.values()))
    return isinstance(value, list) and any(map(_is_guess, value))


def _parameters(
    plan: Plan, check: Check | None, values: Mapping[str, Any] | None, strict: bool, guessed: bool
) -> dict[str, Any]:
    given, defaults = plan.environment.parameters, plan.environment.parameter_defaults
    unknown = [name for name in given if name not in plan.template.parameters]
    if unknown and strict:
        words = f"The Parameter ({unknown[0]}) was not defined in template."
        raise StackValidationFailed(words, path=f"parameters.{unknown[0]}", of_template=False)
    found: dict[str, Any] = {}
    for name, parameter in plan.template.parameters.items():
        if values is not None and name in values:
            found[name] = values[name]
            continue
        wanted = given.get(name, defaults.get(name))
        if guessed and _is_guess(wanted):
            found[name] = UNKNOWN
            continue
        if wanted is None and parameter.default is None:
            if strict and name not in given:
                words = f"The Parameter ({name}) was not provided."
                raise StackValidationFailed(words, path=_path(plan, "parameters", name))
            found[name] = None
            continue
        effort.look()
        try:
            found[name] = parameter.value(wanted, check)
        except TemplateError as error:
            raise TemplateError(error.message, _path(plan, "parameters", name)) from None
        effort.weigh(found[name])
    return found


def _graph(plan: Plan, within: Any) -> dict[str, set[str]]:
    full = order(plan.template, within)
    graph = {name: {other for other in full.get(name, ()) if other in plan.resources} for name in plan.resources}
    wanted: dict[str, set[str]] = {}
    for name, declared in plan.resources.items():
        properties = declared.properties if isinstance(declared.properties, Mapping) else {}
        for other in plan.kinds[name].needs(name, properties, plan):
            if other in plan.resources and other != name:
                wanted.setdefault(name, set()).add(other)
    _add_needs(graph, wanted)
    return graph


def _add_needs(graph: dict[str, set[str]], wanted: Mapping[str, set[str]]) -> None:
    """Let each resource wait for those that it ``wanted``, but for those that wait for it, over others too.

    Who waits for whom is kept as a number with a bit for each resource: as many steps as pairs, whatever the graph.
    """
    if not wanted:
        return
    bits = {name: 1 << number for number, name in enumerate(graph)}
    waits: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():
        waits[name] = 0
        for other in graph[name]:
            waits[name] |= bits[other] | waits[other]
    for name, others in wanted.items():
        effort.look()
        new = [other for other in others if not waits[other] & bits[name]]
        reached = 0
        for other in new:
            graph[name].add(other)
            reached |= bits[other] | waits[other]
        for before, there in waits.items():
            if before == name or there & bits[name]:
                waits[before] |= reached


def remembered(core: Core, stack: Row[Any], build: Callable[[], Plan]) -> Plan:
    """The plan of what the stack is to be now; kept for the many resources of one action of the stack."""
    kept: OrderedDict[tuple[str, str], Plan] = core.memory.setdefault(MEMORY, OrderedDict())
    key = (stack.id, stack.traversal)
    plan = kept.get(key)
    if plan is None:
        plan = build()
        kept[key] = plan
        while len(kept) > MOST_KEPT or (len(kept) > 1 and sum(one.size for one in list(kept.values())) > MOST_BYTES):
            try:
                kept.popitem(last=False)
            except KeyError:
                break
    return plan
