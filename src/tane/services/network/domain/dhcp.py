"""The port from which DHCP and metadata of a network are served: one per network, the same on every host that has
ports of the network. It has an address in each IPv4 subnet that wants DHCP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.domain.addresses import Allocator, first_free
from tane.services.network.domain.new_ports import NewPort, PortMaker
from tane.services.network.store import addresses, rows
from tane.services.network.tables import DHCP, port, port_address, subnet


def serve(tx: Tx, network: Row[Any] | None, without: str | None = None) -> None:
    """Make the network's DHCP port fit its subnets; ``without`` is a subnet about to go."""
    assert network is not None
    found = rows.find(tx, subnet, network_id=network.id)
    wanted = [row for row in found if row.enable_dhcp and row.ip_version == 4 and row.id != without]
    present = rows.find(tx, port, network_id=network.id, device_owner=DHCP)
    held = (
        {row.subnet_id for row in addresses.of_ports(tx, [p.id for p in present]).get(present[0].id, [])}
        if present
        else set()
    )
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
        tx.execute(
            delete(port_address).where(port_address.c.port_id == present[0].id, port_address.c.subnet_id.in_(gone))
        )
    if missing:
        given = Allocator(tx, network.id, found).wanted([{"subnet_id": row.id} for row in missing], "", DHCP)
        tx.execute(
            insert(port_address),
            [
                {"port_id": present[0].id, "subnet_id": g.subnet_id, "ip_address": g.ip_address, "position": g.position}
                for g in given
            ],
        )


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
