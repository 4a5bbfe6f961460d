"""Rules of software configurations (which never change) and deployments (one on one server)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.engine import Row

from tane import jobs
from tane.core import Core
from tane.db import Tx
from tane.services.orchestration.domain.common import TEMPLATE_BYTES, new_id
from tane.services.orchestration.store import software
from tane.web.context import Context
from tane.web.errors import BadRequest, NotFound


def configs(core: Core, ctx: Context, limit: int | None, marker: str | None) -> list[Row[Any]]:
    with core.db.read() as tx:
        return software.configs(tx, ctx.project_id, limit, marker)


def create_config(core: Core, ctx: Context, values: Mapping[str, Any]) -> Row[Any]:
    """:raises BadRequest: it is too long, or an input is not whole."""
    with core.db.write() as tx:
        return insert_config(tx, ctx.project_id, values)


def insert_config(tx: Tx, project_id: str, values: Mapping[str, Any]) -> Row[Any]:
    if len(msgspec.json.encode(dict(values))) > TEMPLATE_BYTES:
        raise BadRequest(f"A software config has at most {TEMPLATE_BYTES} bytes.")
    for kind in ("inputs", "outputs"):
        for one in values.get(kind) or ():
            if not isinstance(one, Mapping) or not one.get("name"):
                raise BadRequest(f"Each of the {kind} of a software config needs a name.")
    config_id = new_id()
    software.add_config(tx, {**values, "id": config_id, "project_id": project_id, "created_at": tx.now})
    row = software.config(tx, config_id)
    assert row is not None
    return row


def config_of(tx: Tx, ctx: Context, config_id: str) -> Row[Any]:
    row = software.config(tx, config_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"Software config with id {config_id} not found", type="NotFound")
    return row


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
        config_of(tx, ctx, values["config_id"])
        if not values["server_id"]:
            raise BadRequest("server_id must be specified")
        return insert_deployment(tx, ctx.project_id, values)


def insert_deployment(tx: Tx, project_id: str, values: Mapping[str, Any]) -> Row[Any]:
    deployment_id = values.get("id") or new_id()
    if software.deployment(tx, deployment_id) is not None:
        raise BadRequest(f"There is a software deployment with id {deployment_id} already.")
    kept = {"output_values": {}, **values, "id": deployment_id, "project_id": project_id, "created_at": tx.now}
    software.add_deployment(tx, kept)
    row = software.deployment(tx, deployment_id)
    assert row is not None
    return row


def deployment_of(tx: Tx, ctx: Context, deployment_id: str) -> Row[Any]:
    row = software.deployment(tx, deployment_id)
    if row is None or not ctx.sees(row.project_id):
        raise NotFound(f"Software deployment with id {deployment_id} not found", type="NotFound")
    return row


def deployment(core: Core, ctx: Context, deployment_id: str) -> Row[Any]:
    with core.db.read() as tx:
        return deployment_of(tx, ctx, deployment_id)


def update_deployment(core: Core, ctx: Context, deployment_id: str, values: Mapping[str, Any]) -> Row[Any]:
    with core.db.write() as tx:
        deployment_of(tx, ctx, deployment_id)
        if "config_id" in values:
            config_of(tx, ctx, values["config_id"])
        software.change_deployment(tx, deployment_id, **values, updated_at=tx.now)
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
    found = []
    for row in software.deployments(tx, project_id, server_id):
        config = software.config(tx, row.config_id)
        if config is None or row.action in ("DELETE", "SUSPEND"):
            continue
        inputs = [
            {**one, "value": row.input_values.get(one["name"], one.get("value", one.get("default")))}
            for one in config.inputs
        ]
        found.append(
            {
                "id": row.id,
                "name": config.name,
                "group": config.group,
                "config": config.config,
                "inputs": inputs,
                "outputs": config.outputs,
                "options": config.options,
                "creation_time": row.created_at.isoformat(timespec="seconds") + "Z",
            }
        )
    return found


def reported(tx: Tx, row: Row[Any], details: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    """What a signal of a deployment says: (status, output values, reason)."""
    config = software.config(tx, row.config_id)
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
        return "FAILED", outputs, reason
    return "COMPLETE", outputs, "Outputs received"
