"""The port that holds an external network's gateway addresses: of the provider's routers, or the gateway host's leg.

One per external network that has a gateway in one of its subnets, with each of those addresses, so that nobody is ever
given one of them. It belongs to no project: it counts against no quota and only administrators see it.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.addresses import Allocator, usable
from tane.services.network.domain.new_ports import NewPort, PortMaker
from tane.services.network.store import addresses, rows
from tane.services.network.tables import GATEWAY, network, port, subnet


def hold(tx: Tx, network_id: str, without: str | None = None) -> None:
    """Make the port fit the network and its subnets; ``without`` is a subnet about to go.

    :raises Conflict: a port has one of the addresses.
    """
    holder = rows.get(tx, network, network_id)
    assert holder is not None
    subnets = rows.find(tx, subnet, network_id=network_id) if holder.external else []
    wanted = {row.id: row.gateway_ip for row in subnets if row.id != without and _has_gateway(row)}
    present = rows.find(tx, port, network_id=network_id, device_owner=GATEWAY)
    if not wanted:
        rows.remove(tx, port, [row.id for row in present])
        return
    if not present:
        _create(tx, holder, wanted)
        return
    held = {row.subnet_id: row for row in addresses.of_ports(tx, [present[0].id]).get(present[0].id, [])}
    addresses.release(tx, [row for row in held.values() if wanted.get(row.subnet_id) != row.ip_address])
    missing = [
        {"subnet_id": subnet_id, "ip_address": address}
        for subnet_id, address in wanted.items()
        if subnet_id not in held or held[subnet_id].ip_address != address
    ]
    if missing:
        given = Allocator(tx, network_id, subnets).wanted(missing, present[0].mac_address, GATEWAY)
        addresses.add(tx, present[0].id, given)


def _has_gateway(row: Row[Any]) -> bool:
    return row.gateway_ip is not None and usable(row, ipaddress.ip_address(row.gateway_ip))


def _create(tx: Tx, holder: Row[Any], wanted: dict[str, str]) -> None:
    maker = PortMaker(tx)
    maker.add(
        NewPort(
            network=holder,
            project_id="",
            device_owner=GATEWAY,
            device_id=f"gateway-{holder.id}",
            fixed_ips=[{"subnet_id": subnet_id, "ip_address": address} for subnet_id, address in wanted.items()],
        )
    )
    maker.insert()
