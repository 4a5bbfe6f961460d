"""Networks. Their type is VXLAN unless an administrator asks for ``flat`` (an external network with a leg on the
gateway host) or ``local``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy import update as sql_update
from sqlalchemy.engine import Row

from tane.config import Config
from tane.core import Core
from tane.db import Tx
from tane.services.network.domain import gateway_hosts
from tane.services.network.domain.common import (
    check_room,
    check_zones,
    fresh,
    invalid,
    no_network,
    owner,
    owners,
    require_writable,
    seen_of,
)
from tane.services.network.domain.convergence import changed
from tane.services.network.domain.distributed import SEGMENTS as ROUTERS_SEGMENTS
from tane.services.network.domain.dns_names import check_dns_domain
from tane.services.network.domain.gateways import hold
from tane.services.network.domain.mtu import check_carries, check_mtu
from tane.services.network.domain.outside import refuse_used_ranges
from tane.services.network.store import rows
from tane.services.network.tables import DHCP, FOLLOWING, ROUTER_INTERFACE, floating_ip, network, port, router, subnet
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict

VXLAN_OVERHEAD = 50
SEGMENTS = (1, ROUTERS_SEGMENTS[0] - 1)
TYPES = ("vxlan", "flat", "local")
TAKEN = "TunnelIdInUse"
TOLD = ("admin_state_up", "mtu", "dns_domain", "external")
"""What hosts are told of a network that has them."""


def create(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """:raises BadRequest: a type this cloud does not have. :raises Conflict: segment taken, or over quota."""
    with core.db.write() as tx:
        check_room(tx, "network", owners(ctx, asked))
        return [create_one(tx, ctx, values, core.config) for values in asked]


def create_one(tx: Tx, ctx: Context, values: dict[str, Any], config: Config) -> str:
    project_id = owner(ctx, values)
    check_zones(values)
    kind, segment = _segment(tx, values, config)
    largest = config.global_mtu - (VXLAN_OVERHEAD if kind == "vxlan" else 0)
    mtu = values.pop("mtu", None) or largest
    check_mtu(mtu, largest)
    if values.get("is_default"):
        _only_default(tx)
    values["dns_domain"] = check_dns_domain(values.get("dns_domain", ""))
    standard = {
        "name": "",
        "admin_state_up": True,
        "status": "ACTIVE",
        "shared": False,
        "external": False,
        "is_default": False,
        "port_security_enabled": True,
        "physical_network": None,
        "bridged": values.get("physical_network") in config.bridges,
        "availability_zone_hints": [],
    }
    row = {**fresh(tx, project_id, **standard), **values, "network_type": kind, "segment_id": segment, "mtu": mtu}
    rows.add(tx, network, [row])
    if row["external"]:
        gateway_hosts.place_network(tx, row["id"], external=True)
    return str(row["id"])


def _segment(tx: Tx, values: dict[str, Any], config: Config) -> tuple[str, int]:
    """Takes the provider attributes out: type and the VXLAN id the network gets."""
    kind, segment = values.pop("network_type", None), values.pop("segmentation_id", None)
    if kind is None:
        if segment is not None or values.get("physical_network") is not None:
            raise invalid("provider:network_type required when provider attributes are given")
        kind = "vxlan"
    if kind == "vlan" and values.get("physical_network"):
        raise invalid(f"physical_network '{values['physical_network']}' unknown for VLAN provider network")
    if kind not in TYPES:
        raise invalid(
            f"provider:network_type '{kind}' is not supported: this cloud has {', '.join(TYPES)}, and no VLANs yet"
        )
    if kind == "flat" and not values.get("physical_network"):
        raise invalid("physical_network required for flat provider network")
    if kind != "flat" and values.get("physical_network"):
        raise invalid(f"provider:physical_network specified for {kind} network")
    if kind == "flat" and values["physical_network"] not in {*config.physical_networks, *config.bridges}:
        raise invalid(f"physical_network '{values['physical_network']}' unknown for flat provider network")
    if kind == "flat" and rows.find(tx, network, physical_network=values["physical_network"]):
        raise Conflict(
            f"Unable to create the flat network. Physical network {values['physical_network']} is in use.",
            type="FlatNetworkInUse",
        )
    if segment is not None:
        if kind != "vxlan":
            raise invalid(f"provider:segmentation_id specified for {kind} network")
        if not SEGMENTS[0] <= segment <= SEGMENTS[1]:
            raise invalid(f"provider:segmentation_id must be in the range {SEGMENTS[0]} through {SEGMENTS[1]}")
        if rows.find(tx, network, segment_id=segment):
            raise Conflict(f"Unable to create the network. The tunnel ID {segment} is in use.", type=TAKEN)
        return kind, segment
    return kind, _free_segment(tx)


def _none_left() -> Conflict:
    return Conflict(
        "Unable to create the network. No tenant network is available for allocation.", type="NoNetworkAvailable"
    )


def _free_segment(tx: Tx) -> int:
    highest = tx.scalar(select(func.max(network.c.segment_id)))
    if highest is None:
        return SEGMENTS[0]
    if highest < SEGMENTS[1]:
        return int(highest) + 1
    follower = network.alias("follower")
    gap = (
        select(func.min(network.c.segment_id))
        .outerjoin(follower, follower.c.segment_id == network.c.segment_id + 1)
        .where(follower.c.id.is_(None), network.c.segment_id < SEGMENTS[1])
    )
    lowest = tx.scalar(gap)
    if lowest is None:
        raise _none_left()
    return int(lowest) + 1


def _only_default(tx: Tx) -> None:
    if rows.find(tx, network, is_default=True):
        raise BadRequest("A default external network already exists.", type="DefaultExternalNetworkExists")


def update(core: Core, ctx: Context, network_id: str, values: dict[str, Any]) -> None:
    """:raises Conflict: no longer shared or external while others use it."""
    with core.db.write() as tx:
        row = require_writable(ctx, rows.get(tx, network, network_id), no_network(network_id), "update_network")
        for name in ("project_id", "tenant_id"):
            if name in values:
                raise BadRequest(f"Cannot update read-only attribute {name}", type="HTTPBadRequest")
        for name in ("network_type", "physical_network", "segmentation_id"):
            if name in values:
                raise invalid("Plugin does not support updating provider attributes")
        if "mtu" in values:
            values["mtu"] = _new_mtu(tx, row, values["mtu"], core.config.global_mtu)
        if row.external and values.get("external") is False:
            _refuse_used_outside(tx, row)
        if row.shared and values.get("shared") is False:
            _refuse_used_by_others(tx, row)
        if values.get("is_default") and not row.is_default:
            _only_default(tx)
        if values.get("external") and not row.external:
            _refuse_used_inside(tx, row)
        if "dns_domain" in values:
            values["dns_domain"] = check_dns_domain(values["dns_domain"])
        rows.change(tx, network, network_id, values)
        if values.get("external", row.external) != row.external:
            now = rows.get(tx, network, network_id)
            assert now is not None
            for found in rows.find(tx, subnet, network_id=network_id):
                refuse_used_ranges(tx, now, found.cidr, found.gateway_ip)
            hold(tx, network_id)
            gateway_hosts.place_network(tx, network_id, external=now.external)
        if any(name in values and values[name] != getattr(row, name) for name in TOLD):
            changed(tx, networks=[network_id])


def _new_mtu(tx: Tx, row: Row[Any], asked: int | None, global_mtu: int) -> int:
    """0 is the most the network's type can carry. :raises Conflict: its subnets need more."""
    if asked is None:
        raise invalid("mtu: a number is expected")
    largest = global_mtu - (VXLAN_OVERHEAD if row.network_type == "vxlan" else 0)
    mtu = asked or largest
    check_mtu(mtu, largest)
    for found in rows.find(tx, subnet, network_id=row.id):
        check_carries(row.id, mtu, found.ip_version)
    return mtu


def _refuse_used_inside(tx: Tx, row: Row[Any]) -> None:
    """Routers reach an external network by their gateways only; an interface in it would be another way."""
    inside = select(port.c.id).where(port.c.network_id == row.id, port.c.device_owner == ROUTER_INTERFACE)
    found = tx.scalar(inside.limit(1))
    if found is not None:
        raise Conflict(
            f"Network {row.id} cannot be made external, since port {found} on it is the interface of a router.",
            type="NetworkInUse",
        )


def _refuse_used_outside(tx: Tx, row: Row[Any]) -> None:
    gateways = select(router.c.id).join(port, port.c.id == router.c.gateway_port_id)
    if tx.first(gateways.where(port.c.network_id == row.id).limit(1)) is not None:
        raise Conflict(
            f"External network {row.id} cannot be updated to be made non-external, since it has existing gateway "
            "ports.",
            type="ExternalNetworkInUse",
        )


def _refuse_used_by_others(tx: Tx, row: Row[Any]) -> None:
    foreign = select(port.c.id).where(
        port.c.network_id == row.id, port.c.project_id.not_in([row.project_id, ""]), port.c.device_owner != DHCP
    )
    if tx.first(foreign.limit(1)) is not None:
        raise Conflict(
            f"Unable to reconfigure sharing settings for network {row.name}. Multiple tenants are using it.",
            type="InvalidSharedSetting",
        )


def delete(core: Core, ctx: Context, network_id: str) -> None:
    """Deletes its subnets too, and the floating IPs of an external one that lead nowhere, as upstream does.

    :raises Conflict: (NetworkInUse) it has ports other than DHCP's own, its gateway and those floating IPs'.
    """
    with core.db.write() as tx:
        require_writable(ctx, rows.get(tx, network, network_id), no_network(network_id), "delete_network")
        floating = rows.find(tx, floating_ip, floating_network_id=network_id)
        unused = [row for row in floating if row.fixed_port_id is None]
        spare = {row.floating_port_id for row in unused}
        ports = tx.all(select(port.c.id, port.c.device_owner, port.c.project_id).where(port.c.network_id == network_id))
        users = [row for row in ports if row.device_owner not in FOLLOWING and row.id not in spare]
        if users or len(unused) < len(floating):
            raise Conflict(
                f"Unable to complete operation on network {network_id}. There are one or more ports still in use on "
                f"the network, id for these ports is: {seen_of(ctx, users)}.",
                type="NetworkInUse",
            )
        rows.remove(tx, floating_ip, [row.id for row in unused])
        rows.remove(tx, port, [row.id for row in ports])
        subnets = tx.all(select(subnet.c.id).where(subnet.c.network_id == network_id))
        rows.remove(tx, subnet, [row.id for row in subnets])
        rows.remove(tx, network, [network_id])
        changed(tx, networks=[network_id])
        gateway_hosts.place_network(tx, network_id, external=False)


def mark(tx: Tx, network_ids: Sequence[str], status: str, fault: str | None) -> None:
    """Write back what the hosts report of networks."""
    tx.execute(sql_update(network).where(network.c.id.in_(network_ids)).values(status=status, fault=fault))
