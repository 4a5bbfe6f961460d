"""Default policy of rating under CloudKitty's names; ``bill:``, ``closing:`` and ``budget:`` are Tane's own."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, PROJECT, READER, Rule, scoped

ADMINS = (
    "report:list_tenants",
    "rating:list_modules",
    "rating:get_module",
    "rating:update_module",
    "rating:module_config",
    "collector:list_mappings",
    "collector:get_mapping",
    "collector:manage_mapping",
    "collector:get_state",
    "collector:update_state",
    "dataframes:add",
    "v2_rating:list_modules",
    "v2_rating:get_module",
    "v2_rating:update_module",
    "scope:get_state",
    "scope:reset_state",
    "scope:patch_state",
    "scope:post_state",
    "schedule:task_reprocesses",
    "schedule:get_task_reprocesses",
    "closing:list",
    "closing:create",
    "budget:list",
    "budget:set",
    "budget:delete",
)
READERS = (
    "report:get_summary",
    "report:get_total",
    "storage:list_data_frames",
    "dataframes:get",
    "summary:get_summary",
    "bill:get",
    "budget:get",
)
UNPROTECTED = (
    "info:list_services_info",
    "info:get_service_info",
    "info:list_metrics_info",
    "info:get_metric_info",
    "info:get_config",
    "rating:quote",
)

RULES = scoped(
    PROJECT,
    (
        *(Rule(name, ADMIN) for name in ADMINS),
        *(Rule(name, READER) for name in READERS),
        *(Rule(name, ANYONE) for name in UNPROTECTED),
    ),
)
