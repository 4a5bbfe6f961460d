"""Who sees which rows of the network API, and the filters that are no plain column."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select

from tane.services.network.store.listing import MOST_VALUES, Listing, canonical, mine, own
from tane.services.network.tables import (
    floating_ip,
    network,
    port,
    port_address,
    port_security_group,
    router,
    security_group,
    security_group_rule,
    subnet,
    subnet_pool,
)
from tane.web.context import Context
from tane.web.errors import BadRequest


def _network_visible(ctx: Context) -> ColumnElement[bool]:
    return or_(mine(network, ctx), network.c.shared, network.c.external)


def _subnet_visible(ctx: Context) -> ColumnElement[bool]:
    """Its own, those of its networks and of shared ones; an external network's stay its owner's (as upstream)."""
    networks = select(network.c.id).where(or_(mine(network, ctx), network.c.shared))
    return or_(mine(subnet, ctx), subnet.c.network_id.in_(networks))


def _of_shared(values: list[str]) -> ColumnElement[bool]:
    wanted = [value.lower() in ("true", "1") for value in values]
    return subnet.c.network_id.in_(select(network.c.id).where(network.c.shared.in_(wanted)))


def _of_external(values: list[str]) -> ColumnElement[bool]:
    wanted = [value.lower() in ("true", "1") for value in values]
    return subnet.c.network_id.in_(select(network.c.id).where(network.c.external.in_(wanted)))


def _port_visible(ctx: Context) -> ColumnElement[bool]:
    """The condition under which a caller sees a port: its own, or on its own network."""
    own_networks = select(network.c.id).where(mine(network, ctx))
    return or_(mine(port, ctx), port.c.network_id.in_(own_networks))


def _by_fixed_ip(values: list[str]) -> ColumnElement[bool]:
    """``fixed_ips=ip_address=10.0.0.3``: entries of the same kind are alternatives, of different kinds all hold."""
    columns = {
        "ip_address": port_address.c.ip_address,
        "subnet_id": port_address.c.subnet_id,
    }
    wanted: dict[str, list[str]] = {}
    statement = select(port_address.c.port_id)
    parts = list(dict.fromkeys(part for text in values for part in text.split(",")))
    if len(parts) > MOST_VALUES:
        raise BadRequest(f"Invalid input for fixed_ips. Reason: more than {MOST_VALUES} values.", type="HTTPBadRequest")
    for value in parts:
        name, separator, text = value.partition("=")
        if not separator:
            name, separator, text = value.partition(":")
        if name == "ip_address_substr" and separator:
            statement = statement.where(port_address.c.ip_address.contains(text, autoescape=True))
        elif name in columns and separator:
            wanted.setdefault(name, []).append(canonical(name, text))
        else:
            raise BadRequest(f"Invalid value '{value}' for the filter fixed_ips.", type="HTTPBadRequest")
    for name, texts in wanted.items():
        statement = statement.where(columns[name].in_(texts))
    return port.c.id.in_(statement)


def _by_group(values: list[str]) -> ColumnElement[bool]:
    table = port_security_group
    wanted = select(security_group.c.id).where(security_group.c.id.in_(values))
    return port.c.id.in_(select(table.c.port_id).where(table.c.security_group_id.in_(wanted)))


def _distributed(values: list[str]) -> ColumnElement[bool]:
    wanted = [value.lower() in ("true", "1") for value in values]
    return router.c.transit_segment.is_not(None).in_(wanted)


NETWORKS = Listing(
    network,
    _network_visible,
    names={
        "router:external": "external",
        "provider:network_type": "network_type",
        "provider:physical_network": "physical_network",
        "provider:segmentation_id": "segment_id",
    },
)
SUBNETS = Listing(subnet, _subnet_visible, special={"shared": _of_shared, "router:external": _of_external})
SUBNET_POOLS = Listing(subnet_pool, lambda ctx: or_(mine(subnet_pool, ctx), subnet_pool.c.shared))
PORTS = Listing(
    port,
    _port_visible,
    names={"binding:host_id": "binding_host", "binding:vnic_type": "vnic_type"},
    special={"fixed_ips": _by_fixed_ip, "security_groups": _by_group},
)
ROUTERS = Listing(router, own(router), special={"distributed": _distributed})
FLOATING_IPS = Listing(floating_ip, own(floating_ip), names={"port_id": "fixed_port_id"})
GROUPS = Listing(security_group, own(security_group))
RULES = Listing(security_group_rule, own(security_group_rule))
