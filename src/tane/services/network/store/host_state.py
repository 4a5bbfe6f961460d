"""SQL of what one host's document is made of: each query goes by an index to what the host has."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, case, cast, or_, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.hosts.tables import host
from tane.services.network.store.rows import MANY, among
from tane.services.network.tables import (
    DHCP,
    KEPT_OWNERS,
    ROUTER_INTERFACE,
    ROUTER_OWNERS,
    floating_ip,
    network,
    network_gateway,
    port,
    port_address,
    port_binding,
    port_security_group,
    router,
    security_group_rule,
    subnet,
)

PORT = (
    port.c.id,
    port.c.network_id,
    port.c.project_id,
    port.c.mac_address,
    port.c.admin_state_up,
    port.c.status,
    port.c.fault,
    port.c.device_id,
    port.c.device_owner,
    port.c.host_id,
    port.c.port_security_enabled,
    port.c.allowed_address_pairs,
    port.c.dns_name,
)
"""What a host is told of its own port, and the state it reports."""
LEG = (
    port.c.id.label("port_id"),
    port.c.device_id.label("router_id"),
    port.c.device_owner,
    port.c.network_id,
    port.c.mac_address,
    port.c.admin_state_up,
    port.c.status,
    port.c.fault,
    port_address.c.ip_address,
    subnet.c.cidr,
    subnet.c.gateway_ip,
    subnet.c.ip_version,
)
FAR = (port.c.id, port.c.network_id, port.c.mac_address, port.c.host_id, port_address.c.ip_address)
_OTHERS = port.c.device_owner.not_in(KEPT_OWNERS)


def _each(tx: Tx, statement: Select[Any], column: ColumnElement[Any], values: Iterable[str]) -> list[Row[Any]]:
    """The statement for some values of a column, however many they are."""
    listed, found = sorted(set(values)), []
    for start in range(0, len(listed), MANY):
        found += tx.all(statement.where(column.in_(listed[start : start + MANY])))
    return found


def hosts(tx: Tx) -> list[Row[Any]]:
    """(id, local_ip, number) of every host."""
    return tx.all(select(host.c.id, host.c.local_ip, host.c.number).order_by(host.c.number))


def tunnels(tx: Tx) -> dict[str, str | None]:
    """Every host's address for the tunnels of others."""
    return {row.id: row.local_ip for row in hosts(tx)}


def ports(tx: Tx, host_id: str) -> list[Row[Any]]:
    return tx.all(select(*PORT).where(port.c.host_id == host_id, _OTHERS).order_by(port.c.id))


def coming_ports(tx: Tx, host_id: str) -> list[Row[Any]]:
    """Ports that are elsewhere, and will be on this host."""
    joined = select(*PORT).join(port_binding, port_binding.c.port_id == port.c.id)
    return tx.all(joined.where(port_binding.c.host_id == host_id, _OTHERS).order_by(port.c.id))


def coming(tx: Tx, port_ids: Collection[str]) -> set[tuple[str, str]]:
    """(port, host) of those of the ports that will be elsewhere."""
    return {(row.port_id, row.host_id) for row in among(tx, port_binding, "port_id", port_ids)}


def ports_by_id(tx: Tx, port_ids: Collection[str]) -> list[Row[Any]]:
    return _each(tx, select(*PORT), port.c.id, port_ids)


def still_served(tx: Tx, host_ids: Collection[str], network_ids: Collection[str]) -> set[tuple[str, str]]:
    """(host, network) for those of the hosts that have ports of those of the networks."""
    there = select(port.c.host_id, port.c.network_id).where(port.c.host_id.in_(host_ids), _OTHERS).distinct()
    return {(row.host_id, row.network_id) for row in _each(tx, there, port.c.network_id, network_ids)}


def addresses(tx: Tx, host_id: str) -> list[Row[Any]]:
    """(port_id, subnet_id, ip_address) of the host's ports."""
    columns = (port_address.c.port_id, port_address.c.subnet_id, port_address.c.ip_address)
    joined = select(*columns).join(port, port.c.id == port_address.c.port_id)
    return tx.all(joined.where(port.c.host_id == host_id).order_by(port_address.c.id))


def addresses_of(tx: Tx, port_ids: Collection[str]) -> list[Row[Any]]:
    return sorted(among(tx, port_address, "port_id", port_ids), key=lambda row: row.id)


def groups(tx: Tx, host_id: str) -> list[Row[Any]]:
    """(port_id, security_group_id) of the host's ports."""
    table = port_security_group
    joined = select(table).join(port, port.c.id == table.c.port_id)
    return tx.all(joined.where(port.c.host_id == host_id).order_by(table.c.security_group_id))


def dhcp_ports(tx: Tx, network_ids: Collection[str]) -> list[Row[Any]]:
    return _each(tx, select(*PORT).where(port.c.device_owner == DHCP), port.c.network_id, network_ids)


def external_networks(tx: Tx, host_id: str) -> list[str]:
    """Ids of the external networks whose gateway host this is."""
    joined = select(network.c.id).join(network_gateway, network_gateway.c.resource_id == network.c.id)
    return [row.id for row in tx.all(joined.where(network_gateway.c.host_id == host_id, network.c.external))]


def routers_of_gateway(tx: Tx, host_id: str) -> list[Row[Any]]:
    joined = select(router).join(network_gateway, network_gateway.c.resource_id == router.c.id)
    return tx.all(joined.where(network_gateway.c.host_id == host_id))


def distributed_routers(tx: Tx, network_ids: Collection[str]) -> list[Row[Any]]:
    """Distributed routers, and those without a gateway, that are in one of the networks; one for each of its ports
    there."""
    inside = select(router).join(port, port.c.device_id == router.c.id)
    spread = or_(router.c.gateway_port_id.is_(None), router.c.transit_segment.is_not(None))
    inside = inside.where(port.c.device_owner == ROUTER_INTERFACE, spread)
    return _each(tx, inside, port.c.network_id, network_ids)


def legs(tx: Tx, router_ids: Collection[str]) -> list[Row[Any]]:
    """Every address of the routers, with its subnet; the gateways' too."""
    statement = (
        select(*LEG, port_address.c.id)
        .join(port_address, port_address.c.port_id == port.c.id)
        .join(subnet, subnet.c.id == port_address.c.subnet_id)
        .where(port.c.device_owner.in_(ROUTER_OWNERS))
    )
    return sorted(_each(tx, statement, port.c.device_id, router_ids), key=lambda row: row.id)


def networks(tx: Tx, network_ids: Collection[str]) -> list[Row[Any]]:
    return among(tx, network, "id", network_ids)


def subnets(tx: Tx, network_ids: Collection[str]) -> list[Row[Any]]:
    found = among(tx, subnet, "network_id", network_ids)
    return sorted(found, key=lambda row: (row.created_at, row.id))


def _far(host_id: str) -> Select[Any]:
    statement = select(*FAR).outerjoin(port_address, port_address.c.port_id == port.c.id)
    return statement.where(port.c.host_id.is_not(None), port.c.host_id != host_id, _OTHERS)


def far_ports(tx: Tx, network_ids: Collection[str], host_id: str) -> list[Row[Any]]:
    """Ports of the networks that are bound to other hosts, a row for each address (or one without any)."""
    return _each(tx, _far(host_id), port.c.network_id, network_ids)


def far_ports_of(tx: Tx, port_ids: Collection[str], network_ids: Collection[str], host_id: str) -> list[Row[Any]]:
    """Those of the ports of which :func:`far_ports` would tell."""
    return [row for row in _each(tx, _far(host_id), port.c.id, port_ids) if row.network_id in network_ids]


def far_legs(tx: Tx, network_ids: Collection[str], host_id: str) -> list[Row[Any]]:
    """The same of routers' ports, at the routers' gateway hosts; ``device_id`` is the router."""
    there = network_gateway.c.host_id.label("host_id")
    columns = (port.c.id, port.c.network_id, port.c.mac_address, there, port_address.c.ip_address, port.c.device_id)
    statement = (
        select(*columns)
        .join(network_gateway, network_gateway.c.resource_id == port.c.device_id)
        .outerjoin(port_address, port_address.c.port_id == port.c.id)
        .where(port.c.device_owner.in_(ROUTER_OWNERS), network_gateway.c.host_id != host_id)
    )
    return _each(tx, statement, port.c.network_id, network_ids)


def rules(tx: Tx, group_ids: Collection[str]) -> list[Row[Any]]:
    found = among(tx, security_group_rule, "security_group_id", group_ids)
    return sorted(found, key=lambda row: row.id)


_MEMBERS = (
    select(port_security_group.c.security_group_id, port_security_group.c.port_id, port_address.c.ip_address)
    .join(port, port.c.id == port_security_group.c.port_id)
    .join(port_address, port_address.c.port_id == port.c.id)
    .where(port.c.host_id.is_not(None))
)
_MEMBER_PAIRS = (
    select(port_security_group.c.security_group_id, port_security_group.c.port_id, port.c.allowed_address_pairs)
    .join(port, port.c.id == port_security_group.c.port_id)
    .where(port.c.host_id.is_not(None), cast(port.c.allowed_address_pairs, Text) != "[]")
)


def members(tx: Tx, group_ids: Collection[str]) -> list[Row[Any]]:
    """(security_group_id, port_id, ip_address) of the groups' ports that are bound to a host."""
    return _each(tx, _MEMBERS, port_security_group.c.security_group_id, group_ids)


def members_of(tx: Tx, port_ids: Collection[str], group_ids: Collection[str]) -> list[Row[Any]]:
    """The same of some ports only."""
    found = _each(tx, _MEMBERS, port_security_group.c.port_id, port_ids)
    return [row for row in found if row.security_group_id in group_ids]


def member_pairs(tx: Tx, group_ids: Collection[str]) -> list[Row[Any]]:
    """(security_group_id, port_id, allowed_address_pairs) of those of them that have pairs."""
    return _each(tx, _MEMBER_PAIRS, port_security_group.c.security_group_id, group_ids)


def member_pairs_of(tx: Tx, port_ids: Collection[str], group_ids: Collection[str]) -> list[Row[Any]]:
    """The same of some ports only."""
    found = _each(tx, _MEMBER_PAIRS, port_security_group.c.port_id, port_ids)
    return [row for row in found if row.security_group_id in group_ids]


_FIXED, _OUTSIDE, _GATEWAY = port.alias("fixed"), port.alias("outside"), port.alias("gateway")
_ON_LEG = and_(
    router.c.transit_segment.is_not(None),
    _FIXED.c.host_id.is_not(None),
    or_(_FIXED.c.host_id == network_gateway.c.host_id, host.c.local_ip.is_not(None)),
)
"""Where a floating IP has a leg of its own (``domain/distributed.py`` says why)."""
_FLOATING = (
    select(floating_ip, _FIXED.c.host_id, _OUTSIDE.c.mac_address, subnet.c.cidr, subnet.c.gateway_ip)
    .join(_FIXED, _FIXED.c.id == floating_ip.c.fixed_port_id)
    .join(_OUTSIDE, _OUTSIDE.c.id == floating_ip.c.floating_port_id)
    .join(
        port_address,
        and_(
            port_address.c.port_id == floating_ip.c.floating_port_id,
            port_address.c.ip_address == floating_ip.c.floating_ip_address,
        ),
    )
    .join(subnet, subnet.c.id == port_address.c.subnet_id)
)


def floating_ips(tx: Tx, router_ids: Collection[str]) -> list[Row[Any]]:
    """The routers' floating IPs, with the host of the port each leads to, their own port's MAC address, and their
    subnet."""
    return sorted(_each(tx, _FLOATING, floating_ip.c.router_id, router_ids), key=lambda row: row.id)


def far_floating(tx: Tx, network_ids: Collection[str], host_id: str) -> list[Row[Any]]:
    """The floating IPs of the external networks that are on other hosts, as :func:`far_ports` gives ports: on a leg of
    their own at the host of their port, or at the gateway of their router."""
    place = case((_ON_LEG, _FIXED.c.host_id), else_=network_gateway.c.host_id)
    mac = case((_ON_LEG, _OUTSIDE.c.mac_address), else_=_GATEWAY.c.mac_address)
    columns = (
        _OUTSIDE.c.id,
        floating_ip.c.floating_network_id,
        mac.label("mac_address"),
        place.label("host_id"),
        floating_ip.c.floating_ip_address,
    )
    statement = (
        select(*columns)
        .join(_FIXED, _FIXED.c.id == floating_ip.c.fixed_port_id)
        .outerjoin(host, host.c.id == _FIXED.c.host_id)
        .join(_OUTSIDE, _OUTSIDE.c.id == floating_ip.c.floating_port_id)
        .join(router, router.c.id == floating_ip.c.router_id)
        .join(_GATEWAY, _GATEWAY.c.id == router.c.gateway_port_id)
        .join(network_gateway, network_gateway.c.resource_id == router.c.id)
        .where(place != host_id)
    )
    return _each(tx, statement, floating_ip.c.floating_network_id, network_ids)
