"""Regular expressions of tenants, matched without the risk that one takes the process for itself.

A pattern that cannot need more than a little time is matched here; every other one in a process apart.
"""

from __future__ import annotations

import functools
import re
from re import _constants, _parser
from typing import Any

from tane.services.orchestration.template import apart
from tane.services.orchestration.template.values import TemplateError

LONGEST = 4096
"""Characters of a pattern."""
MOST_STEPS = 1_000_000
WIDE = 4096
"""Characters of a range that are many to look at one by one, as is done where case does not count."""
REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def compiled(pattern: str) -> None:
    """See that it is a regular expression. :raises TemplateError: it is none."""
    _freedom(pattern)


def whole(pattern: str, text: str) -> bool:
    """Whether ``pattern`` matches the whole of ``text``. :raises TemplateError: it takes too long."""
    freedom = _freedom(pattern)
    if freedom is not None and (freedom < 2 or len(text) ** freedom <= MOST_STEPS):
        found = _pattern(pattern).match(text)
        return found is not None and found.end() == len(text)
    return apart.matches(pattern, text)


@functools.lru_cache(256)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@functools.lru_cache(256)
def _freedom(pattern: str) -> int | None:
    """How often the pattern may choose how far it goes, which is the power of the text's length that it takes; None
    where choices are within choices. :raises TemplateError: it is no pattern."""
    if len(pattern) > LONGEST:
        raise TemplateError(f"Invalid pattern: it is longer than {LONGEST} characters")
    try:
        parsed = _parser.parse(pattern)
        count = _choices(parsed, within=False)
        if parsed.state.flags & re.IGNORECASE and _is_wide(parsed):
            return None
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise TemplateError(f"Invalid pattern: {error}") from None
    except _Nested:
        return None
    return count


class _Nested(Exception):
    """A choice within a repetition."""


def _choices(parsed: Any, *, within: bool) -> int:
    count = 0
    for operation, argument in parsed:
        if operation in REPEATS:
            least, most, body = argument
            free = most > 1
            if free and within:
                raise _Nested
            count += int(free and least != most) + _choices(body, within=within or free)
        elif operation is _constants.BRANCH:
            if within:
                raise _Nested
            count += max(_choices(one, within=within) for one in argument[1])
        elif operation is _constants.SUBPATTERN:
            count += _choices(argument[-1], within=within)
        elif operation in (_constants.ASSERT, _constants.ASSERT_NOT):
            count += _choices(argument[1], within=within)
        elif operation is _constants.ATOMIC_GROUP:
            count += _choices(argument, within=within)
        elif operation in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
            raise _Nested
    return count


def _is_wide(parsed: Any) -> bool:
    for operation, argument in parsed:
        if operation is _constants.RANGE and argument[1] - argument[0] > WIDE:
            return True
        if operation is _constants.IN and _is_wide(argument):
            return True
        inner = argument if isinstance(argument, tuple | list) else ()
        if any(isinstance(one, _parser.SubPattern) and _is_wide(one) for one in inner):
            return True
        if operation is _constants.BRANCH and any(_is_wide(one) for one in argument[1]):
            return True
    return False
