"""What older clients ask of hosts, the audit of usage, and calls that Nova has removed ("Obsolete APIs")."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tane.services.compute.api.hosts import INTERNAL_ZONE
from tane.services.compute.domain import administration as hosts
from tane.web.errors import BadRequest, Gone, NotFound, NotImplementedHere
from tane.web.request import Request

USED = ("(used_now)", "(used_max)")
AUDIT_TIME = "%Y-%m-%d %H:%M:%S.%f"


def index(request: Request) -> dict[str, Any]:
    """Each service of a host, by ``zone`` and ``service``; an empty filter is none. Scheduler and conductor are part of
    the controller and told with the first host, as the zones tell them."""
    found = [(host.row.name, "compute", host.zone) for host in hosts.compute_hosts(request.core)]
    found += [(name, part, INTERNAL_ZONE) for name, _, _ in found[:1] for part in ("conductor", "scheduler")]
    zone, service = request.param("zone"), request.param("service")
    return {
        "hosts": [
            {"host_name": name, "service": part, "zone": within}
            for name, part, within in found
            if zone in (None, "", within) and service in (None, "", part)
        ]
    }


def _host(request: Request) -> hosts.HostView:
    name = request.path["host_name"]
    for host in hosts.compute_hosts(request.core, with_servers=True):
        if host.row.name == name:
            return host
    raise NotFound(f"Compute host {name} could not be found.")


def show(request: Request) -> dict[str, Any]:
    """What the host has, what its servers were promised, and each project's part of it."""
    host = _host(request)
    offered = host.row.capabilities
    total = {name: offered.get(key, 0) for name, key in (("cpu", "vcpus"), ("memory_mb",) * 2, ("disk_gb",) * 2)}
    used: dict[str, dict[str, int]] = {name: dict.fromkeys(total, 0) for name in USED}
    for row in host.servers:
        flavor = row.flavor
        for name in (*USED, row.project_id):
            part = used.setdefault(name, dict.fromkeys(total, 0))
            part["cpu"] += flavor["vcpus"]
            part["memory_mb"] += flavor["ram"]
            part["disk_gb"] += flavor["disk"]
    every = {"(total)": total, **used}
    return {"host": [{"resource": {"host": host.row.name, "project": name, **part}} for name, part in every.items()]}


def power(request: Request) -> None:
    """501 as with upstream's libvirt driver: hosts are not switched by the cloud."""
    _host(request)
    raise NotImplementedHere("Virt driver does not implement host power actions or maintenance mode.")


def update(request: Request) -> None:
    """:raises BadRequest: nothing is asked for."""
    body = request.body
    if body.status is None and body.maintenance_mode is None:
        raise BadRequest("Invalid input. 'status' or 'maintenance_mode' is a required property")
    power(request)


def external_events(request: Request) -> None:
    """501: the services that would tell compute of events are parts of the same cloud."""
    raise NotImplementedHere("Events from outside the cloud are not implemented.")


def assisted_snapshots(request: Request) -> None:
    """501: the hosts' volumes take their snapshots themselves."""
    raise NotImplementedHere("Snapshots of volumes with the help of compute are not implemented.")


def removed(request: Request) -> None:
    """410: Nova removed it."""
    raise Gone("This API has been removed from Nova.")


# ------------------------------------------------------------------------------------------------------------ audit


def audit(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"instance_usage_audit_logs": _audit(request, tx.now)}


def audit_before(request: Request) -> dict[str, Any]:
    """The last whole month before a moment, written as "2026-11-01 00:00:00", or with microseconds."""
    text = request.path["before"]
    try:
        before = datetime.strptime(text, AUDIT_TIME if "." in text else AUDIT_TIME.removesuffix(".%f"))
        return {"instance_usage_audit_log": _audit(request, before)}
    except (ValueError, OverflowError):
        raise BadRequest(f"Invalid timestamp for date {text}") from None


def _audit(request: Request, before: datetime) -> dict[str, Any]:
    """No host writes such audits here: usage is read from the servers themselves (os-simple-tenant-usage)."""
    names = [host.row.name for host in hosts.compute_hosts(request.core)]
    end = _month(before if _month(before) < before else before - timedelta(days=1))
    return {
        "hosts_not_run": names,
        "log": {},
        "num_hosts": len(names),
        "num_hosts_done": 0,
        "num_hosts_not_run": len(names),
        "num_hosts_running": 0,
        "overall_status": f"0 of {len(names)} hosts done. 0 errors.",
        "period_beginning": str(_month(end - timedelta(days=1))),
        "period_ending": str(end),
        "total_errors": 0,
        "total_instances": 0,
    }


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
