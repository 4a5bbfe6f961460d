"""Tokens by which hosts join."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.host.domain import tokens
from tane.web.codec import iso_micro
from tane.web.request import Request


def view(row: Row[Any]) -> dict[str, Any]:
    """Without its secret, which nobody keeps."""
    return {
        "id": row.id,
        "roles": row.roles,
        "name": row.name,
        "expires_at": iso_micro(row.expires_at),
        "host_id": row.host_id,
    }


def index(request: Request) -> dict[str, Any]:
    return {"tokens": [view(row) for row in tokens.every(request.core)]}


async def create(request: Request) -> dict[str, Any]:
    wanted = request.body.token
    row, text = await tokens.create(request.core, wanted.roles, wanted.name, wanted.hours)
    return {"token": {**view(row), "token": text}}


def delete(request: Request) -> None:
    tokens.delete(request.core, request.path["token_id"])
