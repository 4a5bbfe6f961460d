"""Properties as a type's own rules see them before all of them are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tane.services.orchestration.template import UNKNOWN
from tane.services.orchestration.template.constraints import Custom
from tane.services.orchestration.template.properties import Property

SOMETHING = "00000000-0000-0000-0000-000000000000"
"""The id of what there will be."""


class NotKnownYet(Exception):
    """A rule, or what is in a nested stack, rests on a value that is not known yet: it cannot be told."""


class Foreseen(Mapping[str, Any]):
    """A map of properties. What names a thing that is not there yet is an id; to ask for any other value that is not
    known raises :class:`NotKnownYet`."""

    def __init__(self, declared: Mapping[str, Property], values: Mapping[str, Any]) -> None:
        self._values = {name: _foreseen(declared.get(name), value) for name, value in values.items()}

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        if value is UNKNOWN:
            raise NotKnownYet
        return value

    def __repr__(self) -> str:
        return repr(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _foreseen(declared: Property | None, value: Any) -> Any:
    if value is UNKNOWN:
        named = declared is not None and any(isinstance(one, Custom) for one in declared.constraints)
        return SOMETHING if named else UNKNOWN
    schema = None if declared is None else declared.schema
    if isinstance(value, Mapping):
        return Foreseen(schema if isinstance(schema, Mapping) else {}, value)
    if isinstance(value, list | tuple):
        found = [_foreseen(schema if isinstance(schema, Property) else None, one) for one in value]
        return UNKNOWN if any(one is UNKNOWN for one in found) else found
    return value
