"""The identity API, line by line. Reference: https://docs.openstack.org/api-ref/identity/v3/"""

from __future__ import annotations

from msgspec import Struct

from tane.services.identity import schemas
from tane.services.identity.api import (
    app_credentials,
    assignments,
    catalog,
    consumers,
    credentials,
    domain_config,
    endpoint_filter,
    groups,
    implied_roles,
    limits,
    oauth,
    policies,
    projects,
    revocations,
    roles,
    tags,
    tokens,
    trusts,
    users,
    versions,
)
from tane.web.routes import Handler, Route

STATUS = {"POST": 201, "DELETE": 204}


def _route(
    method: str, path: str, handler: Handler, rule: str, body: type[Struct] | None = None, status: int | None = None
) -> Route:
    """A line below ``/v3``. GET answers HEAD, too."""
    return Route(method, f"/v3{path}", handler, f"identity:{rule}", body, status or STATUS.get(method, 200))


def _grants(path: str, rules: str) -> tuple[Route, ...]:
    """Looking at one assignment, giving it, taking it away."""
    return (
        _route("GET", path, assignments.check, f"check_{rules}", status=204),
        _route("PUT", path, assignments.grant, f"create_{rules}", status=204),
        _route("DELETE", path, assignments.revoke, f"revoke_{rules}"),
    )


ASSIGNMENTS = (
    *(
        route
        for target in ("/projects/{project_id}", "/domains/{domain_id}")
        for actor in ("/users/{user_id}", "/groups/{group_id}")
        for route in (
            _route("GET", f"{target}{actor}/roles", assignments.assigned, "list_grants"),
            *_grants(f"{target}{actor}/roles/{{role_id}}", "grant"),
            *_grants(f"/OS-INHERIT{target}{actor}/roles/{{role_id}}/inherited_to_projects", "grant"),
        )
    ),
    *(
        _route(
            "GET",
            f"/OS-INHERIT/domains/{{domain_id}}{actor}/roles/inherited_to_projects",
            assignments.assigned,
            "list_grants",
        )
        for actor in ("/users/{user_id}", "/groups/{group_id}")
    ),
    *(
        route
        for actor in ("user", "group")
        for route in (
            _route(
                "GET",
                f"/system/{actor}s/{{{actor}_id}}/roles",
                assignments.assigned,
                f"list_system_grants_for_{actor}",
            ),
            *_grants(f"/system/{actor}s/{{{actor}_id}}/roles/{{role_id}}", f"system_grant_for_{actor}"),
        )
    ),
    _route("GET", "/role_assignments", assignments.index, "list_role_assignments"),
)

ROLES = (
    _route("GET", "/roles", roles.index, "list_roles"),
    _route("POST", "/roles", roles.create, "create_role", schemas.Role),
    _route("GET", "/roles/{role_id}", roles.show, "get_role"),
    _route("PATCH", "/roles/{role_id}", roles.update, "update_role", schemas.Role),
    _route("DELETE", "/roles/{role_id}", roles.delete, "delete_role"),
    _route("GET", "/role_inferences", implied_roles.rules, "list_role_inference_rules"),
    _route("GET", "/roles/{role_id}/implies", implied_roles.index, "list_implied_roles"),
    *(
        _route(method, "/roles/{role_id}/implies/{implied_role_id}", handler, f"{rule}_implied_role", None, status)
        for method, handler, rule, status in (
            ("GET", implied_roles.show, "get", 200),
            ("HEAD", implied_roles.check, "check", 204),
            ("PUT", implied_roles.create, "create", 201),
            ("DELETE", implied_roles.delete, "delete", 204),
        )
    ),
)

PROJECTS = (
    _route("GET", "/domains", projects.domain_index, "list_domains"),
    _route("POST", "/domains", projects.domain_create, "create_domain", schemas.Domain),
    _route("GET", "/domains/{domain_id}", projects.domain_show, "get_domain"),
    _route("PATCH", "/domains/{domain_id}", projects.domain_update, "update_domain", schemas.Domain),
    _route("DELETE", "/domains/{domain_id}", projects.domain_delete, "delete_domain"),
    _route("GET", "/projects", projects.index, "list_projects"),
    _route("POST", "/projects", projects.create, "create_project", schemas.Project),
    _route("GET", "/projects/{project_id}", projects.show, "get_project"),
    _route("PATCH", "/projects/{project_id}", projects.update, "update_project", schemas.Project),
    _route("DELETE", "/projects/{project_id}", projects.delete, "delete_project"),
    _route("GET", "/projects/{project_id}/tags", tags.index, "list_project_tags"),
    _route("PUT", "/projects/{project_id}/tags", tags.replace, "update_project_tags", schemas.ProjectTags),
    _route("DELETE", "/projects/{project_id}/tags", tags.clear, "delete_project_tags"),
    _route("GET", "/projects/{project_id}/tags/{tag}", tags.check, "get_project_tag", status=204),
    _route("PUT", "/projects/{project_id}/tags/{tag}", tags.add, "create_project_tag", status=201),
    _route("DELETE", "/projects/{project_id}/tags/{tag}", tags.remove, "delete_project_tag"),
    _route("GET", "/users/{user_id}/projects", projects.of_user, "list_user_projects"),
)

GROUPS = (
    _route("GET", "/groups", groups.index, "list_groups"),
    _route("POST", "/groups", groups.create, "create_group", schemas.Group),
    _route("GET", "/groups/{group_id}", groups.show, "get_group"),
    _route("PATCH", "/groups/{group_id}", groups.update, "update_group", schemas.Group),
    _route("DELETE", "/groups/{group_id}", groups.delete, "delete_group"),
    _route("GET", "/groups/{group_id}/users", groups.members, "list_users_in_group"),
    _route("GET", "/groups/{group_id}/users/{user_id}", groups.check_member, "check_user_in_group", status=204),
    _route("PUT", "/groups/{group_id}/users/{user_id}", groups.add_member, "add_user_to_group", status=204),
    _route("DELETE", "/groups/{group_id}/users/{user_id}", groups.remove_member, "remove_user_from_group"),
    _route("GET", "/users/{user_id}/groups", groups.of_user, "list_groups_for_user"),
)

CATALOG = (
    _route("GET", "/regions", catalog.region_index, "list_regions"),
    _route("POST", "/regions", catalog.region_create, "create_region", schemas.Region),
    _route("GET", "/regions/{region_id}", catalog.region_show, "get_region"),
    _route("PUT", "/regions/{region_id}", catalog.region_create_named, "create_region", schemas.Region, 201),
    _route("PATCH", "/regions/{region_id}", catalog.region_update, "update_region", schemas.Region),
    _route("DELETE", "/regions/{region_id}", catalog.region_delete, "delete_region"),
    _route("GET", "/services", catalog.service_index, "list_services"),
    _route("POST", "/services", catalog.service_create, "create_service", schemas.Service),
    _route("GET", "/services/{service_id}", catalog.service_show, "get_service"),
    _route("PATCH", "/services/{service_id}", catalog.service_update, "update_service", schemas.Service),
    _route("DELETE", "/services/{service_id}", catalog.service_delete, "delete_service"),
    _route("GET", "/endpoints", catalog.endpoint_index, "list_endpoints"),
    _route("POST", "/endpoints", catalog.endpoint_create, "create_endpoint", schemas.Endpoint),
    _route("GET", "/endpoints/{endpoint_id}", catalog.endpoint_show, "get_endpoint"),
    _route("PATCH", "/endpoints/{endpoint_id}", catalog.endpoint_update, "update_endpoint", schemas.Endpoint),
    _route("DELETE", "/endpoints/{endpoint_id}", catalog.endpoint_delete, "delete_endpoint"),
)

GROUP = "/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"
OF_PROJECT = "/OS-EP-FILTER/projects/{project_id}"
ENDPOINT_FILTER = (
    _route("GET", "/OS-EP-FILTER/endpoint_groups", endpoint_filter.index, "list_endpoint_groups"),
    _route(
        "POST",
        "/OS-EP-FILTER/endpoint_groups",
        endpoint_filter.create,
        "create_endpoint_group",
        schemas.NewEndpointGroup,
    ),
    _route("GET", GROUP, endpoint_filter.show, "get_endpoint_group"),
    _route("PATCH", GROUP, endpoint_filter.update, "update_endpoint_group", schemas.EndpointGroup),
    _route("DELETE", GROUP, endpoint_filter.delete, "delete_endpoint_group"),
    _route("GET", f"{GROUP}/projects", endpoint_filter.projects_with, "list_projects_associated_with_endpoint_group"),
    _route(
        "GET",
        f"{GROUP}/endpoints",
        endpoint_filter.endpoints_in_group,
        "list_endpoints_associated_with_endpoint_group",
    ),
    _route("GET", f"{GROUP}/projects/{{project_id}}", endpoint_filter.check_group, "get_endpoint_group_in_project"),
    _route(
        "PUT",
        f"{GROUP}/projects/{{project_id}}",
        endpoint_filter.give,
        "add_endpoint_group_to_project",
        status=204,
    ),
    _route("DELETE", f"{GROUP}/projects/{{project_id}}", endpoint_filter.take, "remove_endpoint_group_from_project"),
    _route(
        "GET", f"{OF_PROJECT}/endpoint_groups", endpoint_filter.groups_of_project, "list_endpoint_groups_for_project"
    ),
    _route("GET", f"{OF_PROJECT}/endpoints", endpoint_filter.endpoints_of_project, "list_endpoints_for_project"),
    _route(
        "GET",
        f"{OF_PROJECT}/endpoints/{{endpoint_id}}",
        endpoint_filter.check,
        "check_endpoint_in_project",
        status=204,
    ),
    _route(
        "PUT", f"{OF_PROJECT}/endpoints/{{endpoint_id}}", endpoint_filter.give, "add_endpoint_to_project", status=204
    ),
    _route("DELETE", f"{OF_PROJECT}/endpoints/{{endpoint_id}}", endpoint_filter.take, "remove_endpoint_from_project"),
    _route(
        "GET",
        "/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
        endpoint_filter.projects_with,
        "list_projects_for_endpoint",
    ),
)

POLICY = "/policies/{policy_id}"
POLICIES = (
    _route("GET", "/policies", policies.index, "list_policies"),
    _route("POST", "/policies", policies.create, "create_policy", schemas.Policy),
    _route("GET", POLICY, policies.show, "get_policy"),
    _route("PATCH", POLICY, policies.update, "update_policy", schemas.Policy),
    _route("DELETE", POLICY, policies.delete, "delete_policy"),
    _route("GET", f"{POLICY}/OS-ENDPOINT-POLICY/endpoints", policies.endpoints_of, "list_endpoints_for_policy"),
    _route(
        "GET", "/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy", policies.of_endpoint, "get_policy_for_endpoint"
    ),
    *(
        _route(
            method, f"{POLICY}/OS-ENDPOINT-POLICY{path}", handler, f"{rule}_policy_association_for_{kind}", status=204
        )
        for path, kind in (
            ("/endpoints/{endpoint_id}", "endpoint"),
            ("/services/{service_id}", "service"),
            ("/services/{service_id}/regions/{region_id}", "region_and_service"),
        )
        for method, handler, rule in (
            ("GET", policies.check, "check"),
            ("PUT", policies.associate, "create"),
            ("DELETE", policies.dissociate, "delete"),
        )
    ),
)

REGISTERED = "/registered_limits/{registered_limit_id}"
LIMITS = (
    _route("GET", "/registered_limits", limits.registered_index, "list_registered_limits"),
    _route(
        "POST", "/registered_limits", limits.registered_create, "create_registered_limits", schemas.RegisteredLimits
    ),
    _route("GET", REGISTERED, limits.registered_show, "get_registered_limit"),
    _route("PATCH", REGISTERED, limits.registered_update, "update_registered_limit", schemas.RegisteredLimit),
    _route("DELETE", REGISTERED, limits.registered_delete, "delete_registered_limit"),
    _route("GET", "/limits", limits.index, "list_limits"),
    _route("POST", "/limits", limits.create, "create_limits", schemas.Limits),
    _route("GET", "/limits/model", limits.model, "get_limit_model"),
    _route("GET", "/limits/{limit_id}", limits.show, "get_limit"),
    _route("PATCH", "/limits/{limit_id}", limits.update, "update_limit", schemas.Limit),
    _route("DELETE", "/limits/{limit_id}", limits.delete, "delete_limit"),
)

CONFIG = "/domains/{domain_id}/config"
DOMAIN_CONFIG = (
    _route("PUT", CONFIG, domain_config.replace, "create_domain_config", schemas.DomainConfig, 201),
    *(
        route
        for path in ("", "/{group}", "/{group}/{option}")
        for route in (
            _route("GET", f"{CONFIG}{path}", domain_config.show, "get_domain_config"),
            _route("PATCH", f"{CONFIG}{path}", domain_config.update, "update_domain_config", schemas.DomainConfig),
            _route("DELETE", f"{CONFIG}{path}", domain_config.delete, "delete_domain_config"),
            _route("GET", f"/domains/config{path}/default", domain_config.defaults, "get_domain_config_default"),
        )
    ),
)

COMPLIANCE = tuple(
    _route(
        "GET",
        f"{CONFIG}/security_compliance{path}",
        domain_config.security_compliance,
        "get_security_compliance_domain_config",
    )
    for path in ("", "/{option}")
)

CONSUMER = "/OS-OAUTH1/consumers/{consumer_id}"
CONSUMERS = (
    _route("GET", "/OS-OAUTH1/consumers", consumers.index, "list_consumers"),
    _route("POST", "/OS-OAUTH1/consumers", consumers.create, "create_consumer", schemas.Consumer),
    _route("GET", CONSUMER, consumers.show, "get_consumer"),
    _route("PATCH", CONSUMER, consumers.update, "update_consumer", schemas.Consumer),
    _route("DELETE", CONSUMER, consumers.delete, "delete_consumer"),
)

ACCESS_TOKENS = "/users/{user_id}/OS-OAUTH1/access_tokens"
ACCESS_TOKEN = f"{ACCESS_TOKENS}/{{access_token_id}}"
OAUTH = (
    # Who calls these two is told by a signature, not by a token.
    Route("POST", "/v3/OS-OAUTH1/request_token", oauth.create_request_token, None, status=201),
    Route("POST", "/v3/OS-OAUTH1/access_token", oauth.create_access_token, None, status=201),
    _route(
        "PUT",
        "/OS-OAUTH1/authorize/{request_token_id}",
        oauth.authorize,
        "authorize_request_token",
        schemas.RequestTokenRoles,
    ),
    _route("GET", ACCESS_TOKENS, oauth.index, "list_access_tokens"),
    _route("GET", ACCESS_TOKEN, oauth.show, "get_access_token"),
    _route("DELETE", ACCESS_TOKEN, oauth.delete, "delete_access_token"),
    _route("GET", f"{ACCESS_TOKEN}/roles", oauth.role_index, "list_access_token_roles"),
    _route("GET", f"{ACCESS_TOKEN}/roles/{{role_id}}", oauth.role_show, "get_access_token_role"),
)

USERS = (
    _route("GET", "/users", users.index, "list_users"),
    _route("POST", "/users", users.create, "create_user", schemas.User),
    _route("GET", "/users/{user_id}", users.show, "get_user"),
    _route("PATCH", "/users/{user_id}", users.update, "update_user", schemas.User),
    _route("DELETE", "/users/{user_id}", users.delete, "delete_user"),
    Route("POST", "/v3/users/{user_id}/password", users.change_password, None, schemas.PasswordChange, status=204),
)

APP_CREDENTIAL = "/users/{user_id}/application_credentials"
ACCESS_RULE = "/users/{user_id}/access_rules"
TRUST = "/OS-TRUST/trusts"
EC2 = "/users/{user_id}/credentials/OS-EC2"

DELEGATION = (
    _route("GET", APP_CREDENTIAL, app_credentials.index, "list_application_credentials"),
    _route("POST", APP_CREDENTIAL, app_credentials.create, "create_application_credential", schemas.AppCredential),
    *(
        _route(method, f"{APP_CREDENTIAL}/{{application_credential_id}}", handler, f"{rule}_application_credential")
        for method, handler, rule in (
            ("GET", app_credentials.show, "get"),
            ("DELETE", app_credentials.delete, "delete"),
        )
    ),
    _route("GET", ACCESS_RULE, app_credentials.rule_index, "list_access_rules"),
    _route("GET", f"{ACCESS_RULE}/{{access_rule_id}}", app_credentials.rule_show, "get_access_rule"),
    _route("DELETE", f"{ACCESS_RULE}/{{access_rule_id}}", app_credentials.rule_delete, "delete_access_rule"),
    _route("GET", TRUST, trusts.index, "list_trusts_for_trustor"),
    _route("POST", TRUST, trusts.create, "create_trust", schemas.Trust),
    _route("GET", f"{TRUST}/{{trust_id}}", trusts.show, "get_trust"),
    _route("DELETE", f"{TRUST}/{{trust_id}}", trusts.delete, "delete_trust"),
    _route("GET", f"{TRUST}/{{trust_id}}/roles", trusts.role_index, "list_roles_for_trust"),
    _route("GET", f"{TRUST}/{{trust_id}}/roles/{{role_id}}", trusts.role_show, "get_role_for_trust"),
)

CREDENTIALS = (
    _route("GET", "/credentials", credentials.index, "list_credentials"),
    _route("POST", "/credentials", credentials.create, "create_credential", schemas.Credential),
    _route("GET", "/credentials/{credential_id}", credentials.show, "get_credential"),
    _route("PATCH", "/credentials/{credential_id}", credentials.update, "update_credential", schemas.CredentialChange),
    _route("DELETE", "/credentials/{credential_id}", credentials.delete, "delete_credential"),
    _route("GET", EC2, credentials.ec2_index, "ec2_list_credentials"),
    _route("POST", EC2, credentials.ec2_create, "ec2_create_credential", schemas.Ec2Credential),
    _route("GET", f"{EC2}/{{credential_id}}", credentials.ec2_show, "ec2_get_credential"),
    _route("DELETE", f"{EC2}/{{credential_id}}", credentials.ec2_delete, "ec2_delete_credential"),
    _route("POST", "/ec2tokens", credentials.ec2_token, "ec2tokens_validate", schemas.SignedCall, 200),
    _route("POST", "/s3tokens", credentials.s3_token, "s3tokens_validate", schemas.SignedCall, 200),
    _route("GET", "/OS-REVOKE/events", revocations.index, "list_revoke_events"),
)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", versions.index, None),
    Route("GET", "/v3", versions.document_of(lambda: (route.path for route in ROUTES)), None),
    Route(
        "POST",
        "/v3/auth/tokens",
        tokens.create,
        None,
        schemas.Authenticate,
        status=201,
        at_once=tokens.create_at_once,
    ),
    Route("GET", "/v3/auth/tokens", tokens.show, "identity:validate_token", at_once=tokens.show_at_once, ruled=False),
    Route("HEAD", "/v3/auth/tokens", tokens.show, "identity:check_token", at_once=tokens.show_at_once),
    Route("GET", "/v3/auth/tokens/OS-PKI/revoked", tokens.list_revoked, "identity:revocation_list"),
    Route("DELETE", "/v3/auth/tokens", tokens.delete, "identity:revoke_token", status=204),
    Route("GET", "/v3/auth/catalog", tokens.show_catalog, "identity:get_auth_catalog"),
    Route("GET", "/v3/auth/projects", tokens.list_projects, "identity:get_auth_projects"),
    Route("GET", "/v3/auth/domains", tokens.list_domains, "identity:get_auth_domains"),
    Route("GET", "/v3/auth/system", tokens.list_system, "identity:get_auth_system"),
    *PROJECTS,
    *GROUPS,
    *ROLES,
    *ASSIGNMENTS,
    *CATALOG,
    *ENDPOINT_FILTER,
    *POLICIES,
    *LIMITS,
    *DOMAIN_CONFIG,
    *COMPLIANCE,
    *CONSUMERS,
    *OAUTH,
    *USERS,
    *DELEGATION,
    *CREDENTIALS,
)
