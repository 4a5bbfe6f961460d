"""SQL of which services of block storage are switched off. One that was never switched has no row, and is on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.volume.tables import volume_service


def off(tx: Tx, binary: str) -> dict[str, Row[Any]]:
    """Host id → row of the services of a kind that are switched off."""
    return {row.host_id: row for row in tx.rows(volume_service, binary=binary)}


def switch_on(tx: Tx, host_id: str, binary: str) -> None:
    """Repeatable."""
    service = (volume_service.c.host_id == host_id) & (volume_service.c.binary == binary)
    tx.execute(delete(volume_service).where(service))


def switch_off(tx: Tx, host_id: str, binary: str, reason: str | None) -> None:
    """Repeatable: the last reason counts."""
    switch_on(tx, host_id, binary)
    tx.insert(volume_service, host_id=host_id, binary=binary, reason=reason, created_at=tx.now)
