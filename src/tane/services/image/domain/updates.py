"""Changing an image by a JSON patch (API reference: "Update image")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.image.domain import cache, locations, protections
from tane.services.image.domain.images import COLUMNS, check_properties, checked_tags, own, require_visibility
from tane.services.image.store import images
from tane.services.image.store.images import Image
from tane.web.context import Context
from tane.web.errors import Conflict, Forbidden


class Change(msgspec.Struct):
    """One operation of a JSON patch. ``place`` is what follows in the path (``/locations/0``); ``size`` that of a
    location's data, where it was asked for."""

    op: Literal["add", "replace", "remove"]
    name: str
    value: Any = None
    place: str = ""
    draft: int = 10
    size: int | None = None


class _State:
    """What a patch has made of the image so far."""

    def __init__(self, image: Image) -> None:
        self.values: dict[str, Any] = {}
        self.properties = dict(image.properties)
        self.tags = list(image.tags)


def measure(core: Core, ctx: Context, image_id: str, changes: Sequence[Change]) -> None:
    """Ask the web for the size of what is to become the data of a queued image.

    Before :func:`update` and on a thread of its own: whoever answers slowly holds neither a transaction nor the API.
    """
    with core.db.read() as tx:
        row = own(tx, ctx, image_id)
    for change in changes:
        if row.status == "queued" and change.name == "locations" and change.op != "remove":
            _require_rule(core, ctx, change)
            change.size = locations.size(core, change.value)


def update(core: Core, ctx: Context, image_id: str, changes: Sequence[Change]) -> Image:
    """Apply a JSON patch whole or not at all.

    :raises Forbidden: a read-only, reserved or protected attribute. :raises Conflict: a property that is not there.
    """
    with core.db.write() as tx:
        row = own(tx, ctx, image_id)
        before = images.complete(tx, [row])[0]
        state = _State(before)
        for change in changes:
            if change.name == "locations":
                cache.forget(tx, core, image_id)
                state.values.update(_locations(tx, core, ctx, row, change))
            elif change.name == "owner" or change.name in COLUMNS or change.name == "tags":
                _attribute(core, ctx, row, change, state)
            else:
                _property(core, ctx, change, state)
        check_properties(state.properties)
        images.change(tx, image_id, **state.values)
        if state.properties != before.properties:
            images.set_properties(tx, image_id, state.properties)
        if state.tags != before.tags:
            images.set_tags(tx, image_id, state.tags)
        tx.notify(f"image:{image_id}")
        changed = images.get(tx, image_id)
        assert changed is not None
        return images.complete(tx, [changed])[0]


def _locations(tx: Tx, core: Core, ctx: Context, row: Row[Any], change: Change) -> dict[str, Any]:
    _require_rule(core, ctx, change)
    if change.op == "remove":
        locations.remove(tx, core, row, change.place)
        return {}
    if change.op == "add":
        return locations.add(tx, core, row, change.place, change.value, change.size)
    return locations.replace(tx, core, row, change.value, change.size)


def _require_rule(core: Core, ctx: Context, change: Change) -> None:
    rule = "delete_image_location" if change.op == "remove" else "set_image_location"
    if not core.policy.allows(rule, ctx):
        raise Forbidden(f"You are not authorized to complete {rule} action.")


def _attribute(core: Core, ctx: Context, row: Row[Any], change: Change, state: _State) -> None:
    name, value = change.name, change.value
    if change.op == "remove":
        raise Forbidden(f"Property {name} may not be removed.")
    if change.op == "add" and change.draft == 4:
        raise Conflict(f"Property {name} already present.")
    if name == "tags":
        state.tags = checked_tags(value)
    elif name == "owner":
        if not ctx.is_admin:
            raise Forbidden("Owner can't be updated by non admin.")
        state.values["project_id"] = value
    else:
        if name in ("disk_format", "container_format") and row.status != "queued":
            raise Forbidden(f"Attribute {name} can be only replaced for a queued image.")
        if name == "visibility":
            require_visibility(core, ctx, value)
        state.values[name] = value


def _property(core: Core, ctx: Context, change: Change, state: _State) -> None:
    name, present = change.name, change.name in state.properties
    if present and not protections.allows(core, ctx, name, "read"):
        present = False
    if change.op != "add" and not present:
        raise Conflict(f"Property {name} does not exist.")
    if change.op == "add" and present and change.draft == 4:
        raise Conflict(f"Property {name} already present.")
    verb: protections.Verb = "delete" if change.op == "remove" else "update" if present else "create"
    protections.require(core, ctx, name, verb)
    if change.op == "remove":
        del state.properties[name]
    else:
        state.properties[name] = change.value
