"""The block storage API, line by line. Reference: https://docs.openstack.org/api-ref/block-storage/v3/"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import msgspec

from tane.services.volume import schemas
from tane.services.volume.api import (
    actions,
    attachments,
    backups,
    default_types,
    encryption,
    group_types,
    groups,
    hosts,
    infrastructure,
    messages,
    metadata,
    qos,
    quotas,
    snapshots,
    transfers,
    types,
    volumes,
)
from tane.web.errors import BadRequest
from tane.web.request import Request
from tane.web.routes import Handler, Route


def in_project(
    method: str,
    path: str,
    handler: Handler,
    policy: str,
    body: type[msgspec.Struct] | None = None,
    **more: Any,
) -> Route:
    """A route below ``/v3/{project_id}``, where the path's project must be the token's, or the caller's an
    administrator. It is served below ``/v3`` too, for the project of the token (3.67)."""
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def serve_async(request: Request) -> Any:
            _check_project(request)
            return await handler(request)

        return Route(method, "/v3/{project_id}" + path, serve_async, policy, body, **more)

    @functools.wraps(handler)
    def serve(request: Request) -> Any:
        _check_project(request)
        return handler(request)

    return Route(method, "/v3/{project_id}" + path, serve, policy, body, **more)


def _check_project(request: Request) -> None:
    request.path.setdefault("project_id", request.ctx.project_id)
    if request.path["project_id"] != request.ctx.project_id and not request.ctx.is_admin:
        raise BadRequest("Malformed request url")


def action(
    path: str, name: str, handler: Handler, policy: str, body: type[msgspec.Struct] | None = None, **more: Any
) -> Route:
    return in_project("POST", f"{path}/action", handler, policy, body, action=name, **{"status": 202, **more})


VOLUME = "/volumes/{volume_id}"
SNAPSHOT = "/snapshots/{snapshot_id}"
ATTACHMENT = "/attachments/{attachment_id}"
TYPE = "/types/{type_id}"
DO = "volume_extension:volume_actions:"
ADMIN_DO = "volume_extension:volume_admin_actions:"
SPECS = "volume_extension:types_extra_specs:"
ENCRYPTION = "volume_extension:volume_type_encryption:"
QOS = "/qos-specs/{specs_id}"
MANAGE = "volume_extension:qos_specs_manage:"
DEFAULT_TYPE = "/default-types/{target_id}"
ACCESS = "volume_extension:volume_type_access:"
IMAGE_META = "volume_extension:volume_image_metadata:"
CHANGE = "volume:not_done:change"


def _metadata(path: str, calls: metadata.Metadata, kind: str, suffix: str) -> tuple[Route, ...]:
    show, change, remove = (f"volume:{verb}_{suffix}" for verb in ("get", "update", "delete"))
    create = change if suffix == "snapshot_metadata" else f"volume:create_{suffix}"
    return (
        in_project("GET", f"{path}/metadata", calls.index, show),
        in_project("POST", f"{path}/metadata", calls.create, create, schemas.MetadataBody),
        in_project("PUT", f"{path}/metadata", calls.replace, change, schemas.MetadataBody),
        in_project("GET", f"{path}/metadata/{{key}}", calls.show, show),
        in_project("PUT", f"{path}/metadata/{{key}}", calls.update, change, schemas.MetaBody),
        in_project("DELETE", f"{path}/metadata/{{key}}", calls.delete, remove),
    )


def _transfers(path: str, since: str | None) -> tuple[Route, ...]:
    one = path + "/{transfer_id}"
    found, taken = "volume:get_all_transfers", schemas.TransferAccept
    return (
        in_project("GET", path, transfers.index, found, since=since),
        in_project("GET", f"{path}/detail", transfers.detail, found, since=since),
        in_project(
            "POST", path, transfers.create, "volume:create_transfer", schemas.TransferCreate, status=202, since=since
        ),
        in_project("GET", one, transfers.show, "volume:get_transfer", since=since),
        in_project("DELETE", one, transfers.delete, "volume:delete_transfer", status=202, since=since),
        in_project("POST", f"{one}/accept", transfers.accept, "volume:accept_transfer", taken, status=202, since=since),
    )


BACKUP = "/backups/{backup_id}"
BACKUP_ADMIN = "volume_extension:backup_admin_actions:"

BACKUPS = (
    in_project("GET", "/backups", backups.index, "backup:get_all"),
    in_project("GET", "/backups/detail", backups.detail, "backup:get_all"),
    in_project("POST", "/backups", backups.create, "backup:create", schemas.BackupCreate, status=202),
    in_project(
        "POST",
        "/backups/import_record",
        backups.import_record,
        "backup:backup-import",
        schemas.BackupImport,
        status=201,
    ),
    in_project("GET", BACKUP, backups.show, "backup:get"),
    in_project("PUT", BACKUP, backups.update, "backup:update", schemas.BackupUpdate, since="3.9"),
    in_project("DELETE", BACKUP, backups.delete, "backup:delete", status=202),
    in_project("POST", f"{BACKUP}/restore", backups.restore, "backup:restore", schemas.BackupRestore, status=202),
    in_project("GET", f"{BACKUP}/export_record", backups.export_record, "backup:export-import"),
    action(BACKUP, "os-reset_status", backups.reset_status, f"{BACKUP_ADMIN}reset_status", schemas.BackupStatusAction),
    action(BACKUP, "os-force_delete", backups.force_delete, f"{BACKUP_ADMIN}force_delete"),
)

GROUP_TYPE = "/group_types/{group_type_id}"
GROUP_SPECS = "group:group_types_specs:"
GROUP = "/groups/{group_id}"
GROUP_SNAPSHOT = "/group_snapshots/{group_snapshot_id}"
TYPES, RULE_OF_TYPES = "3.11", "group:group_types:"
WITH_SNAPSHOTS = "3.14"

GROUPS = (
    in_project("GET", "/group_types", group_types.index, "volume:group_types", since=TYPES),
    in_project(
        "POST",
        "/group_types",
        group_types.create,
        f"{RULE_OF_TYPES}create",
        schemas.GroupTypeCreate,
        status=202,
        since=TYPES,
    ),
    in_project("GET", GROUP_TYPE, group_types.show, "volume:group_types", since=TYPES),
    in_project("PUT", GROUP_TYPE, group_types.update, f"{RULE_OF_TYPES}update", schemas.GroupTypeUpdate, since=TYPES),
    in_project("DELETE", GROUP_TYPE, group_types.delete, f"{RULE_OF_TYPES}delete", status=202, since=TYPES),
    in_project("GET", f"{GROUP_TYPE}/group_specs", group_types.specs, f"{GROUP_SPECS}get_all", since=TYPES),
    in_project(
        "POST",
        f"{GROUP_TYPE}/group_specs",
        group_types.create_specs,
        f"{GROUP_SPECS}create",
        schemas.GroupSpecs,
        status=202,
        since=TYPES,
    ),
    in_project("GET", f"{GROUP_TYPE}/group_specs/{{key}}", group_types.show_spec, f"{GROUP_SPECS}get", since=TYPES),
    in_project(
        "PUT", f"{GROUP_TYPE}/group_specs/{{key}}", group_types.update_spec, f"{GROUP_SPECS}update", since=TYPES
    ),
    in_project(
        "DELETE",
        f"{GROUP_TYPE}/group_specs/{{key}}",
        group_types.delete_spec,
        f"{GROUP_SPECS}delete",
        status=202,
        since=TYPES,
    ),
    in_project("GET", "/groups", groups.index, "group:get_all", since="3.13"),
    in_project("GET", "/groups/detail", groups.detail, "group:get_all", since="3.13"),
    in_project("POST", "/groups", groups.create, "group:create", schemas.GroupCreate, status=202, since="3.13"),
    action("/groups", "create-from-src", groups.copy, "group:create", schemas.GroupCopy, since=WITH_SNAPSHOTS),
    in_project("GET", GROUP, groups.show, "group:get", since="3.13"),
    in_project("PUT", GROUP, groups.update, "group:update", schemas.GroupUpdate, status=202, since="3.13"),
    action(GROUP, "delete", groups.delete, "group:delete", schemas.GroupDelete, since="3.13"),
    action(GROUP, "reset_status", groups.reset_status, "group:reset_status", schemas.GroupReset, since="3.20"),
    in_project("GET", "/group_snapshots", groups.snapshots, "group:get_all_group_snapshots", since=WITH_SNAPSHOTS),
    in_project(
        "GET", "/group_snapshots/detail", groups.snapshots_detail, "group:get_all_group_snapshots", since=WITH_SNAPSHOTS
    ),
    in_project(
        "POST",
        "/group_snapshots",
        groups.create_snapshot,
        "group:create_group_snapshot",
        schemas.GroupSnapshotCreate,
        status=202,
        since=WITH_SNAPSHOTS,
    ),
    in_project("GET", GROUP_SNAPSHOT, groups.show_snapshot, "group:get_group_snapshot", since=WITH_SNAPSHOTS),
    in_project(
        "DELETE",
        GROUP_SNAPSHOT,
        groups.delete_snapshot,
        "group:delete_group_snapshot",
        status=202,
        since=WITH_SNAPSHOTS,
    ),
    action(
        GROUP_SNAPSHOT,
        "reset_status",
        groups.reset_snapshot_status,
        "group:reset_group_snapshot_status",
        schemas.GroupReset,
        since="3.19",
    ),
)
"""Types, groups and their snapshots; replication of groups is not done, as that of volumes."""

ROUTES = (
    Route("GET", "/", infrastructure.index, None),
    Route("GET", "/v3", infrastructure.show, None),
    in_project("GET", "/volumes", volumes.index, "volume:get_all"),
    in_project("POST", "/volumes", volumes.create, "volume:create", schemas.VolumeCreate, status=202),
    in_project("GET", "/volumes/detail", volumes.detail, "volume:get_all"),
    in_project("GET", "/volumes/summary", volumes.summary, "volume:get_all", since="3.12"),
    in_project("GET", VOLUME, volumes.show, "volume:get"),
    in_project("PUT", VOLUME, volumes.update, "volume:update", schemas.VolumeUpdate),
    in_project("DELETE", VOLUME, volumes.delete, "volume:delete", status=202),
    *_metadata(VOLUME, metadata.VOLUMES, "Volume", "volume_metadata"),
    action(VOLUME, "os-extend", actions.extend, "volume:extend", schemas.ExtendAction),
    action(VOLUME, "os-reset_status", actions.reset_status, f"{ADMIN_DO}reset_status", schemas.ResetStatusAction),
    action(
        VOLUME,
        "os-reimage",
        actions.reimage,
        "volume:reimage",
        schemas.ReimageAction,
        since="3.68",
    ),
    action(
        VOLUME,
        "os-extend_volume_completion",
        actions.extend_completion,
        f"{ADMIN_DO}extend_volume_completion",
        since="3.71",
    ),
    action(VOLUME, "os-retype", actions.retype, "volume:retype", schemas.RetypeAction),
    action(VOLUME, "os-unmanage", actions.unmanage, "volume_extension:volume_unmanage"),
    action(VOLUME, "os-force_delete", actions.force_delete, f"{ADMIN_DO}force_delete"),
    action(VOLUME, "os-force_detach", actions.force_detach, f"{ADMIN_DO}force_detach", schemas.ForceDetachAction),
    action(VOLUME, "os-set_bootable", actions.set_bootable, "volume:update", schemas.BootableAction, status=200),
    action(VOLUME, "os-update_readonly_flag", actions.set_read_only, "volume:update", schemas.ReadOnlyAction),
    action(VOLUME, "os-attach", actions.attach, f"{DO}attach", schemas.AttachAction),
    action(VOLUME, "os-detach", actions.detach, f"{DO}detach", schemas.DetachAction),
    action(VOLUME, "os-reserve", actions.reserve, f"{DO}reserve"),
    action(VOLUME, "os-unreserve", actions.unreserve, f"{DO}unreserve"),
    action(VOLUME, "os-begin_detaching", actions.begin_detaching, f"{DO}begin_detaching"),
    action(VOLUME, "os-roll_detaching", actions.roll_detaching, f"{DO}roll_detaching"),
    action(VOLUME, "os-initialize_connection", actions.no_connection, f"{DO}initialize_connection"),
    action(VOLUME, "os-terminate_connection", actions.no_connection, f"{DO}terminate_connection"),
    action(VOLUME, "os-volume_upload_image", actions.upload_image, f"{DO}upload_image", schemas.UploadImageAction),
    action(VOLUME, "os-show_image_metadata", actions.show_image_metadata, f"{IMAGE_META}show", status=200),
    action(
        VOLUME,
        "os-set_image_metadata",
        actions.set_image_metadata,
        f"{IMAGE_META}set",
        schemas.SetImageMetadataAction,
        status=200,
    ),
    action(
        VOLUME,
        "os-unset_image_metadata",
        actions.unset_image_metadata,
        f"{IMAGE_META}remove",
        schemas.UnsetImageMetadataAction,
        status=200,
    ),
    *(
        action(VOLUME, name, infrastructure.not_done(what), CHANGE)
        for name, what in (
            ("os-migrate_volume", "Migrating a volume"),
            ("revert", "Setting a volume back to its snapshot"),
        )
    ),
    in_project("GET", "/snapshots", snapshots.index, "volume:get_all_snapshots"),
    in_project("POST", "/snapshots", snapshots.create, "volume:create_snapshot", schemas.SnapshotCreate, status=202),
    in_project("GET", "/snapshots/detail", snapshots.detail, "volume:get_all_snapshots"),
    in_project("GET", SNAPSHOT, snapshots.show, "volume:get_snapshot"),
    in_project("PUT", SNAPSHOT, snapshots.update, "volume:update_snapshot", schemas.SnapshotUpdate),
    in_project("DELETE", SNAPSHOT, snapshots.delete, "volume:delete_snapshot", status=202),
    *_metadata(SNAPSHOT, metadata.SNAPSHOTS, "Snapshot", "snapshot_metadata"),
    action(
        SNAPSHOT,
        "os-reset_status",
        snapshots.reset_status,
        "volume_extension:snapshot_admin_actions:reset_status",
        schemas.SnapshotStatusAction,
    ),
    action(
        SNAPSHOT,
        "os-update_snapshot_status",
        snapshots.update_status,
        "snapshot_extension:snapshot_actions:update_snapshot_status",
        schemas.SnapshotProgressAction,
    ),
    action(SNAPSHOT, "os-unmanage", snapshots.unmanage, "snapshot_extension:snapshot_unmanage"),
    action(SNAPSHOT, "os-force_delete", snapshots.force_delete, "volume_extension:snapshot_admin_actions:force_delete"),
    in_project("GET", "/attachments", attachments.index, "volume:attachment_get_all", since="3.27"),
    in_project("GET", "/attachments/detail", attachments.detail, "volume:attachment_get_all", since="3.27"),
    in_project(
        "POST",
        "/attachments",
        attachments.create,
        "volume:attachment_create",
        schemas.AttachmentCreate,
        since="3.27",
    ),
    in_project("GET", ATTACHMENT, attachments.show, "volume:attachment_get", since="3.27"),
    in_project(
        "PUT", ATTACHMENT, attachments.update, "volume:attachment_update", schemas.AttachmentUpdate, since="3.27"
    ),
    in_project("DELETE", ATTACHMENT, attachments.delete, "volume:attachment_delete", since="3.27"),
    action(ATTACHMENT, "os-complete", attachments.complete, "volume:attachment_complete", status=204, since="3.44"),
    in_project("GET", "/types", types.index, "volume_extension:type_get_all"),
    in_project("POST", "/types", types.create, "volume_extension:type_create", schemas.TypeCreate),
    in_project("GET", TYPE, types.show, "volume_extension:type_get"),
    in_project("PUT", TYPE, types.update, "volume_extension:type_update", schemas.TypeUpdate),
    in_project("DELETE", TYPE, types.delete, "volume_extension:type_delete", status=202),
    in_project("GET", f"{TYPE}/extra_specs", types.specs, f"{SPECS}index"),
    in_project("POST", f"{TYPE}/extra_specs", types.create_specs, f"{SPECS}create", schemas.ExtraSpecs),
    in_project("GET", f"{TYPE}/extra_specs/{{key}}", types.show_spec, f"{SPECS}show"),
    in_project("PUT", f"{TYPE}/extra_specs/{{key}}", types.update_spec, f"{SPECS}update"),
    in_project("DELETE", f"{TYPE}/extra_specs/{{key}}", types.delete_spec, f"{SPECS}delete", status=202),
    in_project("GET", f"{TYPE}/encryption", encryption.show, f"{ENCRYPTION}get"),
    in_project("POST", f"{TYPE}/encryption", encryption.create, f"{ENCRYPTION}create", schemas.EncryptionCreate),
    in_project("GET", f"{TYPE}/encryption/{{key}}", encryption.show_key, f"{ENCRYPTION}get"),
    in_project("PUT", f"{TYPE}/encryption/{{key}}", encryption.update, f"{ENCRYPTION}update", schemas.EncryptionUpdate),
    in_project("DELETE", f"{TYPE}/encryption/{{key}}", encryption.delete, f"{ENCRYPTION}delete", status=202),
    in_project("GET", f"{TYPE}/os-volume-type-access", types.access, f"{ACCESS}get_all_for_type"),
    action(TYPE, "addProjectAccess", types.grant, f"{ACCESS}add_project_access", schemas.AddAccess),
    action(TYPE, "removeProjectAccess", types.revoke, f"{ACCESS}remove_project_access", schemas.RemoveAccess),
    in_project("GET", "/qos-specs", qos.index, f"{MANAGE}get_all"),
    in_project("POST", "/qos-specs", qos.create, f"{MANAGE}create", schemas.QosSpecs),
    in_project("GET", QOS, qos.show, f"{MANAGE}get"),
    in_project("PUT", QOS, qos.update, f"{MANAGE}update", schemas.QosSpecs),
    in_project("DELETE", QOS, qos.delete, f"{MANAGE}delete", status=202),
    in_project("PUT", f"{QOS}/delete_keys", qos.delete_keys, f"{MANAGE}delete", schemas.QosKeys, status=202),
    in_project("GET", f"{QOS}/associations", qos.associations, f"{MANAGE}get_all"),
    in_project("GET", f"{QOS}/associate", qos.associate, f"{MANAGE}update", status=202),
    in_project("GET", f"{QOS}/disassociate", qos.disassociate, f"{MANAGE}update", status=202),
    in_project("GET", f"{QOS}/disassociate_all", qos.disassociate_all, f"{MANAGE}update", status=202),
    in_project("GET", "/default-types", default_types.index, "volume_extension:default_get_all", since="3.62"),
    in_project("GET", DEFAULT_TYPE, default_types.show, "volume_extension:default_get", since="3.62"),
    in_project(
        "PUT",
        DEFAULT_TYPE,
        default_types.update,
        "volume_extension:default_set_or_update",
        schemas.DefaultTypeUpdate,
        since="3.62",
    ),
    in_project(
        "DELETE", DEFAULT_TYPE, default_types.delete, "volume_extension:default_unset", status=204, since="3.62"
    ),
    in_project("GET", "/os-quota-sets/{target_id}", quotas.show, "volume_extension:quotas:show"),
    in_project("GET", "/os-quota-sets/{target_id}/defaults", quotas.defaults, "volume_extension:quotas:show"),
    in_project(
        "PUT", "/os-quota-sets/{target_id}", quotas.update, "volume_extension:quotas:update", schemas.QuotaUpdate
    ),
    in_project("DELETE", "/os-quota-sets/{target_id}", quotas.delete, "volume_extension:quotas:delete"),
    in_project("GET", "/os-quota-class-sets/{class_name}", quotas.show_class, "volume_extension:quota_classes:get"),
    in_project(
        "PUT",
        "/os-quota-class-sets/{class_name}",
        quotas.update_class,
        "volume_extension:quota_classes:update",
        schemas.QuotaClassUpdate,
    ),
    in_project("GET", "/limits", quotas.limits, "limits_extension:used_limits"),
    in_project("GET", "/os-services", infrastructure.services, "volume_extension:services:index"),
    in_project("PUT", "/os-services/{verb}", infrastructure.change_service, "volume_extension:services:update"),
    in_project(
        "GET",
        "/scheduler-stats/get_pools",
        infrastructure.list_pools,
        "scheduler_extension:scheduler_stats:get_pools",
    ),
    in_project("GET", "/resource_filters", infrastructure.resource_filters, "volume:resource_filters", since="3.33"),
    in_project("GET", "/os-hosts", hosts.index, "volume_extension:hosts"),
    in_project("GET", "/os-hosts/{host}", hosts.show, "volume_extension:hosts"),
    in_project("GET", "/capabilities/{host}", infrastructure.capabilities, "volume_extension:capabilities"),
    in_project("GET", "/os-availability-zone", infrastructure.zones, "volume:availability_zone_list"),
    in_project("GET", "/extensions", infrastructure.extensions, "volume:extensions"),
    *BACKUPS,
    *_transfers("/os-volume-transfer", None),
    *_transfers("/volume-transfers", "3.55"),
    *GROUPS,
    in_project("GET", "/messages", messages.index, "message:get_all", since="3.3"),
    in_project("GET", "/messages/{message_id}", messages.show, "message:get", since="3.3"),
    in_project("DELETE", "/messages/{message_id}", messages.delete, "message:delete", status=204, since="3.3"),
)
