"""The ports of servers: what compute claims, moves and gives back, and how it sees them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, delete, func, insert, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts import store as hosts
from tane.services.network.domain.common import check_quota, no_port, tap_name, visible_network
from tane.services.network.domain.convergence import PortChange, bound_elsewhere, changed, groups_of, ports_gone
from tane.services.network.domain.dns_names import is_others_name
from tane.services.network.domain.new_ports import NewPort, PortMaker, waiting_status
from tane.services.network.domain.ports import remove, set_groups
from tane.services.network.domain.security_groups import DEFAULT, default_group, resolve
from tane.services.network.domain.service_ports import is_kept
from tane.services.network.store import addresses as address_store
from tane.services.network.store import host_state, rows
from tane.services.network.tables import (
    COMPUTE,
    floating_ip,
    network,
    port,
    port_address,
    port_binding,
    port_security_group,
    security_group,
    security_group_rule,
    subnet,
)
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound
from tane.wire.documents import Nic

CLAIMED = port.c.device_order > 0
"""Only :func:`claim_ports` gives a port its place: what users write as ``device_id`` makes it no server's port."""


class PortSpec(msgspec.Struct, kw_only=True):
    """One NIC as a server's ``networks`` list asks for it: a network (with an address, if wanted) or a port."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


class AddressInfo(msgspec.Struct, kw_only=True):
    """An address of a server as the compute API shows it; ``type`` is ``fixed`` or ``floating``."""

    network_name: str
    address: str
    version: int
    mac: str
    type: str
    port_id: str
    network_id: str
    subnet_id: str = ""


def usable_networks(tx: Tx, project_id: str) -> list[Row[Any]]:
    """(id, name) of the networks a server of the project can be put on when it names none."""
    with_subnet = select(subnet.c.id).where(subnet.c.network_id == network.c.id).exists()
    mine = or_(network.c.project_id == project_id, network.c.shared)
    statement = select(network.c.id, network.c.name).where(mine, ~network.c.external, with_subnet)
    return tx.all(statement.order_by(network.c.created_at, network.c.id))


def claim_ports(
    tx: Tx,
    ctx: Context,
    *,
    server_id: str,
    project_id: str,
    host_id: str | None,
    hostname: str,
    specs: Sequence[PortSpec],
    security_groups: Sequence[str],
) -> list[str]:
    """Make or take over a port for each spec and bind it to the server's host; returns their ids in order.

    ``project_id`` is the server's, and so its ports': an administrator may ask for another's server. ``host_id`` None
    leaves them unbound until :func:`rebind_ports`. The groups (names or ids) are for the ports made here; without any
    it is the project's default group.

    :raises NotFound: no such network or port. :raises Conflict: the port or address is in use. :raises Forbidden: over
        quota, or an external network. :raises BadRequest: a network without subnet, an unknown group.
    """
    order = int(tx.scalar(select(func.max(port.c.device_order)).where(port.c.device_id == server_id)) or 0)
    binding = _binding(tx, host_id)
    wanted = [spec for spec in specs if spec.port_id is None]
    _check_port_quota(tx, project_id, len(wanted))
    groups = _groups(tx, ctx, project_id, security_groups) if wanted else []
    maker = PortMaker(tx)
    claimed = []
    for number, spec in enumerate(specs, start=order + 1):
        owned = {
            "device_id": server_id,
            "device_owner": COMPUTE,
            "device_order": number,
            **binding,
        }
        if spec.port_id is not None:
            claimed.append(_take_over(tx, ctx, project_id, spec, hostname, owned))
            continue
        holder = _network(tx, ctx, spec.network_id or "")
        secured = holder.port_security_enabled
        if not secured:
            _refuse_groups(security_groups)
        new = NewPort(
            network=holder,
            project_id=project_id,
            made_for_server=True,
            port_security_enabled=secured,
            security_group_ids=groups if secured else [],
            fixed_ips=_fixed_ips(ctx, holder, spec),
            dns_name=_name(tx, holder, project_id, hostname),
            **owned,
        )
        claimed.append(maker.add(new))
    maker.insert()
    return claimed


def _binding(tx: Tx, host_id: str | None) -> dict[str, Any]:
    if host_id is None:
        return {"host_id": None, "binding_host": ""}
    row = hosts.get(tx, host_id)
    return {"host_id": host_id, "binding_host": row.name if row is not None else host_id}


def _check_port_quota(tx: Tx, project_id: str, count: int) -> None:
    if not count:
        return
    try:
        check_quota(tx, project_id, "port", count)
    except Conflict:
        raise Forbidden("Maximum number of ports exceeded") from None


def _groups(tx: Tx, ctx: Context, project_id: str, asked: Sequence[str]) -> list[str]:
    if not asked:
        return [default_group(tx, project_id)]
    try:
        return resolve(tx, ctx, project_id, asked)
    except NotFound as error:
        raise BadRequest(error.message) from None


def _refuse_groups(asked: Sequence[str]) -> None:
    """On a network without port security nothing is filtered: a server that was to be must not run there as if it were.
    ``default`` is what a server gets that asks for nothing.

    :raises BadRequest: in the words of Nova, which says them of a server in ERROR.
    """
    if any(name != DEFAULT for name in asked):
        raise BadRequest(
            "Network requires port_security_enabled and subnet associated in order to apply security groups."
        )


def _network(tx: Tx, ctx: Context, network_id: str) -> Row[Any]:
    found = visible_network(tx, ctx, network_id)
    _refuse_outside(ctx, found)
    if not rows.find(tx, subnet, network_id=network_id):
        raise BadRequest(f"Network {network_id} requires a subnet in order to boot instances on.")
    return found


def _refuse_outside(ctx: Context, found: Row[Any]) -> None:
    """A server reaches an external network through a router, unless it is shared (network:attach_external_network)."""
    if found.external and not found.shared and not ctx.is_admin:
        raise Forbidden(f"It is not allowed to create an interface on external network {found.id}")


def _fixed_ips(ctx: Context, holder: Row[Any], spec: PortSpec) -> list[dict[str, Any]] | None:
    """:raises Forbidden: an address is asked for on somebody else's network, where there is no choice."""
    if spec.fixed_ip is None:
        return None
    if not ctx.sees(holder.project_id):
        raise Forbidden("rule:create_port:fixed_ips:ip_address is disallowed by policy", type="PolicyNotAuthorized")
    return [{"ip_address": spec.fixed_ip}]


def _name(tx: Tx, holder: Row[Any], project_id: str, hostname: str) -> str:
    """The server's name, where no other project's port has it: then DHCP calls it by its address."""
    return "" if is_others_name(tx, holder, project_id, hostname) else hostname


def _take_over(tx: Tx, ctx: Context, project_id: str, spec: PortSpec, hostname: str, owned: dict[str, Any]) -> str:
    port_id = spec.port_id or ""
    row = rows.get(tx, port, port_id)
    if row is None or not ctx.sees(row.project_id):
        raise no_port(port_id)
    if row.project_id != project_id:
        raise BadRequest(f"Port {port_id} not usable for instance {owned['device_id']}.")
    if row.device_id or is_kept(row):
        raise Conflict(f"Port {port_id} is still in use.")
    holder = rows.get(tx, network, row.network_id)
    assert holder is not None
    _refuse_outside(ctx, holder)
    if not address_store.of_ports(tx, [port_id]):
        raise BadRequest(f"Port {port_id} requires a FixedIP in order to be used.")
    values = {**owned, "dns_name": row.dns_name or _name(tx, holder, project_id, hostname)}
    status = waiting_status(admin_state_up=row.admin_state_up, host_id=owned["host_id"])
    rows.change(tx, port, port_id, {**values, "status": status, "fault": None})
    _moved(tx, [row], owned["host_id"])
    return port_id


def _moved(tx: Tx, found: Sequence[Row[Any]], host_id: str | None) -> None:
    """Ports are bound to another host than their rows say."""
    groups = groups_of(tx, [row.id for row in found])
    news = []
    for row in found:
        at = tuple(place for place in (row.host_id, host_id) if place is not None)
        news.append(PortChange(row.id, row.network_id, at, groups.get(row.id, ())))
    bound_elsewhere(tx, news)


def release_ports(tx: Tx, server_id: str, port_ids: Sequence[str] | None = None) -> None:
    """Delete the ports :func:`claim_ports` made and unbind those that were there before; all, or the given ones."""
    mine = [row for row in server_ports(tx, server_id) if port_ids is None or row.id in port_ids]
    if not mine:
        return
    remove(tx, [row.id for row in mine if row.made_for_server])
    kept = [row for row in mine if not row.made_for_server]
    ports_gone(tx, kept)
    for row in kept:
        unbound = {"device_id": "", "device_owner": "", "device_order": 0, "host_id": None, "binding_host": ""}
        rows.change(tx, port, row.id, {**unbound, "dns_name": "", "status": "DOWN", "fault": None})
        tx.notify(f"port:{row.id}")


def rebind_ports(tx: Tx, server_id: str, host_id: str | None) -> None:
    """Move the server's ports to another host, or to none; nothing when they are there."""
    moving = [row for row in server_ports(tx, server_id) if row.host_id != host_id]
    _moved(tx, moving, host_id)
    for row in moving:
        status = waiting_status(admin_state_up=row.admin_state_up, host_id=host_id)
        rows.change(tx, port, row.id, {**_binding(tx, host_id), "status": status, "fault": None})
        tx.notify(f"port:{row.id}")


def bind_inactive(tx: Tx, server_id: str, host_id: str) -> None:
    """Have a host make ready for the server's ports, which stay where they are (Neutron: an INACTIVE binding)."""
    listed = [row.id for row in server_ports(tx, server_id) if row.host_id != host_id]
    there = {port_id for port_id, place in host_state.coming(tx, listed) if place == host_id}
    if fresh := [{"port_id": port_id, "host_id": host_id} for port_id in listed if port_id not in there]:
        tx.execute(insert(port_binding), fresh)
        changed(tx, hosts=[host_id])


def unbind_inactive(tx: Tx, server_id: str) -> None:
    """Take back what :func:`bind_inactive` did, or end it where the ports have come."""
    found = host_state.coming(tx, [row.id for row in server_ports(tx, server_id)])
    if found:
        tx.execute(delete(port_binding).where(port_binding.c.port_id.in_([port_id for port_id, _ in found])))
        changed(tx, hosts={host_id for _, host_id in found})


def server_ports(tx: Tx, server_id: str) -> list[Row[Any]]:
    """The server's port rows in the order of its NICs."""
    return tx.all(select(port).where(port.c.device_id == server_id, CLAIMED).order_by(port.c.device_order, port.c.id))


def nics(tx: Tx, server_id: str) -> list[Nic]:
    """The server's NICs as its host is told of them."""
    found = server_ports(tx, server_id)
    networks = {row.id: row for row in rows.among(tx, network, "id", [row.network_id for row in found])}
    return [
        Nic(port_id=row.id, mac_address=row.mac_address, tap=tap_name(row.id), mtu=networks[row.network_id].mtu)
        for row in found
    ]


def ports_settled(tx: Tx, server_id: str) -> dict[str, str]:
    """Port id → ``ACTIVE``, ``BUILD`` (its host has not reported yet), ``DOWN`` (switched off or unbound) or
    ``ERROR: reason``."""
    return {
        row.id: f"ERROR: {row.fault}" if row.status == "ERROR" else row.status for row in server_ports(tx, server_id)
    }


def ports_of(tx: Tx, server_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(server, port) of each port that servers have."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(server_ids), rows.MANY):
        mine = and_(port.c.device_id.in_(server_ids[start : start + rows.MANY]), CLAIMED)
        found.update((row.device_id, row.id) for row in tx.all(select(port.c.device_id, port.c.id).where(mine)))
    return found


def addresses(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[AddressInfo]]:
    """Fixed and floating addresses by server, in the order of the NICs, in two queries for up to 500 servers."""
    found: dict[str, list[AddressInfo]] = {server_id: [] for server_id in server_ids}
    for start in range(0, len(server_ids), rows.MANY):
        for server_id, info in _addresses(tx, server_ids[start : start + rows.MANY]):
            found[server_id].append(info)
    return found


def _addresses(tx: Tx, server_ids: Sequence[str]) -> list[tuple[str, AddressInfo]]:
    mine = and_(port.c.device_id.in_(server_ids), CLAIMED)
    fixed = tx.all(
        select(
            port.c.device_id,
            port.c.id,
            port.c.network_id,
            port.c.mac_address,
            port_address.c.ip_address,
            port_address.c.subnet_id,
            network.c.name.label("network_name"),
        )
        .join(port_address, port_address.c.port_id == port.c.id)
        .join(network, network.c.id == port.c.network_id)
        .where(mine)
        .order_by(port.c.device_order, port.c.id, port_address.c.id)
    )
    floating = {
        (row.fixed_port_id, row.fixed_ip_address): row.floating_ip_address
        for row in tx.all(
            select(floating_ip.c.fixed_port_id, floating_ip.c.fixed_ip_address, floating_ip.c.floating_ip_address)
            .join(port, port.c.id == floating_ip.c.fixed_port_id)
            .where(mine)
        )
    }
    infos = []
    for row in fixed:
        outside = floating.get((row.id, row.ip_address))
        for kind, address in (("fixed", row.ip_address), ("floating", outside)):
            if address is not None:
                info = AddressInfo(
                    network_name=row.network_name,
                    address=address,
                    version=6 if ":" in address else 4,
                    mac=row.mac_address,
                    type=kind,
                    port_id=row.id,
                    network_id=row.network_id,
                    subnet_id=row.subnet_id,
                )
                infos.append((row.device_id, info))
    return infos


def security_groups(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Rows (id, name, description, project_id) of the groups of each server's ports."""
    found: dict[str, list[Row[Any]]] = {server_id: [] for server_id in server_ids}
    for start in range(0, len(server_ids), rows.MANY):
        statement = (
            select(
                security_group.c.id,
                security_group.c.name,
                security_group.c.description,
                security_group.c.project_id,
                port.c.device_id,
            )
            .join(port_security_group, port_security_group.c.security_group_id == security_group.c.id)
            .join(port, port.c.id == port_security_group.c.port_id)
            .where(port.c.device_id.in_(server_ids[start : start + rows.MANY]), CLAIMED)
            .distinct()
            .order_by(security_group.c.name, security_group.c.id)
        )
        for row in tx.all(statement):
            found[row.device_id].append(row)
    return found


def security_group_rules(tx: Tx, group_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """The rules of each group, oldest first, with ``remote_name`` and ``remote_project_id`` of the group they name."""
    found: dict[str, list[Row[Any]]] = {group_id: [] for group_id in group_ids}
    remote = security_group.alias("remote")
    for start in range(0, len(group_ids), rows.MANY):
        statement = (
            select(
                security_group_rule,
                remote.c.name.label("remote_name"),
                remote.c.project_id.label("remote_project_id"),
            )
            .join(remote, remote.c.id == security_group_rule.c.remote_group_id, isouter=True)
            .where(security_group_rule.c.security_group_id.in_(group_ids[start : start + rows.MANY]))
            .order_by(security_group_rule.c.created_at, security_group_rule.c.id)
        )
        for row in tx.all(statement):
            found[row.security_group_id].append(row)
    return found


def set_security_group(tx: Tx, ctx: Context, server_id: str, name: str, *, add: bool) -> None:
    """Add a group (name or id) to the server's ports or take it off.

    :raises NotFound: no such group, or it is not on the server. :raises BadRequest: the server has no filtered port.
    """
    found = [row for row in server_ports(tx, server_id) if row.port_security_enabled]
    if not found:
        raise BadRequest(f"Instance {server_id} has no port that security groups can be used on.")
    [group_id] = resolve(tx, ctx, found[0].project_id, [name])
    table, touched = port_security_group, list[Row[Any]]()
    for row in found:
        present = [r.security_group_id for r in tx.rows(table, port_id=row.id)]
        if add != (group_id in present):
            touched.append(row)
            set_groups(tx, row.id, [*present, group_id] if add else [g for g in present if g != group_id])
            rows.change(tx, port, row.id, {})
    if not touched and not add:
        raise NotFound(f"Security group {name} not associated with the instance {server_id}")
    placed = [row for row in touched if row.host_id is not None]
    changed(
        tx, ports=[PortChange(row.id, row.network_id, (row.host_id,), (group_id,), spreads=False) for row in placed]
    )


def port_by_address(tx: Tx, network_id: str, ip: str) -> str | None:
    """The port of a network that has an address."""
    statement = (
        select(port.c.id)
        .join(port_address, port_address.c.port_id == port.c.id)
        .where(port.c.network_id == network_id, port_address.c.ip_address == ip)
    )
    found = tx.scalar(statement)
    return None if found is None else str(found)


def port_owner(tx: Tx, port_id: str) -> tuple[str, str, str] | None:
    """(device_id, device_owner, project_id) of a server's port: what users write into a port leads to no server."""
    statement = select(port.c.device_id, port.c.device_owner, port.c.project_id)
    row = tx.first(statement.where(port.c.id == port_id, CLAIMED))
    return None if row is None else (row.device_id, row.device_owner, row.project_id)


def network_details(tx: Tx, server_id: str) -> dict[str, Any]:
    """The ``network_data.json`` of the server's metadata: links, networks and services."""
    found = server_ports(tx, server_id)
    held = address_store.of_ports(tx, [row.id for row in found])
    networks = {row.id: row for row in rows.among(tx, network, "id", [row.network_id for row in found])}
    subnet_ids = [address.subnet_id for addresses in held.values() for address in addresses]
    subnets = {row.id: row for row in rows.among(tx, subnet, "id", subnet_ids)}
    data: dict[str, Any] = {"links": [], "networks": [], "services": []}
    for row in found:
        link = tap_name(row.id)
        data["links"].append(
            {
                "id": link,
                "vif_id": row.id,
                "type": "bridge",
                "mtu": networks[row.network_id].mtu,
                "ethernet_mac_address": row.mac_address,
            }
        )
        for address in held.get(row.id, ()):
            entry = _network_entry(subnets[address.subnet_id], address.ip_address)
            number = len(data["networks"])
            data["networks"].append({"id": f"network{number}", "link": link, "network_id": row.network_id, **entry})
            for server in subnets[address.subnet_id].dns_nameservers:
                if {"type": "dns", "address": server} not in data["services"]:
                    data["services"].append({"type": "dns", "address": server})
    return data


def _network_entry(row: Row[Any], address: str) -> dict[str, Any]:
    if row.enable_dhcp and row.ip_version == 4:
        return {"type": "ipv4_dhcp"}
    cidr = ipaddress.ip_network(row.cidr)
    routes = [(route["destination"], route["nexthop"]) for route in row.host_routes]
    if row.gateway_ip is not None:
        routes.append(("0.0.0.0/0" if row.ip_version == 4 else "::/0", row.gateway_ip))
    return {
        "type": f"ipv{row.ip_version}",
        "ip_address": address,
        "netmask": str(cidr.netmask),
        "routes": [_route(*route) for route in routes],
        "services": [{"type": "dns", "address": server} for server in row.dns_nameservers],
    }


def _route(destination: str, gateway: str) -> dict[str, str]:
    network_address = ipaddress.ip_network(destination)
    return {
        "network": str(network_address.network_address),
        "netmask": str(network_address.netmask),
        "gateway": gateway,
    }
