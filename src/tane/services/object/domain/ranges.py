"""The ``Range`` header.

Source: RFC 9110, 14; the limits are Swift's.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

MOST, MOST_OVERLAPS, MOST_BACKWARDS = 50, 2, 8
SPEC = re.compile(r"(\d*)-(\d*)\Z", re.ASCII)


class Range(NamedTuple):
    first: int
    length: int

    @property
    def last(self) -> int:
        return self.first + self.length - 1


def parsed(header: str | None, size: int) -> list[Range] | None:
    """The ranges of something of ``size`` bytes; None: all of it is to be sent (no header, or one that is none); empty:
    it cannot be satisfied, or is an attack."""
    if header is None:
        return None
    unit, equals, texts = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals or len(texts) > 4096:
        return None
    specs: list[tuple[int | None, int | None]] = []
    for text in texts.split(","):
        found = SPEC.match(text.strip())
        if found is None or text.strip() == "-" or any(len(part) > 19 for part in found.groups()):
            return None
        first, last = (int(part) if part else None for part in found.groups())
        if first is not None and last is not None and last < first:
            return None
        specs.append((first, last))
    if len(specs) > MOST:
        return []
    ranges = [found for found in (_resolved(first, last, size) for first, last in specs) if found is not None]
    return [] if _abusive(ranges) else ranges


def _resolved(first: int | None, last: int | None, size: int) -> Range | None:
    if first is None:
        if not last or not size:
            return None
        begin = max(size - last, 0)
        return Range(begin, size - begin)
    if first >= size:
        return None
    end = size if last is None else min(last + 1, size)
    return Range(first, end - first)


def _abusive(ranges: list[Range]) -> bool:
    """Many that overlap or go backwards make an answer larger than the object, by reading all over it."""
    overlaps = sum(
        1
        for number, one in enumerate(ranges)
        if any(one.first <= other.last and other.first <= one.last for other in ranges[:number])
    )
    backwards = sum(1 for one, other in pairwise(ranges) if other.first < one.first)
    return overlaps > MOST_OVERLAPS or backwards > MOST_BACKWARDS
