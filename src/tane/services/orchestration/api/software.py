"""Software configurations and deployments."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from sqlalchemy.engine import Row

from tane.services.orchestration.api.common import own_project
from tane.services.orchestration.api.listing import everywhere
from tane.services.orchestration.domain import software
from tane.web.codec import iso
from tane.web.request import Request


def config_view(row: Row[Any], *, whole: bool) -> dict[str, Any]:
    view = {"id": row.id, "name": row.name, "group": row.group, "creation_time": iso(row.created_at)}
    if whole:
        view |= {"config": row.config, "inputs": row.inputs, "outputs": row.outputs, "options": row.options}
    return view


def deployment_view(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "config_id": row.config_id,
        "server_id": row.server_id,
        "action": row.action,
        "status": row.status,
        "status_reason": row.reason,
        "input_values": row.input_values,
        "output_values": row.output_values,
        "creation_time": iso(row.created_at),
        "updated_time": iso(row.updated_at or row.created_at),
    }


def configs(request: Request) -> dict[str, Any]:
    own_project(request)
    project_id = None if everywhere(request, "software_configs") else request.ctx.project_id
    rows = software.configs(request.core, project_id, request.number("limit") or None, request.param("marker") or None)
    return {"software_configs": [config_view(row, whole=False) for row in rows]}


def create_config(request: Request) -> dict[str, Any]:
    own_project(request)
    body = request.body
    values = {
        "name": body.name,
        "group": body.group,
        "config": "" if body.config is None else body.config,
        "inputs": body.inputs or [],
        "outputs": body.outputs or [],
        "options": body.options or {},
    }
    return {"software_config": config_view(software.create_config(request.core, request.ctx, values), whole=True)}


def config(request: Request) -> dict[str, Any]:
    own_project(request)
    row = software.config(request.core, request.ctx, request.path["config_id"])
    return {"software_config": config_view(row, whole=True)}


def delete_config(request: Request) -> None:
    own_project(request)
    software.delete_config(request.core, request.ctx, request.path["config_id"])


def deployments(request: Request) -> dict[str, Any]:
    own_project(request)
    rows = software.deployments(request.core, request.ctx, request.param("server_id") or None)
    return {"software_deployments": [deployment_view(row) for row in rows]}


def create_deployment(request: Request) -> dict[str, Any]:
    own_project(request)
    body = request.body
    values = {
        "id": body.id,
        "config_id": body.config_id,
        "server_id": body.server_id,
        "action": body.action,
        "status": body.status,
        "reason": body.status_reason,
        "input_values": body.input_values or {},
        "stack_user_project_id": body.stack_user_project_id or request.ctx.project_id,
    }
    return {"software_deployment": deployment_view(software.create_deployment(request.core, request.ctx, values))}


def deployment(request: Request) -> dict[str, Any]:
    own_project(request)
    row = software.deployment(request.core, request.ctx, request.path["deployment_id"])
    return {"software_deployment": deployment_view(row)}


def update_deployment(request: Request) -> dict[str, Any]:
    own_project(request)
    names = {"status_reason": "reason"}
    body = request.body
    values = {
        names.get(name, name): getattr(body, name)
        for name in body.__struct_fields__
        if getattr(body, name) is not UNSET
    }
    row = software.update_deployment(request.core, request.ctx, request.path["deployment_id"], values)
    return {"software_deployment": deployment_view(row)}


def delete_deployment(request: Request) -> None:
    own_project(request)
    software.delete_deployment(request.core, request.ctx, request.path["deployment_id"])


def server_metadata(request: Request) -> dict[str, Any]:
    own_project(request)
    return {"metadata": software.metadata(request.core, request.ctx, request.path["server_id"])}
