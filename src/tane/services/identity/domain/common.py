"""What the rules of every identity resource share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Row

from tane.config import PerUser
from tane.db import Tx
from tane.services.identity.store import rows
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound


def new_id() -> str:
    return uuid.uuid4().hex


def require_room(tx: Tx, table: Table, limit: PerUser, what: str, more: int = 1, **owner: str) -> None:
    """:raises Forbidden: with ``more`` of them the user would have too many, in Keystone's words."""
    most = limit.user_limit
    if most >= 0 and rows.count(tx, table, owner) + more > most:
        raise Forbidden(f"Unable to create additional {what}, maximum of {most} already exceeded for user.")


def require(tx: Tx, table: Table, row_id: str, kind: str, **having: Any) -> Row[Any]:
    """The row, or NotFound in Keystone's words; ``having`` are column values it must have."""
    row = rows.get(tx, table, row_id)
    if row is None or any(getattr(row, name) != value for name, value in having.items()):
        raise NotFound(f"Could not find {kind}: {row_id}.")
    return row


def refuse_duplicate(tx: Tx, table: Table, kind: str, row_id: str | None = None, **unique: Any) -> None:
    """:raises Conflict: when another row has these values already."""
    if any(row.id != row_id for row in rows.find(tx, table, unique)):
        raise Conflict(
            f"Conflict occurred attempting to store {kind} - Duplicate entry found with name {unique.get('name')}."
        )


def require_field(values: dict[str, Any], name: str) -> None:
    if name not in values:
        raise BadRequest(f"'{name}' is a required property.")


def merged_options(present: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Resource options after a change; null takes one away."""
    return {name: value for name, value in {**present, **sent}.items() if value is not None}


def refuse_immutable(row: Row[Any], kind: str, action: str, values: Mapping[str, Any] | None = None) -> None:
    """:raises Forbidden: the resource is immutable and the change is not the one that ends this alone."""
    if not row.options.get("immutable"):
        return
    sent = {name: value for name, value in (values or {}).items() if value or name != "extra"}
    if values is not None and set(sent) == {"options"} and not sent["options"].get("immutable", True):
        return
    raise Forbidden(
        f'Unable to {action} immutable {kind} resource: `{row.id}. Set resource option "immutable" to false first.'
    )
