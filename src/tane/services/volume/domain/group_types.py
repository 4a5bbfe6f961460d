"""Types of groups, and their specs, which a pool meets or not as it does those of volume types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain.common import new_id
from tane.services.volume.store import groups
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_group_type as table
from tane.web.codec import bounded
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, NotFound


def visible(tx: Tx, ctx: Context, name_or_id: str) -> Row[Any]:
    """By its id or its name. :raises NotFound: no such type, or a private one, which administrators alone see."""
    row = groups.get(tx, table, name_or_id) or groups.type_named(tx, name_or_id)
    if row is None or not (row.is_public or ctx.is_admin):
        raise NotFound(f"Group type {name_or_id} could not be found.")
    return row


def index(core: Core, ctx: Context, wanted: Page, conditions: Sequence[Any]) -> list[Row[Any]]:
    found_by = [*conditions, *([] if ctx.is_admin else [table.c.is_public.is_(True)])]
    with core.db.read() as tx:
        marker = visible(tx, ctx, wanted.marker) if wanted.marker else None
        return groups.find(tx, table, found_by, wanted, marker)


def show(core: Core, ctx: Context, type_id: str) -> Row[Any]:
    """:raises NotFound: "default" too: there is none."""
    with core.db.read() as tx:
        if type_id == "default":
            raise NotFound("Default group type can not be found.")
        return visible(tx, ctx, type_id)


def create(core: Core, values: Mapping[str, Any]) -> Row[Any]:
    """:raises Conflict: the name is taken. :raises BadRequest:"""
    type_id, name = new_id(), values["name"].strip()
    if not name:
        raise BadRequest("Invalid input for field/attribute name. Value: ''. '' is too short")
    with core.db.write() as tx:
        if groups.type_named(tx, name) is not None:
            raise Conflict(f"Group Type {name} already exists.")
        groups.add(tx, table, {**values, "id": type_id, "name": name})
        return _get(tx, type_id)


def update(core: Core, type_id: str, values: Mapping[str, Any]) -> Row[Any]:
    if not values:
        raise BadRequest("Specify group type name, description or a combination thereof.")
    if "name" in values and not values["name"].strip():
        raise BadRequest("Group type name can not be empty.")
    with core.db.write() as tx:
        _get(tx, type_id)
        taken = groups.type_named(tx, values["name"].strip()) if "name" in values else None
        if taken is not None and taken.id != type_id:
            raise Conflict(f"Group Type {values['name'].strip()} already exists.")
        groups.change(tx, table, type_id, **values)
        return _get(tx, type_id)


def delete(core: Core, type_id: str) -> None:
    """:raises BadRequest: groups of the type are left."""
    with core.db.write() as tx:
        _get(tx, type_id)
        if groups.of_type(tx, type_id):
            raise BadRequest(f"Target group type {type_id} is still in use.")
        groups.remove(tx, table, type_id)


def specs(core: Core, type_id: str) -> dict[str, str]:
    with core.db.read() as tx:
        found: dict[str, str] = _get(tx, type_id).group_specs
        return found


def set_specs(core: Core, type_id: str, given: Mapping[str, str]) -> None:
    """Add or replace these."""
    with core.db.write() as tx:
        merged = bounded("group_specs", {**_get(tx, type_id).group_specs, **given})
        groups.change(tx, table, type_id, group_specs=merged)


def remove_spec(core: Core, type_id: str, key: str) -> None:
    with core.db.write() as tx:
        kept = dict(_get(tx, type_id).group_specs)
        if kept.pop(key, None) is None:
            raise no_spec(type_id, key)
        groups.change(tx, table, type_id, group_specs=kept)


def no_spec(type_id: str, key: str) -> NotFound:
    return NotFound(f"Group Type {type_id} has no specs with key {key}.")


def _get(tx: Tx, type_id: str) -> Row[Any]:
    row = groups.get(tx, table, type_id)
    if row is None:
        raise NotFound(f"Group type {type_id} could not be found.")
    return row
