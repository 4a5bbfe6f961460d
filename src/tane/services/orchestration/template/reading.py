"""YAML and JSON from tenants: nothing but JSON's values, no key with two, nothing that grows when it is read.

Built from the parser's events, one by one, so that depth and size are bounded before anything is made. Aliases are
taken as long as what they stand for, counted each time, is no larger than a template may be.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tane.services.orchestration.template.values import UNKNOWN, TemplateError

DEPTH = 100
"""Levels of maps and lists; ours use six or seven."""
LARGEST = 1 << 64
LONGEST_NUMBER = 100
"""Characters of a whole number: 64 digits of 64 bits, with a sign, a base and some underscores."""
LIMIT = 512 * 1024
TAG = "tag:yaml.org,2002:"


def read(text: str, *, what: str = "template", limit: int = LIMIT) -> Any:
    """What a text says; an empty one is an empty map. Dates stay strings. :raises TemplateError: with its line."""
    if not _encodable(text):
        raise TemplateError(f"Error parsing {what} [root stack] it is no text: it has half a surrogate pair")
    if text.lstrip()[:1] == "{":
        try:
            return _json(text)
        except (ValueError, RecursionError):
            pass  # YAML has maps in braces, too, and tells the line.
    return _Reader(text, what, limit).document()


def bounded(document: Any, *, limit: int = LIMIT) -> Any:
    """A document that was decoded already, with keys as JSON has them. What is not known yet may stand in templates
    that are made of others' values. :raises TemplateError: too deep, too large."""
    return _copy(document, 0, [2 * limit])


def parsed(text: str | bytes, **how: Any) -> Any:
    """The JSON in a text of a template, by the rules of templates.

    :raises ValueError: it is none, or has half a surrogate pair. :raises TemplateError: too deep, too large.
    """
    found = bounded(json.loads(text, **how))
    try:
        msgspec.json.encode(found)
    except UnicodeEncodeError:
        raise ValueError("it is no text: it has half a surrogate pair") from None
    return found


def line_of(text: str, path: list[str | int]) -> int | None:
    """The line of the deepest part of ``path`` that a text has, from 1; None when it cannot be told."""
    try:
        return _Reader(text, "template", LIMIT).line_of(path)
    except TemplateError:
        return None


def _json(text: str) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in found:
            if made.setdefault(key, value) != value:
                raise ValueError("a key is repeated")
        return made

    def refuse(word: str) -> Any:
        raise ValueError(word)

    return parsed(text, object_pairs_hook=pairs, parse_constant=refuse)


def _copy(value: Any, depth: int, left: list[int]) -> Any:
    if depth > DEPTH:
        raise TemplateError(f"The template is nested deeper than {DEPTH} levels.")
    left[0] -= 1 + (len(value) if isinstance(value, str) else 0)
    if left[0] < 0:
        raise TemplateError("The template exceeds the maximum allowed size.")
    if isinstance(value, Mapping):
        made = {}
        for key, item in value.items():
            left[0] -= 1 + len(key) if isinstance(key, str) else 8
            made[_copy(key, depth, left) if isinstance(key, str) else _key(key)] = _copy(item, depth + 1, left)
        return made
    if isinstance(value, list | tuple):
        return [_copy(item, depth + 1, left) for item in value]
    if value is None or value is UNKNOWN or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not _encodable(value):
            raise TemplateError("A string of the template is no text: it has half a surrogate pair.")
        if "\0" in value:
            raise TemplateError("A string of the template has the character NUL, which no service takes.")
        return value
    if isinstance(value, int) and abs(value) < LARGEST:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise TemplateError(
        f"A value of the template is nothing that JSON has: {str(value)[:64] if _short(value) else '…'}"
    )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(value: Any) -> bool:
    """Whether it is safe to write it out: huge numbers are not."""
    return not isinstance(value, int) or value.bit_length() < 4096


def _key(key: Any) -> str:
    """As JSON writes keys that are no strings."""
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None:
        return "null"
    if isinstance(key, int | float) and _short(key):
        return str(key)
    raise TemplateError("A key of the template is no string.")


class _Reader:
    """Reads one document. ``left``: characters and nodes that it may still grow by."""

    def __init__(self, text: str, what: str, limit: int) -> None:
        import yaml

        self.yaml, self.what, self.left = yaml, what, 2 * limit
        base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self.loader = base(text)
        except yaml.YAMLError as error:
            raise self._mistake(error) from None
        self.events = self._events()
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.wanted: list[str | int] | None = None
        self.found_line: int | None = None

    def _mistake(self, error: Exception) -> TemplateError:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        return TemplateError(f"Error parsing {self.what} [root stack] {error}", "", line)

    def _wrong(self, message: str, event: Any) -> TemplateError:
        return TemplateError(f"Error parsing {self.what} [root stack] {message}", "", event.start_mark.line + 1)

    def _events(self) -> Iterator[Any]:
        try:
            while self.loader.check_event():
                yield self.loader.get_event()
        except self.yaml.YAMLError as error:
            raise self._mistake(error) from None

    def document(self) -> Any:
        events = self.yaml.events
        value: Any = None
        seen = False
        for event in self.events:
            if isinstance(event, events.DocumentStartEvent):
                if seen:
                    raise self._wrong("expected a single document in the stream", event)
                value, seen = self._node(next(self.events), 0, [])[0], True
        return {} if value is None else value

    def line_of(self, path: list[str | int]) -> int | None:
        self.wanted = path
        self.document()
        return self.found_line

    def _node(self, event: Any, depth: int, path: list[str | int]) -> tuple[Any, int]:
        """A value and its size."""
        events = self.yaml.events
        if self.wanted is not None and path and isinstance(path[-1], int) and path == self.wanted[: len(path)]:
            self.found_line = event.start_mark.line + 1
        if isinstance(event, events.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._wrong(f"found undefined alias {event.anchor!r}", event)
            value, size = self.anchors[event.anchor]
            self._grow(size, event)
            return value, size
        if depth > DEPTH:
            raise self._wrong(f"it is nested deeper than {DEPTH} levels", event)
        if isinstance(event, events.ScalarEvent):
            if "\0" in event.value:
                raise self._wrong("a string has the character NUL, which no service takes", event)
            value, size = self._scalar(event), 1 + len(event.value)
            self._grow(size, event)
        elif isinstance(event, events.SequenceStartEvent):
            self._untagged(event, "seq")
            value, size = self._list(depth, path, event)
        else:
            self._untagged(event, "map")
            value, size = self._map(depth, path, event)
        if event.anchor:
            self.anchors[event.anchor] = (value, size)
        return value, size

    def _grow(self, size: int, event: Any) -> None:
        self.left -= size
        if self.left < 0:
            raise self._wrong("it exceeds the maximum allowed size when its aliases are written out", event)

    def _untagged(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", TAG + kind):
            raise self._wrong(_tagged(event.tag), event)

    def _list(self, depth: int, path: list[str | int], start: Any) -> tuple[list[Any], int]:
        made: list[Any] = []
        size = 1
        self._grow(1, start)
        while not isinstance(event := next(self.events), self.yaml.events.SequenceEndEvent):
            value, grown = self._node(event, depth + 1, [*path, len(made)] if self.wanted is not None else path)
            made.append(value)
            size += grown
        return made, size

    def _map(self, depth: int, path: list[str | int], start: Any) -> tuple[dict[str, Any], int]:
        made: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        size = 1
        self._grow(1, start)
        while not isinstance(event := next(self.events), self.yaml.events.MappingEndEvent):
            if self._is_merge(event):
                value, grown = self._node(next(self.events), depth + 1, path)
                merged += self._merges(value, event)
                size += grown
                continue
            key, key_size = self._node(event, depth + 1, [*path, "\0"] if self.wanted is not None else path)
            if isinstance(key, dict | list):
                raise self._wrong("found unhashable key", event)
            name = key if isinstance(key, str) else _key(key)
            below = [*path, name] if self.wanted is not None else path
            if self.wanted is not None and below == self.wanted[: len(below)]:
                self.found_line = event.start_mark.line + 1
            value, grown = self._node(next(self.events), depth + 1, below)
            if made.setdefault(name, value) != value:
                raise self._wrong(f'the key "{name[:255]}" is there twice and means different things', event)
            size += key_size + grown
        for other in merged:
            for name, value in other.items():
                made.setdefault(name, value)
        return made, size

    def _is_merge(self, event: Any) -> bool:
        return isinstance(event, self.yaml.events.ScalarEvent) and event.value == "<<" and event.implicit[0]

    def _merges(self, value: Any, event: Any) -> list[dict[str, Any]]:
        given = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in given):
            raise self._wrong("expected a mapping or list of mappings for merging", event)
        return given

    def _scalar(self, event: Any) -> Any:
        node = self.yaml.nodes.ScalarNode(TAG + "str", event.value)
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.loader.resolve(self.yaml.nodes.ScalarNode, event.value, event.implicit) if tag is None else None
        kind = (tag or TAG + "str").removeprefix(TAG)
        if kind in ("str", "timestamp", "value", "merge"):
            return event.value
        if kind == "null":
            return None
        try:
            if kind == "bool":
                return self.loader.construct_yaml_bool(node)
            if kind == "int":
                if len(event.value) > LONGEST_NUMBER:  # Counting takes the square of its length.
                    raise ValueError
                return self._number(self.loader.construct_yaml_int(node), event)
            if kind == "float":
                return self._number(self.loader.construct_yaml_float(node), event)
        except (ValueError, KeyError, IndexError, OverflowError):
            raise self._wrong(f"{event.value[:64]!r} is no {kind}", event) from None
        raise self._wrong(_tagged(tag), event)

    def _number(self, value: int | float, event: Any) -> int | float:
        if isinstance(value, float) and not math.isfinite(value):
            raise self._wrong(f"JSON has no number {event.value[:64]}; quote it", event)
        if isinstance(value, int) and abs(value) >= LARGEST:
            raise self._wrong(f"the number {event.value[:64]} is larger than 64 bits; quote it", event)
        return value


STEP = re.compile(r"\[(\d+)\]|([^.\[]+|\[(?!\d+\]))")


def steps(path: str) -> list[str | int]:
    """The parts of a path such as ``resources.server.networks[0].port``."""
    return [int(found[1]) if found[1] is not None else found[2] for found in STEP.finditer(path)]


def _tagged(tag: str) -> str:
    told, name = f"could not determine a constructor for the tag {tag!r}", tag.removeprefix("!")
    if not tag.startswith("!") or not name.isalnum():
        return told
    long = name if name in ("Ref", "Condition") else f"Fn::{name}"
    return f"{told}: short forms are not read, write {{{long}: …}}"
