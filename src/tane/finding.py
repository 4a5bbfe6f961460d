"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["problem", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """``what`` is wrong, ``why`` it matters, and the command that mends it.

    A problem keeps something from working; a warning may; a note says what was found and is fine.
    """

    level: Level
    what: str
    why: str = ""
    mend: str = ""
