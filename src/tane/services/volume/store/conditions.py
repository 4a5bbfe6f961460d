"""Conditions of list queries, built from filters that the API has parsed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, exists, false, select

from tane.hosts.tables import host
from tane.services.volume.tables import volume, volume_attachment, volume_snapshot


def contains(column: Column[Any], part: str) -> Any:
    return column.contains(part, autoescape=True)


def compare(column: Column[Any], operator: str, moment: datetime) -> Any:
    """``operator``: eq, neq, gt, gte, lt or lte."""
    return {
        "eq": column == moment,
        "neq": column != moment,
        "gt": column > moment,
        "gte": column >= moment,
        "lt": column < moment,
        "lte": column <= moment,
    }[operator]


def holds(column: Column[Any], pairs: Mapping[Any, Any]) -> list[Any]:
    """Each pair is in the JSON object of ``column``."""
    return [column[str(key)].as_string() == str(value) for key, value in pairs.items()]


def contains_in(column: Column[Any], key: str, part: str) -> Any:
    """What stands under a key of the JSON object of ``column`` has the part in it."""
    return column[key].as_string().contains(part, autoescape=True)


def nothing() -> Any:
    """No row has it."""
    return false()


def of_host(text: str) -> Any:
    """Volumes of the pool of a host that is told as ``name@backend#pool``, ``name@backend`` or ``name``."""
    return volume.c.host_id.in_(select(host.c.id).where(host.c.name == text.partition("@")[0]))


def attached(yes: bool) -> Any:
    """Whether a volume is attached; being kept for a server is not enough."""
    here = (volume_attachment.c.volume_id == volume.c.id, volume_attachment.c.status == "attached")
    found = exists(select(volume_attachment.c.id).where(*here))
    return found if yes else ~found


def of_zone(zone: str) -> Any:
    """Snapshots of the volumes of a zone."""
    return volume_snapshot.c.volume_id.in_(select(volume.c.id).where(volume.c.availability_zone == zone))
