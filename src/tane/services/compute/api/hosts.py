"""Hypervisors, services, zones and aggregates, for administrators (Compute API: "Hypervisors", "Compute services")."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.hosts.told import told_to_the_caller
from tane.services.compute.domain import administration as hosts
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, NotFound
from tane.web.request import Request
from tane.wire.documents import HostUptime
from tane.wire.errors import HostError

INTERNAL_ZONE = "internal"
UPTIME_SECONDS = 5.0
"""How long a list of hypervisors waits for what their hosts tell."""


def _hypervisor_id(request: Request, host: hosts.HostView) -> Any:
    return host.row.id if request.version >= (2, 53) else host.number


def _brief(request: Request, host: hosts.HostView, *, with_servers: bool = False) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": _hypervisor_id(request, host),
        "hypervisor_hostname": host.row.name,
        "state": "up" if host.up else "down",
        "status": "enabled" if host.row.enabled else "disabled",
    }
    if with_servers:
        found = [{"uuid": row.id, "name": f"instance-{row.number:08x}"} for row in host.servers]
        if found or request.version >= (2, 75):
            body["servers"] = found
    return body


def _full(request: Request, host: hosts.HostView, *, with_servers: bool) -> dict[str, Any]:
    offered, version = host.row.capabilities, request.version
    body = _brief(request, host, with_servers=with_servers)
    service_id: Any = host.service_id if version >= (2, 53) else host.number
    body.update(
        {
            "hypervisor_type": offered.get("hypervisor_type", ""),
            "hypervisor_version": offered.get("hypervisor_version", 0),
            "host_ip": host.row.local_ip or "127.0.0.1",
            "service": {"host": host.row.name, "id": service_id, "disabled_reason": host.row.disabled_reason},
        }
    )
    if version >= (2, 88):
        return body
    vcpus, ram_mb, disk_gb = (host.claimed.get(name, 0) for name in ("VCPU", "MEMORY_MB", "DISK_GB"))
    memory, disk = offered.get("memory_mb", 0), offered.get("disk_gb", 0)
    cpu: Any = {
        "arch": offered.get("cpu_arch", "x86_64"),
        "model": offered.get("cpu_model", ""),
        "vendor": "",
        "features": [],
        "topology": {"cores": offered.get("vcpus", 0), "threads": 1, "sockets": 1},
    }
    body.update(
        {
            "cpu_info": cpu if version >= (2, 28) else msgspec.json.encode(cpu).decode(),
            "current_workload": host.count.busy if host.count else 0,
            "disk_available_least": disk - disk_gb,
            "free_disk_gb": disk - disk_gb,
            "free_ram_mb": memory - ram_mb,
            "local_gb": disk,
            "local_gb_used": disk_gb,
            "memory_mb": memory,
            "memory_mb_used": ram_mb,
            "running_vms": host.count.servers if host.count else 0,
            "vcpus": offered.get("vcpus", 0),
            "vcpus_used": vcpus,
        }
    )
    return body


def _chosen(request: Request) -> tuple[list[hosts.HostView], bool]:
    """The hosts a list call means, and whether their servers are shown."""
    with_servers = request.version >= (2, 53) and request.flag("with_servers")
    found = hosts.compute_hosts(request.core, with_servers=with_servers)
    pattern = request.param("hypervisor_hostname_pattern") if request.version >= (2, 53) else None
    if pattern is not None:
        found = [host for host in found if pattern in host.row.name]
        if not found:
            raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return found, with_servers


def hypervisors(request: Request) -> dict[str, Any]:
    found, with_servers = _chosen(request)
    return {"hypervisors": [_brief(request, host, with_servers=with_servers) for host in found]}


async def hypervisors_detail(request: Request) -> dict[str, Any]:
    def views() -> tuple[list[hosts.HostView], list[dict[str, Any]]]:
        found, with_servers = _chosen(request)
        return found, [_full(request, host, with_servers=with_servers) for host in found]

    found, shown = await request.core.in_thread(views)
    return {"hypervisors": await _with_uptimes(request, found, shown)}


async def _with_uptimes(
    request: Request, found: list[hosts.HostView], shown: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Since 2.88 hypervisors are shown with it: their hosts are asked together, while the caller waits."""
    if request.version >= (2, 88):
        for view, told in zip(shown, await _uptimes(request, found), strict=True):
            view["uptime"] = told
    return shown


def _hypervisor(request: Request) -> hosts.HostView:
    wanted = request.path["hypervisor_id"]
    try:
        host = hosts.compute_host(request.core, wanted)
    except NotFound:
        host = None
    if host is None or wanted != str(_hypervisor_id(request, host)):
        raise NotFound(f"Hypervisor with ID '{wanted}' could not be found.")
    return host


async def hypervisor(request: Request) -> dict[str, Any]:
    with_servers = request.version >= (2, 53) and request.flag("with_servers")
    host = await request.core.in_thread(_hypervisor, request)
    [view] = await _with_uptimes(request, [host], [_full(request, host, with_servers=with_servers)])
    return {"hypervisor": view}


async def uptime(request: Request) -> dict[str, Any]:
    """Until 2.87: a hypervisor with how long it has been up; its host is asked while the caller waits."""
    host = await request.core.in_thread(_hypervisor, request)
    with told_to_the_caller(f"hypervisor {host.row.name}"):
        told = await request.core.hosts.compute(host.row.id).uptime()
    return {"hypervisor": {**_brief(request, host), "uptime": _uptime(told)}}


def _uptime(told: HostUptime) -> str:
    """As uptime(1) says it, which clients take apart. Who is logged in on the host, nobody is told."""
    days, rest = divmod(told.seconds // 60, 24 * 60)
    since = (
        f"{days} day{'' if days == 1 else 's'}, {rest // 60:2}:{rest % 60:02}"
        if days
        else f"{rest // 60:2}:{rest % 60:02}"
    )
    load = ", ".join(f"{value:.2f}" for value in told.load)
    return f" {told.clock} up {since},  0 users,  load average: {load}"


async def _uptimes(request: Request, found: list[hosts.HostView]) -> list[str | None]:
    """Of each host; None where it is not up, or does not tell in time."""

    async def ask(host: hosts.HostView) -> str | None:
        if not host.up:
            return None
        try:
            async with asyncio.timeout(UPTIME_SECONDS):
                return _uptime(await request.core.hosts.compute(host.row.id).uptime())
        except (HostError, TimeoutError):
            return None

    return await asyncio.gather(*map(ask, found))


def search_hypervisors(request: Request) -> dict[str, Any]:
    """Until 2.52: hypervisors by a part of their name."""
    pattern = request.path["hypervisor_id"]
    found = [host for host in hosts.compute_hosts(request.core) if pattern in host.row.name]
    if not found:
        raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return {"hypervisors": [_brief(request, host) for host in found]}


def hypervisor_servers(request: Request) -> dict[str, Any]:
    pattern = request.path["hypervisor_id"]
    every = hosts.compute_hosts(request.core, with_servers=True)
    found = [host for host in every if pattern in host.row.name]
    if not found:
        raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return {"hypervisors": [_brief(request, host, with_servers=True) for host in found]}


def statistics(request: Request) -> dict[str, Any]:
    names = [
        "current_workload",
        "disk_available_least",
        "free_disk_gb",
        "free_ram_mb",
        "local_gb",
        "local_gb_used",
        "memory_mb",
        "memory_mb_used",
        "running_vms",
        "vcpus",
        "vcpus_used",
    ]
    views = [_full(request, host, with_servers=False) for host in hosts.compute_hosts(request.core) if host.row.enabled]
    return {"hypervisor_statistics": {"count": len(views), **{n: sum(view[n] for view in views) for n in names}}}


# -------------------------------------------------------------------------------------------------------- services


def _service(request: Request, host: hosts.HostView) -> dict[str, Any]:
    body = {
        "id": host.service_id if request.version >= (2, 53) else host.number,
        "binary": "nova-compute",
        "host": host.row.name,
        "zone": host.zone,
        "status": "enabled" if host.row.enabled else "disabled",
        "state": "up" if host.up else "down",
        "updated_at": iso_micro(host.row.last_seen),
        "disabled_reason": host.row.disabled_reason,
    }
    if request.version >= (2, 11):
        body["forced_down"] = host.row.forced_down
    return body


def services(request: Request) -> dict[str, Any]:
    name, binary = request.param("host"), request.param("binary")
    found = [host for host in hosts.compute_hosts(request.core) if name in (None, host.row.name)]
    return {"services": [_service(request, host) for host in found if binary in (None, "nova-compute")]}


def update_service(request: Request) -> dict[str, Any]:
    """Since 2.53: by the service's id."""
    body = request.body
    values: dict[str, Any] = {}
    if body.status is not None:
        values = {"enabled": body.status == "enabled", "disabled_reason": None}
    if body.disabled_reason is not None:
        if body.status != "disabled":
            raise BadRequest("Specifying disabled_reason requires that status is set to 'disabled'.")
        values["disabled_reason"] = body.disabled_reason
    if body.forced_down is not None:
        values["forced_down"] = body.forced_down
    if not values:
        raise BadRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    return {"service": _service(request, hosts.update_host(request.core, request.path["service_id"], values))}


def _by_host(request: Request, values: dict[str, Any]) -> dict[str, Any]:
    body = request.body
    if body.binary != "nova-compute":
        raise NotFound(f"Could not find binary {body.binary} on host {body.host}.")
    hosts.update_host(request.core, body.host, values, by_name=True)
    return {"host": body.host, "binary": body.binary}


def enable_service(request: Request) -> dict[str, Any]:
    found = _by_host(request, {"enabled": True, "disabled_reason": None})
    return {"service": {**found, "status": "enabled"}}


def disable_service(request: Request) -> dict[str, Any]:
    found = _by_host(request, {"enabled": False, "disabled_reason": None})
    return {"service": {**found, "status": "disabled"}}


def disable_service_with_reason(request: Request) -> dict[str, Any]:
    reason = request.body.disabled_reason
    if reason is None:
        raise BadRequest("Missing disabled reason field")
    found = _by_host(request, {"enabled": False, "disabled_reason": reason})
    return {"service": {**found, "status": "disabled", "disabled_reason": reason}}


def force_down(request: Request) -> dict[str, Any]:
    down = request.body.forced_down
    if down is None:
        raise BadRequest("Missing forced_down field")
    return {"service": {**_by_host(request, {"forced_down": down}), "forced_down": down}}


# ----------------------------------------------------------------------------------------------------------- zones


def _zone(name: str, *, available: bool, within: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"zoneName": name, "zoneState": {"available": available}, "hosts": within}


def _zones(found: list[hosts.HostView]) -> tuple[list[str], list[str]]:
    """The names of the zones that have an enabled host, and of the others."""
    available = {host.zone for host in found if host.row.enabled}
    return sorted(available), sorted({host.zone for host in found} - available)


def zones(request: Request) -> dict[str, Any]:
    available, others = _zones(hosts.compute_hosts(request.core))
    listed = [_zone(name, available=True) for name in available] + [_zone(name, available=False) for name in others]
    return {"availabilityZoneInfo": listed}


def zones_detail(request: Request) -> dict[str, Any]:
    """Zones with the hosts that are switched on.

    Scheduler and conductor are part of the controller and have the zone of their own that administrators' tools know.
    """
    found = hosts.compute_hosts(request.core)
    available, others = _zones(found)
    within: dict[str, dict[str, Any]] = {}
    for host in found:
        if host.row.enabled:
            service = {"available": host.up, "active": True, "updated_at": iso_micro(host.row.last_seen)}
            within.setdefault(host.zone, {})[host.row.name] = {"nova-compute": service}
    listed = [_zone(name, available=True, within=within[name]) for name in available]
    listed += [_zone(name, available=False) for name in others]
    if found:
        here = {"available": True, "active": True, "updated_at": iso_micro(request.core.clock.now())}
        services = dict.fromkeys(("nova-conductor", "nova-scheduler"), here)
        listed.insert(0, _zone(INTERNAL_ZONE, available=True, within={found[0].row.name: services}))
    return {"availabilityZoneInfo": listed}


# ------------------------------------------------------------------------------------------------------ aggregates


def _aggregate(request: Request, row: Row[Any]) -> dict[str, Any]:
    body = {
        "id": row.id,
        "uuid": row.uuid,
        "name": row.name,
        "availability_zone": row.metadata.get("availability_zone"),
        "hosts": row.hosts,
        "metadata": row.metadata,
        "created_at": iso_micro(row.created_at),
        "updated_at": iso_micro(row.updated_at),
        "deleted": False,
        "deleted_at": None,
    }
    if request.version < (2, 41):
        del body["uuid"]
    return body


def aggregates(request: Request) -> dict[str, Any]:
    return {"aggregates": [_aggregate(request, row) for row in hosts.aggregates(request.core)]}


def aggregate(request: Request) -> dict[str, Any]:
    return {"aggregate": _aggregate(request, hosts.aggregate(request.core, request.path["aggregate_id"]))}


def create_aggregate(request: Request) -> dict[str, Any]:
    wanted = request.body.aggregate
    body = _aggregate(request, hosts.create_aggregate(request.core, wanted.name, wanted.availability_zone))
    for name in ("hosts", "metadata"):
        del body[name]
    return {"aggregate": body}


def update_aggregate(request: Request) -> dict[str, Any]:
    wanted = request.body.aggregate
    zone = wanted.availability_zone
    name = None if wanted.name is msgspec.UNSET else wanted.name
    changes = {} if zone is msgspec.UNSET else {"availability_zone": zone}
    row = hosts.update_aggregate(request.core, request.path["aggregate_id"], name, changes)
    return {"aggregate": _aggregate(request, row)}


def set_aggregate_metadata(request: Request) -> dict[str, Any]:
    found = request.body.set_metadata.metadata
    row = hosts.update_aggregate(request.core, request.path["aggregate_id"], None, found)
    return {"aggregate": _aggregate(request, row)}


def delete_aggregate(request: Request) -> None:
    hosts.delete_aggregate(request.core, request.path["aggregate_id"])


def add_aggregate_host(request: Request) -> dict[str, Any]:
    row = hosts.add_aggregate_host(request.core, request.path["aggregate_id"], request.body.add_host.host)
    return {"aggregate": _aggregate(request, row)}


def remove_aggregate_host(request: Request) -> dict[str, Any]:
    row = hosts.remove_aggregate_host(request.core, request.path["aggregate_id"], request.body.remove_host.host)
    return {"aggregate": _aggregate(request, row)}
