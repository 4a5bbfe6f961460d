"""Where the resources of a stack stand in a picture of what depends on what: columns from what needs nothing to what is
needed by nobody."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDE, TALL, GAP, BETWEEN, EDGE = 210, 54, 18, 90, 12
MOST = 100
"""Resources that are drawn; the list beside the picture has more."""
LETTER = 9.0
"""Pixels of most letters at 14 px, in the widest of the fonts that pages are shown with."""
NARROW, BROAD = frozenset("fijlrtI.,:;|'!()[]-/ "), frozenset("mwMWGOQ@%&")


@dataclass(frozen=True)
class Node:
    """A resource. ``needs``: names of those it depends on; ``tone`` and ``state`` say the same, by colour and word."""

    name: str
    title: str
    tone: str
    state: str
    href: str
    needs: Sequence[str] = ()


@dataclass(frozen=True)
class Box:
    node: Node
    x: int
    y: int

    @property
    def label(self) -> str:
        return short(self.node.name, WIDE - 2 * EDGE)


@dataclass(frozen=True)
class Line:
    """``bow``: how far it bends down, so that one which passes a column is not hidden by a box there."""

    x1: int
    y1: int
    x2: int
    y2: int
    bow: int = 0


@dataclass(frozen=True)
class Picture:
    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: int
    height: int
    more: int
    """Resources that are not drawn."""
    wide: int = WIDE
    tall: int = TALL


def short(text: str, room: float) -> str:
    """A name as far as it fits into ``room`` pixels: letters are as wide as they are, not all alike."""
    shown, width = 0, 0.0
    for letter in text:
        width += _wide(letter)
        if width <= room - 14:
            shown += 1
        elif width > room:
            return f"{text[:shown]}…"
    return text


def _wide(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WFA":
        return 14.0
    return 6.0 if letter in NARROW else 13.8 if letter in BROAD else 10.5 if letter.isupper() else LETTER


def draw(nodes: Sequence[Node]) -> Picture:
    """The picture of at most :data:`MOST` resources."""
    drawn = {node.name: node for node in nodes[:MOST]}
    columns: dict[int, list[Node]] = {}
    for name, depth in _depths(drawn).items():
        columns.setdefault(depth, []).append(drawn[name])
    places: dict[str, Box] = {}
    for depth in sorted(columns):
        # Near what it needs, so that fewer lines cross.
        some = sorted(columns[depth], key=lambda node: (_height(node, places), node.name))
        for place, node in enumerate(some):
            x, y = EDGE + depth * (WIDE + BETWEEN), EDGE + place * (TALL + GAP)
            places[node.name] = Box(node, x, y)
    lines = [
        _line(places[need], box)
        for box in places.values()
        for need in box.node.needs
        if need in places and places[need].x < box.x
    ]
    width = 2 * EDGE + WIDE + (WIDE + BETWEEN) * max(columns, default=0)
    height = 2 * EDGE + (TALL + GAP) * max((len(some) for some in columns.values()), default=1) - GAP
    return Picture(list(places.values()), lines, width, height, max(len(nodes) - MOST, 0))


def _line(need: Box, box: Box) -> Line:
    far = box.x - need.x > WIDE + BETWEEN and need.y == box.y
    return Line(need.x + WIDE, need.y + TALL // 2, box.x, box.y + TALL // 2, 4 * (TALL + GAP) // 6 if far else 0)


def _height(node: Node, places: Mapping[str, Box]) -> float:
    found = [places[name].y for name in node.needs if name in places]
    return sum(found) / len(found) if found else 0.0


def _depths(nodes: Mapping[str, Node]) -> dict[str, int]:
    """The longest way of needs to each; of resources that need one another in a circle, as in no stack, some way."""
    found = dict.fromkeys(nodes, 0)
    for _ in nodes:
        changed = False
        for name, node in nodes.items():
            depth = max((found[need] + 1 for need in node.needs if need in found and need != name), default=0)
            if depth > found[name] and depth < len(nodes):
                found[name], changed = depth, True
        if not changed:
            break
    return found
