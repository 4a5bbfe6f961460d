"""Versions, zones, extensions, services and pools of block storage."""

from __future__ import annotations

from typing import Any

from tane.hosts import store as hosts
from tane.hosts.told import told_to_the_caller
from tane.services.volume.api import filters
from tane.services.volume.domain import pools, types
from tane.services.volume.domain import services as domain
from tane.services.volume.domain.common import BACKEND, ZONE
from tane.services.volume.schemas import ServiceChange
from tane.web import codec
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, NotFound, NotImplementedHere
from tane.web.request import Request, Response
from tane.web.versions import Microversions

VERSIONS = Microversions("volume", (3, 0), (3, 71))
EXTENSIONS = (
    ("os-extended-snapshot-attributes", "ExtendedSnapshotAttributes", "Extended snapshot attributes support."),
    ("os-quota-sets", "Quotas", "Quota management support."),
    ("os-quota-class-sets", "QuotaClasses", "Quota classes management support."),
    ("os-services", "Services", "Services support."),
    ("os-types-manage", "TypesManage", "Types manage support."),
    ("os-types-extra-specs", "TypesExtraSpecs", "Type extra specs support."),
    ("qos-specs", "Qos_specs_manage", "QoS specs support."),
    ("os-volume-type-access", "VolumeTypeAccess", "Volume type access support."),
    ("os-volume-transfer", "VolumeTransfer", "Volume transfer management support."),
    ("backups", "Backups", "Backups support."),
    ("os-volume-actions", "VolumeActions", "Enable volume actions."),
    ("os-admin-actions", "AdminActions", "Enable admin actions."),
    ("os-vol-host-attr", "VolumeHostAttribute", "Expose host as an attribute of a volume."),
    ("os-vol-tenant-attr", "VolumeTenantAttribute", "Expose the internal project_id as an attribute of a volume."),
    ("os-vol-image-meta", "VolumeImageMetadata", "Show image metadata associated with the volume."),
    ("os-availability-zone", "AvailabilityZones", "Describe Availability Zones."),
    ("os-used-limits", "UsedLimits", "Provide data on limited resources that are being used."),
    ("scheduler-stats", "SchedulerStats", "Scheduler stats support."),
)


PROPERTIES = {
    "thin_provisioning": {
        "title": "Thin Provisioning",
        "description": "Sets thin provisioning.",
        "type": "boolean",
    },
    "compression": {"title": "Compression", "description": "Enables compression.", "type": "boolean"},
    "qos": {"title": "QoS", "description": "Enables QoS.", "type": "boolean"},
    "replication_enabled": {"title": "Replication", "description": "Enables replication.", "type": "boolean"},
}
"""Extra specs of types that drivers know, as Cinder's common properties name them; none of them is switched on here."""


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": ".".join(map(str, VERSIONS.maximum)),
        "min_version": ".".join(map(str, VERSIONS.minimum)),
        "updated": "2021-01-01T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": request.link("/v3/")},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }


def index(request: Request) -> Response:
    return Response({"versions": [_version(request)]}, status=300)


def show(request: Request) -> dict[str, Any]:
    return {"versions": [_version(request)]}


def zones(request: Request) -> dict[str, Any]:
    return {"availabilityZoneInfo": [{"zoneName": ZONE, "zoneState": {"available": True}}]}


def extensions(request: Request) -> dict[str, Any]:
    found = [
        {"alias": alias, "name": name, "description": text, "updated": "2011-01-01T00:00:00+00:00", "links": []}
        for alias, name, text in EXTENSIONS
    ]
    return {"extensions": found}


def services(request: Request) -> dict[str, Any]:
    """One cinder-volume a pool; the scheduler and cinder-backup, which are parts of the controller."""
    host, binary = request.param("host"), request.param("binary")
    found = [
        _service(one)
        for one in domain.index(request.core)
        if binary in (None, one.binary) and host in (None, one.host, one.host.split("@")[0])
    ]
    return {"services": found}


def _service(one: domain.Service) -> dict[str, Any]:
    body: dict[str, Any] = {
        "binary": one.binary,
        "host": one.host,
        "zone": ZONE,
        "status": "enabled" if one.enabled else "disabled",
        "state": "up" if one.up else "down",
        "updated_at": iso_micro(one.seen),
        "disabled_reason": one.reason,
    }
    if one.binary == domain.VOLUME:
        body |= {"frozen": False, "replication_status": "disabled", "active_backend_id": None}
    return body


def change_service(request: Request) -> dict[str, Any]:
    """``enable``, ``disable`` or ``disable-log-reason``: whether new volumes are made on a host."""
    verb = request.path["verb"]
    if verb in ("freeze", "thaw"):
        domain.freeze(request.core, codec.decode(ServiceChange, request.raw).host)
    if verb not in ("enable", "disable", "disable-log-reason"):
        raise NotFound(f"Unknown action: {verb}")
    body = codec.decode(ServiceChange, request.raw)
    if verb == "disable-log-reason" and not body.disabled_reason:
        raise BadRequest("Invalid input for field/attribute disabled_reason. It is required")
    binary, service = (given if isinstance(given, str) else "" for given in (body.binary, body.service))
    if not (binary or service):
        raise BadRequest("Invalid input: 'binary' is a required property.")
    enabled = verb == "enable"
    domain.switch(request.core, binary or service, body.host, enabled=enabled, reason=body.disabled_reason)
    answer = {
        "host": body.host,
        "service": service,
        "binary": binary,
        "status": "enabled" if enabled else "disabled",
        "disabled": not enabled,
    }
    return answer if verb == "disable" else {**answer, "disabled_reason": None if enabled else body.disabled_reason}


POOL_FILTERS = filters.Filters(
    "pool", {}, before=("name", "volume_type"), since={"name": (3, 28), "volume_type": (3, 35)}, besides=("detail",)
)


async def list_pools(request: Request) -> dict[str, Any]:
    """Pools of the hosts that are up; with ``detail`` the capacity their hosts report."""
    rows = await request.core.in_thread(_pool_rows, request)
    found: list[dict[str, Any]] = []
    for row in rows:
        entry: dict[str, Any] = {"name": pool_name(row)}
        if request.flag("detail"):
            with told_to_the_caller(f"pool {entry['name']}"):
                capacity = await request.core.hosts.volume(row.id).capacity()
            entry["capabilities"] = {
                **pools.CAPABILITIES,
                "total_capacity_gb": round(capacity.total_gb, 2),
                "free_capacity_gb": round(capacity.free_gb, 2),
                "timestamp": iso_micro(row.last_seen),
            }
        found.append(entry)
    return {"pools": found}


def pool_name(row: Any) -> str:
    return f"{row.name}@{BACKEND}#{BACKEND}"


def _pool_rows(request: Request) -> list[Any]:
    wanted = filters.given(request, POOL_FILTERS)
    with request.core.db.read() as tx:
        found = [row for row in hosts.all_hosts(tx) if "volume" in row.roles and hosts.is_up(tx, row)]
        kind = types.named(tx, wanted["volume_type"]) if "volume_type" in wanted else None
    if kind is not None and not pools.meets(kind.extra_specs):
        return []
    return [row for row in found if wanted.get("name") in (None, pool_name(row))]


def capabilities(request: Request) -> dict[str, Any]:
    """What a back end can. :raises NotFound: there is none of this name."""
    name = request.path["host"]
    host = name.partition("#")[0]
    if all((one.binary, one.host) != (domain.VOLUME, host) for one in domain.index(request.core)):
        raise NotFound(f"Can't find service: {name}")
    shown = ("vendor_name", "volume_backend_name", "pool_name", "driver_version", "storage_protocol")
    return {
        "namespace": f"OS::Storage::Capabilities::{name}",
        **{key: pools.CAPABILITIES[key] for key in shown},
        "display_name": None,
        "description": None,
        "visibility": None,
        "replication_targets": [],
        "properties": PROPERTIES,
    }


def resource_filters(request: Request) -> dict[str, Any]:
    """What members may filter each list by."""
    found = filters.listed(request.param("resource"))
    return {"resource_filters": [{"resource": name, "filters": list(names)} for name, names in found.items()]}


def not_done(what: str) -> Any:
    def handler(request: Request) -> None:
        raise NotImplementedHere(f"{what} is not possible yet.")

    return handler
