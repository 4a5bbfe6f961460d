"""The compute API, line by line. Reference: https://docs.openstack.org/api-ref/compute/"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tane.services.compute import schemas
from tane.services.compute.api import (
    actions,
    attachments,
    backups,
    consoles,
    diagnostics,
    extensions,
    flavors,
    floating_ips,
    hosts,
    images,
    keypairs,
    migrations,
    proxies_bodies,
    proxies_hosts,
    proxies_image,
    proxies_network,
    proxies_volume,
    quotas,
    rescues,
    servers,
    shelving,
    versions,
)
from tane.services.compute.policies import PREFIX
from tane.web.routes import Route
from tane.web.sockets import WebSocketRoute

SERVER = "/v2.1/servers/{server_id}"
FLAVOR = "/v2.1/flavors/{flavor_id}"
AGGREGATE = "/v2.1/os-aggregates/{aggregate_id}"


OF_OTHERS = {
    "image:index": "get_images",
    "image:detail": "get_images",
    "image:show": "get_image",
    "image:update": "modify_image",
    "image:delete": "delete_image",
    "servers:create_image": "add_image",
    "os-create-backup": "add_image",
    "os-floating-ips:list": "get_floatingip",
    "os-floating-ips:show": "get_floatingip",
    "os-floating-ips:create": "create_floatingip",
    "os-floating-ips:delete": "delete_floatingip",
    "os-floating-ips:add": "update_floatingip",
    "os-floating-ips:remove": "update_floatingip",
    "os-security-groups:get": "get_security_group",
    "os-security-groups:show": "get_security_group",
    "os-security-groups:create": "create_security_group",
    "os-security-groups:update": "update_security_group",
    "os-security-groups:delete": "delete_security_group",
    "os-security-groups:rule:create": "create_security_group_rule",
    "os-security-groups:rule:delete": "delete_security_group_rule",
    "os-security-groups:add": "update_port",
    "os-security-groups:remove": "update_port",
    "os-networks:list": "get_network",
    "os-networks:show": "get_network",
    "os-tenant-networks:list": "get_network",
    "os-tenant-networks:show": "get_network",
    "os-volumes:list": "volume:get_all",
    "os-volumes:detail": "volume:get_all",
    "os-volumes:show": "volume:get",
    "os-volumes:create": "volume:create",
    "os-volumes:delete": "volume:delete",
    "os-volumes:snapshots:list": "volume:get_all_snapshots",
    "os-volumes:snapshots:detail": "volume:get_all_snapshots",
    "os-volumes:snapshots:show": "volume:get_snapshot",
    "os-volumes:snapshots:create": "volume:create_snapshot",
    "os-volumes:snapshots:delete": "volume:delete_snapshot",
    "os-volumes-attachments:create": "volume:attachment_create",
    "os-volumes-attachments:delete": "volume:attachment_delete",
    "os-floating-ip-pools": "get_network",
    "os-shelve:shelve": "add_image",
}
"""Rules of compute under which other services' work is done → those services' own."""


def route(method: str, path: str, handler: Callable[..., Any], rule: str, body: Any = None, **more: Any) -> Route:
    """A line whose policy rule is given without its common prefix."""
    also = (OF_OTHERS[rule],) if rule in OF_OTHERS else ()
    return Route(method, path, handler, f"{PREFIX}:{rule}", body, also=also, **more)


def action(name: str, handler: Callable[..., Any], rule: str, body: Any = None, **more: Any) -> Route:
    return route("POST", f"{SERVER}/action", handler, rule, body, **{"status": 202, "action": name, **more})


VERSIONS = (
    Route("GET", "/", versions.index, None),
    Route("GET", "/v2.1", versions.show, None),
)

FLAVORS = (
    route("GET", "/v2.1/flavors", flavors.index, "flavors:index"),
    route("GET", "/v2.1/flavors/detail", flavors.detail, "flavors:index"),
    route("POST", "/v2.1/flavors", flavors.create, "os-flavor-manage:create", schemas.Flavor),
    route("GET", FLAVOR, flavors.show, "flavors:index"),
    route("PUT", FLAVOR, flavors.update, "os-flavor-manage:update", schemas.FlavorUpdate, since="2.55"),
    route("DELETE", FLAVOR, flavors.delete, "os-flavor-manage:delete", status=202),
    route("GET", f"{FLAVOR}/os-extra_specs", flavors.extra_specs, "os-flavor-extra-specs:index"),
    route(
        "POST",
        f"{FLAVOR}/os-extra_specs",
        flavors.create_extra_specs,
        "os-flavor-extra-specs:create",
        schemas.FlavorExtraSpecs,
    ),
    route("GET", f"{FLAVOR}/os-extra_specs/{{key}}", flavors.extra_spec, "os-flavor-extra-specs:show"),
    route("PUT", f"{FLAVOR}/os-extra_specs/{{key}}", flavors.update_extra_spec, "os-flavor-extra-specs:update"),
    route("DELETE", f"{FLAVOR}/os-extra_specs/{{key}}", flavors.delete_extra_spec, "os-flavor-extra-specs:delete"),
    route("GET", f"{FLAVOR}/os-flavor-access", flavors.access, "os-flavor-access"),
    route(
        "POST",
        f"{FLAVOR}/action",
        flavors.add_access,
        "os-flavor-access:add_tenant_access",
        schemas.AddTenantAccess,
        action="addTenantAccess",
    ),
    route(
        "POST",
        f"{FLAVOR}/action",
        flavors.remove_access,
        "os-flavor-access:remove_tenant_access",
        schemas.RemoveTenantAccess,
        action="removeTenantAccess",
    ),
)

KEYPAIRS = (
    route("GET", "/v2.1/os-keypairs", keypairs.index, "os-keypairs:index"),
    route("POST", "/v2.1/os-keypairs", keypairs.create, "os-keypairs:create", schemas.Keypair),
    route("GET", "/v2.1/os-keypairs/{name}", keypairs.show, "os-keypairs:show"),
    route("DELETE", "/v2.1/os-keypairs/{name}", keypairs.delete, "os-keypairs:delete"),
)

SERVERS = (
    route("GET", "/v2.1/servers", servers.index, "servers:index"),
    route("GET", "/v2.1/servers/detail", servers.detail, "servers:detail"),
    route("POST", "/v2.1/servers", servers.create, "servers:create", schemas.ServerCreate, status=202),
    route("GET", SERVER, servers.show, "servers:show"),
    route("PUT", SERVER, servers.update, "servers:update", schemas.ServerUpdate),
    route("DELETE", SERVER, servers.delete, "servers:delete", status=204),
    route("GET", f"{SERVER}/metadata", servers.metadata, "server-metadata:index"),
    route("POST", f"{SERVER}/metadata", servers.merge_metadata, "server-metadata:create", schemas.MetadataBody),
    route("PUT", f"{SERVER}/metadata", servers.replace_metadata, "server-metadata:update_all", schemas.MetadataBody),
    route("GET", f"{SERVER}/metadata/{{key}}", servers.metadata_item, "server-metadata:show"),
    route(
        "PUT", f"{SERVER}/metadata/{{key}}", servers.set_metadata_item, "server-metadata:update", schemas.MetadataItem
    ),
    route("DELETE", f"{SERVER}/metadata/{{key}}", servers.delete_metadata_item, "server-metadata:delete", status=204),
    route("GET", f"{SERVER}/tags", servers.tags, "os-server-tags:index", since="2.26"),
    route("PUT", f"{SERVER}/tags", servers.replace_tags, "os-server-tags:update_all", schemas.Tags, since="2.26"),
    route("DELETE", f"{SERVER}/tags", servers.delete_tags, "os-server-tags:delete_all", status=204, since="2.26"),
    route("GET", f"{SERVER}/tags/{{tag}}", servers.has_tag, "os-server-tags:show", status=204, since="2.26"),
    route("PUT", f"{SERVER}/tags/{{tag}}", servers.add_tag, "os-server-tags:update", since="2.26"),
    route("DELETE", f"{SERVER}/tags/{{tag}}", servers.delete_tag, "os-server-tags:delete", status=204, since="2.26"),
    route("GET", f"{SERVER}/os-server-password", servers.password, "os-server-password:show"),
    route("DELETE", f"{SERVER}/os-server-password", servers.clear_password, "os-server-password:clear", status=204),
    route("GET", f"{SERVER}/ips", servers.ips, "ips:index"),
    route("GET", f"{SERVER}/ips/{{network}}", servers.ips_of_network, "ips:show"),
    route("GET", f"{SERVER}/os-security-groups", servers.security_groups, "os-security-groups:list"),
    route("GET", f"{SERVER}/topology", servers.topology, "server:topology:index", since="2.78"),
    route("GET", f"{SERVER}/os-instance-actions", actions.instance_actions, "os-instance-actions:list"),
    route("GET", f"{SERVER}/os-instance-actions/{{request_id}}", actions.instance_action, "os-instance-actions:show"),
    route(
        "POST",
        f"{SERVER}/remote-consoles",
        consoles.create,
        "os-remote-consoles",
        schemas.RemoteConsole,
        since="2.6",
    ),
    route("GET", f"{SERVER}/os-interface", attachments.interfaces, "os-attach-interfaces:list"),
    route(
        "POST", f"{SERVER}/os-interface", attachments.create_interface, "os-attach-interfaces:create", schemas.Interface
    ),
    route("GET", f"{SERVER}/os-interface/{{port_id}}", attachments.interface, "os-attach-interfaces:show"),
    route(
        "DELETE",
        f"{SERVER}/os-interface/{{port_id}}",
        attachments.delete_interface,
        "os-attach-interfaces:delete",
        status=202,
    ),
    route("GET", f"{SERVER}/os-volume_attachments", attachments.volumes, "os-volumes-attachments:index"),
    route(
        "POST",
        f"{SERVER}/os-volume_attachments",
        attachments.attach_volume,
        "os-volumes-attachments:create",
        schemas.AttachVolume,
    ),
    route("GET", f"{SERVER}/os-volume_attachments/{{volume_id}}", attachments.volume, "os-volumes-attachments:show"),
    route(
        "PUT",
        f"{SERVER}/os-volume_attachments/{{volume_id}}",
        attachments.update_volume,
        "os-volumes-attachments:update",
        schemas.UpdateAttachment,
        status=202,
    ),
    route(
        "DELETE",
        f"{SERVER}/os-volume_attachments/{{volume_id}}",
        attachments.detach_volume,
        "os-volumes-attachments:delete",
        status=202,
    ),
)

ACTIONS = (
    action("os-start", actions.start, "servers:start"),
    action("os-stop", actions.stop, "servers:stop"),
    action("reboot", actions.reboot, "servers:reboot", schemas.Reboot),
    action("pause", actions.pause, "os-pause-server:pause"),
    action("unpause", actions.unpause, "os-pause-server:unpause"),
    action("suspend", actions.suspend, "os-suspend-server:suspend"),
    action("resume", actions.resume, "os-suspend-server:resume"),
    action("rebuild", actions.rebuild, "servers:rebuild", schemas.Rebuild),
    action("createImage", actions.create_image, "servers:create_image", schemas.CreateImage),
    action("createBackup", backups.create, "os-create-backup", proxies_bodies.CreateBackup),
    action("lock", actions.lock, "os-lock-server:lock", schemas.Lock),
    action("unlock", actions.unlock, "os-lock-server:unlock"),
    action("os-resetState", actions.reset_state, "os-admin-actions:reset_state", schemas.ResetState),
    action("forceDelete", actions.force_delete, "os-deferred-delete:force"),
    action("addSecurityGroup", actions.add_security_group, "os-security-groups:add", schemas.AddSecurityGroup),
    action(
        "removeSecurityGroup", actions.remove_security_group, "os-security-groups:remove", schemas.RemoveSecurityGroup
    ),
    action("addFloatingIp", floating_ips.add, "os-floating-ips:add", schemas.AddFloatingIp, until="2.43"),
    action("removeFloatingIp", floating_ips.remove, "os-floating-ips:remove", schemas.RemoveFloatingIp, until="2.43"),
    action("os-getConsoleOutput", actions.console_output, "os-console-output", schemas.ConsoleOutput, status=200),
    action("changePassword", actions.change_password, "os-admin-password", schemas.ChangePassword),
    *(
        action(name, handler, "os-remote-consoles", body, until="2.5", status=200)
        for name, handler, body in (
            ("os-getVNCConsole", consoles.vnc, schemas.VncConsole),
            ("os-getSPICEConsole", consoles.spice, schemas.SpiceConsole),
            ("os-getRDPConsole", consoles.rdp, schemas.RdpConsole),
            ("os-getSerialConsole", consoles.serial, schemas.SerialConsole),
        )
    ),
    action("resize", migrations.resize, "servers:resize", schemas.Resize),
    action("confirmResize", migrations.confirm, "servers:confirm_resize", status=204),
    action("revertResize", migrations.revert, "servers:revert_resize"),
    action("migrate", migrations.migrate, "os-migrate-server:migrate", schemas.Migrate),
    action("os-migrateLive", migrations.migrate_live, "os-migrate-server:migrate_live", schemas.MigrateLive),
    action("evacuate", migrations.evacuate, "os-evacuate", schemas.Evacuate, status=200),
    action("rescue", rescues.rescue, "os-rescue", schemas.Rescue, status=200),
    action("unrescue", rescues.unrescue, "os-unrescue"),
    action("shelve", shelving.shelve, "os-shelve:shelve"),
    action("shelveOffload", shelving.offload, "os-shelve:shelve_offload"),
    action("unshelve", shelving.unshelve, "os-shelve:unshelve", schemas.Unshelve),
    action("trigger_crash_dump", actions.not_done, "servers:trigger_crash_dump", since="2.17"),
    action("injectNetworkInfo", actions.not_done, "os-admin-actions:inject_network_info"),
    action("restore", actions.restore, "os-deferred-delete:restore"),
    action("addFixedIp", actions.not_done, "os-multinic:add", until="2.43"),
    action("removeFixedIp", actions.not_done, "os-multinic:remove", until="2.43"),
)

BOOT = "/v2.1/os-volumes_boot"

VOLUMES_BOOT = tuple(
    replace(line, path=line.path.replace("/v2.1/servers", BOOT, 1))
    for line in (*SERVERS, *ACTIONS)
    if line.path in ("/v2.1/servers", "/v2.1/servers/detail", SERVER, f"{SERVER}/action")
)
"""Servers under the name that old clients use for those that boot from volumes: the same calls."""

HOSTS = (
    route("GET", "/v2.1/os-hypervisors", hosts.hypervisors, "os-hypervisors:list"),
    route("GET", "/v2.1/os-hypervisors/detail", hosts.hypervisors_detail, "os-hypervisors:list-detail"),
    route("GET", "/v2.1/os-hypervisors/statistics", hosts.statistics, "os-hypervisors:statistics", until="2.87"),
    route("GET", "/v2.1/os-hypervisors/{hypervisor_id}", hosts.hypervisor, "os-hypervisors:show"),
    route("GET", "/v2.1/os-hypervisors/{hypervisor_id}/uptime", hosts.uptime, "os-hypervisors:uptime", until="2.87"),
    route(
        "GET",
        "/v2.1/os-hypervisors/{hypervisor_id}/search",
        hosts.search_hypervisors,
        "os-hypervisors:search",
        until="2.52",
    ),
    route(
        "GET",
        "/v2.1/os-hypervisors/{hypervisor_id}/servers",
        hosts.hypervisor_servers,
        "os-hypervisors:servers",
        until="2.52",
    ),
    route("GET", "/v2.1/os-services", hosts.services, "os-services:list"),
    route(
        "PUT",
        "/v2.1/os-services/{service_id}",
        hosts.update_service,
        "os-services:update",
        schemas.ServiceUpdate,
        since="2.53",
    ),
    *(
        route("PUT", f"/v2.1/os-services/{name}", handler, "os-services:update", schemas.ServiceByHost, until="2.52")
        for name, handler in (
            ("enable", hosts.enable_service),
            ("disable", hosts.disable_service),
            ("disable-log-reason", hosts.disable_service_with_reason),
            ("force-down", hosts.force_down),
        )
    ),
    route("GET", "/v2.1/os-availability-zone", hosts.zones, "os-availability-zone:list"),
    route("GET", "/v2.1/os-availability-zone/detail", hosts.zones_detail, "os-availability-zone:detail"),
    route("GET", "/v2.1/os-aggregates", hosts.aggregates, "os-aggregates:index"),
    route("POST", "/v2.1/os-aggregates", hosts.create_aggregate, "os-aggregates:create", schemas.Aggregate),
    route("GET", AGGREGATE, hosts.aggregate, "os-aggregates:show"),
    route("PUT", AGGREGATE, hosts.update_aggregate, "os-aggregates:update", schemas.AggregateUpdate),
    route("DELETE", AGGREGATE, hosts.delete_aggregate, "os-aggregates:delete"),
    *(
        route("POST", f"{AGGREGATE}/action", handler, f"os-aggregates:{name}", body, action=name)
        for name, handler, body in (
            ("add_host", hosts.add_aggregate_host, schemas.AddHost),
            ("remove_host", hosts.remove_aggregate_host, schemas.RemoveHost),
            ("set_metadata", hosts.set_aggregate_metadata, schemas.SetMetadata),
        )
    ),
)

QUOTAS = (
    route("GET", "/v2.1/limits", quotas.limits, "limits"),
    route("GET", "/v2.1/os-quota-sets/{project_id}", quotas.quota_set, "os-quota-sets:defaults"),
    route("PUT", "/v2.1/os-quota-sets/{project_id}", quotas.update_quota_set, "os-quota-sets:update", schemas.QuotaSet),
    route("DELETE", "/v2.1/os-quota-sets/{project_id}", quotas.delete_quota_set, "os-quota-sets:delete", status=202),
    route("GET", "/v2.1/os-quota-sets/{project_id}/defaults", quotas.default_quota_set, "os-quota-sets:defaults"),
    route("GET", "/v2.1/os-quota-sets/{project_id}/detail", quotas.quota_set_detail, "os-quota-sets:defaults"),
    route("GET", "/v2.1/os-quota-class-sets/{name}", quotas.quota_class, "os-quota-class-sets:show"),
    route(
        "PUT",
        "/v2.1/os-quota-class-sets/{name}",
        quotas.update_quota_class,
        "os-quota-class-sets:update",
        schemas.QuotaClassSet,
    ),
    route("GET", "/v2.1/os-simple-tenant-usage", quotas.usages, "os-simple-tenant-usage:list"),
    route("GET", "/v2.1/os-simple-tenant-usage/{project_id}", quotas.usage, "os-simple-tenant-usage:show"),
    route("GET", "/v2.1/os-server-groups", quotas.server_groups, "os-server-groups:index"),
    route("POST", "/v2.1/os-server-groups", quotas.create_server_group, "os-server-groups:create", schemas.ServerGroup),
    route("GET", "/v2.1/os-server-groups/{group_id}", quotas.server_group, "os-server-groups:show"),
    route(
        "DELETE", "/v2.1/os-server-groups/{group_id}", quotas.delete_server_group, "os-server-groups:delete", status=204
    ),
    route("GET", "/v2.1/extensions", extensions.index, "extensions"),
    route("GET", "/v2.1/extensions/{alias}", extensions.show, "extensions"),
)

CONSOLES = (
    route("GET", "/v2.1/os-console-auth-tokens/{token}", consoles.connection, "os-console-auth-tokens"),
    Route("GET", "/console/{file:path}", consoles.page, None),
)

WEB_SOCKETS = (WebSocketRoute(consoles.SOCKET, consoles.attach),)

IMAGE_METADATA = "/v2.1/images/{image_id}/metadata"

IMAGES = (
    route("GET", "/v2.1/images", proxies_image.index, "image:index", until="2.35"),
    route("GET", "/v2.1/images/detail", proxies_image.detail, "image:detail", until="2.35"),
    *(
        route(method, path, handler, f"image:{verb}", body, until="2.38", status=status)
        for method, path, handler, verb, body, status in (
            ("GET", IMAGE_METADATA, proxies_image.metadata, "show", None, 200),
            ("POST", IMAGE_METADATA, proxies_image.merge_metadata, "update", schemas.MetadataBody, 200),
            ("PUT", IMAGE_METADATA, proxies_image.replace_metadata, "update", schemas.MetadataBody, 200),
            ("GET", f"{IMAGE_METADATA}/{{key}}", proxies_image.metadata_item, "show", None, 200),
            ("PUT", f"{IMAGE_METADATA}/{{key}}", proxies_image.set_metadata_item, "update", schemas.MetadataItem, 200),
            ("DELETE", f"{IMAGE_METADATA}/{{key}}", proxies_image.delete_metadata_item, "update", None, 204),
        )
    ),
    route("GET", "/v2.1/images/{image_id}", images.show, "image:show", until="2.35"),
    route("DELETE", "/v2.1/images/{image_id}", images.delete, "image:delete", status=204, until="2.35"),
)

PROXIES = tuple(
    route(method, f"/v2.1/{path}", handler, rule, body, status=status, until="2.35")
    for method, path, handler, rule, body, status in (
        ("GET", "os-floating-ips", proxies_network.floating_ips, "os-floating-ips:list", None, 200),
        (
            "POST",
            "os-floating-ips",
            proxies_network.create_floating_ip,
            "os-floating-ips:create",
            proxies_bodies.FloatingIp,
            200,
        ),
        ("GET", "os-floating-ips/{floating_ip_id}", proxies_network.floating_ip, "os-floating-ips:show", None, 200),
        (
            "DELETE",
            "os-floating-ips/{floating_ip_id}",
            proxies_network.delete_floating_ip,
            "os-floating-ips:delete",
            None,
            202,
        ),
        ("GET", "os-floating-ip-pools", proxies_network.floating_ip_pools, "os-floating-ip-pools", None, 200),
        ("GET", "os-security-groups", proxies_network.security_groups, "os-security-groups:get", None, 200),
        (
            "POST",
            "os-security-groups",
            proxies_network.create_security_group,
            "os-security-groups:create",
            proxies_bodies.SecurityGroup,
            200,
        ),
        (
            "GET",
            "os-security-groups/{security_group_id}",
            proxies_network.security_group,
            "os-security-groups:show",
            None,
            200,
        ),
        (
            "PUT",
            "os-security-groups/{security_group_id}",
            proxies_network.update_security_group,
            "os-security-groups:update",
            proxies_bodies.SecurityGroup,
            200,
        ),
        (
            "DELETE",
            "os-security-groups/{security_group_id}",
            proxies_network.delete_security_group,
            "os-security-groups:delete",
            None,
            202,
        ),
        (
            "POST",
            "os-security-group-rules",
            proxies_network.create_security_group_rule,
            "os-security-groups:rule:create",
            proxies_bodies.SecurityGroupRule,
            200,
        ),
        (
            "DELETE",
            "os-security-group-rules/{security_group_rule_id}",
            proxies_network.delete_security_group_rule,
            "os-security-groups:rule:delete",
            None,
            202,
        ),
        ("GET", "os-networks", proxies_network.networks, "os-networks:list", None, 200),
        ("GET", "os-networks/{network_id}", proxies_network.show_network, "os-networks:show", None, 200),
        ("GET", "os-tenant-networks", proxies_network.tenant_networks, "os-tenant-networks:list", None, 200),
        (
            "GET",
            "os-tenant-networks/{network_id}",
            proxies_network.tenant_network,
            "os-tenant-networks:show",
            None,
            200,
        ),
        ("GET", "os-volumes", proxies_volume.volumes, "os-volumes:list", None, 200),
        ("GET", "os-volumes/detail", proxies_volume.volumes, "os-volumes:detail", None, 200),
        ("POST", "os-volumes", proxies_volume.create_volume, "os-volumes:create", proxies_bodies.Volume, 200),
        ("GET", "os-volumes/{volume_id}", proxies_volume.show_volume, "os-volumes:show", None, 200),
        ("DELETE", "os-volumes/{volume_id}", proxies_volume.delete_volume, "os-volumes:delete", None, 202),
        ("GET", "os-snapshots", proxies_volume.snapshots, "os-volumes:snapshots:list", None, 200),
        ("GET", "os-snapshots/detail", proxies_volume.snapshots, "os-volumes:snapshots:detail", None, 200),
        (
            "POST",
            "os-snapshots",
            proxies_volume.create_snapshot,
            "os-volumes:snapshots:create",
            proxies_bodies.Snapshot,
            200,
        ),
        ("GET", "os-snapshots/{snapshot_id}", proxies_volume.show_snapshot, "os-volumes:snapshots:show", None, 200),
        (
            "DELETE",
            "os-snapshots/{snapshot_id}",
            proxies_volume.delete_snapshot,
            "os-volumes:snapshots:delete",
            None,
            202,
        ),
    )
)
"""What older clients ask of compute and other services do."""

OLD_HOST = "/v2.1/os-hosts/{host_name}"
ASSISTED = "/v2.1/os-assisted-volume-snapshots"
AUDIT = "/v2.1/os-instance_usage_audit_log"

OLD_HOSTS = (
    route("GET", "/v2.1/os-hosts", proxies_hosts.index, "os-hosts:list", until="2.42"),
    route("GET", OLD_HOST, proxies_hosts.show, "os-hosts:show", until="2.42"),
    route("PUT", OLD_HOST, proxies_hosts.update, "os-hosts:update", proxies_bodies.HostUpdate, until="2.42"),
    *(
        route("GET", f"{OLD_HOST}/{path}", proxies_hosts.power, f"os-hosts:{rule}", until="2.42")
        for path, rule in (("startup", "start"), ("shutdown", "shutdown"), ("reboot", "reboot"))
    ),
    route("GET", "/v2.1/os-migrations", migrations.index, "os-migrations:index"),
    route("GET", f"{SERVER}/migrations", migrations.of_server, "servers:migrations:index", since="2.23"),
    route(
        "GET", f"{SERVER}/migrations/{{migration_id}}", migrations.show_live, "servers:migrations:show", since="2.23"
    ),
    route(
        "DELETE",
        f"{SERVER}/migrations/{{migration_id}}",
        migrations.abort,
        "servers:migrations:delete",
        status=202,
        since="2.24",
    ),
    route(
        "POST",
        f"{SERVER}/migrations/{{migration_id}}/action",
        migrations.force_complete,
        "servers:migrations:force_complete",
        schemas.ForceComplete,
        status=202,
        since="2.22",
        action="force_complete",
    ),
    route("GET", f"{SERVER}/diagnostics", diagnostics.show, "os-server-diagnostics"),
    route(
        "POST",
        "/v2.1/os-server-external-events",
        proxies_hosts.external_events,
        "os-server-external-events:create",
        proxies_bodies.NotDone,
    ),
    route(
        "POST",
        ASSISTED,
        proxies_hosts.assisted_snapshots,
        "os-assisted-volume-snapshots:create",
        proxies_bodies.NotDone,
    ),
    route(
        "DELETE",
        f"{ASSISTED}/{{snapshot_id}}",
        proxies_hosts.assisted_snapshots,
        "os-assisted-volume-snapshots:delete",
        status=204,
    ),
    route("GET", AUDIT, proxies_hosts.audit, "os-instance-usage-audit-log:list"),
    route("GET", f"{AUDIT}/{{before}}", proxies_hosts.audit_before, "os-instance-usage-audit-log:show"),
)

REMOVED = tuple(
    route("GET", f"/v2.1/{path}", proxies_hosts.removed, "removed", until=until)
    for name, until in (
        ("os-fping", "2.35"),
        ("os-fixed-ips", "2.35"),
        ("os-floating-ip-dns", "2.35"),
        ("os-floating-ips-bulk", "2.35"),
        ("os-security-group-default-rules", "2.35"),
        ("os-cells", None),
        ("os-certificates", None),
        ("os-cloudpipe", None),
    )
    for path in (name, f"{name}/{{id}}")
)
"""What needed nova-network or cells: 410, and 404 where upstream has bounded the microversion too."""

ROUTES = (
    *VERSIONS,
    *IMAGES,
    *FLAVORS,
    *KEYPAIRS,
    *SERVERS,
    *ACTIONS,
    *VOLUMES_BOOT,
    *HOSTS,
    *QUOTAS,
    *CONSOLES,
    *PROXIES,
    *OLD_HOSTS,
    *REMOVED,
)
