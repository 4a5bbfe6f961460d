"""Policy in upstream's language (oslo.policy): rules with defaults, overridden by ``<state>/policy.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_policy import policy as oslo

from tane.web.context import Context

ADMIN = "rule:context_is_admin"
READER = "rule:project_reader_or_admin"
MEMBER = "rule:project_member_or_admin"
MANAGER = "rule:project_manager_or_admin"
ANYONE = "@"

ROLE_IMPLICATIONS = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}


@dataclass(frozen=True)
class Rule:
    """A policy rule under its upstream name, with its default check."""

    name: str
    check: str
    description: str = ""


BASE_RULES = (
    Rule("context_is_admin", "role:admin", "An administrator of the whole cloud."),
    Rule("admin_required", "role:admin", "Upstream's other name for it."),
    Rule("owner", "user_id:%(user_id)s", "The user a resource belongs to."),
    Rule("project_reader_or_admin", "rule:context_is_admin or (role:reader and project_id:%(project_id)s)"),
    Rule("project_member_or_admin", "rule:context_is_admin or (role:member and project_id:%(project_id)s)"),
    Rule("project_manager_or_admin", "rule:context_is_admin or (role:manager and project_id:%(project_id)s)"),
)


class Policy:
    """The rules in force."""

    def __init__(self, rules: Iterable[Rule], override: Path | None = None) -> None:
        """``override``: a ``policy.yaml`` of upstream's form; absent means the defaults."""
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        self._enforcer = oslo.Enforcer(
            conf, policy_file=str(override or Path("/nonexistent/policy.yaml")), use_conf=override is not None
        )
        self._enforcer.suppress_default_change_warnings = True
        self._enforcer.suppress_deprecation_warnings = True
        self.rules = {rule.name: rule for rule in (*BASE_RULES, *rules)}
        for rule in self.rules.values():
            self._enforcer.register_default(oslo.RuleDefault(rule.name, rule.check, description=rule.description))
        self._enforcer.load_rules()

    def allows(self, rule: str, ctx: Context, target: Mapping[str, Any] | None = None) -> bool:
        """Whether ``ctx`` passes ``rule``; without a target the thing acted on is the caller's own.

        :raises KeyError: when no such rule is declared.
        """
        if rule not in self.rules:
            raise KeyError(f"policy rule {rule} is not declared")
        if target is None:
            target = {"project_id": ctx.project_id or None, "user_id": ctx.user_id, "domain_id": ctx.domain_id or None}
        return bool(self._enforcer.enforce(rule, dict(target), ctx.credentials))
