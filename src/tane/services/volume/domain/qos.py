"""What is written down of a service's quality. Volumes here are not throttled: none is made of such a type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.volume.domain.common import new_id
from tane.services.volume.store import qos, types
from tane.services.volume.store.volumes import Page
from tane.web.codec import bounded
from tane.web.errors import BadRequest, Conflict, NotFound

CONSUMERS = ("back-end", "front-end", "both")


def index(core: Core, wanted: Page) -> list[Row[Any]]:
    with core.db.read() as tx:
        return qos.find(tx, wanted, _get(tx, wanted.marker) if wanted.marker else None)


def show(core: Core, specs_id: str) -> Row[Any]:
    """:raises NotFound:"""
    with core.db.read() as tx:
        return _get(tx, specs_id)


def create(core: Core, name: str, consumer: str, specs: Mapping[str, str]) -> Row[Any]:
    """:raises Conflict: the name is taken. :raises BadRequest: no such consumer."""
    _check_consumer(consumer)
    with core.db.write() as tx:
        if qos.by_name(tx, name) is not None:
            raise Conflict(f"QoS Specs {name} already exists.")
        specs_id = new_id()
        qos.add(tx, {"id": specs_id, "name": name, "consumer": consumer, "specs": bounded("qos_specs", dict(specs))})
        return _get(tx, specs_id)


def update(core: Core, specs_id: str, consumer: str | None, specs: Mapping[str, str]) -> None:
    """Add or replace these keys; ``consumer`` None keeps it. :raises NotFound: :raises BadRequest:"""
    if consumer is not None:
        _check_consumer(consumer)
    with core.db.write() as tx:
        row = _get(tx, specs_id)
        merged = bounded("qos_specs", {**row.specs, **specs})
        qos.change(tx, specs_id, consumer=consumer or row.consumer, specs=merged)


def remove_keys(core: Core, specs_id: str, keys: Sequence[str]) -> None:
    """All of them or none. :raises NotFound: there are no such specs, or one of the keys is not among them."""
    with core.db.write() as tx:
        kept = dict(_get(tx, specs_id).specs)
        for key in keys:
            if kept.pop(key, None) is None:
                raise NotFound(f"QoS spec {specs_id} has no spec with key {key}.")
        qos.change(tx, specs_id, specs=kept)


def delete(core: Core, specs_id: str, *, force: bool) -> None:
    """:raises BadRequest: a type has them, and it is not forced. :raises NotFound:"""
    with core.db.write() as tx:
        _get(tx, specs_id)
        if qos.types_with(tx, specs_id) and not force:
            raise BadRequest("Qos specs still in use.")
        qos.take_from_types(tx, specs_id)
        qos.remove(tx, specs_id)


def associations(core: Core, specs_id: str) -> list[Row[Any]]:
    """The types that have them. :raises NotFound:"""
    with core.db.read() as tx:
        _get(tx, specs_id)
        return qos.types_with(tx, specs_id)


def associate(core: Core, specs_id: str, type_id: str) -> None:
    """:raises NotFound: no such specs, or no such type. :raises BadRequest: the type has other ones."""
    with core.db.write() as tx:
        _get(tx, specs_id)
        other = _type(tx, type_id).qos_specs_id
        if other not in (None, specs_id):
            raise BadRequest(
                f"Invalid volume type: Type {type_id} is already associated with another qos specs: {other}"
            )
        types.change(tx, type_id, qos_specs_id=specs_id)


def disassociate(core: Core, specs_id: str, type_id: str) -> None:
    """Repeatable. :raises NotFound: no such specs, or no such type."""
    with core.db.write() as tx:
        _get(tx, specs_id)
        if _type(tx, type_id).qos_specs_id == specs_id:
            types.change(tx, type_id, qos_specs_id=None)


def disassociate_all(core: Core, specs_id: str) -> None:
    """:raises NotFound:"""
    with core.db.write() as tx:
        _get(tx, specs_id)
        qos.take_from_types(tx, specs_id)


def _get(tx: Tx, specs_id: str) -> Row[Any]:
    row = qos.get(tx, specs_id)
    if row is None:
        raise NotFound(f"No such QoS spec {specs_id}.")
    return row


def _type(tx: Tx, type_id: str) -> Row[Any]:
    row = types.get(tx, type_id)
    if row is None:
        raise NotFound(f"Volume type {type_id} could not be found.")
    return row


def _check_consumer(consumer: str) -> None:
    if consumer not in CONSUMERS:
        raise BadRequest(f"Invalid qos specs: Field value {consumer} is invalid")
