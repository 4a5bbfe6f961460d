"""Policy in upstream's language (oslo.policy): rules with defaults, overridden by ``<state>/policy.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from oslo_policy import _checks
from oslo_policy import policy as oslo

from tane.config import ConfigError
from tane.web.context import Context

IS_ADMIN = "context_is_admin"
ADMIN = f"rule:{IS_ADMIN}"
READER = "rule:project_reader_or_admin"
MEMBER = "rule:project_member_or_admin"
MANAGER = "rule:project_manager_or_admin"
ANYONE = "@"
MOST_ANSWERS = 20_000
_SOMEBODY = Context("", user_id="x", project_id="x", roles=("x",))
_NOBODY = re.compile(r"(?<![^\s(])!(?![^\s)])")

Scope = Literal["system", "domain", "project"]
PROJECT: tuple[Scope, ...] = ("project",)

ROLE_IMPLICATIONS = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}


CLOUD_ROLES = ("admin", "service", "ResellerAdmin")
"""Roles by which a rule of any service gives rights beyond the project that they are held on: only the cloud's
administrator grants them (docs/security.md). A site that names others in its ``policy.yaml`` grants those with care."""
CLOUD_ADMIN = "role:admin and domain_id:None"
"""Whose token is of one domain administrates that domain and not the cloud. Upstream's check is ``role:admin`` alone:
with it the administrator of any domain could set the password of the cloud's, or give himself roles on its projects."""


@dataclass(frozen=True)
class Rule:
    """A policy rule under its upstream name, with its default check.

    ``scopes``: what kinds of token may be used for it at all (upstream's ``scope_types``), whatever the check says and
    a site's ``policy.yaml`` overrides; empty means any. A token without a scope counts as one of a project, as
    upstream.
    """

    name: str
    check: str
    description: str = ""
    scopes: tuple[Scope, ...] = ()


BASE_RULES = (
    Rule(IS_ADMIN, CLOUD_ADMIN, "An administrator of the whole cloud."),
    Rule("admin_required", f"rule:{IS_ADMIN}", "Upstream's other name for it."),
    Rule("owner", "user_id:%(user_id)s", "The user a resource belongs to."),
    Rule("project_reader_or_admin", "rule:context_is_admin or (role:reader and project_id:%(project_id)s)"),
    Rule("project_member_or_admin", "rule:context_is_admin or (role:member and project_id:%(project_id)s)"),
    Rule("project_manager_or_admin", "rule:context_is_admin or (role:manager and project_id:%(project_id)s)"),
)


def scoped(scopes: tuple[Scope, ...], rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """These rules for tokens of these scopes only."""
    return tuple(replace(rule, scopes=scopes) for rule in rules)


class Policy:
    """The rules in force."""

    def __init__(self, rules: Iterable[Rule], override: Path | None = None) -> None:
        """``override``: a ``policy.yaml`` of upstream's form; absent means the defaults."""
        self.rules = {rule.name: rule for rule in (*BASE_RULES, *rules)}
        overrides = _overrides(override)
        checks = {rule.name: rule.check for rule in self.rules.values()} | overrides
        reached = _reached(override, self.rules, checks, overrides)
        self.unknown = sorted(overrides.keys() - reached)
        """Names in the site's file that no rule of this cloud is or asks: what it says of them has no effect."""
        self._has_own_admin = IS_ADMIN in overrides
        self._checks = oslo.Rules({name: _parsed(checks[name]) for name in reached})
        self._enforcer = _Enforcer(self._checks)
        self._answers: dict[tuple[Any, ...], bool] = {}

    def allows(self, rule: str, ctx: Context, target: Mapping[str, Any] | None = None) -> bool:
        """Whether ``ctx`` passes ``rule``; without a target the thing acted on is the caller's own.

        The same question is asked on every request of a caller: the answer is remembered.

        :raises KeyError: when no such rule is declared.
        """
        if rule not in self.rules:
            raise KeyError(f"policy rule {rule} is not declared")
        about = None if target is None else tuple(target.items())
        key = (rule, ctx.user_id, ctx.project_id, ctx.domain_id, ctx.system_scope, ctx.roles, about)
        try:
            known = self._answers.get(key)
        except TypeError:  # A target with a list or the like in it.
            return self._check(rule, ctx, target)
        if known is None:
            known = self._check(rule, ctx, target)
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            self._answers[key] = known
        return known

    def site_admin(self, ctx: Context) -> bool | None:
        """Whether a site's own rule makes the caller an administrator of the whole cloud; None where it has none."""
        return self.allows(IS_ADMIN, ctx) if self._has_own_admin else None

    def _check(self, rule: str, ctx: Context, target: Mapping[str, Any] | None) -> bool:
        scopes = self.rules[rule].scopes
        if scopes and ctx.scope not in scopes:
            return False
        if target is None:
            target = {"project_id": ctx.project_id or None, "user_id": ctx.user_id, "domain_id": ctx.domain_id or None}
        return bool(self._checks[rule](dict(target), ctx.credentials, self._enforcer, rule))


@oslo.register(None)
class _Match(_checks.GenericCheck):  # type: ignore[misc]  # The library is not typed.
    """``domain_id:%(target.user.domain_id)s``: upstream compares texts, and finds who has no domain to be at home where
    none is named. What the caller has none of is nobody's; only a rule that says ``domain_id:None`` asks for that."""

    def __call__(self, target: Any, creds: Any, enforcer: Any, current_rule: str | None = None) -> bool:
        try:
            nobody = "%(" in self.match and self.match % target == "None"
        except KeyError:
            return False
        if nobody and self.kind != "None":
            return False
        return bool(super().__call__(target, creds, enforcer, current_rule))


@dataclass
class _Enforcer:
    """What oslo.policy's ``rule:`` checks look other rules up in. Its own Enforcer does more on every check (files,
    deprecations, option groups)."""

    rules: oslo.Rules


@cache
def _parsed(check: str) -> Any:
    """Many rules share one check, and parsing one costs a quarter of a millisecond."""
    return oslo.Rules.from_dict({"rule": check})["rule"]


def _parts(check: Any) -> Iterator[Any]:
    """A check, and all those that it is made of."""
    yield check
    for part in (*getattr(check, "rules", ()), *([check.rule] if isinstance(check, _checks.NotCheck) else ())):
        yield from _parts(part)


class _Anything(dict[str, str]):
    """A target that has whatever it is asked for."""

    def __missing__(self, name: str) -> str:
        return "x"


def _unreadable(check: str) -> bool:
    """Whether a part of it is none of the language, or cannot be asked. oslo.policy takes the former for a ``!``, which
    lets nobody pass, or everybody behind a ``not``; the true ones are put out of the way first."""
    for part in _parts(_parsed(_NOBODY.sub("@", check))):
        if isinstance(part, _checks.FalseCheck):
            return True
        if isinstance(part, (_checks.RoleCheck, _checks.GenericCheck)):
            try:
                part(_Anything(), _SOMEBODY.credentials, None)
            except (SyntaxError, TypeError, ValueError):
                return True
    return False


def _reached(
    file: Path | None, names: Iterable[str], checks: Mapping[str, str], overrides: Mapping[str, str]
) -> set[str]:
    """These rules and all that they ask. What only other services' rules ask is theirs to mind.

    :raises ConfigError: one of ``overrides`` among them cannot be read or asks a rule that there is not: it would let
        the wrong ones pass without a word. Or rules ask each other in a circle.
    """
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            raise ConfigError(f"{file}: {' asks '.join((*way[way.index(name) :], name))}: rules in a circle")
        if name in done:
            return
        if name not in checks:
            raise ConfigError(f"{file}: {way[-1]} asks rule:{name}, and there is no such rule")
        if name in overrides and _unreadable(overrides[name]):
            raise ConfigError(f"{file}: {name}: {overrides[name]!r} cannot be read as a check")
        for part in _parts(_parsed(checks[name])):
            if isinstance(part, _checks.RuleCheck):
                follow(part.match, (*way, name))
        done.add(name)

    for name in names:
        follow(name, ())
    return done


def _overrides(file: Path | None) -> dict[str, str]:
    """:raises ConfigError: the file is not a mapping of rule names to checks."""
    if file is None:
        return {}
    try:
        found = yaml.safe_load(file.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise ConfigError(f"{file}: a mapping of rule names to checks is expected")
    return {str(name): check for name, check in found.items()}
