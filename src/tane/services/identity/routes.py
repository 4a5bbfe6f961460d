"""The identity API, line by line. Reference: https://docs.openstack.org/api-ref/identity/v3/"""

from __future__ import annotations

from msgspec import Struct

from tane.services.identity import schemas
from tane.services.identity.api import (
    assignments,
    catalog,
    groups,
    implied_roles,
    projects,
    roles,
    tags,
    tokens,
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

ROUTES = (
    Route("GET", "/", versions.index, None),
    Route("GET", "/v3", versions.show, None),
    Route(
        "POST",
        "/v3/auth/tokens",
        tokens.create,
        None,
        schemas.Authenticate,
        status=201,
        at_once=tokens.create_at_once,
    ),
    Route("GET", "/v3/auth/tokens", tokens.show, "identity:validate_token", at_once=tokens.show_at_once),
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
    Route("GET", "/v3/users", users.index, "identity:list_users"),
    Route("POST", "/v3/users", users.create, "identity:create_user", schemas.User, status=201),
    Route("GET", "/v3/users/{user_id}", users.show, "identity:get_user"),
    Route("PATCH", "/v3/users/{user_id}", users.update, "identity:update_user", schemas.User),
    Route("DELETE", "/v3/users/{user_id}", users.delete, "identity:delete_user", status=204),
    Route(
        "POST",
        "/v3/users/{user_id}/password",
        users.change_password,
        None,
        schemas.PasswordChange,
        status=204,
    ),
    Route("GET", "/v3/regions", catalog.region_index, "identity:list_regions"),
    Route("POST", "/v3/regions", catalog.region_create, "identity:create_region", schemas.Region, status=201),
    Route("GET", "/v3/regions/{region_id}", catalog.region_show, "identity:get_region"),
    Route(
        "PUT",
        "/v3/regions/{region_id}",
        catalog.region_create_named,
        "identity:create_region",
        schemas.Region,
        status=201,
    ),
    Route("PATCH", "/v3/regions/{region_id}", catalog.region_update, "identity:update_region", schemas.Region),
    Route("DELETE", "/v3/regions/{region_id}", catalog.region_delete, "identity:delete_region", status=204),
    Route("GET", "/v3/services", catalog.service_index, "identity:list_services"),
    Route("POST", "/v3/services", catalog.service_create, "identity:create_service", schemas.Service, status=201),
    Route("GET", "/v3/services/{service_id}", catalog.service_show, "identity:get_service"),
    Route("PATCH", "/v3/services/{service_id}", catalog.service_update, "identity:update_service", schemas.Service),
    Route("DELETE", "/v3/services/{service_id}", catalog.service_delete, "identity:delete_service", status=204),
    Route("GET", "/v3/endpoints", catalog.endpoint_index, "identity:list_endpoints"),
    Route("POST", "/v3/endpoints", catalog.endpoint_create, "identity:create_endpoint", schemas.Endpoint, status=201),
    Route("GET", "/v3/endpoints/{endpoint_id}", catalog.endpoint_show, "identity:get_endpoint"),
    Route(
        "PATCH", "/v3/endpoints/{endpoint_id}", catalog.endpoint_update, "identity:update_endpoint", schemas.Endpoint
    ),
    Route("DELETE", "/v3/endpoints/{endpoint_id}", catalog.endpoint_delete, "identity:delete_endpoint", status=204),
)
