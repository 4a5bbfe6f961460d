"""Default policy of block storage under upstream's rule names (cinder.policies, secure RBAC)."""

from __future__ import annotations

from tane.web.policy import ADMIN, ANYONE, MEMBER, PROJECT, READER, Rule, scoped

READERS = (
    "volume:get",
    "volume:get_all",
    "volume:get_volume_metadata",
    "volume:get_snapshot",
    "volume:get_all_snapshots",
    "volume:get_snapshot_metadata",
    "volume:attachment_get",
    "volume:attachment_get_all",
    "volume_extension:type_get",
    "volume_extension:type_get_all",
    "volume_extension:types_extra_specs:index",
    "volume_extension:types_extra_specs:show",
    "volume_extension:quotas:show",
    "limits_extension:used_limits",
    "message:get",
    "message:get_all",
    "volume:not_done:get",
)
MEMBERS = (
    "volume:create",
    "volume:update",
    "volume:delete",
    "volume:extend",
    "volume:create_volume_metadata",
    "volume:update_volume_metadata",
    "volume:delete_volume_metadata",
    "volume:create_snapshot",
    "volume:update_snapshot",
    "volume:delete_snapshot",
    "volume:update_snapshot_metadata",
    "volume:delete_snapshot_metadata",
    "volume:attachment_create",
    "volume:attachment_update",
    "volume:attachment_delete",
    "volume:attachment_complete",
    "volume_extension:volume_actions:attach",
    "volume_extension:volume_actions:detach",
    "volume_extension:volume_actions:reserve",
    "volume_extension:volume_actions:unreserve",
    "volume_extension:volume_actions:begin_detaching",
    "volume_extension:volume_actions:roll_detaching",
    "volume_extension:volume_actions:initialize_connection",
    "volume_extension:volume_actions:terminate_connection",
    "volume_extension:volume_actions:upload_image",
    "volume_extension:volume_image_metadata:show",
    "volume_extension:volume_image_metadata:set",
    "volume_extension:volume_image_metadata:remove",
    "message:delete",
    "volume:not_done:change",
)
ADMINS = (
    "volume:force_delete",
    "volume_extension:volume_admin_actions:reset_status",
    "volume_extension:volume_admin_actions:force_delete",
    "volume_extension:volume_admin_actions:force_detach",
    "volume_extension:snapshot_admin_actions:reset_status",
    "volume_extension:snapshot_admin_actions:force_delete",
    "volume_extension:volume_host_attribute",
    "volume_extension:volume_actions:upload_public",
    "volume_extension:type_create",
    "volume_extension:type_update",
    "volume_extension:type_delete",
    "volume_extension:types_extra_specs:create",
    "volume_extension:types_extra_specs:update",
    "volume_extension:types_extra_specs:delete",
    "volume_extension:volume_type_access:get_all_for_type",
    "volume_extension:volume_type_access:add_project_access",
    "volume_extension:volume_type_access:remove_project_access",
    "volume_extension:quotas:update",
    "volume_extension:quotas:delete",
    "volume_extension:quota_classes:get",
    "volume_extension:quota_classes:update",
    "volume_extension:services:index",
    "volume_extension:services:update",
    "scheduler_extension:scheduler_stats:get_pools",
    "volume_extension:capabilities",
)

RULES = scoped(
    PROJECT,
    (
        *(Rule(name, READER) for name in READERS),
        *(Rule(name, MEMBER) for name in MEMBERS),
        *(Rule(name, ADMIN) for name in ADMINS),
        Rule("volume:availability_zone_list", ANYONE),
        Rule("volume:extensions", ANYONE),
        Rule("volume:resource_filters", ANYONE),
    ),
)
"""Upstream has no ``scope_types`` here but a project in every path, which tokens of another scope cannot have.
Upstream lets members set ``bootable`` and ``readonly`` under ``volume:update``'s default; so do the routes here.
``volume:not_done:…`` guards what is answered with 501."""
