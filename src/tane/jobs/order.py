"""What may be asked of the job runner. A service keeps its orders in ``orders.py``; who gives one needs no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

P = TypeVar("P", bound=msgspec.Struct)


@dataclass(frozen=True)
class Order(Generic[P]):
    """An operation by its name, and what it is told.

    ``params`` is kept as JSON until the job has ended, also over a change of releases: new fields need a default.
    ``patience``: seconds from the order after which a step that cannot succeed yet is given up.
    """

    name: str
    params: type[P]
    patience: float = 600.0
