"""OAuth consumers (Identity API v3 extensions: OS-OAUTH1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from tane.services.identity.api.common import given_with_extra, listing, with_self
from tane.services.identity.domain import consumers, plain
from tane.services.identity.domain.consumers import CONSUMER
from tane.web.errors import BadRequest
from tane.web.request import Request


def view(request: Request, row: Row[Any]) -> dict[str, Any]:
    return with_self(request, "OS-OAUTH1/consumers", {**row.extra, "id": row.id, "description": row.description})


def _values(request: Request) -> dict[str, Any]:
    values = given_with_extra(request, "consumer", request.body.consumer)
    if "secret" in values["extra"]:
        raise BadRequest("Cannot change consumer secret")
    return values


def index(request: Request) -> dict[str, Any]:
    return listing(request, "consumers", (view(request, row) for row in plain.index(request.core, CONSUMER, {})))


def show(request: Request) -> dict[str, Any]:
    return {"consumer": view(request, plain.show(request.core, CONSUMER, request.path["consumer_id"]))}


def create(request: Request) -> dict[str, Any]:
    row = consumers.create(request.core, _values(request))
    return {"consumer": {**view(request, row), "secret": row.secret}}


def update(request: Request) -> dict[str, Any]:
    row = plain.update(request.core, CONSUMER, request.path["consumer_id"], _values(request))
    return {"consumer": view(request, row)}


def delete(request: Request) -> None:
    plain.delete(request.core, CONSUMER, request.path["consumer_id"])
