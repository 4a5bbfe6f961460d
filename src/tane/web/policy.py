"""Policy in upstream's language (oslo.policy): rules with defaults, overridden by ``<state>/policy.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
_NAMED = re.compile(r"\brule:([\w:.-]+)")

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
        checks = {rule.name: rule.check for rule in self.rules.values()}
        overrides = _overrides(override)
        checks.update(overrides)
        used = {name for check in overrides.values() for name in _NAMED.findall(check)}
        self.unknown = sorted({*overrides} - {*self.rules} - used)
        """Names in the site's file that are no rules of this cloud: what it says of them has no effect."""
        _refuse_mistakes(override, {name: overrides[name] for name in {*overrides} - {*self.unknown}}, checks)
        self._has_own_admin = IS_ADMIN in overrides
        self._checks = oslo.Rules({name: _parsed(check) for name, check in checks.items()})
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


def _refuse_mistakes(file: Path | None, overrides: Mapping[str, str], checks: Mapping[str, str]) -> None:
    """A check that cannot be read, or asks a rule that there is not, would let nobody pass without a word.

    :raises ConfigError: there is one.
    """
    for name, check in overrides.items():
        if check.strip() != "!" and isinstance(_parsed(check), _checks.FalseCheck):
            raise ConfigError(f"{file}: {name}: {check!r} cannot be read as a check")
        lost = sorted({*_NAMED.findall(check)} - {*checks})
        if lost:
            raise ConfigError(f"{file}: {name} asks rule:{lost[0]}, and there is no such rule")


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
