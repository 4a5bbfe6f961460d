"""The versions of the format, and what each of them has: functions, sections, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tane.services.orchestration.template.builtin import conditions, lists, text, values
from tane.services.orchestration.template.evaluation import Function
from tane.services.orchestration.template.values import TemplateError

HOT, AWS, HEAT = "heat_template_version", "AWSTemplateFormatVersion", "HeatTemplateFormatVersion"


@dataclass(frozen=True)
class Version:
    """One version of one format. ``condition_functions``: with those that conditions may not call, marked so."""

    key: str
    name: str
    kind: str
    functions: Mapping[str, Function]
    condition_functions: Mapping[str, Function] = field(default_factory=dict)
    has_conditions: bool = False
    has_modulo: bool = False
    has_tags: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def deletion_policies(self) -> dict[str, str]:
        known = {"Delete": "Delete", "Retain": "Retain", "Snapshot": "Snapshot"}
        lower = {name.lower(): name for name in known} if self.kind == "hot" and self.has_conditions else {}
        return {**known, **lower}


AWS_FUNCTIONS: dict[str, Function] = {
    "Fn::FindInMap": values.FIND_IN_MAP,
    "Fn::GetAZs": values.GET_AZS,
    "Ref": values.REF,
    "Fn::GetAtt": values.GET_ATT,
    "Fn::Select": lists.SELECT,
    "Fn::Join": text.JOIN,
    "Fn::Split": text.AWS_SPLIT,
    "Fn::Replace": text.AWS_REPLACES,
    "Fn::Base64": text.BASE64,
    "Fn::MemberListToMap": lists.MEMBERS_TO_MAP,
    "Fn::ResourceFacade": values.FACADE_OF,
}
AWS_CONDITIONS: dict[str, Function] = {
    "Fn::Equals": conditions.EQUALS,
    "Ref": values.PARAM_REF,
    "Fn::FindInMap": values.FIND_IN_MAP,
    "Fn::Not": conditions.AWS_NOT,
    "Fn::And": conditions.AND,
    "Fn::Or": conditions.OR,
}
FIRST: dict[str, Function] = {
    "Fn::GetAZs": values.GET_AZS,
    "get_param": values.GET_PARAM,
    "get_resource": values.GET_RESOURCE,
    "Ref": values.REF,
    "get_attr": values.GET_ATTR,
    "Fn::Select": lists.SELECT,
    "Fn::Join": text.JOIN,
    "list_join": text.JOIN,
    "Fn::Split": text.AWS_SPLIT,
    "str_replace": text.REPLACE,
    "Fn::Replace": text.AWS_REPLACES,
    "Fn::Base64": text.BASE64,
    "Fn::MemberListToMap": lists.MEMBERS_TO_MAP,
    "resource_facade": values.FACADE_OF,
    "Fn::ResourceFacade": values.FACADE_OF,
    "get_file": values.GET_FILE,
}
REMOVED_2014 = (
    "Fn::GetAZs",
    "Fn::Join",
    "Fn::Split",
    "Fn::Replace",
    "Fn::Base64",
    "Fn::MemberListToMap",
    "Fn::ResourceFacade",
    "Ref",
)
CONDITIONS: dict[str, Function] = {
    "get_param": values.GET_PARAM,
    "equals": conditions.EQUALS,
    "not": conditions.NOT,
    "and": conditions.AND,
    "or": conditions.OR,
}


def _after(before: Version, name: str, added: Mapping[str, Function], **changes: Any) -> Version:
    """The next version: what the one before had, with ``added``."""
    return replace(before, name=name, functions={**before.functions, **added}, aliases=(), **changes)


def _hot() -> list[Version]:
    first = Version(HOT, "2013-05-23", "hot", FIRST)
    made = [first, _after(first, "2014-10-16", dict.fromkeys(REMOVED_2014, conditions.REMOVED))]
    made.append(_after(made[-1], "2015-04-30", {"repeat": lists.REPEAT, "digest": text.DIGEST}))
    made.append(
        _after(
            made[-1],
            "2015-10-15",
            {
                "get_attr": values.GET_ATTR_ALL,
                "list_join": text.JOIN_LISTS,
                "str_replace": text.REPLACE_JSON,
                "str_split": text.STR_SPLIT,
                "Fn::Select": conditions.REMOVED,
            },
        )
    )
    made.append(_after(made[-1], "2016-04-08", {"map_merge": lists.MAP_MERGE}))
    made.append(
        _after(
            made[-1],
            "2016-10-14",
            {
                "repeat": lists.REPEAT_MAP,
                "yaql": lists.YAQL,
                "map_replace": lists.MAP_REPLACE,
                "if": conditions.IF,
            },
            has_conditions=True,
            condition_functions=CONDITIONS,
        )
    )
    added = {"filter": lists.FILTER, "str_replace_strict": text.REPLACE_STRICT}
    made.append(_after(made[-1], "2017-02-24", added, has_modulo=True))
    made.append(
        _after(
            made[-1],
            "2017-09-01",
            {
                "repeat": lists.REPEAT_PERMUTED,
                "make_url": text.MAKE_URL,
                "list_concat": lists.LIST_CONCAT,
                "str_replace_vstrict": text.REPLACE_VSTRICT,
                "list_concat_unique": lists.LIST_CONCAT_UNIQUE,
                "contains": lists.CONTAINS,
            },
            condition_functions={**CONDITIONS, "yaql": lists.YAQL, "contains": lists.CONTAINS},
        )
    )
    made.append(_after(made[-1], "2018-03-02", {}, has_tags=True))
    made.append(_after(made[-1], "2018-08-31", {}))
    made.append(_after(made[-1], "2021-04-16", {"if": conditions.IF_NULLABLE}))
    releases = dict(zip(RELEASES, made[5:], strict=True))
    return [replace(one, aliases=tuple(release for release, other in releases.items() if other is one)) for one in made]


RELEASES = ("newton", "ocata", "pike", "queens", "rocky", "wallaby")


def _invalid(version: Version) -> Version:
    """With what a condition may not call, though the rest of the template may."""
    if not version.has_conditions:
        return version
    table = {name: one if one is conditions.REMOVED else conditions.INVALID for name, one in version.functions.items()}
    return replace(version, condition_functions={**table, **version.condition_functions})


def _all() -> dict[tuple[str, str], Version]:
    aws = Version(
        AWS,
        "2010-09-09",
        "cfn",
        {**AWS_FUNCTIONS, "Fn::If": conditions.IF},
        AWS_CONDITIONS,
        has_conditions=True,
    )
    found = [aws, Version(HEAT, "2012-12-12", "cfn", AWS_FUNCTIONS), *_hot()]
    return {(one.key, name): _invalid(one) for one in found for name in (one.name, *one.aliases)}


KNOWN = _all()


def version_of(key: str, name: str) -> Version:
    """:raises TemplateError: there is no such version; the others of its key are named."""
    found = KNOWN.get((key, name))
    if found is None:
        others = sorted(other for one, other in KNOWN if one == key)
        words = "should be one of" if len(others) > 1 else "should be"
        raise TemplateError(
            f'The template version is invalid: "{key}: {name}". "{key}" {words}: {", ".join(others)}', key
        )
    return found


def versions() -> list[dict[str, Any]]:
    """As ``GET /template_versions`` lists them."""
    found = {one.key + "." + one.name: one for one in KNOWN.values()}
    return [
        {"version": name, "type": one.kind, "aliases": [f"{one.key}.{alias}" for alias in one.aliases]}
        for name, one in sorted(found.items())
    ]


def functions(version: str, with_conditions: bool = False) -> list[dict[str, str]]:
    """The functions of a version such as ``heat_template_version.2021-04-16``, or of a release's name in its place, as
    ``GET /template_versions/{version}/functions`` lists them.

    :raises TemplateError: there is no such version.
    """
    key, _, name = version.partition(".")
    found = KNOWN.get((key, name))
    if found is None:
        raise TemplateError(f"Template with version {version} not found")
    shown = dict(found.functions)
    if with_conditions:
        shown.update({n: one for n, one in found.condition_functions.items() if one is not conditions.INVALID})
    return [
        {"functions": name, "description": one.description}
        for name, one in shown.items()
        if one is not conditions.REMOVED
    ]
