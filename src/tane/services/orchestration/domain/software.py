"""Rules of software configurations (which never change) and deployments (one on one server)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Table
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain.common import TEMPLATE_BYTES, RequestLimitExceeded, new_id
from tane.services.orchestration.store import software
from tane.services.orchestration.tables import software_config, software_deployment
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound

MOST_CONFIGS = 1000
MOST_DEPLOYMENTS = 1000
CONFIGS_BYTES = 32 * 1024 * 1024
DEPLOYMENTS_BYTES = 16 * 1024 * 1024
SERVER_BYTES = 8 * 1024 * 1024
"""What one server is told at once: an answer of that many bytes."""
VALUES_BYTES = 64 * 1024
"""Of a deployment's input values, and of its output values."""
REASON = 4096


def configs(core: Core, project_id: str | None, limit: int | None, marker: str | None) -> list[Row[Any]]:
    """Of a project; of all where that is None."""
    with core.db.read() as tx:
        return software.configs(tx, project_id, min(limit or MOST_CONFIGS, MOST_CONFIGS), marker)


def create_config(core: Core, ctx: Context, values: Mapping[str, Any]) -> Row[Any]:
    """:raises BadRequest: it is too long, or an input is not whole."""
    with core.db.write() as tx:
        return insert_config(tx, ctx.project_id, values)


def insert_config(tx: Tx, project_id: str, values: Mapping[str, Any]) -> Row[Any]:
    size = len(msgspec.json.encode(dict(values)))
    if size > TEMPLATE_BYTES:
        raise BadRequest(f"A software config has at most {TEMPLATE_BYTES} bytes.")
    _room(tx, software_config, project_id, size, MOST_CONFIGS, CONFIGS_BYTES)
    for kind in ("inputs", "outputs"):
        for one in values.get(kind) or ():
            if not isinstance(one, Mapping) or not one.get("name") or not isinstance(one["name"], str):
                raise BadRequest(f"Each of the {kind} of a software config needs a name, which is a string.")
    config_id = new_id()
    kept = {**values, "id": config_id, "project_id": project_id, "bytes": size, "created_at": tx.now}
    software.add_config(tx, kept)
    row = software.config(tx, project_id, config_id)
    assert row is not None
    return row


def _room(tx: Tx, table: Table, project_id: str, size: int, most: int, most_bytes: int) -> None:
    """:raises RequestLimitExceeded: a project has as many rows as it may, or rows of so many bytes."""
    count, held = software.kept(tx, table, project_id)
    if count >= most or held + size > most_bytes:
        raise RequestLimitExceeded(
            f"Request limit exceeded: a project has at most {most} {table.name.replace('_', ' ')}s, "
            f"of {most_bytes} bytes together."
        )


def _of(ctx: Context) -> str | None:
    """Whose rows a caller sees: those of his project; all, as an administrator."""
    return None if ctx.is_admin else ctx.project_id


def config_of(tx: Tx, ctx: Context, config_id: str) -> Row[Any]:
    row = software.config(tx, _of(ctx), config_id)
    if row is None:
        raise _no_config(config_id)
    return row


def _no_config(config_id: str) -> NotFound:
    return NotFound(f"Software config with id {config_id} not found", type="NotFound")


def config(core: Core, ctx: Context, config_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return config_of(tx, ctx, config_id)


def delete_config(core: Core, ctx: Context, config_id: str) -> None:
    """:raises BadRequest: a deployment has it."""
    with core.db.write() as tx:
        config_of(tx, ctx, config_id)
        if software.used(tx, config_id):
            raise BadRequest(
                f"Software config with id {config_id} can not be deleted as it is referenced.",
                type="RequestLimitExceeded",
            )
        software.remove_config(tx, config_id)


def deployments(core: Core, ctx: Context, server_id: str | None) -> list[Row[Any]]:
    with core.db.read() as tx:
        return software.deployments(tx, ctx.project_id, server_id)


def create_deployment(core: Core, ctx: Context, values: Mapping[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        if software.config(tx, ctx.project_id, values["config_id"]) is None:
            raise _no_config(values["config_id"])
        if not values["server_id"]:
            raise BadRequest("server_id must be specified")
        return insert_deployment(tx, ctx.project_id, values)


def insert_deployment(tx: Tx, project_id: str, values: Mapping[str, Any]) -> Row[Any]:
    """:raises BadRequest: its values are too long, or the id is taken. :raises RequestLimitExceeded:"""
    deployment_id = values.get("id") or new_id()
    if software.deployment(tx, None, deployment_id) is not None:
        raise BadRequest(f"There is a software deployment with id {deployment_id} already.")
    kept = {"output_values": {}, **values, "id": deployment_id, "project_id": project_id, "created_at": tx.now}
    kept["bytes"] = _values_size(kept["input_values"], kept["output_values"])
    _room(tx, software_deployment, project_id, kept["bytes"], MOST_DEPLOYMENTS, DEPLOYMENTS_BYTES)
    software.add_deployment(tx, kept)
    _fits_server(tx, project_id, kept["server_id"])
    row = software.deployment(tx, project_id, deployment_id)
    assert row is not None
    return row


def change_deployment(tx: Tx, row: Row[Any], **values: Any) -> None:
    """:raises BadRequest: its values are too long. :raises RequestLimitExceeded:"""
    size = _values_size(values.get("input_values", row.input_values), values.get("output_values", row.output_values))
    if size > row.bytes:
        _room(tx, software_deployment, row.project_id, size - row.bytes, MOST_DEPLOYMENTS + 1, DEPLOYMENTS_BYTES)
    software.change_deployment(tx, row.id, **values, bytes=size, updated_at=tx.now)
    if size > row.bytes or "config_id" in values:
        _fits_server(tx, row.project_id, row.server_id)


def _values_size(*values: Mapping[str, Any]) -> int:
    sizes = [len(msgspec.json.encode(one)) for one in values]
    if max(sizes) > VALUES_BYTES:
        raise BadRequest(f"The input values, and the output values, of a deployment have at most {VALUES_BYTES} bytes.")
    return sum(sizes)


def _fits_server(tx: Tx, project_id: str, server_id: str) -> None:
    if software.on_server(tx, project_id, server_id) > SERVER_BYTES:
        raise RequestLimitExceeded(
            f"Request limit exceeded: the deployments of one server have at most {SERVER_BYTES} bytes together."
        )


def deployment_of(tx: Tx, ctx: Context, deployment_id: str) -> Row[Any]:
    row = software.deployment(tx, _of(ctx), deployment_id)
    if row is None:
        raise NotFound(f"Software deployment with id {deployment_id} not found", type="NotFound")
    return row


def deployment(core: Core, ctx: Context, deployment_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return deployment_of(tx, ctx, deployment_id)


def update_deployment(core: Core, ctx: Context, deployment_id: str, values: Mapping[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        row = deployment_of(tx, ctx, deployment_id)
        if "config_id" in values and software.config(tx, row.project_id, values["config_id"]) is None:
            raise _no_config(values["config_id"])
        change_deployment(tx, row, **values)
        jobs.wake(tx, f"deployment:{deployment_id}")
        return deployment_of(tx, ctx, deployment_id)


def delete_deployment(core: Core, ctx: Context, deployment_id: str) -> None:
    with core.db.write() as tx:
        deployment_of(tx, ctx, deployment_id)
        software.remove_deployment(tx, deployment_id)


def metadata(core: Core, ctx: Context, server_id: str) -> list[dict[str, Any]]:
    """What a server is to do: the configurations of its deployments with their inputs, in their order."""
    with core.db.read() as tx:
        return deployed(tx, ctx.project_id, server_id)


def deployed(tx: Tx, project_id: str, server_id: str) -> list[dict[str, Any]]:
    """As Heat tells it: by the names of the configurations, with their ids. What a deployment is to do next is another
    configuration, which guests have not done yet by its id."""
    return [
        {
            "id": row.id,
            "name": row.name,
            "group": row.group,
            "config": row.config,
            "inputs": [
                {**one, "value": row.input_values.get(one["name"], one.get("value", one.get("default")))}
                for one in row.inputs
            ],
            "outputs": row.outputs,
            "options": row.options,
            "creation_time": row.created_at.isoformat(timespec="seconds") + "Z",
        }
        for row in software.deployed(tx, project_id, server_id)
    ]


def reported(tx: Tx, row: Row[Any], details: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    """What a signal of a deployment says: (status, output values, reason)."""
    config = software.config(tx, row.project_id, row.config_id)
    outputs, failed = dict(row.output_values), []
    for one in config.outputs if config is not None else []:
        if one["name"] in details:
            outputs[one["name"]] = details[one["name"]]
            if one.get("error_output") and details[one["name"]]:
                failed.append(one["name"])
    for name in ("deploy_stdout", "deploy_stderr", "deploy_status_code"):
        if name in details:
            outputs[name] = details[name]
    code = details.get("deploy_status_code")
    if details.get("status") == "FAILED" or code not in (None, 0, "0", ""):
        failed.append("deploy_status_code")
    if failed:
        reason = f"{row.action} failed: {', '.join(failed)}: {code if code is not None else 'error'}"
        return "FAILED", outputs, reason[:REASON]
    return "COMPLETE", outputs, "Outputs received"
