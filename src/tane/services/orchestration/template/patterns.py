"""Regular expressions of tenants, matched without the risk that one takes the process for itself.

A pattern that cannot need more than a little time is matched here; every other one in a process apart.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from re import _constants, _parser
from typing import Any

from tane.services.orchestration.template import apart, effort
from tane.services.orchestration.template.values import TemplateError

LONGEST = 4096
"""Characters of a pattern."""
MOST_STEPS = 1_000_000
"""Of a match in this process: the interpreter is held meanwhile, some 20 ms."""
WIDE = 4096
"""Characters of a range that are many to look at one by one, as is done where case does not count."""
LATIN = 255
"""The last character whose sets are compiled at once."""
COMPILED = 2 * effort.MIB
"""Characters that may be looked at while a range beyond :data:`LATIN` is compiled: some 4 ms."""
REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def compiled(pattern: str) -> None:
    """See that it is a regular expression. :raises TemplateError: it is none."""
    _steps(pattern, 0)


def whole(pattern: str, text: str) -> bool:
    """Whether ``pattern`` matches the whole of ``text``. :raises TemplateError: it takes too long."""
    if _steps(pattern, len(text)) <= MOST_STEPS:
        found = _pattern(pattern).match(text)
        return found is not None and found.end() == len(text)
    return apart.matches(pattern, text)


@functools.lru_cache(256)
def _pattern(pattern: str) -> re.Pattern[str]:
    """:raises TemplateError: there is no more to spend."""
    effort.see(COMPILED * sum(high > LATIN for _, high in _ranges(_parsed(pattern))))
    return re.compile(pattern)


@functools.lru_cache(256)
def _parsed(pattern: str) -> Any:
    if len(pattern) > LONGEST:
        raise TemplateError(f"Invalid pattern: it is longer than {LONGEST} characters")
    try:
        return _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise TemplateError(f"Invalid pattern: {error}") from None


@functools.lru_cache(1024)
def _steps(pattern: str, length: int) -> int:
    """At most so many steps does a match with a text of that length take, or more than :data:`MOST_STEPS`: the ways in
    which the pattern may go over it, each as long as the longest. :raises TemplateError: it is no pattern."""
    parsed = _parsed(pattern)
    if parsed.state.flags & re.IGNORECASE and _is_wide(parsed):
        return MOST_STEPS + 1
    try:
        ways, steps = _bound(parsed, length)
    except RecursionError as error:
        raise TemplateError(f"Invalid pattern: {error}") from None
    return ways * steps


def _bound(parsed: Any, length: int) -> tuple[int, int]:
    """(ways, steps of the longest): what follows one another multiplies the ways, alternatives add to them."""
    ways, steps = 1, 1
    for operation, argument in parsed:
        found = _of_one(operation, argument, length)
        ways, steps = _capped(ways * found[0]), _capped(steps + found[1])
    return ways, steps


def _of_one(operation: Any, argument: Any, length: int) -> tuple[int, int]:
    if operation in REPEATS:
        least, most, body = argument
        ways, steps = _bound(body, length)
        # A body that matches nothing is tried as often as it must be; every other one takes a character at least.
        most = max(least, min(most, length + 1))
        return _repeated(ways, least, most), _capped(most * steps)
    if operation is _constants.BRANCH:
        found = [_bound(one, length) for one in argument[1]]
        return _capped(sum(ways for ways, _ in found)), max(steps for _, steps in found)
    if operation is _constants.SUBPATTERN:
        return _bound(argument[-1], length)
    if operation in (_constants.ASSERT, _constants.ASSERT_NOT):
        return _bound(argument[1], length)
    if operation is _constants.ATOMIC_GROUP:
        return _bound(argument, length)
    if operation in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
        return MOST_STEPS + 1, 1
    return 1, 1


def _repeated(ways: int, least: int, most: int) -> int:
    """The ways of ``least`` to ``most`` repetitions of what has ``ways`` each time."""
    if ways == 1:
        return _capped(most - least + 1)
    if least > MOST_STEPS.bit_length():
        return MOST_STEPS + 1
    total, one = 0, int(ways**least)
    for _ in range(least, most + 1):
        total, one = total + one, one * ways
        if total > MOST_STEPS:
            break
    return _capped(total)


def _capped(number: int) -> int:
    return min(number, MOST_STEPS + 1)


def _is_wide(parsed: Any) -> bool:
    return any(high - low > WIDE for low, high in _ranges(parsed))


def _ranges(parsed: Any) -> Iterator[tuple[int, int]]:
    """The ranges of characters in a pattern: (first, last)."""
    for operation, argument in parsed:
        if operation is _constants.RANGE:
            yield argument
        elif operation is _constants.IN:
            yield from _ranges(argument)
        elif operation is _constants.BRANCH:
            for one in argument[1]:
                yield from _ranges(one)
        else:
            inner = argument if isinstance(argument, tuple | list) else (argument,)
            for one in inner:
                if isinstance(one, _parser.SubPattern):
                    yield from _ranges(one)
