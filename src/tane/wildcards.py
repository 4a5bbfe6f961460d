"""Names in which ``*``, ``?``, ``[…]`` and ``[!…]`` stand for others, as a shell knows them.

Tenants write them, so nothing is compiled or kept, and a look at a text takes steps as the text is long, whatever the
pattern: all ways in which it may go on are followed at once, each a bit of a number.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class _Class:
    """``[…]`` at one place of a pattern: ``bit`` is that place's."""

    bit: int
    negated: bool
    singles: frozenset[str]
    ranges: tuple[tuple[str, str], ...]

    def fits(self, character: str) -> bool:
        inside = character in self.singles or any(low <= character <= high for low, high in self.ranges)
        return inside is not self.negated


class Wildcard:
    """A pattern, ready for many texts. Upper and lower case differ."""

    def __init__(self, pattern: str) -> None:
        self._literals: dict[str, int] = {}
        """Character → the places at which it is asked for."""
        self._classes: list[_Class] = []
        self._any = 0
        self._loops = 0
        """The places before which there is a ``*``."""
        bit, at = 1, 0
        while at < len(pattern):
            character = pattern[at]
            at += 1
            if character == "*":
                self._loops |= bit
                continue
            end = _end_of_class(pattern, at) if character == "[" else -1
            if end >= 0:
                self._classes.append(_class(pattern[at:end], bit))
                at = end + 1
            elif character == "?":
                self._any |= bit
            else:
                self._literals[character] = self._literals.get(character, 0) | bit
            bit <<= 1
        self._last = bit

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is what the pattern stands for."""
        known: dict[str, int] = {}
        state = 1
        for character in text:
            fits = known.get(character)
            if fits is None:
                fits = known[character] = self._fits(character)
            state = (state & fits) << 1 | state & self._loops
            if not state:
                return False
        return bool(state & self._last)

    def _fits(self, character: str) -> int:
        """The places that a character may stand at."""
        found = self._any | self._literals.get(character, 0)
        for one in self._classes:
            if one.fits(character):
                found |= one.bit
        return found


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of ``text`` is what ``pattern`` stands for."""
    return Wildcard(pattern).matches(text)


def _end_of_class(pattern: str, at: int) -> int:
    """Where the class that begins before ``at`` has its ``]``, which may be its first character too; -1: nowhere."""
    first = at + 1 if pattern[at : at + 1] == "!" else at
    return pattern.find("]", first + 1)


def _class(body: str, bit: int) -> _Class:
    negated = body.startswith("!")
    rest = body[1:] if negated else body
    singles: set[str] = set()
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(rest):
        if rest[at + 1 : at + 2] == "-" and at + 2 < len(rest):
            ranges.append((rest[at], rest[at + 2]))
            at += 3
        else:
            singles.add(rest[at])
            at += 1
    return _Class(bit, negated, frozenset(singles), tuple(ranges))
