"""The port from which DHCP and metadata of a network are served: one per network, the same on every host that has
ports of the network. It has an address in each IPv4 subnet that wants DHCP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.addresses import Allocator, first_free
from tane.services.network.domain.new_ports import NewPort, PortMaker
from tane.services.network.store import addresses, rows
from tane.services.network.tables import DHCP, port, subnet


def is_served(row: Row[Any]) -> bool:
    """Whether the network's own server answers guests of the subnet: of IPv6, where its addresses or options come by
    DHCPv6."""
    return row.enable_dhcp and (row.ip_version == 4 or (row.ipv6_address_mode or "").startswith("dhcpv6"))


def serve(tx: Tx, network: Row[Any] | None, without: str | None = None) -> None:
    """Make the network's DHCP port fit its subnets; ``without`` is a subnet about to go."""
    assert network is not None
    found = rows.find(tx, subnet, network_id=network.id)
    wanted = [row for row in found if is_served(row) and row.id != without]
    present = rows.find(tx, port, network_id=network.id, device_owner=DHCP)
    own = addresses.of_ports(tx, [present[0].id]).get(present[0].id, []) if present else []
    held = {row.subnet_id for row in own}
    missing = [row for row in wanted if row.id not in held and first_free(tx, row)]
    if not wanted:
        rows.remove(tx, port, [row.id for row in present])
        return
    if not present:
        if missing:
            _create(tx, network, missing)
        return
    gone = held - {row.id for row in wanted}
    if gone:
        addresses.release(tx, [row for row in own if row.subnet_id in gone])
    if missing:
        given = Allocator(tx, network.id, found).wanted(
            [{"subnet_id": row.id} for row in missing], present[0].mac_address, DHCP
        )
        addresses.add(tx, present[0].id, given)


def _create(tx: Tx, network: Row[Any], subnets: list[Row[Any]]) -> None:
    maker = PortMaker(tx)
    maker.add(
        NewPort(
            network=network,
            project_id=network.project_id,
            device_owner=DHCP,
            device_id=f"dhcp-{network.id}",
            fixed_ips=[{"subnet_id": row.id} for row in subnets],
        )
    )
    maker.insert()
