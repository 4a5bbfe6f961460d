"""Queries as text: ``type = instance and not (host like 'compute%')`` means the same as their JSON."""

from __future__ import annotations

import re
from typing import Any

from tane.web.errors import BadRequest

MOST = 8192
DEEPEST = 30
OPERATORS = (">=", "<=", "!=", "==", "≠", "≥", "≤", ">", "<", "=", "eq", "ne", "lt", "gt", "ge", "le", "in", "like")
WORDS = {
    **dict.fromkeys(("None", "none", "null")),
    **dict.fromkeys(("True", "true"), True),
    **dict.fromkeys(("False", "false"), False),
}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<quoted>"[^"]*"|'[^']*')
    | (?P<uuid>[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}(?![\w-]))
    | (?P<number>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?![\w]))
    | (?P<word>[A-Za-z]\w*)
    | (?P<sign>>=|<=|!=|==|≠|≥|≤|>|<|=|∧|∨|\(|\)|\[|\]|,)
    )""",
    re.X | re.A,
)


def parse(text: str) -> Any:
    """The query as a tree. :raises BadRequest: it is none."""
    if len(text) > MOST:
        raise BadRequest(f"Invalid filter: it is longer than {MOST} characters")
    parser = _Parser(_tokens(text))
    tree = parser.either(0)
    if parser.place != len(parser.tokens):
        raise _wrong(f"Expected end of text, found {parser.tokens[parser.place][1]!r}")
    return tree


def _wrong(reason: str) -> BadRequest:
    return BadRequest(f"Invalid filter: {reason}")


def _tokens(text: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise _wrong(f"unexpected character at {place}")
        kind = str(match.lastgroup)
        value: Any = match.group(kind)
        if kind == "quoted":
            value = value[1:-1]
        elif kind == "number":
            value = float(value)
        found.append((kind, value))
        place = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, Any]]) -> None:
        self.tokens = tokens
        self.place = 0

    def _next_is(self, *values: str) -> bool:
        if self.place < len(self.tokens):
            kind, value = self.tokens[self.place]
            if kind in ("word", "sign") and value in values:
                self.place += 1
                return True
        return False

    def either(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise _wrong(f"it is nested deeper than {DEEPEST} levels")
        parts = [self.both(depth)]
        while self._next_is("or", "∨"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else {"or": parts}

    def both(self, depth: int) -> Any:
        parts = [self.single(depth)]
        while self._next_is("and", "∧"):
            parts.append(self.single(depth))
        return parts[0] if len(parts) == 1 else {"and": parts}

    def single(self, depth: int) -> Any:
        if self._next_is("not"):
            return {"not": self.single(depth + 1)} if depth < DEEPEST else self.either(depth + 1)
        if self._next_is("("):
            inner = self.either(depth + 1)
            if not self._next_is(")"):
                raise _wrong("a parenthesis is not closed")
            return inner
        field = self.value()
        if not isinstance(field, str):
            raise _wrong("a field is expected")
        if self.place >= len(self.tokens) or self.tokens[self.place][1] not in OPERATORS:
            raise _wrong("an operator is expected")
        operator = self.tokens[self.place][1]
        self.place += 1
        return {operator: {field: self.value()}}

    def value(self, *, inner: bool = False) -> Any:
        if not inner and self._next_is("["):
            found: list[Any] = []
            while not self._next_is("]"):
                if found and not self._next_is(","):
                    raise _wrong("a list is not closed")
                found.append(self.value(inner=True))
            return found
        if self.place >= len(self.tokens):
            raise _wrong("unexpected end of text")
        kind, value = self.tokens[self.place]
        self.place += 1
        if kind == "word":
            return WORDS.get(value, value)
        if kind == "sign":
            raise _wrong(f"unexpected {value!r}")
        return value
