"""SQL of software configurations and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.tables import software_config, software_deployment


def config(tx: Tx, config_id: str) -> Row[Any] | None:
    return tx.first(select(software_config).where(software_config.c.id == config_id))


def configs(tx: Tx, project_id: str | None, limit: int | None, marker: str | None) -> list[Row[Any]]:
    """Of a project, or of all where None; newest last."""
    wanted = select(software_config).order_by(software_config.c.created_at, software_config.c.id)
    if project_id is not None:
        wanted = wanted.where(software_config.c.project_id == project_id)
    if marker is not None:
        found = config(tx, marker)
        if found is not None:
            wanted = wanted.where(software_config.c.created_at >= found.created_at, software_config.c.id != found.id)
    return tx.all(wanted if limit is None else wanted.limit(limit))


def add_config(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(software_config).values(**values))


def remove_config(tx: Tx, config_id: str) -> None:
    tx.execute(delete(software_config).where(software_config.c.id == config_id))


def used(tx: Tx, config_id: str) -> bool:
    return tx.first(select(software_deployment.c.id).where(software_deployment.c.config_id == config_id)) is not None


def deployment(tx: Tx, deployment_id: str) -> Row[Any] | None:
    return tx.first(select(software_deployment).where(software_deployment.c.id == deployment_id))


def deployments(tx: Tx, project_id: str, server_id: str | None) -> list[Row[Any]]:
    wanted = select(software_deployment).where(software_deployment.c.project_id == project_id)
    if server_id is not None:
        wanted = wanted.where(software_deployment.c.server_id == server_id)
    return tx.all(wanted.order_by(software_deployment.c.created_at, software_deployment.c.id))


def add_deployment(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(software_deployment).values(**values))


def change_deployment(tx: Tx, deployment_id: str, **values: Any) -> None:
    tx.execute(update(software_deployment).where(software_deployment.c.id == deployment_id).values(**values))


def remove_deployment(tx: Tx, deployment_id: str) -> None:
    tx.execute(delete(software_deployment).where(software_deployment.c.id == deployment_id))
