"""What Horizon has: its panels, by its own registry, and what scripts ask for those that are made in the browser."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

ASK = """
import json, django
django.setup()
import horizon, openstack_dashboard.urls
found = [
    {"name": f"{dashboard.slug}/{panel.slug}", "path": panel.get_absolute_url(), "menu": bool(panel.nav)}
    for dashboard in horizon.get_dashboards()
    for panels in dashboard.get_panel_groups().values()
    for panel in panels
]
print("PANELS " + json.dumps(found))
"""

IMAGES = ("/api/glance/images/", "/api/glance/images/{}/", "/api/glance/images/{}/properties/")
NAMESPACES = ("/api/glance/metadefs/namespaces/?resource_type=OS::Glance::Image", "/api/glance/metadefs/resourcetypes/")
CALLS: dict[str, tuple[str, ...]] = {
    "project/api_access": ("/api/keystone/svc-catalog/", "/api/keystone/user-session/", "/api/keystone/version/"),
    "project/images": (*IMAGES, *NAMESPACES, "/api/glance/version/"),
    "admin/images": IMAGES,
    "project/key_pairs": ("/api/nova/keypairs/", "/api/nova/keypairs/{}"),
    "project/server_groups": ("/api/nova/servergroups/", "/api/nova/servergroups/{}/", "/api/nova/limits/"),
    "admin/metadata_defs": NAMESPACES,
    "identity/roles": ("/api/keystone/roles/", "/api/keystone/roles/{}"),
    "identity/users": ("/api/keystone/users/", "/api/keystone/users/{}"),
    "identity/groups": ("/api/keystone/groups/", "/api/keystone/groups/{}"),
    "identity/projects": ("/api/keystone/projects/", "/api/keystone/projects/{}"),
    "identity/domains": ("/api/keystone/domains/", "/api/keystone/domains/{}", "/api/keystone/default_domain/"),
    "admin/flavors": (
        "/api/nova/flavors/?get_extras=true",
        "/api/nova/flavors/{}/",
        "/api/nova/flavors/{}/extra-specs/",
    ),
    "admin/info": (
        "/api/nova/services/",
        "/api/neutron/agents/",
        "/api/neutron/extensions/",
        "/api/cinder/extensions/",
        "/api/keystone/services/",
    ),
    "admin/defaults": (
        "/api/nova/quota-sets/defaults/",
        "/api/nova/quota-sets/editable/",
        "/api/cinder/quota-sets/defaults/",
    ),
    "admin/volume_types": (
        "/api/cinder/volumetypes/{}/",
        "/api/cinder/volumetypes/{}/metadata",
        "/api/cinder/qosspecs/",
    ),
    "project/volumes": (
        "/api/cinder/tenantabsolutelimits/",
        "/api/cinder/availzones/",
    ),
    "project/snapshots": ("/api/cinder/volumesnapshots/", "/api/cinder/volumesnapshots/{}/metadata"),
    "project/floating_ips": ("/api/network/floatingips/", "/api/network/floatingippools/"),
    "project/networks": ("/api/neutron/networks/", "/api/neutron/subnets/", "/api/neutron/ports/"),
    "project/network_topology": ("/project/network_topology/json",),
    "project/instances": (
        "/api/nova/servers/",
        "/api/nova/servers/{}",
        "/api/nova/servers/{}/actions/",
        "/api/nova/servers/{}/security-groups/",
        "/api/nova/servers/{}/volumes/",
        "/api/nova/servers/{}/metadata",
    ),
    "project/trunks": ("/api/neutron/trunks/",),
    "project/network_qos": ("/api/neutron/qos_policies/",),
}
"""By panel. ``{}`` is the id of one of what the call up to there lists."""

WIZARD = (
    "/api/nova/availzones/",
    "/api/nova/flavors/?is_public=true&get_extras=true",
    "/api/nova/keypairs/",
    "/api/nova/limits/?reserved=true",
    "/api/nova/servergroups/",
    "/api/cinder/volumes/?bootable=true&status=available",
    "/api/cinder/volumesnapshots/?status=available",
    "/api/cinder/extensions/",
    "/api/cinder/volumetypes/",
    "/api/cinder/volumetypes/default/",
    "/api/neutron/networks/",
    "/api/neutron/ports/",
    "/api/network/securitygroups/",
    "/api/glance/images/?visibility=public&status=active",
    "/api/glance/metadefs/namespaces/?resource_type=OS::Nova::Server",
    "/api/settings/",
)
"""What the dialogue that launches a server asks for."""

DEFECTS = {
    "/admin/volume_groups/ID/delete/": "Horizon looks for a template that it has not (admin/volumes/…/_delete.html)",
    "/identity/ID/update_quotas/": "Horizon takes the place where a quota was found for the quota itself",
}
"""Pages of Horizon 27.0.0 that fail whatever a cloud answers, with the reason: they are told and not counted."""


@dataclass(frozen=True)
class Panel:
    """``menu``: whether Horizon's menu shows it to who may use it."""

    name: str
    path: str
    menu: bool


def registered(programs: Path, environment: dict[str, str]) -> list[Panel]:
    """All panels that Horizon's registry holds with these settings."""
    command = [str(programs / "python"), "-c", ASK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Horizon's registry cannot be read: {done.stderr[-3000:]}")
    [found] = [text for text in done.stdout.splitlines() if text.startswith("PANELS ")]
    return [Panel(**panel) for panel in json.loads(found.removeprefix("PANELS "))]
