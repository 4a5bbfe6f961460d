"""Types of resources: which attributes they have. ``generic`` is that of all, without any."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tane.core import Core
from tane.db import Tx
from tane.services.metric.domain import timespans
from tane.services.metric.domain.errors import invalid
from tane.services.metric.store import database
from tane.services.metric.store import resources as store
from tane.web.errors import BadRequest, Conflict, NotFound

GENERIC = "generic"
RESERVED = frozenset(
    (
        *("id", "type", "metrics", "revision", "revision_start", "revision_end", "started_at", "ended_at"),
        *("user_id", "project_id", "created_by_user_id", "created_by_project_id", "creator", "get_metric"),
        *("original_resource_id", "lifespan"),
    )
)
MOST_ATTRIBUTES = 100
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z", re.A)
OPTIONS: dict[str, dict[str, Any]] = {
    "string": {"min_length": 0, "max_length": 256},
    "number": {"min": None, "max": None},
    "uuid": {},
    "bool": {},
    "datetime": {},
}


def every(core: Core) -> list[Any]:
    with database.of(core).read() as tx:
        return store.types(tx)


def get(core: Core, name: str) -> Any:
    with database.of(core).read() as tx:
        return found(tx, name)


def found(tx: Tx, name: str) -> Any:
    row = store.type_of(tx, name)
    if row is None:
        raise NotFound(f"Resource type {name} does not exist")
    return row


def create(core: Core, name: str, attributes: Mapping[str, Any]) -> Any:
    if len(attributes) > MOST_ATTRIBUTES:
        raise BadRequest(f"Invalid input: a resource type has at most {MOST_ATTRIBUTES} attributes")
    declared = {key: declaration(key, value) for key, value in attributes.items()}
    with database.of(core).write() as tx:
        if store.type_of(tx, name) is not None:
            raise Conflict(f"Resource type {name} already exists")
        store.add_type(tx, name, declared)
        return store.type_of(tx, name)


def declaration(name: str, told: Any, *, changing: bool = False) -> dict[str, Any]:
    """An attribute as it is kept. :raises BadRequest: it is none."""
    if not isinstance(told, dict):
        raise invalid("expected a dictionary", "attributes", name)
    kind = told.get("type")
    if kind not in OPTIONS:
        raise invalid("not a valid value", "attributes", name, "type")
    known = {"type", "required", *OPTIONS[kind], *(("options",) if changing else ())}
    for key in told:
        if key not in known:
            raise invalid("extra keys not allowed", "attributes", name, key)
    if len(name) > 63 or name in RESERVED or not _NAME.match(name):
        raise BadRequest(f"Invalid input: Resource attribute name {name} is invalid")
    required = told.get("required", True)
    if not isinstance(required, bool):
        raise invalid("expected bool", "attributes", name, "required")
    found = {"type": kind, "required": required}
    for key, usual in OPTIONS[kind].items():
        found[key] = _option(name, kind, key, told.get(key, usual))
    low, high = (
        (found.get(key) for key in ("min_length", "max_length"))
        if kind == "string"
        else (
            found.get("min"),
            found.get("max"),
        )
    )
    if low is not None and high is not None and low > high:
        raise BadRequest(
            f"Invalid input: Resource attribute value min (or min_length) {low} must be less  than or equal to max "
            f"(or max_length) {high}!"
        )
    return found


def _option(name: str, kind: str, key: str, value: Any) -> Any:
    if kind == "number":
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not number:
            raise invalid("not a valid value", "attributes", name, key)
        return value
    low = 1 if key == "max_length" else 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid("expected int", "attributes", name, key)
    if not low <= value <= 256:
        raise invalid(
            "value must be at most 256" if value > 256 else f"value must be at least {low}", "attributes", name, key
        )
    return value


def update(core: Core, name: str, changes: Sequence[Any]) -> Any:
    """Add, change and remove attributes by JSON patch; what is there takes ``options.fill``."""
    with database.of(core).write() as tx:
        row = found(tx, name)
        attributes = dict(row.attributes)
        fills: dict[str, Any] = {}
        gone: set[str] = set()
        for change in changes:
            key = _patched(change.path)
            if change.op == "remove":
                if key not in attributes:
                    raise BadRequest(f"can't remove a non-existent object '{key}'")
                del attributes[key]
                fills.pop(key, None)
                gone.add(key)
                continue
            told = change.value
            declared = declaration(key, told, changing=True)
            former = row.attributes.get(key)
            if former is not None and former["type"] != declared["type"]:
                raise BadRequest(
                    f"Type update is not available yet. Changing {former['type']} to {declared['type']} for attribute "
                    f"{key} of resource {name}"
                )
            fill = _fill(key, declared, told)
            if fill is not None:
                fills[key] = fill
            attributes[key] = declared
        if len(attributes) > MOST_ATTRIBUTES:
            raise BadRequest(f"Invalid input: a resource type has at most {MOST_ATTRIBUTES} attributes")
        if attributes != row.attributes:
            store.change_type(tx, name, attributes)
            _change_resources(tx, name, attributes, row.attributes, fills)
        return store.type_of(tx, name)


def _patched(path: str) -> str:
    parts = path.split("/")
    if len(parts) != 3 or parts[1] != "attributes" or not parts[2]:
        raise invalid("Only attributes can be modified", "path")
    return parts[2].replace("~1", "/").replace("~0", "~")


def _fill(key: str, declared: Mapping[str, Any], told: Mapping[str, Any]) -> Any:
    options = told.get("options", {})
    if not isinstance(options, dict) or any(option != "fill" for option in options):
        raise invalid("extra keys not allowed", "attributes", key, "options")
    fill = options.get("fill")
    if fill is None:
        if declared["required"]:
            raise BadRequest(
                f"Invalid input: Option 'fill' of resource attribute {key} is invalid: must not be empty if "
                "required=True"
            )
        return None
    try:
        return value_of(key, declared, fill, 0.0)
    except BadRequest as error:
        reason = getattr(error, "description", {}).get("reason", error.message)
        raise BadRequest(f"Invalid input: Option 'fill' of resource attribute {key} is invalid: {reason}") from None


def _change_resources(
    tx: Tx, name: str, attributes: Mapping[str, Any], former: Mapping[str, Any], fills: Mapping[str, Any]
) -> None:
    for row in store.of_type(tx, name):
        kept = {key: row.attributes.get(key) for key in attributes}
        for key, fill in fills.items():
            if kept.get(key) is None or attributes[key] != former.get(key):
                kept[key] = kept.get(key) if kept.get(key) is not None else fill
        if kept != row.attributes:
            store.set_attributes(tx, row.id, row.revision, kept)


def delete(core: Core, name: str) -> None:
    with database.of(core).write() as tx:
        found(tx, name)
        if name == GENERIC or store.type_in_use(tx, name):
            raise BadRequest(f"Resource type {name} is still in use")
        store.remove_type(tx, name)


def value_of(name: str, declared: Mapping[str, Any], value: Any, now: float) -> Any:
    """The value of an attribute as it is kept. :raises Told: it has another type, or is out of bounds."""
    kind = declared["type"]
    if kind == "string":
        if not isinstance(value, str):
            raise invalid("expected str", name)
        if len(value) < declared["min_length"]:
            raise invalid(f"length of value must be at least {declared['min_length']}", name)
        if len(value) > declared["max_length"]:
            raise invalid(f"length of value must be at most {declared['max_length']}", name)
        return value
    if kind == "number":
        return _number(name, declared, value)
    if kind == "bool":
        if not isinstance(value, bool):
            raise invalid("expected bool", name)
        return value
    try:
        if kind == "uuid":
            return str(uuid.UUID(value))
        return timespans.iso(timespans.naive(timespans.moment(value, now)))
    except (ValueError, TypeError, AttributeError) as error:
        raise invalid(str(error), name) from None


def _number(name: str, declared: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise invalid("expected Real", name)
    if declared["min"] is not None and value < declared["min"]:
        raise invalid(f"value must be at least {declared['min']}", name)
    if declared["max"] is not None and value > declared["max"]:
        raise invalid(f"value must be at most {declared['max']}", name)
    return value


def values_of(declared: Mapping[str, Any], told: Mapping[str, Any], now: float, *, whole: bool) -> dict[str, Any]:
    """The attributes of a resource; ``whole``: all that are required have to be there."""
    for key in told:
        if key not in declared:
            raise invalid("extra keys not allowed", key)
    found: dict[str, Any] = {}
    for key, one in declared.items():
        if key in told and not (told[key] is None and not one["required"]):
            found[key] = value_of(key, one, told[key], now)
        elif key in told:
            found[key] = None
        elif whole:
            if one["required"]:
                raise invalid("required key not provided", key)
            found[key] = None
    return found
