"""One finding of the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["problem", "warning", "note"]
MOST_TOLD = 10


@dataclass(frozen=True)
class Finding:
    """``what`` is wrong, ``why`` it matters, and the command that mends it.

    A problem keeps something from working; a warning may; a note says what was found and is fine.
    """

    level: Level
    what: str
    why: str = ""
    mend: str = ""


def some(things: Sequence[str]) -> list[str]:
    """The first ten of them, and how many more there are."""
    more = [f"and {len(things) - MOST_TOLD} more"] if len(things) > MOST_TOLD else []
    return [*things[:MOST_TOLD], *more]
