"""Limits, quota sets, usage and server groups (Compute API: "Limits", "Quota sets", "Usage reports")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.services.compute.api.common import MAX_LIMIT, next_link, page_limit
from tane.services.compute.domain import administration, listing, quotas
from tane.services.compute.domain.states import status_of
from tane.web.codec import iso_micro
from tane.web.errors import BadRequest, Forbidden
from tane.web.request import Request
from tane.web.versions import Version

INJECTED = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
GROUPS = ("server_groups", "server_group_members")


@dataclass(frozen=True)
class Kind:
    """A kind of quota set: its name in bodies, and what its microversions know: of networks, and of server groups."""

    name: str
    network_until: Version
    groups_since: Version = (2, 1)

    def hidden(self, spoken: Version) -> set[str]:
        return {
            *(() if spoken <= self.network_until else (*quotas.NETWORK, "networks")),
            *(() if spoken <= (2, 56) else INJECTED),
            *(() if spoken >= self.groups_since else GROUPS),
        }

    def refused(self, spoken: Version) -> set[str]:
        """Where groups are not shown yet they may be set all the same, as upstream."""
        return self.hidden(spoken) - set(GROUPS)


SETS = Kind("quota_set", (2, 35))
CLASSES = Kind("quota_class_set", (2, 49), groups_since=(2, 50))


def _set_view(request: Request, kind: Kind, limits: Mapping[str, Any]) -> dict[str, Any]:
    """The resources a microversion knows."""
    hidden = kind.hidden(request.version)
    return {name: value for name, value in limits.items() if name not in hidden}


def _refuse_others(request: Request, verb: str) -> str:
    project_id = request.path["project_id"]
    rule = f"os_compute_api:os-quota-sets:{verb}"
    if not request.allows(rule, {"project_id": project_id}):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
    return project_id


def quota_set(request: Request) -> dict[str, Any]:
    project_id = _refuse_others(request, "show")
    limits, _ = quotas.show(request.core, project_id)
    return {"quota_set": {"id": project_id, **_set_view(request, SETS, limits)}}


def quota_set_detail(request: Request) -> dict[str, Any]:
    project_id = _refuse_others(request, "detail")
    limits, used = quotas.show(request.core, project_id)
    found = {name: {"limit": value, "in_use": used[name], "reserved": 0} for name, value in limits.items()}
    return {"quota_set": {"id": project_id, **_set_view(request, SETS, found)}}


def default_quota_set(request: Request) -> dict[str, Any]:
    project_id = request.path["project_id"]
    return {"quota_set": {"id": project_id, **_set_view(request, SETS, quotas.defaults(request.core))}}


def _given(request: Request, kind: Kind, part: msgspec.Struct) -> dict[str, int]:
    """:raises BadRequest: a resource that the microversion does not know any more."""
    found = {name: getattr(part, name) for name in part.__struct_fields__ if name != "force"}
    values = {name: value for name, value in found.items() if value is not msgspec.UNSET}
    for name in sorted(kind.refused(request.version) & set(values)):
        raise BadRequest(
            f"Invalid input for field/attribute {kind.name}. Additional properties are not allowed "
            f"('{name}' was unexpected)"
        )
    return values


def update_quota_set(request: Request) -> dict[str, Any]:
    wanted = request.body.quota_set
    values = _given(request, SETS, wanted)
    limits = quotas.update(request.core, request.path["project_id"], values, force=wanted.force)
    return {"quota_set": _set_view(request, SETS, limits)}


def delete_quota_set(request: Request) -> None:
    quotas.reset(request.core, request.path["project_id"])


def quota_class(request: Request) -> dict[str, Any]:
    limits = _set_view(request, CLASSES, quotas.defaults(request.core))
    return {"quota_class_set": {"id": request.path["name"], **limits}}


def update_quota_class(request: Request) -> dict[str, Any]:
    if request.path["name"] != "default":
        raise BadRequest("The only quota class is 'default'.")
    values = _given(request, CLASSES, request.body.quota_class_set)
    return {"quota_class_set": _set_view(request, CLASSES, quotas.update_class(request.core, values))}


def limits(request: Request) -> dict[str, Any]:
    project_id = request.ctx.project_id
    asked = request.param("tenant_id")
    if asked is not None and asked != project_id:
        if not request.allows("os_compute_api:limits:other_project"):
            raise Forbidden("Policy doesn't allow os_compute_api:limits:other_project to be performed.")
        project_id = asked
    limit, used = quotas.show(request.core, project_id)
    absolute = {
        "maxTotalInstances": limit["instances"],
        "maxTotalCores": limit["cores"],
        "maxTotalRAMSize": limit["ram"],
        "maxTotalKeypairs": limit["key_pairs"],
        "maxServerMeta": limit["metadata_items"],
        "maxServerGroups": limit["server_groups"],
        "maxServerGroupMembers": limit["server_group_members"],
        "totalInstancesUsed": used["instances"],
        "totalCoresUsed": used["cores"],
        "totalRAMUsed": used["ram"],
        "totalServerGroupsUsed": used["server_groups"],
    }
    if request.version < (2, 36):
        absolute["maxSecurityGroups"] = limit["security_groups"]
        absolute["maxSecurityGroupRules"] = limit["security_group_rules"]
        absolute["maxTotalFloatingIps"] = limit["floating_ips"]
        absolute.update({"totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0})
    if request.version < (2, 39):
        absolute["maxImageMeta"] = limit["metadata_items"]
    if request.version < (2, 57):
        absolute["maxPersonality"] = limit["injected_files"]
        absolute["maxPersonalitySize"] = limit["injected_file_content_bytes"]
    return {"limits": {"absolute": absolute, "rate": []}}


# ----------------------------------------------------------------------------------------------------------- usage


def _usage_view(
    request: Request, project_id: str, found: list[administration.ServerUsage], detailed: bool
) -> dict[str, Any]:
    start, end = _period(request)
    body: dict[str, Any] = {
        "tenant_id": project_id,
        "start": iso_micro(start),
        "stop": iso_micro(end),
        "total_hours": sum(used.hours for used in found),
        "total_vcpus_usage": sum(used.hours * used.row.vcpus for used in found),
        "total_memory_mb_usage": sum(used.hours * used.row.ram_mb for used in found),
        "total_local_gb_usage": sum(used.hours * used.row.disk_gb for used in found),
    }
    if detailed:
        body["server_usages"] = [
            {
                "instance_id": used.row.id,
                "name": used.row.name,
                "tenant_id": used.row.project_id,
                "hours": used.hours,
                "vcpus": used.row.vcpus,
                "memory_mb": used.row.ram_mb,
                "local_gb": used.row.disk_gb,
                "flavor": used.row.flavor["original_name"],
                "started_at": iso_micro(used.row.launched_at or used.row.created_at),
                "ended_at": iso_micro(used.ended_at),
                "state": "terminated" if used.ended_at else status_of(used.row.vm_state, None).lower(),
                "uptime": used.uptime,
            }
            for used in found
        ]
    return body


def _period(request: Request) -> tuple[Any, Any]:
    """(start, end) of a usage report: by default the last four weeks."""
    now = request.core.clock.now()
    start, end = request.param("start"), request.param("end")
    found_end = listing.moment("end", end) if end else now
    found_start = listing.moment("start", start) if start else now - timedelta(weeks=4)
    if found_start >= found_end:
        raise BadRequest("Invalid start time. The start time cannot occur after the end time.")
    return found_start, found_end


def usages(request: Request) -> dict[str, Any]:
    detailed = request.param("detailed") == "1"
    found, more = _usage_page(request, None)
    by_project: dict[str, list[administration.ServerUsage]] = {}
    for used in found:
        by_project.setdefault(used.row.project_id, []).append(used)
    views = [_usage_view(request, name, by_project[name], detailed) for name in sorted(by_project)]
    return {"tenant_usages": views, **({"tenant_usages_links": more} if more else {})}


def _usage_page(
    request: Request, project_id: str | None
) -> tuple[list[administration.ServerUsage], list[dict[str, str]]]:
    """The servers' use; since 2.40 a page of it, and the link to the next one, which a page without servers has not.

    :raises BadRequest: the marker is no server of the report.
    """
    start, end = _period(request)
    if request.version < (2, 40):
        return administration.usage(request.core, start, end, project_id), []
    limit = page_limit(request)
    found = administration.usage(request.core, start, end, project_id, limit=limit, marker=request.param("marker"))
    path = "/os-simple-tenant-usage" + (f"/{project_id}" if project_id else "")
    return found, next_link(request, path, found, limit, found[-1].row.id if found else "")


def usage(request: Request) -> dict[str, Any]:
    project_id = request.path["project_id"]
    rule = "os_compute_api:os-simple-tenant-usage:show"
    if not request.allows(rule, {"project_id": project_id}):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
    found, more = _usage_page(request, project_id)
    view = _usage_view(request, project_id, found, True) if found else {}
    return {"tenant_usage": view, **({"tenant_usage_links": more} if more else {})}


# --------------------------------------------------------------------------------------------------- server groups


def _group_view(request: Request, row: Row[Any], members: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {"id": row.id, "name": row.name, "members": members}
    if request.version >= (2, 13):
        body["project_id"] = row.project_id
        body["user_id"] = row.user_id
    if request.version >= (2, 64):
        body["policy"] = row.policy
        body["rules"] = row.rules
    else:
        body["policies"] = [row.policy]
        body["metadata"] = {}
    return body


def server_groups(request: Request) -> dict[str, Any]:
    all_projects = request.param("all_projects") is not None and request.allows(
        "os_compute_api:os-server-groups:index:all_projects"
    )
    limit = request.number("limit", MAX_LIMIT) or MAX_LIMIT
    rows, members = administration.server_groups(
        request.core, request.ctx, all_projects=all_projects, limit=limit, offset=request.number("offset", 0) or 0
    )
    return {"server_groups": [_group_view(request, row, members.get(row.id, [])) for row in rows]}


def server_group(request: Request) -> dict[str, Any]:
    row, members = administration.server_group(request.core, request.ctx, request.path["group_id"])
    return {"server_group": _group_view(request, row, members)}


def create_server_group(request: Request) -> dict[str, Any]:
    wanted = request.body.server_group
    if request.version >= (2, 64):
        if wanted.policies is not None or wanted.policy is None:
            raise BadRequest("Invalid input for field/attribute server_group. 'policy' is a required property")
        policy = wanted.policy
    else:
        if not wanted.policies or len(wanted.policies) != 1:
            raise BadRequest("Invalid input for field/attribute policies. Exactly one policy is expected")
        [policy] = wanted.policies
        if policy.startswith("soft-") and request.version < (2, 15):
            raise BadRequest(f"Invalid input for field/attribute policies. '{policy}' came with version 2.15")
    row = administration.create_server_group(request.core, request.ctx, wanted.name, policy, dict(wanted.rules or {}))
    return {"server_group": _group_view(request, row, [])}


def delete_server_group(request: Request) -> None:
    administration.delete_server_group(request.core, request.ctx, request.path["group_id"])
