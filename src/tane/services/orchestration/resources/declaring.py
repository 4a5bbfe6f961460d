"""Short forms for declarations: most properties are of a few kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tane.services.orchestration.domain.common import MOST_RESOURCES
from tane.services.orchestration.template.constraints import AllowedValues, Constraint, Custom, Range
from tane.services.orchestration.template.properties import Attribute, Property


def text(description: str, *constraints: Constraint, update: str = "replace", **more: Any) -> Property:
    return Property(type="string", description=description, constraints=constraints, update=update, **more)


def one_of(description: str, *allowed: Any, update: str = "replace", **more: Any) -> Property:
    constraints = (AllowedValues(allowed=allowed),)
    return Property(type="string", description=description, constraints=constraints, update=update, **more)


def how_many(description: str, *, low: int | None = 0, **more: Any) -> Property:
    """How many members a group has: no more than a stack has resources."""
    return number(description, low=low, high=MOST_RESOURCES, update="in_place", **more)


def names(kind: str, description: str, *, update: str = "replace", **more: Any) -> Property:
    """A property that names something of another service by id or name; ``kind`` is the custom constraint."""
    return Property(type="string", description=description, constraints=(Custom(kind=kind),), update=update, **more)


def formed(kind: str, description: str, *, update: str = "replace", **more: Any) -> Property:
    """A property whose value has a form: ``kind`` is one of those that :mod:`template.checks` knows."""
    return names(kind, description, update=update, **more)


def flag(description: str, *, update: str = "replace", **more: Any) -> Property:
    return Property(type="boolean", description=description, update=update, **more)


def number(
    description: str, *, low: float | None = None, high: float | None = None, update: str = "replace", **more: Any
) -> Property:
    bounds = () if low is None and high is None else (Range(min=low, max=high),)
    return Property(type="integer", description=description, constraints=bounds, update=update, **more)


def mapping(
    description: str, schema: Mapping[str, Property] | None = None, *, update: str = "replace", **more: Any
) -> Property:
    return Property(type="map", description=description, schema=schema, update=update, **more)


def listing(
    description: str,
    item: Property | Mapping[str, Property] | None = None,
    *constraints: Constraint,
    update: str = "replace",
    **more: Any,
) -> Property:
    """``item``: what an entry is; the keys of one where it is a map."""
    entry = Property(type="map", schema=item) if isinstance(item, Mapping) else item
    return Property(type="list", description=description, schema=entry, constraints=constraints, update=update, **more)


def specs() -> Property:
    return mapping("Extra parameters to include in the request.", default={}, update="in_place")


def shown(kinds: Mapping[str, str] | Sequence[str]) -> dict[str, Attribute]:
    """Attributes by name; their types, or text."""
    if isinstance(kinds, Mapping):
        return {name: Attribute(type=kind, description=_words(name)) for name, kind in kinds.items()}
    return {name: Attribute(type="string", description=_words(name)) for name in kinds}


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize() + "."
