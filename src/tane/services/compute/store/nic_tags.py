"""SQL of the tags that NICs were given: what a guest finds a NIC by."""

from __future__ import annotations

from sqlalchemy import and_, delete

from tane.db import Tx
from tane.services.compute.tables import nic_tag


def of_server(tx: Tx, server_id: str) -> dict[str, str]:
    """Port id → its tag."""
    return {row.port_id: row.tag for row in tx.rows(nic_tag, server_id=server_id)}


def put(tx: Tx, server_id: str, port_id: str, tag: str | None) -> None:
    """The tag of a port that was just claimed; None takes away that of an earlier time."""
    tx.execute(delete(nic_tag).where(and_(nic_tag.c.server_id == server_id, nic_tag.c.port_id == port_id)))
    if tag is not None:
        tx.insert(nic_tag, server_id=server_id, port_id=port_id, tag=tag)
