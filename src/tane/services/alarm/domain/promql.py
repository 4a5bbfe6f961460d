"""Queries of Prometheus (PromQL) that a tenant writes, held to the series of one project.

Every selector is given ``project="…"``, which Prometheus joins with whatever else it says. So that no selector is
missed, a query is read by a grammar of its own, and what is not in that is refused: functions by a list (one that reads
series which it does not name would not be on it), names of metrics that are words of the language, comments, labels in
quotation marks. Reference: <https://prometheus.io/docs/prometheus/2.53/querying/basics/>.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tane.web.errors import BadRequest

MOST_CHARACTERS, DEEPEST, MOST_SELECTORS = 4096, 30, 20
DAY = 86_400_000
LONGEST, MOST_STEPS = 31 * DAY, 11_000
"""Milliseconds of a range, and its steps where it is a subquery (Prometheus' own limit of a range query)."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


AGGREGATIONS = _words("sum min max avg group stddev stdvar count count_values bottomk topk quantile")
FUNCTIONS = _words(
    """
    abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max clamp_min
    cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv exp floor
    histogram_quantile hour idelta increase irate label_join label_replace last_over_time ln log10 log2
    max_over_time min_over_time minute month pi predict_linear present_over_time quantile_over_time rad rate resets
    round scalar sgn sin sinh sort sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh time
    timestamp vector year
    """
)
GROUPING = ("by", "without")
WORDS = _words("by without on ignoring group_left group_right bool offset and or unless atan2 inf nan start end")
BINARY = frozenset(("+", "-", "*", "/", "%", "^", "==", "!=", ">=", "<=", ">", "<", "and", "or", "unless", "atan2"))
COMPARING = frozenset(("==", "!=", ">=", "<=", ">", "<"))
MATCHING = frozenset(("=", "!=", "=~", "!~"))
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}
"""In milliseconds, which are whole numbers however many digits somebody writes."""

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<span>(?:[0-9]+(?:ms|[smhdwy]))+(?![a-zA-Z0-9_.]))
    | (?P<number>(?:0x[0-9a-f]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?)(?![a-zA-Z0-9_.]))
    | (?P<name>[a-zA-Z_][a-zA-Z0-9_:]*)
    | (?P<text>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|`[^`\\]*`)
    | (?P<sign>==|!=|>=|<=|=~|!~|[-+*/%^<>=(){}\[\],:@])
    )""",
    re.X | re.I | re.A,
)
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z", re.A)
_PROJECT = re.compile(r"[0-9a-zA-Z_-]+\Z", re.A)


@dataclass(frozen=True)
class Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        """Words of the language are the same in capitals."""
        return self.text.lower() if self.kind == "name" else self.text


END = Token("end", "")


def constrained(query: str, project_id: str) -> str:
    """The query, of the series of that project alone. :raises BadRequest: it is not in the grammar."""
    if not _PROJECT.match(project_id):
        raise _wrong(f"no project has the id {project_id}")
    if len(query) > MOST_CHARACTERS:
        raise _wrong(f"it has more than {MOST_CHARACTERS} characters")
    reader = _Reader([*_tokens(query)], f'project="{project_id}"')
    reader.expression(0)
    if reader.next is not END:
        raise _wrong(f"'{reader.next.text}' is not expected")
    if not reader.selectors:
        raise _wrong("it names no series")
    return " ".join(reader.written)


def _wrong(why: str) -> BadRequest:
    return BadRequest(f"Invalid input for field/attribute query. {why}")


def _tokens(query: str) -> Iterator[Token]:
    place, end = 0, len(query.rstrip(" \t\r\n"))
    while place < end:
        match = _TOKEN.match(query, place, end)
        if match is None:
            raise _wrong(f"'{query[place : place + 20]}' cannot be read")
        assert match.lastgroup is not None
        yield Token(match.lastgroup, match[match.lastgroup])
        place = match.end()


def _milliseconds(span: str) -> int:
    return sum(int(count) * UNITS[unit.lower()] for count, unit in _PART.findall(span.lower()))


@dataclass
class _Reader:
    """Goes through tokens, and writes them down with what is added."""

    tokens: list[Token]
    matcher: str
    written: list[str] = field(default_factory=list)
    selectors: int = 0
    subqueries: int = 0
    place: int = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.place] if self.place < len(self.tokens) else END

    @property
    def after(self) -> Token:
        return self.tokens[self.place + 1] if self.place + 1 < len(self.tokens) else END

    def take(self, *texts: str, kind: str = "") -> str:
        """The next token, written down. :raises BadRequest: it is none of these, or not of the kind."""
        token = self.next
        if (texts and token.word not in texts) or (kind and token.kind != kind) or token is END:
            raise _wrong(f"{' or '.join(texts) or kind} is expected, not '{token.text}'")
        self.place += 1
        self.written.append(token.text)
        return token.word

    def expression(self, depth: int) -> None:
        if depth > DEEPEST:
            raise _wrong(f"it has more than {DEEPEST} levels")
        self._operand(depth)
        while self.next.word in BINARY:
            operator = self.take()
            if self.next.word == "bool" and operator in COMPARING:
                self.take("bool")
            if self.next.word in ("on", "ignoring"):
                self.take()
                self._labels()
                if self.next.word in ("group_left", "group_right"):
                    self.take()
                    if self.next.text == "(":
                        self._labels()
            self._operand(depth)

    def _operand(self, depth: int) -> None:
        while self.next.text in ("+", "-"):
            self.take()
        token = self.next
        if token.kind in ("number", "text"):
            self.take()
        elif token.text == "(":
            self.take("(")
            self.expression(depth + 1)
            self.take(")")
        elif token.text == "{":
            self._selector()
        elif token.kind == "name" and self._is_call():
            self._call(depth)
        elif token.kind == "name" and token.word in ("inf", "nan"):
            self.take()
        elif token.kind == "name" and token.word not in WORDS | AGGREGATIONS:
            self.take()
            self._selector()
        else:
            raise _wrong(f"'{token.text}' is not expected")
        self._behind()

    def _is_call(self) -> bool:
        return self.after.text == "(" or (self.next.word in AGGREGATIONS and self.after.word in GROUPING)

    def _call(self, depth: int) -> None:
        aggregates = self.next.word in AGGREGATIONS
        # Names of functions are the same in capitals only where they aggregate.
        if not aggregates and self.next.text not in FUNCTIONS:
            raise _wrong(f"there is no function {self.next.text} here")
        self.take()
        grouped = aggregates and self.next.word in GROUPING
        if grouped:
            self.take(*GROUPING)
            self._labels()
        self.take("(")
        while self.next.text != ")":
            self.expression(depth + 1)
            if self.next.text != ",":
                break
            self.take(",")
        self.take(")")
        if aggregates and not grouped and self.next.word in GROUPING:
            self.take(*GROUPING)
            self._labels()

    def _labels(self) -> None:
        self.take("(")
        while self.next.text != ")":
            self._label()
            if self.next.text != ",":
                break
            self.take(",")
        self.take(")")

    def _label(self) -> None:
        if not _LABEL.match(self.next.text):
            raise _wrong(f"'{self.next.text}' is no label")
        self.take(kind="name")

    def _selector(self) -> None:
        self.selectors += 1
        if self.selectors > MOST_SELECTORS:
            raise _wrong(f"it names series more than {MOST_SELECTORS} times")
        if self.next.text != "{":
            self.written.append(f"{{{self.matcher}}}")
            return
        self.take("{")
        self.written.append(f"{self.matcher},")
        while self.next.text != "}":
            self._label()
            self.take(*MATCHING)
            self.take(kind="text")
            if self.next.text != ",":
                break
            self.take(",")
        self.take("}")

    def _behind(self) -> None:
        """Ranges, subqueries, ``offset`` and ``@``."""
        while True:
            if self.next.text == "[":
                self._range()
            elif self.next.word == "offset":
                self.take("offset")
                if self.next.text in ("-", "+"):
                    self.take()
                self._span()
            elif self.next.text == "@":
                self.take("@")
                if self.next.word in ("start", "end"):
                    self.take()
                    self.take("(")
                    self.take(")")
                else:
                    self.take(kind="number")
            else:
                return

    def _range(self) -> None:
        self.take("[")
        length = self._span()
        if self.next.text == ":":
            self.take(":")
            self.subqueries += 1
            if self.subqueries > 1:
                raise _wrong("it has more than one subquery")
            # Without one it is what Prometheus' settings say: a minute, unless they are changed.
            step = self._span() if self.next.text != "]" else UNITS["m"]
            if length > step * MOST_STEPS:
                raise _wrong(f"a subquery has more than {MOST_STEPS} steps")
        self.take("]")

    def _span(self) -> int:
        found = _milliseconds(self.take(kind="span"))
        if not 0 < found <= LONGEST:
            raise _wrong(f"a span is above 0 and at most {LONGEST // DAY} days")
        return found
