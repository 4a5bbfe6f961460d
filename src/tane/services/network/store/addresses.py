"""SQL of addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, func, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.network.store import rows
from tane.services.network.store.rows import MANY, among
from tane.services.network.tables import floating_ip, port, port_address

taken = port_address.alias("taken")


@dataclass(frozen=True)
class Given:
    """An address a port gets."""

    subnet_id: str
    ip_address: str
    position: int | None


def is_taken(tx: Tx, subnet_id: str, ip_address: str) -> bool:
    statement = select(port_address.c.id).where(
        port_address.c.subnet_id == subnet_id, port_address.c.ip_address == ip_address
    )
    return tx.first(statement) is not None


def free_positions(tx: Tx, subnet_id: str, low: int, high: int, count: int) -> list[int]:
    """Up to ``count`` positions between ``low`` and ``high`` that no address has: after the highest one taken, so that
    a released address rests, and only then the gaps."""
    mine = port_address.c.subnet_id == subnet_id
    highest = tx.scalar(
        select(func.max(port_address.c.position)).where(mine, port_address.c.position.between(low, high))
    )
    if highest is None:
        return list(range(low, min(high, low + count - 1) + 1))
    found = list(range(highest + 1, min(high, highest + count) + 1))
    if len(found) < count:
        lowest = tx.scalar(
            select(func.min(port_address.c.position)).where(mine, port_address.c.position.between(low, high))
        )
        found += range(low, min(lowest, low + count - len(found)))
    if len(found) < count:
        found += _gaps(tx, subnet_id, low, highest, count - len(found))
    return found


def _gaps(tx: Tx, subnet_id: str, low: int, highest: int, count: int) -> list[int]:
    """Free positions between taken ones."""
    following = select(func.min(taken.c.position)).where(
        taken.c.subnet_id == subnet_id, taken.c.position > port_address.c.position
    )
    neighbour = exists().where(and_(taken.c.subnet_id == subnet_id, taken.c.position == port_address.c.position + 1))
    statement = (
        select(port_address.c.position, following.scalar_subquery().label("following"))
        .where(
            port_address.c.subnet_id == subnet_id,
            port_address.c.position >= low,
            port_address.c.position < highest,
            ~neighbour,
        )
        .order_by(port_address.c.position)
        .limit(count)
    )
    found: list[int] = []
    for row in tx.all(statement):
        found += range(row.position + 1, min(row.following, row.position + 1 + count - len(found)))
        if len(found) >= count:
            break
    return found


# Built once: bulks of ports ask it each time.
_MACS = select(port.c.mac_address).where(
    port.c.network_id == bindparam("network"), port.c.mac_address.in_(bindparam("some", expanding=True))
)


def macs_taken(tx: Tx, network_id: str, macs: Collection[str]) -> set[str]:
    wanted, found = list(macs), set()
    for start in range(0, len(wanted), MANY):
        some = {"network": network_id, "some": wanted[start : start + MANY]}
        found |= {row.mac_address for row in tx.execute(_MACS, some)}
    return found


def of_ports(tx: Tx, port_ids: Iterable[str]) -> dict[str, list[Row[Any]]]:
    """Addresses by port id, in the order they were given."""
    found: dict[str, list[Row[Any]]] = {}
    for row in sorted(among(tx, port_address, "port_id", port_ids), key=lambda row: row.id):
        found.setdefault(row.port_id, []).append(row)
    return found


def add(tx: Tx, port_id: str, given: Iterable[Given]) -> None:
    """Give a port that exists already more addresses, after those it has."""
    rows.add(
        tx,
        port_address,
        [
            {"port_id": port_id, "subnet_id": g.subnet_id, "ip_address": g.ip_address, "position": g.position}
            for g in given
        ],
    )


def release(tx: Tx, held: Iterable[Row[Any]]) -> None:
    """Take addresses, as :func:`of_ports` returns them, from their ports."""
    tx.execute(delete(port_address).where(port_address.c.id.in_([row.id for row in held])))


def release_subnet(tx: Tx, subnet_id: str) -> None:
    """Take every address of a subnet from the ports that have one."""
    tx.execute(delete(port_address).where(port_address.c.subnet_id == subnet_id))


def floating_measured(tx: Tx) -> list[Row[Any]]:
    """Every floating IP, and whose it is."""
    names = ("id", "project_id", "floating_ip_address", "created_at")
    return tx.all(select(*(floating_ip.c[name] for name in names)))
