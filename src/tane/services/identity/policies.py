"""Default policy of identity under upstream's rule names (keystone.common.policies, secure RBAC).

What a rule calls ``target`` is described in ``api/targets.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tane.web.policy import ANYONE, PROJECT, Rule, Scope

ADMIN = "rule:admin_required"
SYSTEM_READER = "(role:reader and system_scope:all)"
ADMIN_OR_SYSTEM_READER = f"{ADMIN} or {SYSTEM_READER}"
MANAGED_ROLE = "rule:domain_managed_target_role"

ANY_SCOPE: tuple[Scope, ...] = ("system", "domain", "project")
NOT_DOMAIN: tuple[Scope, ...] = ("system", "project")

BASE = (
    Rule("service_role", "role:service"),
    Rule("service_or_admin", "rule:admin_required or rule:service_role"),
    Rule("admin_or_owner", "rule:admin_required or rule:owner"),
    Rule("token_subject", "user_id:%(target.token.user_id)s"),
    Rule("admin_or_token_subject", "rule:admin_required or rule:token_subject"),
    Rule("service_admin_or_token_subject", "rule:service_or_admin or rule:token_subject"),
    Rule(
        "domain_managed_target_role",
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
        "The roles that the manager of a domain may give.",
    ),
    Rule(
        "higher_target",
        "'cloud':%(target.user.reach)s or 'cloud':%(target.group.reach)s or "
        "(not role:admin and ('admin':%(target.user.reach)s or 'admin':%(target.group.reach)s))",
        "A user or a group that looks after more than who asks: more than the domain, or the domain that he but "
        "manages. He does not take it over.",
    ),
    Rule(
        "cloud_project",
        "'cloud':%(target.project.reach)s or 'cloud':%(target.domain.reach)s",
        "A project from which somebody looks after the cloud, or above one: external and shared networks and public "
        "images are its own. Who manages its domain does not take it over.",
    ),
    Rule(
        "ordinary_target_role",
        "'ordinary':%(target.role.reach)s",
        "A role that neither is nor implies one of the cloud's (admin, service, ResellerAdmin); the others have the "
        "reach 'powerful'.",
    ),
    Rule(
        "domain_admin_target_role",
        "rule:ordinary_target_role or ('admin':%(target.role.name)s and None:%(target.role.domain_id)s and "
        "'domain':%(target.grant.on)s)",
        "The roles that the administrator of a domain may give. Who has one of the others on a project looks after the "
        "whole cloud, so that none of them is given there, nor inherited.",
    ),
)


def _in_domain(role: str, attribute: str) -> str:
    """The token is of the domain that the target has under ``attribute``."""
    return f"(role:{role} and domain_id:%(target.{attribute})s)"


def _or(*checks: str) -> str:
    return " or ".join((ADMIN, *checks))


PROJECT_IN_DOMAIN = "domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s"
PROJECT_READER = _or(SYSTEM_READER, f"(role:reader and {PROJECT_IN_DOMAIN})", "project_id:%(target.project.id)s")
PROJECT_MANAGER = _or(f"(role:manager and {PROJECT_IN_DOMAIN} and not rule:cloud_project)")
DOMAIN_READER = _or(SYSTEM_READER, _in_domain("reader", "domain_id"))
USER_READER = _or(
    SYSTEM_READER, "(role:reader and token.domain.id:%(target.user.domain_id)s)", "user_id:%(target.user.id)s"
)
USER_MANAGER = _or("(role:manager and token.domain.id:%(target.user.domain_id)s and not rule:higher_target)")
GROUP_READER = _or(SYSTEM_READER, _in_domain("reader", "group.domain_id"))
GROUP_MANAGER = _or(f"({_in_domain('manager', 'group.domain_id')} and not rule:higher_target)")
SAME_DOMAIN = "domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s"

ACTORS = ("user.domain_id", "group.domain_id")
TARGETS = ("project.domain_id", "domain.id")
OWN_ROLE = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"


def _grants_in_domain(role: str) -> str:
    """Actor and target are both in the domain of the token."""
    pairs = (
        f"(role:{role} and domain_id:%(target.{actor})s and domain_id:%(target.{target})s)"
        for actor in ACTORS
        for target in TARGETS
    )
    return f"({' or '.join(pairs)})"


GRANT_READER_LIST = _or(SYSTEM_READER, _grants_in_domain("reader"))
GRANT_READER = _or(SYSTEM_READER, f"({_grants_in_domain('reader')} and {OWN_ROLE})")
GRANT_MANAGER = _or(
    f"({_grants_in_domain('admin')} and {OWN_ROLE} and rule:domain_admin_target_role and not rule:cloud_project)",
    f"({_grants_in_domain('manager')} and {MANAGED_ROLE} and rule:ordinary_target_role and not rule:cloud_project)",
)

CHECKS: dict[str, str] = {
    "get_limit": _or(
        SYSTEM_READER,
        "domain_id:%(target.limit.domain.id)s",
        "domain_id:%(target.limit.project.domain_id)s",
        "(project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)",
    ),
    "get_project": PROJECT_READER,
    "list_projects": DOMAIN_READER,
    "list_user_projects": _or(SYSTEM_READER, _in_domain("reader", "user.domain_id"), "user_id:%(target.user.id)s"),
    "create_project": PROJECT_MANAGER,
    "update_project": PROJECT_MANAGER,
    "delete_project": PROJECT_MANAGER,
    "list_project_tags": PROJECT_READER,
    "get_project_tag": PROJECT_READER,
    "update_project_tags": PROJECT_MANAGER,
    "create_project_tag": PROJECT_MANAGER,
    "delete_project_tags": PROJECT_MANAGER,
    "delete_project_tag": PROJECT_MANAGER,
    "get_domain": _or(
        SYSTEM_READER, "token.domain.id:%(target.domain.id)s", "token.project.domain.id:%(target.domain.id)s"
    ),
    "list_domains": _or(SYSTEM_READER, _in_domain("reader", "domain.id")),
    "get_user": USER_READER,
    "list_users": DOMAIN_READER,
    "create_user": USER_MANAGER,
    "update_user": USER_MANAGER,
    "delete_user": USER_MANAGER,
    "get_group": GROUP_READER,
    "list_groups": GROUP_READER,
    "list_groups_for_user": _or(SYSTEM_READER, _in_domain("reader", "user.domain_id"), "user_id:%(user_id)s"),
    "create_group": GROUP_MANAGER,
    "update_group": GROUP_MANAGER,
    "delete_group": GROUP_MANAGER,
    "list_users_in_group": GROUP_READER,
    "check_user_in_group": _or(SYSTEM_READER, f"(role:reader and {SAME_DOMAIN})"),
    "add_user_to_group": _or(f"(role:manager and {SAME_DOMAIN} and not rule:higher_target)"),
    "remove_user_from_group": _or(f"(role:manager and {SAME_DOMAIN} and not rule:higher_target)"),
    "list_grants": GRANT_READER_LIST,
    "check_grant": GRANT_READER,
    "create_grant": GRANT_MANAGER,
    "revoke_grant": GRANT_MANAGER,
    "get_role": _or(
        SYSTEM_READER,
        f"(role:manager and {MANAGED_ROLE})",
        "(role:admin and not domain_id:None and None:%(target.role.domain_id)s)",
    ),
    "list_roles": _or(SYSTEM_READER, "(role:manager and not domain_id:None)"),
    "list_role_assignments": DOMAIN_READER,
    "list_role_assignments_for_tree": DOMAIN_READER,
}

ADMIN_OR_SYSTEM_READER_CALLS = (
    "list_system_grants_for_user",
    "check_system_grant_for_user",
    "list_system_grants_for_group",
    "check_system_grant_for_group",
    "get_domain_role",
    "list_domain_roles",
    "get_implied_role",
    "check_implied_role",
    "list_implied_roles",
    "list_role_inference_rules",
    "list_services",
    "get_service",
    "list_endpoints",
    "get_endpoint",
    "list_endpoint_groups",
    "get_endpoint_group",
    "list_projects_associated_with_endpoint_group",
    "list_endpoints_associated_with_endpoint_group",
    "get_endpoint_group_in_project",
    "list_endpoint_groups_for_project",
    "list_projects_for_endpoint",
    "check_endpoint_in_project",
    "list_endpoints_for_project",
    "list_policies",
    "get_policy",
    "get_policy_for_endpoint",
    "list_endpoints_for_policy",
    "check_policy_association_for_endpoint",
    "check_policy_association_for_service",
    "check_policy_association_for_region_and_service",
    "get_domain_config",
    "get_domain_config_default",
    "list_consumers",
    "get_consumer",
)

ADMIN_CALLS = (
    "create_domain",
    "update_domain",
    "delete_domain",
    "create_system_grant_for_user",
    "revoke_system_grant_for_user",
    "create_system_grant_for_group",
    "revoke_system_grant_for_group",
    "create_role",
    "update_role",
    "delete_role",
    "create_domain_role",
    "update_domain_role",
    "delete_domain_role",
    "create_implied_role",
    "delete_implied_role",
    "create_region",
    "update_region",
    "delete_region",
    "create_service",
    "update_service",
    "delete_service",
    "create_endpoint",
    "update_endpoint",
    "delete_endpoint",
    "create_endpoint_group",
    "update_endpoint_group",
    "delete_endpoint_group",
    "add_endpoint_group_to_project",
    "remove_endpoint_group_from_project",
    "add_endpoint_to_project",
    "remove_endpoint_from_project",
    "create_policy",
    "update_policy",
    "delete_policy",
    "create_policy_association_for_endpoint",
    "delete_policy_association_for_endpoint",
    "create_policy_association_for_service",
    "delete_policy_association_for_service",
    "create_policy_association_for_region_and_service",
    "delete_policy_association_for_region_and_service",
    "create_registered_limits",
    "update_registered_limit",
    "delete_registered_limit",
    "create_limits",
    "update_limit",
    "delete_limit",
    "create_domain_config",
    "update_domain_config",
    "delete_domain_config",
    "create_consumer",
    "update_consumer",
    "delete_consumer",
    "authorize_request_token",
    "list_access_tokens",
    "get_access_token",
    "delete_access_token",
    "list_access_token_roles",
    "get_access_token_role",
)

EVERYONE_WITH_A_TOKEN = (
    "get_auth_catalog",
    "get_auth_projects",
    "get_auth_domains",
    "get_auth_system",
    "list_regions",
    "get_region",
    "list_registered_limits",
    "get_registered_limit",
    "get_limit_model",
    "list_limits",
    "get_security_compliance_domain_config",
)


OWNER = "user_id:%(user_id)s"
TRUSTOR, TRUSTEE = "user_id:%(target.trust.trustor_user_id)s", "user_id:%(target.trust.trustee_user_id)s"
CREDENTIAL_OWNER = "user_id:%(target.credential.user_id)s"

OWN: dict[str, str] = {
    "check_token": _or(SYSTEM_READER, "rule:token_subject"),
    "validate_token": _or(SYSTEM_READER, "rule:service_role", "rule:token_subject"),
    "revoke_token": "rule:admin_or_token_subject",
    "revocation_list": "rule:service_or_admin",
    "ec2tokens_validate": "rule:service_or_admin",
    "s3tokens_validate": "rule:service_or_admin",
    "list_revoke_events": "rule:service_or_admin",
    "create_trust": TRUSTOR,
    "list_trusts": ADMIN_OR_SYSTEM_READER,
    "list_trusts_for_trustor": _or(SYSTEM_READER, TRUSTOR),
    "list_trusts_for_trustee": _or(SYSTEM_READER, TRUSTEE),
    "list_roles_for_trust": _or(SYSTEM_READER, TRUSTOR, TRUSTEE),
    "get_role_for_trust": _or(SYSTEM_READER, TRUSTOR, TRUSTEE),
    "delete_trust": _or(TRUSTOR),
    "get_trust": _or(SYSTEM_READER, TRUSTOR, TRUSTEE),
    "get_application_credential": _or(SYSTEM_READER, OWNER),
    "list_application_credentials": _or(SYSTEM_READER, OWNER),
    "create_application_credential": OWNER,
    "delete_application_credential": _or(OWNER),
    "get_access_rule": f"{SYSTEM_READER} or user_id:%(target.user.id)s",
    "list_access_rules": f"{SYSTEM_READER} or user_id:%(target.user.id)s",
    "delete_access_rule": "(role:admin and system_scope:all) or user_id:%(target.user.id)s",
    "get_credential": _or(SYSTEM_READER, CREDENTIAL_OWNER),
    "list_credentials": _or(SYSTEM_READER, CREDENTIAL_OWNER),
    "create_credential": _or(CREDENTIAL_OWNER),
    "update_credential": _or(CREDENTIAL_OWNER),
    "delete_credential": _or(CREDENTIAL_OWNER),
    "ec2_get_credential": _or(SYSTEM_READER, CREDENTIAL_OWNER),
    "ec2_list_credentials": _or(SYSTEM_READER, OWNER),
    "ec2_create_credential": _or(f"(role:member and {CREDENTIAL_OWNER})"),
    "ec2_delete_credential": _or(f"(role:member and {CREDENTIAL_OWNER})"),
}
"""What users may do with things of their own: tokens, trusts, application credentials, credentials."""


SCOPES: dict[str, tuple[Scope, ...]] = {
    **dict.fromkeys((*ADMIN_OR_SYSTEM_READER_CALLS, *ADMIN_CALLS), NOT_DOMAIN),
    **dict.fromkeys((*EVERYONE_WITH_A_TOKEN, *CHECKS), ANY_SCOPE),
    **dict.fromkeys(OWN, NOT_DOMAIN),
    **dict.fromkeys(
        (
            "check_token",
            "validate_token",
            "revoke_token",
            "ec2tokens_validate",
            "s3tokens_validate",
            *(f"{verb}_credential" for verb in ("get", "create", "update", "delete")),
            "list_credentials",
        ),
        ANY_SCOPE,
    ),
    **dict.fromkeys(
        (
            "create_trust",
            "create_application_credential",
            "authorize_request_token",
            "list_access_tokens",
            "get_access_token",
            "delete_access_token",
            "list_access_token_roles",
            "get_access_token_role",
        ),
        PROJECT,
    ),
}
"""Kinds of token by call, later lines over earlier ones: Keystone's ``scope_types``."""


def _rules() -> Iterator[Rule]:
    yield from BASE
    checks = {
        **dict.fromkeys(ADMIN_OR_SYSTEM_READER_CALLS, ADMIN_OR_SYSTEM_READER),
        **dict.fromkeys(ADMIN_CALLS, ADMIN),
        **dict.fromkeys(EVERYONE_WITH_A_TOKEN, ANYONE),
        **CHECKS,
        **OWN,
    }
    yield from (Rule(f"identity:{name}", check, scopes=SCOPES[name]) for name, check in checks.items())


RULES = tuple(_rules())
