"""Volume types. The type ``file`` is there from the first use on and is the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain.common import BACKEND, new_id
from tane.services.volume.store import types, volumes
from tane.services.volume.store.volumes import Page
from tane.services.volume.tables import volume_type
from tane.web.context import Context
from tane.web.errors import BadRequest, Conflict, Forbidden, NotFound

DEFAULT = BACKEND
_READY = "volume.default_type"


def ensure_default(tx: Tx) -> Row[Any]:
    """The default type, made when it is not there yet; needs a write transaction."""
    row = types.by_name(tx, DEFAULT)
    if row is None:
        values = {"id": new_id(), "name": DEFAULT, "description": "Default Volume Type"}
        types.add(tx, {**values, "is_public": True, "extra_specs": {}})
        row = types.by_name(tx, DEFAULT)
        assert row is not None
    return row


def ready(core: Core) -> None:
    """Make the default type before it is listed; remembered, so that only the first request writes."""
    if not core.memory.get(_READY):
        with core.db.write() as tx:
            ensure_default(tx)
        core.memory[_READY] = True


def visible(tx: Tx, ctx: Context, type_id: str) -> Row[Any]:
    """:raises NotFound: no such type, or a private one without access."""
    row = types.get(tx, type_id)
    if row is None or not (row.is_public or ctx.is_admin or ctx.project_id in types.access(tx, type_id)):
        raise NotFound(f"Volume type {type_id} could not be found.")
    return row


def chosen(tx: Tx, ctx: Context, name_or_id: str | None) -> Row[Any]:
    """The type a new volume gets. :raises NotFound:"""
    default = ensure_default(tx)
    if not name_or_id:
        return types.default_of(tx, ctx.project_id) or default
    found = named(tx, name_or_id)
    try:
        return visible(tx, ctx, found.id if found is not None else name_or_id)
    except NotFound:
        # In the same words for one that is private and one that is none.
        raise NotFound(f"Volume type with name {name_or_id} could not be found.") from None


def named(tx: Tx, name_or_id: str) -> Row[Any] | None:
    """A type by its name or its id, whoever asks."""
    return types.by_name(tx, name_or_id) or types.get(tx, name_or_id)


def index(core: Core, ctx: Context, wanted: Page, is_public: bool | None, filters: Sequence[Any]) -> list[Row[Any]]:
    """``is_public`` filters, for administrators, on that; None is no filter. ``filters``: conditions besides."""
    ready(core)
    conditions: list[Any] = list(filters)
    if not ctx.is_admin:
        conditions.append(types.usable_by(ctx.project_id))
    elif is_public is not None:
        conditions.append(volume_type.c.is_public == is_public)
    with core.db.read() as tx:
        marker = visible(tx, ctx, wanted.marker) if wanted.marker else None
        return types.find(tx, conditions, wanted, marker)


def show(core: Core, ctx: Context, type_id: str) -> Row[Any]:
    """``type_id`` "default" is the default type."""
    ready(core)
    with core.db.read() as tx:
        if type_id == "default":
            row = types.default_of(tx, ctx.project_id) or types.by_name(tx, DEFAULT)
            assert row is not None
            return row
        return visible(tx, ctx, type_id)


def create(core: Core, values: Mapping[str, Any]) -> Row[Any]:
    """:raises Conflict: the name is taken."""
    name = values["name"].strip()
    if not name:
        raise BadRequest("Invalid input for field/attribute name. Value: ''. '' is too short")
    with core.db.write() as tx:
        ensure_default(tx)
        if types.by_name(tx, name) is not None:
            raise Conflict(f"Volume Type {name} already exists.")
        type_id = new_id()
        types.add(tx, {**values, "id": type_id, "name": name})
        return _get(tx, type_id)


def update(core: Core, type_id: str, values: Mapping[str, Any]) -> Row[Any]:
    if not values:
        raise BadRequest("Specify volume type name, description, is_public or a combination thereof.")
    if "name" in values and not values["name"].strip():
        raise BadRequest("Volume type name can not be empty.")
    with core.db.write() as tx:
        _get(tx, type_id)
        taken = types.by_name(tx, values["name"].strip()) if "name" in values else None
        if taken is not None and taken.id != type_id:
            raise Conflict(f"Volume Type {values['name'].strip()} already exists.")
        types.change(tx, type_id, **values)
        return _get(tx, type_id)


def delete(core: Core, type_id: str) -> None:
    """:raises BadRequest: volumes of the type are left. :raises Forbidden: it is the default."""
    with core.db.write() as tx:
        row = _get(tx, type_id)
        if row.name == DEFAULT or types.is_default(tx, type_id):
            raise Forbidden(f"The volume type {type_id} is a default volume type and cannot be deleted.")
        if volumes.of_type(tx, type_id):
            raise BadRequest(f"Volume Type {type_id} deletion is not allowed with volumes present with the type.")
        types.remove(tx, type_id)


def set_extra_specs(core: Core, type_id: str, specs: Mapping[str, str]) -> dict[str, str]:
    """Add or replace these; returns all."""
    with core.db.write() as tx:
        merged = {**_get(tx, type_id).extra_specs, **specs}
        types.change(tx, type_id, extra_specs=merged)
        return merged


def remove_extra_spec(core: Core, type_id: str, key: str) -> None:
    with core.db.write() as tx:
        specs = dict(_get(tx, type_id).extra_specs)
        if specs.pop(key, None) is None:
            raise no_spec(type_id, key)
        types.change(tx, type_id, extra_specs=specs)


def access(core: Core, type_id: str) -> Sequence[str]:
    """Projects with access. :raises NotFound: the type is public."""
    with core.db.read() as tx:
        if _get(tx, type_id).is_public:
            raise NotFound("Access list not available for public volume types.")
        return types.access(tx, type_id)


def grant(core: Core, type_id: str, project_id: str) -> None:
    with core.db.write() as tx:
        if _get(tx, type_id).is_public:
            raise Conflict("Type access modification is not applicable to public volume type.")
        if project_id in types.access(tx, type_id):
            raise Conflict(f"Volume type access for {type_id} / {project_id} combination already exists.")
        types.grant(tx, type_id, project_id)


def revoke(core: Core, type_id: str, project_id: str) -> None:
    with core.db.write() as tx:
        if _get(tx, type_id).is_public:
            raise Conflict("Type access modification is not applicable to public volume type.")
        if not types.revoke(tx, type_id, project_id):
            raise NotFound(f"Volume type access not found for {type_id} / {project_id} combination.")


def _get(tx: Tx, type_id: str) -> Row[Any]:
    row = types.get(tx, type_id)
    if row is None:
        raise NotFound(f"Volume type {type_id} could not be found.")
    return row


def no_spec(type_id: str, key: str) -> NotFound:
    return NotFound(f"Volume Type {type_id} has no extra specs with key {key}.")
