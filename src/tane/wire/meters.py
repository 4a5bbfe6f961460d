"""What a host measures, as it is sent."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from tane.wire.documents import Document
from tane.wire.grammar import Id, Word

Reading = Annotated[float, msgspec.Meta(ge=0, le=1e19)]
MOST_READINGS = 64


class Metered(msgspec.Struct, array_like=True):
    """What one thing of a host shows: the host itself, a guest, a disk or a card of one (``part``: the disk's name, or
    the port's id). ``values`` are of the meters of the batch's ``shape``: many things have the same."""

    kind: Literal["host", "guest", "disk", "nic"]
    id: Id
    part: Id | None
    shape: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    values: Annotated[tuple[Reading, ...], msgspec.Meta(max_length=MOST_READINGS)]


class Meters(Document):
    """What a host measured at one moment, ``age`` seconds before this is sent: whose clock is wrong does not matter.
    ``run``: drawn by each start of the agent; ``sequence``: counts its batches, so that one that comes twice is
    known. ``shapes``: names of meters."""

    run: Id
    sequence: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
    age: Annotated[float, msgspec.Meta(ge=0, le=30 * 86400)]
    shapes: Annotated[
        tuple[Annotated[tuple[Word, ...], msgspec.Meta(max_length=MOST_READINGS)], ...], msgspec.Meta(max_length=1000)
    ]
    things: Annotated[tuple[Metered, ...], msgspec.Meta(max_length=100_000)]
