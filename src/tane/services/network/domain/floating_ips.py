"""Floating IPs: addresses of an external network that lead to a port's address through its router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.network.domain.common import (
    check_room,
    fresh,
    no_floating_ip,
    no_port,
    no_subnet,
    owner,
    owners,
    require,
    visible_network,
)
from tane.services.network.domain.convergence import changed
from tane.services.network.domain.dns_names import check_floating
from tane.services.network.domain.new_ports import NewPort, PortMaker
from tane.services.network.domain.ports import remove as remove_ports
from tane.services.network.domain.service_ports import refuse_use
from tane.services.network.domain.subnets import external_subnets
from tane.services.network.store import addresses, rows
from tane.services.network.store import routers as router_store
from tane.services.network.tables import FLOATING_IP, floating_ip, port
from tane.services.rating import interface as rating
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound
from tane.wire import grammar

UNBOUND = {"fixed_port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN", "fault": None}


def create(core: Core, ctx: Context, asked: Sequence[dict[str, Any]]) -> list[str]:
    """:raises BadRequest: the network is not external or has no address left. :raises NotFound: no router leads from
    the port's subnet to it. :raises Conflict: over quota, or the port's address has one. :raises
    Forbidden: the project's budget is spent."""
    with core.db.write() as tx:
        check_room(tx, "floatingip", owners(ctx, asked))
        return [_create_one(tx, ctx, values) for values in asked]


def _create_one(tx: Tx, ctx: Context, values: dict[str, Any]) -> str:
    project_id = owner(ctx, values)
    network_id = values["floating_network_id"]
    network = visible_network(tx, ctx, network_id)
    if not network.external:
        raise BadRequest(
            f"Bad floatingip request: Network {network_id} is not a valid external network.", type="BadRequest"
        )
    rating.refuse_spent(tx, project_id)
    row = fresh(tx, project_id, floating_network_id=network_id, forwarded=None, **UNBOUND)
    row["description"] = values.get("description") or ""
    row.update(check_floating(values.get("dns_name", ""), values.get("dns_domain", "")))
    row["floating_port_id"], row["floating_ip_address"] = _outside_port(tx, network, row["id"], values)
    rows.add(tx, floating_ip, [row])
    if values.get("port_id"):
        found = rows.get(tx, floating_ip, row["id"])
        assert found is not None
        _associate(tx, ctx, found, values["port_id"], values.get("fixed_ip_address"))
    elif values.get("fixed_ip_address"):
        raise _fixed_without_port()
    return str(row["id"])


def _outside_port(tx: Tx, network: Row[Any], floating_ip_id: str, values: dict[str, Any]) -> tuple[str, str]:
    """The port that holds the address on the external network, and the address."""
    subnets = external_subnets(tx, network.id)
    if not subnets:
        raise BadRequest(
            f"Bad floatingip request: Network {network.id} does not contain any IPv4 subnet.", type="BadRequest"
        )
    subnet_id, address = values.get("subnet_id"), values.get("floating_ip_address")
    if subnet_id is not None and subnet_id not in {row.id for row in subnets}:
        raise no_subnet(subnet_id)
    if address is not None:
        wanted: list[dict[str, Any]] = [{"subnet_id": subnet_id, "ip_address": address}]
    elif subnet_id is not None:
        wanted = [{"subnet_id": subnet_id}]
    else:
        wanted = []
    maker = PortMaker(tx)
    new = NewPort(
        network=network,
        project_id="",
        device_id=floating_ip_id,
        device_owner=FLOATING_IP,
        fixed_ips=wanted or None,
    )
    try:
        port_id = maker.add(new)
    except Conflict as error:
        if error.type != "IpAddressGenerationFailure":
            raise
        raise BadRequest(
            f"Unable to find any IP address on external network {network.id}.", type="ExternalIpAddressExhausted"
        ) from None
    maker.insert()
    held = [row for row in addresses.of_ports(tx, [port_id])[port_id] if ":" not in row.ip_address]
    return port_id, held[0].ip_address


def update(core: Core, ctx: Context, floating_ip_id: str, values: dict[str, Any]) -> None:
    """``port_id`` associates, its null value disassociates, and so does an empty body, as upstream; other bodies
    without it leave the association. :raises BadRequest: ``fixed_ip_address`` without ``port_id``."""
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, floating_ip, floating_ip_id), no_floating_ip(floating_ip_id))
        if "description" in values:
            rows.change(tx, floating_ip, floating_ip_id, {"description": values["description"] or ""})
        if values.get("port_id"):
            _associate(tx, ctx, row, values["port_id"], values.get("fixed_ip_address"))
        elif values.get("fixed_ip_address"):
            raise _fixed_without_port()
        elif "port_id" in values or not values:
            rows.change(tx, floating_ip, floating_ip_id, {**UNBOUND, "forwarded": None})
            _tell(tx, row, row.router_id)


def _tell(tx: Tx, row: Row[Any], *router_ids: str | None) -> None:
    """Where the address leads is different now: its routers' hosts have to know, and those that may send to it."""
    told = {router_id for router_id in router_ids if router_id is not None}
    if told:
        changed(tx, routers=told, networks=[row.floating_network_id])


def _fixed_without_port() -> BadRequest:
    return BadRequest(
        "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.", type="BadRequest"
    )


def _associate(tx: Tx, ctx: Context, row: Row[Any], port_id: str, fixed_ip: str | None) -> None:
    target = rows.get(tx, port, port_id)
    if target is None or not (ctx.sees(target.project_id) or target.project_id == row.project_id):
        raise no_port(port_id)
    if not ctx.is_admin and target.project_id != row.project_id:
        raise no_port(port_id)
    refuse_use(target, "floatingip")
    held = _fixed_address(tx, port_id, fixed_ip)
    for other in rows.find(tx, floating_ip, fixed_port_id=port_id, floating_network_id=row.floating_network_id):
        if other.id != row.id and other.fixed_ip_address == held.ip_address:
            raise Conflict(
                f"Cannot associate floating IP {row.floating_ip_address} ({row.id}) with port {port_id} using fixed IP "
                f"{held.ip_address}, as that fixed IP already has a floating IP on external network "
                f"{row.floating_network_id}.",
                type="FloatingIPPortAlreadyAssociated",
            )
    routers = router_store.reaching(tx, held.subnet_id, row.floating_network_id)
    if not routers:
        raise NotFound(
            f"External network {row.floating_network_id} is not reachable from subnet {held.subnet_id}.  Therefore, "
            f"cannot associate Port {port_id} with a Floating IP.",
            type="ExternalGatewayForFloatingIPNotFound",
        )
    values = {
        "fixed_port_id": port_id,
        "fixed_ip_address": held.ip_address,
        "router_id": routers[0].id,
        "status": "DOWN",
        "fault": None,
        "forwarded": None,
    }
    rows.change(tx, floating_ip, row.id, values)
    _tell(tx, row, routers[0].id, row.router_id)


def _fixed_address(tx: Tx, port_id: str, wanted: str | None) -> Row[Any]:
    held = [row for row in addresses.of_ports(tx, [port_id]).get(port_id, []) if ":" not in row.ip_address]
    if wanted is not None:
        try:
            canonical = str(grammar.address(wanted))
        except ValueError:
            raise BadRequest(
                f"Invalid input for fixed_ip_address. Reason: '{wanted}' is not a valid IP address.",
                type="HTTPBadRequest",
            ) from None
        for row in held:
            if row.ip_address == canonical:
                return row
        raise BadRequest(f"Bad floatingip request: Port {port_id} does not have fixed ip {wanted}.", type="BadRequest")
    if not held:
        raise BadRequest(
            f"Bad floatingip request: Cannot add floating IP to port {port_id} that has no fixed IPv4 addresses.",
            type="BadRequest",
        )
    if len(held) > 1:
        raise BadRequest(
            f"Bad floatingip request: Port {port_id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 "
            "address when assigning a floating IP.",
            type="BadRequest",
        )
    return held[0]


def delete(core: Core, ctx: Context, floating_ip_id: str) -> None:
    with core.db.write() as tx:
        row = require(ctx, rows.get(tx, floating_ip, floating_ip_id), no_floating_ip(floating_ip_id))
        rows.remove(tx, floating_ip, [floating_ip_id])
        remove_ports(tx, [row.floating_port_id])
        _tell(tx, row, row.router_id)
