"""Default policy of identity under upstream's rule names (keystone.common.policies, secure RBAC)."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, Rule

ADMIN_CALLS = (
    "list_domains",
    "create_domain",
    "update_domain",
    "delete_domain",
    "get_domain",
    "list_projects",
    "create_project",
    "update_project",
    "delete_project",
    "list_users",
    "create_user",
    "update_user",
    "delete_user",
    "list_roles",
    "get_role",
    "create_role",
    "update_role",
    "delete_role",
    "list_grants",
    "check_grant",
    "create_grant",
    "revoke_grant",
    "list_role_assignments",
    "list_system_grants_for_user",
    "check_system_grant_for_user",
    "create_system_grant_for_user",
    "revoke_system_grant_for_user",
    "create_region",
    "update_region",
    "delete_region",
    "list_services",
    "get_service",
    "create_service",
    "update_service",
    "delete_service",
    "list_endpoints",
    "get_endpoint",
    "create_endpoint",
    "update_endpoint",
    "delete_endpoint",
)

EVERYONE_WITH_A_TOKEN = (
    "validate_token",
    "check_token",
    "revoke_token",
    "get_auth_catalog",
    "get_auth_projects",
    "get_auth_domains",
    "get_auth_system",
    "get_project",
    "get_user",
    "list_user_projects",
    "change_password",
    "list_regions",
    "get_region",
)

RULES = (
    *(Rule(f"identity:{name}", ADMIN) for name in ADMIN_CALLS),
    *(Rule(f"identity:{name}", ANYONE) for name in EVERYONE_WITH_A_TOKEN),
)
