"""Floating IPs, security groups and networks as old clients ask compute for them; until 2.35.

Nothing is decided here: bodies and views are translated, the network service does the work and refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.compute.api.proxies_bodies import SecurityGroupRuleIn
from tane.services.compute.api.servers import rule_view
from tane.services.network import interface as network
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound
from tane.web.request import Request

FOR_EVERYONE = (
    "broadcast",
    "cidr",
    "cidr_v6",
    "dns1",
    "dns2",
    "gateway",
    "gateway_v6",
    "netmask",
    "netmask_v6",
)
FOR_ADMINISTRATORS = (
    "bridge",
    "bridge_interface",
    "created_at",
    "deleted",
    "deleted_at",
    "dhcp_server",
    "dhcp_start",
    "enable_dhcp",
    "host",
    "injected",
    "mtu",
    "multi_host",
    "priority",
    "project_id",
    "rxtx_base",
    "share_address",
    "updated_at",
    "vlan",
    "vpn_private_address",
    "vpn_public_address",
    "vpn_public_port",
)
"""What only nova-network had: always null."""


def _paged(request: Request, found: list[Any]) -> list[Any]:
    """``offset`` and ``limit``, the paging of these calls."""
    start, limit = request.number("offset", 0) or 0, request.number("limit")
    return found[start:] if limit is None else found[start : start + limit]


def _quota(made: Callable[[], Any], message: str) -> Any:
    """:raises Forbidden: over quota, where the network service answers that with a conflict."""
    try:
        return made()
    except Conflict as error:
        if error.type != "OverQuota":
            raise
        raise Forbidden(message) from None


# ----------------------------------------------------------------------------------------------------- floating IPs


def _floating_ip(info: network.FloatingIpInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "ip": info.address,
        "pool": info.pool,
        "fixed_ip": info.fixed_ip,
        "instance_id": info.server_id,
    }


def floating_ips(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"floating_ips": [_floating_ip(info) for info in network.floating_ips(tx, request.ctx)]}


def floating_ip(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"floating_ip": _floating_ip(_own_address(tx, request))}


def _own_address(tx: Tx, request: Request) -> network.FloatingIpInfo:
    floating_ip_id = request.path["floating_ip_id"]
    try:
        return network.floating_ip_info(tx, request.ctx, floating_ip_id)
    except NotFound:
        raise NotFound(f"Floating IP not found for ID {floating_ip_id}") from None


def create_floating_ip(request: Request) -> dict[str, Any]:
    """:raises NotFound: no such pool, or none of its addresses is left. :raises Forbidden: over quota."""
    wanted = request.body.pool
    with request.core.db.read() as tx:
        pools = [row for row in network.external_networks(tx) if wanted in (None, row.id, row.name)]
    if not pools:
        raise NotFound("Floating IP pool not found.")
    pool = pools[0]
    values = {"floating_network_id": pool.id}
    try:
        [made] = _quota(
            lambda: network.create_floating_ip(request.core, request.ctx, [values]),
            f"IP allocation over quota in pool {pool.name}.",
        )
    except BadRequest as error:
        if error.type != "ExternalIpAddressExhausted":
            raise
        raise NotFound(f"No more floating IPs in pool {pool.name}.") from None
    with request.core.db.read() as tx:
        return {"floating_ip": _floating_ip(network.floating_ip_info(tx, request.ctx, made))}


def delete_floating_ip(request: Request) -> None:
    with request.core.db.read() as tx:
        info = _own_address(tx, request)
    network.delete_floating_ip(request.core, request.ctx, info.id)


def floating_ip_pools(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"floating_ip_pools": [{"name": row.name} for row in network.external_networks(tx)]}


# -------------------------------------------------------------------------------------------------- security groups


def _groups(tx: Tx, found: list[Row[Any]]) -> list[dict[str, Any]]:
    rules = network.security_group_rules(tx, [row.id for row in found])
    return [
        {
            "id": row.id,
            "name": row.name,
            "description": row.description,
            "tenant_id": row.project_id,
            "rules": [rule_view(rule) for rule in rules[row.id] if rule.direction == "ingress"],
        }
        for row in found
    ]


def _group(request: Request, group_id: str) -> dict[str, Any]:
    with request.core.db.read() as tx:
        [view] = _groups(tx, [network.group_row(tx, request.ctx, group_id)])
    return {"security_group": view}


def security_groups(request: Request) -> dict[str, Any]:
    if request.ctx.project_id:
        network.ensure_default_group(request.core, request.ctx, [request.ctx.project_id])
    all_projects = request.ctx.is_admin and request.flag("all_tenants")
    with request.core.db.read() as tx:
        found = network.project_groups(tx, request.ctx, all_projects=all_projects)
        return {"security_groups": _groups(tx, _paged(request, found))}


def security_group(request: Request) -> dict[str, Any]:
    return _group(request, request.path["security_group_id"])


def create_security_group(request: Request) -> dict[str, Any]:
    wanted = request.body.security_group
    values = {"name": wanted.name, "description": wanted.description or ""}
    [made] = _quota(
        lambda: network.create_security_groups(request.core, request.ctx, [values]),
        "Quota exceeded, too many security groups.",
    )
    return _group(request, made)


def update_security_group(request: Request) -> dict[str, Any]:
    wanted, group_id = request.body.security_group, request.path["security_group_id"]
    values = {"name": wanted.name, "description": wanted.description or ""}
    network.update_security_group(request.core, request.ctx, group_id, values)
    return _group(request, group_id)


def delete_security_group(request: Request) -> None:
    """:raises BadRequest: a port uses it (the network service calls that a conflict)."""
    try:
        network.delete_security_group(request.core, request.ctx, request.path["security_group_id"])
    except Conflict as error:
        raise BadRequest(error.message) from None


def create_security_group_rule(request: Request) -> dict[str, Any]:
    """:raises BadRequest: the group has the rule (the network service calls that a conflict)."""
    wanted = request.body.security_group_rule
    values = _rule_values(wanted)
    try:
        [made] = _quota(
            lambda: network.create_security_group_rules(request.core, request.ctx, [values]),
            "Quota exceeded, too many security group rules.",
        )
    except Conflict as error:
        if error.type != "SecurityGroupRuleExists":
            raise
        raise BadRequest(error.message) from None
    with request.core.db.read() as tx:
        rules = network.security_group_rules(tx, [wanted.parent_group_id])[wanted.parent_group_id]
        return {"security_group_rule": rule_view(next(rule for rule in rules if rule.id == made))}


def _rule_values(wanted: SecurityGroupRuleIn) -> dict[str, Any]:
    """The rule in the network service's words: -1 is "all", a group comes before a range, without both it is everyone.

    :raises BadRequest: no protocol, or no ports, where no group is named.
    """
    parts = (wanted.ip_protocol, wanted.from_port, wanted.to_port)
    if wanted.group_id is None and None in parts:
        raise BadRequest("Not enough parameters to build a valid rule.")
    ports = [None if number in (None, "-1", -1) else int(number) for number in parts[1:]]
    values: dict[str, Any] = {
        "security_group_id": wanted.parent_group_id,
        "direction": "ingress",
        "protocol": wanted.ip_protocol.lower() if wanted.ip_protocol else None,
        "port_range_min": ports[0],
        "port_range_max": ports[1],
    }
    if wanted.group_id is not None:
        return {**values, "ethertype": "IPv4", "remote_group_id": wanted.group_id}
    cidr = wanted.cidr or "0.0.0.0/0"
    return {**values, "ethertype": "IPv6" if ":" in cidr else "IPv4", "remote_ip_prefix": cidr}


def delete_security_group_rule(request: Request) -> None:
    network.delete_security_group_rule(request.core, request.ctx, request.path["security_group_rule_id"])


# --------------------------------------------------------------------------------------------------------- networks


def _network(request: Request, row: Row[Any]) -> dict[str, Any]:
    names = (*FOR_EVERYONE, *FOR_ADMINISTRATORS) if request.ctx.is_admin else FOR_EVERYONE
    return {"id": row.id, "label": row.name, **dict.fromkeys(names)}


def networks(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"networks": [_network(request, row) for row in network.project_networks(tx, request.ctx)]}


def show_network(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"network": _network(request, _visible(tx, request))}


def _visible(tx: Tx, request: Request) -> Row[Any]:
    try:
        return network.visible_network(tx, request.ctx, request.path["network_id"])
    except NotFound:
        raise NotFound("Network not found") from None


def _tenant_network(row: Row[Any], cidr: str | None) -> dict[str, Any]:
    return {"id": row.id, "label": row.name, "cidr": cidr}


def tenant_networks(request: Request) -> dict[str, Any]:
    """The range is the word "None" in the list and null in a single network, as it is upstream."""
    with request.core.db.read() as tx:
        return {"networks": [_tenant_network(row, "None") for row in network.project_networks(tx, request.ctx)]}


def tenant_network(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"network": _tenant_network(_visible(tx, request), None)}
