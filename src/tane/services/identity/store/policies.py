"""SQL of policy associations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.identity.tables import policy_association


def _exactly(where: Mapping[str, str]) -> Any:
    table = policy_association.c
    return (
        (table.endpoint_id.is_(None) if "endpoint_id" not in where else table.endpoint_id == where["endpoint_id"])
        & (table.service_id.is_(None) if "service_id" not in where else table.service_id == where["service_id"])
        & (table.region_id.is_(None) if "region_id" not in where else table.region_id == where["region_id"])
    )


def policy_of(tx: Tx, where: Mapping[str, str]) -> str | None:
    """The policy of exactly this endpoint, service, or service in a region."""
    found: str | None = tx.scalar(select(policy_association.c.policy_id).where(_exactly(where)))
    return found


def associations(tx: Tx, policy_id: str) -> list[Row[Any]]:
    return tx.rows(policy_association, policy_id=policy_id)


def add(tx: Tx, policy_id: str, where: Mapping[str, str]) -> None:
    tx.insert(policy_association, policy_id=policy_id, **where)


def forget(tx: Tx, where: Mapping[str, str], policy_id: str | None = None) -> None:
    """Delete the association here, only when it is that of ``policy_id`` if one is given."""
    statement = delete(policy_association).where(_exactly(where))
    tx.execute(statement if policy_id is None else statement.where(policy_association.c.policy_id == policy_id))
