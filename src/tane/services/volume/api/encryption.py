"""Encryption of volume types (Block Storage API v3: "Volume types", encryption)."""

from __future__ import annotations

from typing import Any

import msgspec

from tane.services.volume.domain import encryption
from tane.web.errors import NotFound
from tane.web.request import Request


def show(request: Request) -> dict[str, Any]:
    return encryption.show(request.core, request.path["type_id"])


def show_key(request: Request) -> dict[str, Any]:
    found, key = show(request), request.path["key"]
    if key not in found:
        raise NotFound("The resource could not be found.")
    return {key: found[key]}


def create(request: Request) -> dict[str, Any]:
    body = msgspec.to_builtins(request.body.encryption)
    return {"encryption": encryption.create(request.core, request.path["type_id"], body)}


def update(request: Request) -> dict[str, Any]:
    body = request.body.encryption
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    values = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    encryption.update(request.core, request.path["type_id"], request.path["key"], values)
    return {"encryption": values}


def delete(request: Request) -> None:
    encryption.delete(request.core, request.path["type_id"], request.path["key"])
