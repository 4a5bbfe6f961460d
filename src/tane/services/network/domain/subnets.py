"""Subnets of a network, and the port from which DHCP serves them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain.addresses import is_self_addressing
from tane.services.network.domain.common import (
    check_room,
    fresh,
    invalid,
    no_network,
    no_subnet,
    owner,
    require_writable,
)
from tane.services.network.domain.convergence import PortChange, changed, groups_of
from tane.services.network.domain.dhcp import serve
from tane.services.network.domain.gateways import hold
from tane.services.network.domain.mtu import check_carries
from tane.services.network.domain.outside import refuse_used_ranges
from tane.services.network.domain.subnet_pools import range_for
from tane.services.network.domain.subnet_rules import (
    AddressRange,
    check_gateway,
    check_modes,
    check_nameservers,
    check_pools,
    check_routes,
    default_pools,
    first_host,
    parse_cidr,
)
from tane.services.network.store import addresses, rows
from tane.services.network.tables import (
    FLOATING_IP,
    FOLLOWING,
    ROUTER_INTERFACE,
    network,
    port,
    port_address,
    router,
    subnet,
)
from tane.web.context import Context
from tane.web.errors import Conflict, Forbidden

TOLD = ("gateway_ip", "dns_nameservers", "host_routes", "enable_dhcp")
"""What hosts are told of a subnet that may change."""


def create(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """:raises BadRequest: a range that is malformed or overlaps. :raises Conflict: over quota."""
    with core.db.write() as tx:
        check_room(tx, "subnet", _owners(tx, ctx, asked))
        made = create_all(tx, ctx, asked)
        changed(tx, networks={values["network_id"] for values in asked})
    return made


def _owners(tx: Tx, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """A subnet that names no project belongs to its network's. One whose network is not there is refused later."""
    holders = {row.id: row.project_id for row in rows.among(tx, network, "id", [one["network_id"] for one in asked])}
    there = [one for one in asked if one["network_id"] in holders]
    return [one.get("project_id") or one.get("tenant_id") or holders[one["network_id"]] for one in there]


def create_all(tx: Tx, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """The ids of the new subnets, whose networks' DHCP and gateway ports fit them; raises as :func:`create`."""
    made = [_add(tx, ctx, values) for values in asked]
    # Each costs what the network has: once for all of them.
    for network_id in dict.fromkeys(values["network_id"] for values in asked):
        holder = rows.get(tx, network, network_id)
        serve(tx, holder)
        if holder is not None and holder.external:
            hold(tx, network_id)
    return made


def _add(tx: Tx, ctx: Context, values: dict[str, Any]) -> str:
    network_id = values["network_id"]
    holder = require_writable(ctx, rows.get(tx, network, network_id), no_network(network_id), "create_subnet")
    values.setdefault("project_id", values.pop("tenant_id", None) or holder.project_id)
    project_id = owner(ctx, values)
    pool_id, text, version = range_for(tx, ctx, project_id, values)
    cidr = parse_cidr(text, version)
    check_carries(network_id, holder.mtu, cidr.version)
    _refuse_overlap(tx, network_id, cidr)
    enable_dhcp = values.get("enable_dhcp", True)
    check_modes(cidr, values.get("ipv6_ra_mode"), values.get("ipv6_address_mode"), enable_dhcp=enable_dhcp)
    gateway = check_gateway(cidr, values["gateway_ip"] if "gateway_ip" in values else first_host(cidr))
    pools = values.get("allocation_pools")
    row = fresh(
        tx,
        project_id,
        network_id=network_id,
        name=values.get("name", ""),
        subnetpool_id=pool_id,
        ip_version=cidr.version,
        cidr=str(cidr),
        gateway_ip=gateway,
        enable_dhcp=enable_dhcp,
        ipv6_ra_mode=values.get("ipv6_ra_mode"),
        ipv6_address_mode=values.get("ipv6_address_mode"),
        dns_nameservers=check_nameservers(values.get("dns_nameservers") or []),
        host_routes=check_routes(values.get("host_routes") or [], "host_routes", cidr.version),
        service_types=values.get("service_types") or [],
        allocation_pools=default_pools(cidr, gateway) if pools is None else check_pools(cidr, pools, gateway),
    )
    refuse_used_ranges(tx, holder, row["cidr"], gateway)
    rows.add(tx, subnet, [{**row, "description": values.get("description") or ""}])
    rows.change(tx, network, network_id, {})  # A network's revision counts the changes of its subnets, as upstream's.
    return str(row["id"])


def _refuse_overlap(tx: Tx, network_id: str, cidr: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    others = select(subnet.c.cidr).where(subnet.c.network_id == network_id, subnet.c.ip_version == cidr.version)
    for other in tx.all(others):
        if ipaddress.ip_network(other.cidr).overlaps(cidr):
            raise invalid(f"Requested subnet with cidr: {cidr} for network: {network_id} overlaps with another subnet")


def update(core: Core, ctx: Context, subnet_id: str, values: dict[str, Any]) -> None:
    with core.db.write() as tx:
        row = _writable(tx, ctx, subnet_id, "update_subnet")
        holder = rows.get(tx, network, row.network_id)
        assert holder is not None
        cidr = ipaddress.ip_network(row.cidr)
        gateway = row.gateway_ip
        if "gateway_ip" in values:
            gateway = values["gateway_ip"] = check_gateway(cidr, values["gateway_ip"])
            if gateway != row.gateway_ip:
                _refuse_gateway_in_use(tx, row)
                refuse_used_ranges(tx, holder, row.cidr, gateway)
        if "allocation_pools" in values:
            values["allocation_pools"] = check_pools(cidr, values["allocation_pools"] or [], gateway)
        elif "gateway_ip" in values and gateway is not None:
            check_pools(cidr, [AddressRange(**pool) for pool in row.allocation_pools], gateway)
        if "dns_nameservers" in values:
            values["dns_nameservers"] = check_nameservers(values["dns_nameservers"] or [])
        if "host_routes" in values:
            values["host_routes"] = check_routes(values["host_routes"] or [], "host_routes", cidr.version)
        if "enable_dhcp" in values:
            check_modes(cidr, row.ipv6_ra_mode, row.ipv6_address_mode, enable_dhcp=values["enable_dhcp"])
        rows.change(tx, subnet, subnet_id, values)
        rows.change(tx, network, holder.id, {})
        serve(tx, holder)
        if holder.external:
            hold(tx, holder.id)
        if any(name in values and values[name] != getattr(row, name) for name in TOLD):
            changed(tx, networks=[holder.id])


def _writable(tx: Tx, ctx: Context, subnet_id: str, rule: str) -> Row[Any]:
    """:raises Forbidden: the subnet is one the caller may see, of a shared network. :raises NotFound: it may not."""
    row = rows.get(tx, subnet, subnet_id)
    holder = None if row is None else rows.get(tx, network, row.network_id)
    if row is not None and holder is not None and holder.shared and not ctx.sees(row.project_id):
        raise Forbidden(f"rule:{rule} is disallowed by policy", type="PolicyNotAuthorized")
    return require_writable(ctx, row, no_subnet(subnet_id), rule)


def _refuse_gateway_in_use(tx: Tx, row: Row[Any]) -> None:
    if row.gateway_ip is None:
        return
    statement = (
        select(port.c.id)
        .join(port_address, port_address.c.port_id == port.c.id)
        .join(router, router.c.id == port.c.device_id)
        .where(port_address.c.subnet_id == row.id, port_address.c.ip_address == row.gateway_ip)
    )
    used = tx.scalar(statement.limit(1))
    if used is not None:
        raise Conflict(
            f"Current gateway ip {row.gateway_ip} already in use by port {used}. Unable to update.",
            type="GatewayIpInUse",
        )


def delete(core: Core, ctx: Context, subnet_id: str) -> None:
    """Where guests make their addresses themselves (SLAAC), the ports lose them with the subnet, as upstream.

    :raises Conflict: (SubnetInUse) a port other than DHCP's own and the gateway has an address of it; of one where
        addresses make themselves, a router's interface.
    """
    with core.db.write() as tx:
        row = _writable(tx, ctx, subnet_id, "delete_subnet")
        holding = (
            select(port.c.id)
            .join(port_address, port_address.c.port_id == port.c.id)
            .where(port_address.c.subnet_id == subnet_id, port.c.device_owner.not_in(FOLLOWING))
        )
        users = holding.where(port.c.device_owner == ROUTER_INTERFACE) if is_self_addressing(row) else holding
        if tx.first(users.limit(1)) is not None:
            raise Conflict(
                f"Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from "
                "this subnet.",
                type="SubnetInUse",
            )
        losing = [found.id for found in tx.all(holding.distinct())]
        _tell_of_losses(tx, losing)
        addresses.release_subnet(tx, subnet_id)
        rows.touch(tx, port, losing)
        for port_id in losing:
            tx.notify(f"port:{port_id}")
        serve(tx, rows.get(tx, network, row.network_id), without=subnet_id)
        hold(tx, row.network_id, without=subnet_id)
        rows.remove(tx, subnet, [subnet_id])
        rows.change(tx, network, row.network_id, {})
        changed(tx, networks=[row.network_id])


def _tell_of_losses(tx: Tx, port_ids: Sequence[str]) -> None:
    """Addresses of ports go: also out of what other hosts let in by their groups."""
    groups = groups_of(tx, port_ids)
    placed = [row for row in rows.among(tx, port, "id", port_ids) if row.host_id is not None]
    changed(tx, ports=[PortChange(row.id, row.network_id, (row.host_id,), groups.get(row.id, ())) for row in placed])


def external_subnets(tx: Tx, network_id: str, version: int = 4) -> list[Row[Any]]:
    """The subnets of an external network from which floating addresses come."""
    found = rows.find(tx, subnet, network_id=network_id, ip_version=version)
    return [row for row in found if not row.service_types or FLOATING_IP in row.service_types]
