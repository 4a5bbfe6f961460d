"""A template from text or from a document: its sections, each looked at in Heat's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tane.services.orchestration.template import declaring
from tane.services.orchestration.template.evaluation import check
from tane.services.orchestration.template.graph import circle_in
from tane.services.orchestration.template.model import Output, ResourceDeclaration, Template
from tane.services.orchestration.template.reading import LIMIT, bounded, line_of, read, steps
from tane.services.orchestration.template.values import LONGEST_NAME, Conditional, TemplateError
from tane.services.orchestration.template.versions import AWS, HEAT, HOT, Version, version_of

SECTIONS = {
    "hot": ("description", "parameter_groups", "parameters", "resources", "outputs"),
    "cfn": ("Description", "Mappings", "Parameters", "Resources", "Outputs"),
}
MOST_QUERIES = 50
"""Each is a process."""
RESOURCE_KEYS = (
    "type",
    "properties",
    "metadata",
    "depends_on",
    "deletion_policy",
    "update_policy",
    "description",
    "external_id",
    "condition",
)
AWS_NAMES = {
    "type": "Type",
    "properties": "Properties",
    "metadata": "Metadata",
    "depends_on": "DependsOn",
    "deletion_policy": "DeletionPolicy",
    "update_policy": "UpdatePolicy",
    "description": "Description",
    "condition": "Condition",
    "value": "Value",
}


def parse(text: str, *, limit: int = LIMIT) -> Template:
    """A template from YAML (HOT, CFN) or JSON. ``limit``: the bytes that it may have.

    :raises TemplateError: with line and path of the mistake.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise TemplateError(
            f"Request limit exceeded: Template size ({size} bytes) exceeds maximum allowed size ({limit} bytes)."
        )
    document = read(text, limit=limit)
    try:
        return _template(document, text)
    except TemplateError as error:
        if error.line is None and error.path:
            raise TemplateError(error.message, error.path, line_of(text, steps(error.path))) from None
        raise


def parse_document(document: Mapping[str, Any]) -> Template:
    """A template that was decoded already. :raises TemplateError: with the path of the mistake."""
    return _template(bounded(document), None)


def version_in(document: Any) -> Version:
    """:raises TemplateError: the document is no template, or of no version that there is."""
    if not isinstance(document, Mapping):
        raise TemplateError("The template is not a JSON object or YAML mapping.")
    if not any(key in document for key in (HOT, AWS, HEAT)):
        raise TemplateError("Template format version not found.")
    keys = [key for key in (HOT, AWS, HEAT) if isinstance(document.get(key), str)]
    if len(keys) > 1:
        raise TemplateError(f"The template version is invalid: Ambiguous versions ({', '.join(keys)})")
    if not keys:
        raise TemplateError("The template version is invalid: Template version was not provided")
    return version_of(keys[0], document[keys[0]])


def _template(document: Any, text: str | None) -> Template:
    version = version_in(document)
    if _queries(document, MOST_QUERIES) < 0:
        raise TemplateError(f"A template has at most {MOST_QUERIES} queries (yaql).")
    allowed = [version.key, *SECTIONS[version.kind]]
    if version.has_conditions:
        allowed.append("Conditions" if version.kind == "cfn" else "conditions")
    for section in document:
        if section not in allowed:
            raise TemplateError(f"The template section is invalid: {section}", section)
    reader = _Sections(document, version)
    for name, given in reader.section("resources").items():
        reader.check_keys(name, given)
    parameters = {
        name: declaring.parameter(name, declared, version, f"{reader.named('parameters')}.{name}")
        for name, declared in reader.section("parameters").items()
    }
    groups = document.get("parameter_groups") or ()
    _check_groups(groups, parameters)
    template = Template(
        kind="cfn" if version.kind == "cfn" else "hot",
        version=version.name,
        description=_description(document, version),
        parameters=parameters,
        parameter_groups=groups,
        conditions=reader.conditions(),
        resources={},
        outputs={},
        document=document,
        mappings=reader.section("mappings") if version.kind == "cfn" else {},
        version_key=version.key,
        text=text,
    )
    _check_conditions(template, reader)
    resources = {name: reader.resource(name, given) for name, given in reader.section("resources").items()}
    template = replace(template, resources=resources)
    _check_resources(template, reader)
    outputs = {name: reader.output(name, given) for name, given in reader.section("outputs").items()}
    template = replace(template, outputs=outputs)
    _check_outputs(template, reader)
    both = sorted(set(template.parameters) & set(template.resources))
    if both:
        raise TemplateError(f"Duplicate names {both}", f"{reader.named('resources')}.{both[0]}")
    return template


def _queries(value: Any, left: int) -> int:
    """How many more queries a template may have than it has."""
    if isinstance(value, Mapping):
        left -= "yaql" in value
        for item in value.values():
            left = _queries(item, left) if left >= 0 and isinstance(item, dict | list) else left
    elif isinstance(value, list):
        for item in value:
            left = _queries(item, left) if left >= 0 and isinstance(item, dict | list) else left
    return left


def _description(document: Mapping[str, Any], version: Version) -> str:
    given = document.get("Description" if version.kind == "cfn" else "description")
    return str(given) if given else "No description"


class _Sections:
    """The sections of one document, by their HOT names."""

    def __init__(self, document: Mapping[str, Any], version: Version) -> None:
        self.document, self.version = document, version
        self.cfn = version.kind == "cfn"

    def named(self, name: str) -> str:
        """A section, or a key of a declaration, as this format calls it."""
        if not self.cfn:
            return name
        return AWS_NAMES.get(name, name.capitalize())

    def section(self, name: str) -> Mapping[str, Any]:
        found = self.document.get(self.named(name))
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            raise TemplateError(
                f'"{self.named(name)}" must contain a map of {name[:-1]} maps. Found a [{type(found)}] instead',
                self.named(name),
            )
        return self._named_well(name, found)

    def _named_well(self, section: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in found:
            if len(name) > LONGEST_NAME:
                words = f"A name in {self.named(section)} is longer than {LONGEST_NAME} characters: {name[:64]}…"
                raise TemplateError(words, self.named(section))
        return found

    def conditions(self) -> Mapping[str, Any]:
        if not self.version.has_conditions:
            return {}
        section = self.named("conditions")
        found = self.document.get(section)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            raise TemplateError(f"Condition definitions must be a map. Found a {type(found).__name__} instead", section)
        made: dict[str, Any] = {}
        for name, given in self._named_well("conditions", found).items():
            is_function = isinstance(given, Mapping) and len(given) == 1
            if not isinstance(given, bool) and not (is_function and next(iter(given)) in self._condition_table()):
                raise TemplateError(f'The definition of condition "{name}" is invalid: {given}', f"{section}.{name}")
            made[name] = given if isinstance(given, bool) else Conditional(given)
        return made

    def _condition_table(self) -> Mapping[str, Any]:
        return self.version.condition_functions

    def resource(self, name: str, given: Any) -> ResourceDeclaration:
        path = f"{self.named('resources')}.{name}"
        for key in () if self.cfn or self.version.has_conditions else ("external_id", "condition"):
            if key in given:
                raise TemplateError(f"Invalid keyword(s) inside a resource definition: {key}", f"{path}.{key}")
        if "/" in name:
            raise TemplateError('Resource name may not contain "/"', path)
        field = self._field
        depends = field(name, given, "depends_on", (str, list), "list or string")
        depends = [depends] if isinstance(depends, str) else depends or []
        if not all(isinstance(one, str) for one in depends):
            key = self.named("depends_on")
            raise TemplateError(f"Resource {name} {key} must be a list of strings", f"{path}.{key}")
        return ResourceDeclaration(
            name=name,
            type=self._type(name, given),
            properties=field(name, given, "properties", Mapping, "object"),
            metadata=field(name, given, "metadata", Mapping, "object"),
            depends_on=tuple(depends),
            deletion_policy=self._deletion_policy(name, given),
            update_policy=field(name, given, "update_policy", Mapping, "object"),
            condition=self._condition(name, given),
            external_id=None if self.cfn else field(name, given, "external_id", (str, Mapping), "string"),
            description=field(name, given, "description", str, "string") or "",
        )

    def check_keys(self, name: str, given: Any) -> None:
        path = f"{self.named('resources')}.{name}"
        kind = self.named("type")
        if not given:
            words = "Each Resource must contain a Type key." if self.cfn else "Each resource must contain a type key."
            raise TemplateError(words, path)
        if not isinstance(given, Mapping):
            raise TemplateError(
                f"Resources must contain Resource. Found a [{type(given)}] instead"
                if self.cfn
                else f'"resources" must contain a map of resource maps. Found a [{type(given)}] instead',
                path,
            )
        if not self.cfn:
            for key in given:
                if key not in RESOURCE_KEYS:
                    raise TemplateError(f'"{key}" is not a valid keyword inside a resource definition', f"{path}.{key}")
        if kind not in given:
            words = "Each Resource must contain a Type key." if self.cfn else "Each resource must contain a type key."
            raise TemplateError(words, path)
        if not given[kind]:
            raise TemplateError("Each Resource must contain a Type key.", path)

    def _field(self, name: str, given: Mapping[str, Any], key: str, types: Any, words: str) -> Any:
        key = self.named(key)
        if key not in given:
            return None
        if not isinstance(given[key], types):
            raise TemplateError(
                f"Resource {name} {key} type must be {words}", f"{self.named('resources')}.{name}.{key}"
            )
        return given[key]

    def _type(self, name: str, given: Mapping[str, Any]) -> str:
        return str(self._field(name, given, "type", str, "string"))

    def _deletion_policy(self, name: str, given: Mapping[str, Any]) -> Any:
        found = self._field(name, given, "deletion_policy", (str, Mapping), "string")
        if not isinstance(found, str):
            return found
        policies = self.version.deletion_policies
        if found not in policies:
            path = f"{self.named('resources')}.{name}.{self.named('deletion_policy')}"
            raise TemplateError(f'Invalid deletion policy "{found}"', path)
        return policies[found]

    def _condition(self, name: str, given: Mapping[str, Any]) -> Any:
        if not self.version.has_conditions:
            return None
        words = "string or boolean" if self.cfn else "string_or_boolean"
        found = self._field(name, given, "condition", (str, bool, Mapping), words)
        return Conditional(found) if isinstance(found, Mapping) else found

    def output(self, name: str, given: Any) -> Output:
        path = f"{self.named('outputs')}.{name}"
        if not isinstance(given, Mapping):
            raise TemplateError(f"Output definitions must be a map. Found a {type(given).__name__} instead", path)
        allowed = [self.named(key) for key in ("description", "value")]
        if self.version.has_conditions:
            allowed.append(self.named("condition"))
        for key in given:
            if not self.cfn and key not in allowed:
                raise TemplateError(f'"{key}" is not a valid keyword inside a output definition', f"{path}.{key}")
        if self.named("value") not in given:
            raise TemplateError(f"Each output definition must contain a {self.named('value')} key.", path)
        condition = given.get(self.named("condition")) if self.version.has_conditions else None
        description = given.get(self.named("description"))
        return Output(
            name=name,
            value=given[self.named("value")],
            description=None if description is None else str(description),
            condition=Conditional(condition) if isinstance(condition, Mapping) else condition,
        )


def _check_groups(groups: Any, parameters: Mapping[str, Any]) -> None:
    if not isinstance(groups, list | tuple):
        raise TemplateError("The parameter_groups should be a list.", "parameter_groups")
    grouped: set[Any] = set()
    for index, group in enumerate(groups):
        path = f"parameter_groups[{index}]"
        names = group.get("parameters") if isinstance(group, Mapping) else None
        if names is None:
            raise TemplateError("The parameters must be provided for each parameter group.", path)
        if not isinstance(names, list):
            raise TemplateError("The parameters of parameter group should be a list.", path)
        for name in names:
            if not isinstance(name, str) or name not in parameters:
                raise TemplateError(f"The grouped parameter {name} does not reference a valid parameter.", path)
            if name in grouped:
                raise TemplateError(f"The {name} parameter must be assigned to one parameter group only.", path)
            grouped.add(name)


def _check_conditions(template: Template, reader: _Sections) -> None:
    section = reader.named("conditions")
    for name, definition in template.conditions.items():
        check(definition, template, f"{section}.{name}")
    graph = {name: set(_named_in(one, template.conditions)) for name, one in template.conditions.items()}
    circle = circle_in(graph)
    if circle:
        words = f'Circular definition for condition "{circle[0]}" ({" -> ".join(circle)})'
        raise TemplateError(words, f"{section}.{circle[0]}")


def _named_in(definition: Any, conditions: Mapping[str, Any]) -> Iterator[str]:
    """The conditions that one rests on."""
    if isinstance(definition, str):
        yield from [definition] if definition in conditions else []
    elif isinstance(definition, list):
        for one in definition:
            yield from _named_in(one, conditions)
    elif isinstance(definition, Mapping) and len(definition) == 1:
        name, raw = next(iter(definition.items()))
        if name.removeprefix("Fn::").lower() in ("not", "and", "or"):
            yield from _named_in(raw, conditions)


def _check_resources(template: Template, reader: _Sections) -> None:
    resources = reader.named("resources")
    for name, one in template.resources.items():
        for key in ("properties", "metadata", "deletion_policy", "update_policy", "external_id", "condition"):
            value = getattr(one, key)
            if value is not None:
                check(value, template, f"{resources}.{name}.{reader.named(key)}")
        _check_condition(one.condition, template, f"{resources}.{name}.{reader.named('condition')}")


def _check_outputs(template: Template, reader: _Sections) -> None:
    outputs = reader.named("outputs")
    for name, output in template.outputs.items():
        if output.condition is not None:
            check(output.condition, template, f"{outputs}.{name}.{reader.named('condition')}")
            _check_condition(output.condition, template, f"{outputs}.{name}.{reader.named('condition')}")
        check(output.value, template, f"{outputs}.{name}.{reader.named('value')}")


def _check_condition(condition: Any, template: Template, path: str) -> None:
    if isinstance(condition, str) and condition not in template.conditions:
        raise TemplateError(f'Invalid condition "{condition}"', path)
