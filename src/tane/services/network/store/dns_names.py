"""SQL of the ports' names."""

from __future__ import annotations

from sqlalchemy import or_, select

from tane.db import Tx
from tane.services.network.tables import port


def has_another(tx: Tx, network_id: str, project_id: str, label: str) -> bool:
    """Whether a port of another project on the network has a name that begins with this label."""
    named = or_(port.c.dns_name == label, port.c.dns_name.startswith(f"{label}.", autoescape=True))
    found = select(port.c.id).where(port.c.network_id == network_id, port.c.project_id != project_id, named)
    return tx.first(found.limit(1)) is not None
