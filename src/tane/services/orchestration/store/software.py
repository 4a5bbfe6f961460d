"""SQL of software configurations and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Table, delete, func, literal, select, tuple_
from sqlalchemy.engine import Row

from tane.db import Tx
from tane.services.orchestration.tables import software_config, software_deployment

LISTED = tuple(software_config.c[name] for name in ("id", "project_id", "name", "group", "created_at"))


def config(tx: Tx, project_id: str | None, config_id: str) -> Row[Any] | None:
    """One of a project, or of any where None."""
    return tx.first(_one(software_config, project_id, config_id))


def _one(table: Table, project_id: str | None, row_id: str) -> Select[Any]:
    wanted = select(table).where(table.c.id == row_id)
    return wanted if project_id is None else wanted.where(table.c.project_id == project_id)


def kept(tx: Tx, table: Table, project_id: str) -> tuple[int, int]:
    """How many configurations, or deployments, a project has, and how many bytes they hold."""
    mine = table.c.project_id == project_id
    found = tx.first(select(func.count().label("rows"), func.sum(table.c.bytes).label("bytes")).where(mine))
    return (0, 0) if found is None else (int(found.rows), int(found.bytes or 0))


def on_server(tx: Tx, project_id: str, server_id: str) -> int:
    """How many bytes the deployments of a server hold together with their configurations."""
    size = func.sum(software_deployment.c.bytes + software_config.c.bytes)
    joined = software_deployment.join(software_config, software_config.c.id == software_deployment.c.config_id)
    mine = (software_deployment.c.project_id == project_id, software_deployment.c.server_id == server_id)
    return int(tx.scalar(select(func.coalesce(size, 0)).select_from(joined).where(*mine)) or 0)


def configs(tx: Tx, project_id: str | None, limit: int, marker: str | None) -> list[Row[Any]]:
    """Of a project, or of all where None; newest last. Without what is in them."""
    wanted = select(*LISTED).order_by(software_config.c.created_at, software_config.c.id)
    if project_id is not None:
        wanted = wanted.where(software_config.c.project_id == project_id)
    if marker is not None:
        found = config(tx, project_id, marker)
        if found is not None:
            place = tuple_(software_config.c.created_at, software_config.c.id)
            wanted = wanted.where(place > tuple_(literal(found.created_at), literal(found.id)))
    return tx.all(wanted.limit(limit))


def add_config(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(software_config, **values)


def remove_config(tx: Tx, config_id: str) -> None:
    tx.execute(delete(software_config).where(software_config.c.id == config_id))


def used(tx: Tx, config_id: str) -> bool:
    return tx.first(select(software_deployment.c.id).where(software_deployment.c.config_id == config_id)) is not None


def deployment(tx: Tx, project_id: str | None, deployment_id: str) -> Row[Any] | None:
    """One of a project, or of any where None."""
    return tx.first(_one(software_deployment, project_id, deployment_id))


def deployments(tx: Tx, project_id: str, server_id: str | None) -> list[Row[Any]]:
    wanted = select(software_deployment).where(software_deployment.c.project_id == project_id)
    if server_id is not None:
        wanted = wanted.where(software_deployment.c.server_id == server_id)
    return tx.all(wanted.order_by(software_deployment.c.created_at, software_deployment.c.id))


def deployed(tx: Tx, project_id: str, server_id: str) -> list[Row[Any]]:
    """The configurations of a server's deployments, with the values of their inputs, by their names."""
    joined = software_deployment.join(
        software_config,
        (software_config.c.id == software_deployment.c.config_id)
        & (software_config.c.project_id == software_deployment.c.project_id),
    )
    wanted = select(software_config, software_deployment.c.input_values).select_from(joined)
    mine = (software_deployment.c.project_id == project_id, software_deployment.c.server_id == server_id)
    order = (software_config.c.name, software_deployment.c.created_at, software_deployment.c.id)
    return tx.all(wanted.where(*mine).order_by(*order))


def add_deployment(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.insert(software_deployment, **values)


def change_deployment(tx: Tx, deployment_id: str, **values: Any) -> None:
    tx.update(software_deployment, {"id": deployment_id}, **values)


def remove_deployment(tx: Tx, deployment_id: str) -> None:
    tx.execute(delete(software_deployment).where(software_deployment.c.id == deployment_id))
