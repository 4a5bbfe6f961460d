"""Policy rules of orchestration, under Heat's names and with its defaults."""

from __future__ import annotations

from tane.web.policy import ADMIN, MEMBER, PROJECT, READER, Rule, scoped

GUEST = "(role:heat_stack_user and project_id:%(project_id)s)"
"""Users that stacks make for their guests; the access rules of their tokens, and the resource they ask for, say the
rest."""
MEMBER_OR_GUEST, READER_OR_GUEST = f"{MEMBER} or {GUEST}", f"{READER} or {GUEST}"

CFN_RULES = (
    *scoped(
        PROJECT,
        (
            Rule("cloudformation:CancelUpdateStack", MEMBER, "Cancel the update of a stack and roll back."),
            Rule("cloudformation:CreateStack", MEMBER, "Create a stack."),
            Rule("cloudformation:DeleteStack", MEMBER, "Delete a stack."),
            Rule("cloudformation:DescribeStackEvents", READER, "List the events of a stack."),
            Rule("cloudformation:DescribeStackResource", READER_OR_GUEST, "Show a resource."),
            Rule("cloudformation:DescribeStackResources", READER, "Show resources."),
            Rule("cloudformation:DescribeStacks", READER, "Show stacks."),
            Rule("cloudformation:EstimateTemplateCost", READER, "Tell what a template costs."),
            Rule("cloudformation:GetTemplate", READER, "Show the template of a stack."),
            Rule("cloudformation:ListStackResources", READER, "List the resources of a stack."),
            Rule("cloudformation:ListStacks", READER, "List stacks."),
            Rule("cloudformation:SignalResource", MEMBER, "Signal a resource."),
            Rule("cloudformation:UpdateStack", MEMBER, "Update a stack."),
            Rule("cloudformation:ValidateTemplate", READER, "Validate a template."),
        ),
    ),
)
"""Of the actions of CloudFormation's API, under Heat's names: those of what an action does hold besides."""

RULES = (
    *scoped(
        PROJECT,
        (
            Rule("actions:action", MEMBER, "Performs non-lifecycle operations on the stack."),
            Rule("actions:snapshot", MEMBER, "Create stack snapshot."),
            Rule("actions:suspend", MEMBER, "Suspend a stack."),
            Rule("actions:resume", MEMBER, "Resume a suspended stack."),
            Rule("actions:check", READER, "Check stack resources."),
            Rule("actions:cancel_update", MEMBER, "Cancel stack operation and roll back."),
            Rule("actions:cancel_without_rollback", MEMBER, "Cancel stack operation without rolling back."),
            Rule("build_info:build_info", READER, "Show build information."),
            Rule("events:index", READER, "List events."),
            Rule("events:show", READER, "Show event."),
            Rule("resource:index", READER, "List resources."),
            Rule("resource:metadata", MEMBER_OR_GUEST, "Show resource metadata."),
            Rule("resource:signal", MEMBER_OR_GUEST, "Signal resource."),
            Rule("resource:mark_unhealthy", MEMBER, "Mark resource as unhealthy."),
            Rule("resource:show", READER, "Show resource."),
            Rule("service:index", ADMIN, "List the engines."),
            Rule("software_configs:global_index", ADMIN, "List configs globally."),
            Rule("software_configs:index", READER, "List configs."),
            Rule("software_configs:create", MEMBER, "Create config."),
            Rule("software_configs:show", READER, "Show config details."),
            Rule("software_configs:delete", MEMBER, "Delete config."),
            Rule("software_deployments:index", READER, "List deployments."),
            Rule("software_deployments:create", MEMBER, "Create deployment."),
            Rule("software_deployments:show", READER, "Show deployment details."),
            Rule("software_deployments:update", MEMBER, "Update deployment."),
            Rule("software_deployments:delete", MEMBER, "Delete deployment."),
            Rule("software_deployments:metadata", READER, "Show server configuration metadata."),
            Rule("stacks:abandon", MEMBER, "Abandon stack."),
            Rule("stacks:create", MEMBER, "Create stack."),
            Rule("stacks:delete", MEMBER, "Delete stack."),
            Rule("stacks:detail", READER, "List stacks in detail."),
            Rule("stacks:drift", READER, "Compare the resources of a stack with what it set."),
            Rule("stacks:export", MEMBER, "Export stack."),
            Rule("stacks:generate_template", READER, "Generate stack template."),
            Rule("stacks:global_index", ADMIN, "List stacks globally."),
            Rule("stacks:index", READER, "List stacks."),
            Rule("stacks:list_resource_types", READER, "List resource types."),
            Rule("stacks:list_template_versions", READER, "List template versions."),
            Rule("stacks:list_template_functions", READER, "List template functions."),
            Rule("stacks:lookup", READER, "Find stack."),
            Rule("stacks:preview", READER, "Preview stack."),
            Rule("stacks:resource_schema", READER, "Show resource type schema."),
            Rule("stacks:show", READER, "Show stack."),
            Rule("stacks:template", READER, "Get stack template."),
            Rule("stacks:environment", READER, "Get stack environment."),
            Rule("stacks:files", READER, "Get stack files."),
            Rule("stacks:update", MEMBER, "Update stack."),
            Rule("stacks:update_patch", MEMBER, "Update stack (PATCH)."),
            Rule("stacks:preview_update", MEMBER, "Preview update stack."),
            Rule("stacks:preview_update_patch", MEMBER, "Preview update stack (PATCH)."),
            Rule("stacks:validate_template", MEMBER, "Validate template."),
            Rule("stacks:snapshot", MEMBER, "Snapshot stack."),
            Rule("stacks:show_snapshot", READER, "Show snapshot."),
            Rule("stacks:delete_snapshot", MEMBER, "Delete snapshot."),
            Rule("stacks:list_snapshots", READER, "List snapshots."),
            Rule("stacks:restore_snapshot", MEMBER, "Restore snapshot."),
            Rule("stacks:list_outputs", READER, "List outputs."),
            Rule("stacks:show_output", READER, "Show outputs."),
        ),
    ),
)
