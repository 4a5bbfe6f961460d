"""The identity API, line by line. Reference: https://docs.openstack.org/api-ref/identity/v3/"""

from __future__ import annotations

from tane.services.identity import schemas
from tane.services.identity.api import catalog, projects, roles, tags, tokens, users, versions
from tane.web.routes import Route

ROUTES = (
    Route("GET", "/", versions.index, None),
    Route("GET", "/v3", versions.show, None),
    Route("POST", "/v3/auth/tokens", tokens.create, None, schemas.Authenticate, status=201),
    Route("GET", "/v3/auth/tokens", tokens.show, "identity:validate_token"),
    Route("DELETE", "/v3/auth/tokens", tokens.delete, "identity:revoke_token", status=204),
    Route("GET", "/v3/auth/catalog", tokens.show_catalog, "identity:get_auth_catalog"),
    Route("GET", "/v3/auth/projects", tokens.list_projects, "identity:get_auth_projects"),
    Route("GET", "/v3/auth/domains", tokens.list_domains, "identity:get_auth_domains"),
    Route("GET", "/v3/auth/system", tokens.list_system, "identity:get_auth_system"),
    Route("GET", "/v3/domains", projects.domain_index, "identity:list_domains"),
    Route("POST", "/v3/domains", projects.domain_create, "identity:create_domain", schemas.Domain, status=201),
    Route("GET", "/v3/domains/{domain_id}", projects.domain_show, "identity:get_domain"),
    Route("PATCH", "/v3/domains/{domain_id}", projects.domain_update, "identity:update_domain", schemas.Domain),
    Route("DELETE", "/v3/domains/{domain_id}", projects.domain_delete, "identity:delete_domain", status=204),
    Route("GET", "/v3/projects", projects.index, "identity:list_projects"),
    Route("POST", "/v3/projects", projects.create, "identity:create_project", schemas.Project, status=201),
    Route("GET", "/v3/projects/{project_id}", projects.show, "identity:get_project"),
    Route("PATCH", "/v3/projects/{project_id}", projects.update, "identity:update_project", schemas.Project),
    Route("DELETE", "/v3/projects/{project_id}", projects.delete, "identity:delete_project", status=204),
    Route("GET", "/v3/projects/{project_id}/tags", tags.index, "identity:list_project_tags"),
    Route("PUT", "/v3/projects/{project_id}/tags", tags.replace, "identity:update_project_tags", schemas.ProjectTags),
    Route("DELETE", "/v3/projects/{project_id}/tags", tags.clear, "identity:delete_project_tags", status=204),
    Route("GET", "/v3/projects/{project_id}/tags/{tag}", tags.check, "identity:get_project_tag", status=204),
    Route("HEAD", "/v3/projects/{project_id}/tags/{tag}", tags.check, "identity:get_project_tag", status=204),
    Route("PUT", "/v3/projects/{project_id}/tags/{tag}", tags.add, "identity:create_project_tag", status=201),
    Route("DELETE", "/v3/projects/{project_id}/tags/{tag}", tags.remove, "identity:delete_project_tag", status=204),
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
    Route("GET", "/v3/users/{user_id}/projects", projects.of_user, "identity:list_user_projects"),
    Route("GET", "/v3/roles", roles.index, "identity:list_roles"),
    Route("POST", "/v3/roles", roles.create, "identity:create_role", schemas.Role, status=201),
    Route("GET", "/v3/roles/{role_id}", roles.show, "identity:get_role"),
    Route("PATCH", "/v3/roles/{role_id}", roles.update, "identity:update_role", schemas.Role),
    Route("DELETE", "/v3/roles/{role_id}", roles.delete, "identity:delete_role", status=204),
    Route("GET", "/v3/role_assignments", roles.assignment_index, "identity:list_role_assignments"),
    *(
        route
        for target in ("/v3/projects/{project_id}", "/v3/domains/{domain_id}")
        for route in (
            Route("GET", f"{target}/users/{{user_id}}/roles", roles.assigned, "identity:list_grants"),
            Route(
                "HEAD", f"{target}/users/{{user_id}}/roles/{{role_id}}", roles.check, "identity:check_grant", status=204
            ),
            Route(
                "PUT", f"{target}/users/{{user_id}}/roles/{{role_id}}", roles.grant, "identity:create_grant", status=204
            ),
            Route(
                "DELETE",
                f"{target}/users/{{user_id}}/roles/{{role_id}}",
                roles.revoke,
                "identity:revoke_grant",
                status=204,
            ),
        )
    ),
    Route("GET", "/v3/system/users/{user_id}/roles", roles.assigned, "identity:list_system_grants_for_user"),
    Route(
        "HEAD",
        "/v3/system/users/{user_id}/roles/{role_id}",
        roles.check,
        "identity:check_system_grant_for_user",
        status=204,
    ),
    Route(
        "PUT",
        "/v3/system/users/{user_id}/roles/{role_id}",
        roles.grant,
        "identity:create_system_grant_for_user",
        status=204,
    ),
    Route(
        "DELETE",
        "/v3/system/users/{user_id}/roles/{role_id}",
        roles.revoke,
        "identity:revoke_system_grant_for_user",
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
