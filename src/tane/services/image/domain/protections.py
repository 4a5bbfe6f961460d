"""Property protections: who may create, read, update and delete which custom properties.

A file of rules in upstream's form (``property-protections-*.conf``): sections are regular expressions, the first that
matches counts; each names for create, read, update and delete the roles, or in the other format one policy rule.
``@`` means everyone, ``!`` no one. A property that no section matches is closed to all.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

import msgspec

from tane.config import ConfigError
from tane.core import Core
from tane.web.context import Context
from tane.web.errors import Forbidden

Verb = Literal["create", "read", "update", "delete"]


class Rule(msgspec.Struct, frozen=True):
    """One section of the file."""

    pattern: re.Pattern[str]
    allowed: dict[str, tuple[str, ...]]


def load(path: Path, rule_format: str) -> list[Rule]:
    """:raises ConfigError: what is wrong with the file."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text())
        return [_rule(parser[section], section, rule_format) for section in parser.sections()]
    except (OSError, configparser.Error, re.error, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _rule(section: configparser.SectionProxy, name: str, rule_format: str) -> Rule:
    allowed = {}
    for verb in get_args(Verb):
        words = tuple(word.strip() for word in section.get(verb, "").split(",") if word.strip())
        if not words:
            raise ValueError(f"[{name}] does not say who may {verb}")
        if ("@" in words or "!" in words) and len(words) > 1:
            raise ValueError(f"[{name}] {verb}: @ and ! stand alone")
        if rule_format == "policies" and len(words) > 1:
            raise ValueError(f"[{name}] {verb}: only one policy may be named")
        allowed[verb] = words
    return Rule(re.compile(name), allowed)


def _rules(core: Core) -> list[Rule]:
    settings = core.config.image
    key = f"image.protections:{settings.property_protection_file}:{settings.property_protection_rule_format}"
    if key not in core.memory:
        path = core.config.state_dir / settings.property_protection_file
        core.memory[key] = load(path, settings.property_protection_rule_format)
    found: list[Rule] = core.memory[key]
    return found


def allows(core: Core, ctx: Context, name: str, verb: Verb) -> bool:
    """Without a file of rules every property is the image owner's to change."""
    if not core.config.image.property_protection_file:
        return True
    for rule in _rules(core):
        if rule.pattern.match(name):
            words = rule.allowed[verb]
            if words == ("@",):
                return True
            if core.config.image.property_protection_rule_format == "policies":
                return words != ("!",) and words[0] in core.policy.rules and core.policy.allows(words[0], ctx)
            return bool(set(words) & set(ctx.roles))
    return False


def require(core: Core, ctx: Context, name: str, verb: Verb) -> None:
    """:raises Forbidden:"""
    if not allows(core, ctx, name, verb):
        raise Forbidden(f"Property '{name}' is protected")


def require_creatable(core: Core, ctx: Context, names: Iterable[str]) -> None:
    """:raises Forbidden: an image may not get one of these properties from the caller."""
    for name in names:
        require(core, ctx, name, "create")


def readable(core: Core, ctx: Context, properties: Mapping[str, str]) -> dict[str, str]:
    """What of an image's properties a caller is shown."""
    if not core.config.image.property_protection_file:
        return dict(properties)
    return {name: value for name, value in properties.items() if allows(core, ctx, name, "read")}
