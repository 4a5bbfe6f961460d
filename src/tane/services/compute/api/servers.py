"""Servers: list, show, create, update, delete (Compute API: "Servers")."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane.services.compute.api.common import given, links, next_link, page_limit, root, sorting
from tane.services.compute.api.server_view import View, addresses
from tane.services.compute.domain import create as creating
from tane.services.compute.domain import listing, servers
from tane.services.compute.schemas import SchedulerHints
from tane.web.errors import BadRequest, Forbidden, NotFound
from tane.web.request import Request, Response

UPDATED = {
    "name": "name",
    "disk_config": "disk_config",
    "accessIPv4": "access_ip_v4",
    "accessIPv6": "access_ip_v6",
    "description": "description",
    "hostname": "hostname",
}
FILTERS_SINCE = {
    "ip6": (2, 1),
    "tags": (2, 26),
    "tags-any": (2, 26),
    "not-tags": (2, 26),
    "not-tags-any": (2, 26),
    "changes-before": (2, 66),
    "locked": (2, 73),
}
PAGING = ("limit", "marker", "sort_key", "sort_dir", "all_tenants")


def index(request: Request) -> dict[str, Any]:
    return _list(request, "index", "/servers")


def detail(request: Request) -> dict[str, Any]:
    return _list(request, "detail", "/servers/detail")


def _list(request: Request, verb: str, path: str) -> dict[str, Any]:
    limit = page_limit(request)
    query = listing.Query(
        filters=_filters(request),
        all_projects=_all_projects(request, verb),
        sort=sorting(request, [("created_at", True)]),
        marker=request.param("marker"),
        limit=limit,
        refuse_bad_status=request.version >= (2, 38),
        detailed=verb == "detail",
    )
    shown = listing.index(request.core, request.ctx, query)
    view = View(request, shown)
    one = view.listed if verb == "detail" else view.brief
    body: dict[str, Any] = {"servers": [one(row) for row in shown.rows]}
    if more := next_link(request, path, shown.rows, limit, shown.rows[-1].id if shown.rows else ""):
        body["servers_links"] = more
    return body


def _all_projects(request: Request, verb: str) -> bool:
    if request.param("all_tenants") is None or not (request.param("all_tenants") == "" or request.flag("all_tenants")):
        return False
    rule = f"os_compute_api:servers:{verb}:get_all_tenants"
    if not request.allows(rule):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
    return True


def _filters(request: Request) -> dict[str, list[str]]:
    """The filters this caller may use in this microversion; others are ignored, and refused since 2.75."""
    allowed = set(listing.FOR_EVERYONE)
    if request.version >= (2, 83):
        allowed |= listing.FOR_EVERYONE_SINCE_2_83
    if request.allows("os_compute_api:servers:allow_all_filters"):
        allowed = set(listing.KNOWN)
    found: dict[str, list[str]] = {}
    for name, value in request.query:
        if name in PAGING:
            continue
        if name not in listing.KNOWN:
            if request.version >= (2, 75):
                raise BadRequest(
                    f"Invalid input for query parameters {name}. Additional properties are not allowed "
                    f"('{name}' was unexpected)"
                )
            continue
        known_since = FILTERS_SINCE.get(name, (2, 1))
        if name == "deleted" or (name in allowed and request.version >= known_since):
            if name == "deleted" and name not in allowed:
                continue
            found.setdefault(name, []).append(value)
    return found


def show(request: Request) -> dict[str, Any]:
    shown = servers.show(request.core, request.ctx, request.path["server_id"])
    return {"server": View(request, shown).full(shown.rows[0])}


def create(request: Request) -> Response:
    body = request.body.server
    if request.version >= (2, 37) and body.networks is msgspec.UNSET:
        raise BadRequest("Invalid input for field/attribute server. 'networks' is a required property")
    if request.version < (2, 37) and isinstance(body.networks, str):
        raise BadRequest(f"Invalid input for field/attribute networks. '{body.networks}' is not of type 'array'")
    hints = request.body.hints or request.body.old_hints or SchedulerHints()
    made = creating.create(request.core, request.ctx, body, hints)
    if body.return_reservation_id:
        return Response({"reservation_id": made.reservation_id}, status=202)
    server_id = made.server_ids[0]
    found = {
        "id": server_id,
        "links": links(request, "servers", server_id),
        "OS-DCF:diskConfig": body.disk_config,
        "security_groups": [{"name": group.name} for group in body.security_groups] or [{"name": "default"}],
        "adminPass": made.admin_pass,
    }
    location = request.link(f"{root(request)}/servers/{server_id}")
    return Response({"server": found}, status=202, headers={"Location": location})


def update(request: Request) -> dict[str, Any]:
    values = given(request.body.server, UPDATED)
    shown = servers.update(request.core, request.ctx, request.path["server_id"], values)
    return {"server": View(request, shown).changed(shown.rows[0])}


def delete(request: Request) -> None:
    servers.delete(request.core, request.ctx, request.path["server_id"])


# ------------------------------------------------------------------------------------------------- parts of a server


def metadata(request: Request) -> dict[str, Any]:
    return {"metadata": servers.row(request.core, request.ctx, request.path["server_id"]).metadata}


def metadata_item(request: Request) -> dict[str, Any]:
    found = servers.row(request.core, request.ctx, request.path["server_id"]).metadata
    key = request.path["key"]
    if key not in found:
        raise NotFound("Metadata item was not found")
    return {"meta": {key: found[key]}}


def replace_metadata(request: Request) -> dict[str, Any]:
    wanted = request.body.metadata
    server_id = request.path["server_id"]
    return {"metadata": servers.change_metadata(request.core, request.ctx, server_id, lambda _: wanted)}


def merge_metadata(request: Request) -> dict[str, Any]:
    wanted, server_id = request.body.metadata, request.path["server_id"]
    merged = servers.change_metadata(request.core, request.ctx, server_id, lambda old: {**old, **wanted})
    return {"metadata": merged}


def set_metadata_item(request: Request) -> dict[str, Any]:
    item, key = request.body.meta, request.path["key"]
    if list(item) != [key]:
        raise BadRequest("Request body and URI mismatch")
    servers.change_metadata(request.core, request.ctx, request.path["server_id"], lambda old: {**old, **item})
    return {"meta": item}


def delete_metadata_item(request: Request) -> None:
    key = request.path["key"]

    def without(old: dict[str, str]) -> dict[str, str]:
        if key not in old:
            raise NotFound("Metadata item was not found")
        return {name: value for name, value in old.items() if name != key}

    servers.change_metadata(request.core, request.ctx, request.path["server_id"], without)


def tags(request: Request) -> dict[str, Any]:
    return {"tags": servers.tags(request.core, request.ctx, request.path["server_id"])}


def has_tag(request: Request) -> None:
    server_id = request.path["server_id"]
    servers.require_tag(servers.tags(request.core, request.ctx, server_id), request.path["tag"], server_id)


def replace_tags(request: Request) -> dict[str, Any]:
    wanted = request.body.tags
    _, after = servers.change_tags(request.core, request.ctx, request.path["server_id"], lambda _: wanted)
    return {"tags": sorted(set(after))}


def add_tag(request: Request) -> Response:
    server_id, tag = request.path["server_id"], request.path["tag"]
    if not 1 <= len(tag) <= 60 or "," in tag or "/" in tag:
        raise BadRequest(f"Tag '{tag}' is invalid. It must be 1 to 60 characters without ',' and '/'.")
    before, _ = servers.change_tags(request.core, request.ctx, server_id, lambda old: [*old, tag])
    if tag in before:
        return Response(status=204)
    return Response(status=201, headers={"Location": request.link(f"{root(request)}/servers/{server_id}/tags/{tag}")})


def delete_tag(request: Request) -> None:
    server_id, tag = request.path["server_id"], request.path["tag"]

    def without(old: list[str]) -> list[str]:
        servers.require_tag(old, tag, server_id)
        return [name for name in old if name != tag]

    servers.change_tags(request.core, request.ctx, server_id, without)


def delete_tags(request: Request) -> None:
    servers.change_tags(request.core, request.ctx, request.path["server_id"], lambda _: [])


def ips(request: Request) -> dict[str, Any]:
    shown = servers.show(request.core, request.ctx, request.path["server_id"])
    return {"addresses": addresses(shown.addresses.get(shown.rows[0].id, ()), extended=False)}


def ips_of_network(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = ips(request)["addresses"]
    name = request.path["network"]
    if name not in found:
        raise NotFound("Instance is not a member of specified network")
    return {name: found[name]}


def password(request: Request) -> dict[str, Any]:
    """What the guest told of itself by the metadata service, encrypted for its owner; else empty."""
    row = servers.row(request.core, request.ctx, request.path["server_id"])
    return {"password": row.told_password or ""}


def clear_password(request: Request) -> None:
    """Forget it: the guest may tell another one."""
    servers.clear_password(request.core, request.ctx, request.path["server_id"])


def security_groups(request: Request) -> dict[str, Any]:
    """The security groups of a server, in the form compute had before networks were a service of their own."""
    groups, rules = servers.security_groups(request.core, request.ctx, request.path["server_id"])
    return {
        "security_groups": [
            {
                "id": group.id,
                "name": group.name,
                "description": group.description,
                "tenant_id": group.project_id,
                "rules": [rule_view(rule) for rule in rules[group.id] if rule.direction == "ingress"],
            }
            for group in groups
        ]
    }


def rule_view(rule: Row[Any]) -> dict[str, Any]:
    """That form knows no outgoing rules, and writes "all" as the whole range: of ports, or -1 of other protocols."""
    first, last = rule.port_range_min, rule.port_range_max
    if rule.protocol is not None and first is None and last is None:
        first, last = (1, 65535) if rule.protocol in ("tcp", "udp", "6", "17") else (-1, -1)
    everyone = "::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0"
    named = rule.remote_group_id is not None
    return {
        "id": rule.id,
        "parent_group_id": rule.security_group_id,
        "ip_protocol": rule.protocol,
        "from_port": first,
        "to_port": last,
        "group": {"name": rule.remote_name, "tenant_id": rule.remote_project_id} if named else {},
        "ip_range": {} if named else {"cidr": rule.remote_ip_prefix or everyone},
    }


def topology(request: Request) -> dict[str, Any]:
    """Servers here have no NUMA placement: upstream's answer for such a server."""
    servers.row(request.core, request.ctx, request.path["server_id"])
    return {"nodes": [], "pagesize_kb": None}
