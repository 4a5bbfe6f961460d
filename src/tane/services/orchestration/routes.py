"""The orchestration API, line by line. Reference: https://docs.openstack.org/api-ref/orchestration/v1/"""

from __future__ import annotations

from dataclasses import replace

from tane.services.orchestration import schemas
from tane.services.orchestration.api import (
    actions,
    cloud,
    drift,
    events,
    resources,
    snapshots,
    software,
    stacks,
    templates,
    types,
    versions,
)
from tane.services.orchestration.api.cfn import actions as cfn
from tane.services.orchestration.api.common import weighed
from tane.web.routes import Route
from tane.web.signal_addresses import hiding_addresses

V = "/v1/{project_id}"
S = f"{V}/stacks/{{stack_name}}/{{stack_id}}"
R = f"{S}/resources/{{resource_name}}"
BELOW = ("resources", "events", "template", "environment", "files", "outputs")
SHOWN = ("stacks:template", "stacks:environment", "stacks:files")
"""The rules of what a snapshot shows besides, which a site may have shut."""

ALL = (
    Route("GET", "", versions.index, None),
    Route("GET", "/v1", versions.show, None),
    # ----------------------------------------------------------------------------------------------------- stacks
    Route("GET", f"{V}/stacks", stacks.index, "stacks:index"),
    Route("POST", f"{V}/stacks", stacks.create, "stacks:create", schemas.Stack, 201),
    Route("GET", f"{V}/stacks/detail", stacks.detail, "stacks:detail"),
    Route("POST", f"{V}/stacks/preview", stacks.preview, "stacks:preview", schemas.Stack),
    Route("GET", f"{V}/stacks/{{stack_name}}", stacks.lookup, "stacks:lookup", status=302),
    Route("PUT", f"{V}/stacks/{{stack_name}}", stacks.lookup, "stacks:lookup", status=302),
    Route("PATCH", f"{V}/stacks/{{stack_name}}", stacks.lookup, "stacks:lookup", schemas.StackUpdate, 302),
    Route("DELETE", f"{V}/stacks/{{stack_name}}", stacks.lookup, "stacks:lookup", status=302),
    *(
        Route("GET", f"{V}/stacks/{{stack_name}}/{below}", stacks.lookup, "stacks:lookup", status=302)
        for below in BELOW
    ),
    Route("POST", f"{V}/stacks/{{stack_name}}/actions", stacks.lookup, "stacks:lookup", schemas.Actions, 302),
    Route("GET", S, stacks.show, "stacks:show"),
    Route("PUT", S, stacks.update, "stacks:update", schemas.StackUpdate, 202),
    Route("PATCH", S, stacks.patch, "stacks:update_patch", schemas.StackUpdate, 202),
    Route("DELETE", S, stacks.delete, "stacks:delete", status=204),
    Route("PUT", f"{S}/preview", stacks.preview_update, "stacks:preview_update", schemas.StackUpdate),
    Route("PATCH", f"{S}/preview", stacks.preview_patch, "stacks:preview_update_patch", schemas.StackUpdate),
    Route("DELETE", f"{S}/abandon", stacks.abandon, "stacks:abandon"),
    Route("GET", f"{S}/export", stacks.export, "stacks:export"),
    Route("GET", f"{S}/drift", drift.show, "stacks:drift"),
    Route("GET", f"{S}/template", stacks.template, "stacks:template"),
    Route("GET", f"{S}/environment", stacks.environment, "stacks:environment"),
    Route("GET", f"{S}/files", stacks.files, "stacks:files"),
    Route("GET", f"{S}/outputs", stacks.outputs, "stacks:list_outputs"),
    Route("GET", f"{S}/outputs/{{output_key}}", stacks.output, "stacks:show_output"),
    Route("POST", f"{S}/actions", actions.act, "actions:action", schemas.Actions, 200),
    Route("GET", f"{S}/snapshots", snapshots.index, "stacks:list_snapshots"),
    Route("POST", f"{S}/snapshots", snapshots.create, "stacks:snapshot", schemas.Snapshot, 200),
    Route("GET", f"{S}/snapshots/{{snapshot_id}}", snapshots.show, "stacks:show_snapshot", also=SHOWN),
    Route("DELETE", f"{S}/snapshots/{{snapshot_id}}", snapshots.delete, "stacks:delete_snapshot", status=204),
    Route("POST", f"{S}/snapshots/{{snapshot_id}}/restore", snapshots.restore, "stacks:restore_snapshot", status=202),
    # -------------------------------------------------------------------------------------------------- resources
    Route("GET", f"{S}/resources", resources.index, "resource:index"),
    Route("GET", R, resources.show, "resource:show"),
    Route("PATCH", R, resources.mark_unhealthy, "resource:mark_unhealthy", schemas.MarkUnhealthy),
    Route("GET", f"{R}/metadata", resources.metadata, "resource:metadata"),
    Route("POST", f"{R}/signal", resources.signal, "resource:signal"),
    # The address is the secret: guests and alarms have no token.
    Route("POST", "/signal/{resource_id}/{secret}", resources.signal_by_address, None),
    Route("PUT", "/signal/{resource_id}/{secret}", resources.signal_by_address, None),
    Route("GET", "/metadata/{resource_id}/{secret}", resources.metadata_by_address, None),
    # ----------------------------------------------------------------------------------------------------- events
    Route("GET", f"{S}/events", events.index, "events:index"),
    Route("GET", f"{R}/events", events.of_resource, "events:index"),
    Route("GET", f"{R}/events/{{event_id}}", events.show, "events:show"),
    # -------------------------------------------------------------------------------------------------- templates
    Route("POST", f"{V}/validate", templates.validate, "stacks:validate_template", schemas.Template),
    Route("GET", f"{V}/template_versions", templates.versions, "stacks:list_template_versions"),
    Route(
        "GET",
        f"{V}/template_versions/{{template_version}}/functions",
        templates.functions,
        "stacks:list_template_functions",
    ),
    Route("GET", f"{V}/resource_types", types.index, "stacks:list_resource_types"),
    Route("GET", f"{V}/resource_types/{{type_name}}", types.show, "stacks:resource_schema"),
    Route("GET", f"{V}/resource_types/{{type_name}}/template", types.template, "stacks:generate_template"),
    # ------------------------------------------------------------------------------------------- software, the cloud
    Route("GET", f"{V}/software_configs", software.configs, "software_configs:index"),
    Route("POST", f"{V}/software_configs", software.create_config, "software_configs:create", schemas.SoftwareConfig),
    Route("GET", f"{V}/software_configs/{{config_id}}", software.config, "software_configs:show"),
    Route(
        "DELETE", f"{V}/software_configs/{{config_id}}", software.delete_config, "software_configs:delete", status=204
    ),
    Route("GET", f"{V}/software_deployments", software.deployments, "software_deployments:index"),
    Route(
        "POST",
        f"{V}/software_deployments",
        software.create_deployment,
        "software_deployments:create",
        schemas.SoftwareDeployment,
    ),
    Route("GET", f"{V}/software_deployments/{{deployment_id}}", software.deployment, "software_deployments:show"),
    Route(
        "PUT",
        f"{V}/software_deployments/{{deployment_id}}",
        software.update_deployment,
        "software_deployments:update",
        schemas.SoftwareDeploymentChange,
    ),
    Route(
        "DELETE",
        f"{V}/software_deployments/{{deployment_id}}",
        software.delete_deployment,
        "software_deployments:delete",
        status=204,
    ),
    Route(
        "GET",
        f"{V}/software_deployments/metadata/{{server_id}}",
        software.server_metadata,
        "software_deployments:metadata",
    ),
    Route("GET", f"{V}/services", cloud.services, "service:index"),
    Route("GET", f"{V}/build_info", cloud.build_info, "build_info:build_info"),
)


def _served(route: Route) -> Route:
    handler = weighed(route.handler)
    reads = route.method == "GET" and route.policy is not None
    return replace(route, handler=hiding_addresses(handler, "resource:signal") if reads else handler)


ROUTES = tuple(_served(route) for route in ALL)

CFN_ROUTES = (
    Route("GET", "", cfn.versions, None),
    Route("GET", "/v1", cfn.act, "cloudformation:DescribeStacks", stream=True),
    Route("POST", "/v1", cfn.act, "cloudformation:DescribeStacks", stream=True),
)
"""CloudFormation's API: one address, an action in the parameters."""
