"""Regular expressions of strangers: only those that cannot take long.

Python's engine tries again and again: ``(a+)+$`` over thirty letters takes minutes, and nothing else of the process
runs meanwhile. What is let through has few repetitions and none within another, so that the time is bounded by a
small power of the text's length.
"""

from __future__ import annotations

import math
import re
import re._constants as sre  # type: ignore[import-not-found]  # No stubs.
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any

LONGEST = 255
MOST_WAYS = 4 * LONGEST**2
"""In how many ways an expression may try to match from one place on: two repetitions without a bound, and a choice."""

REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
LEAVES = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.AT)


class Dear(ValueError):
    """The expression could take long, or is none."""


def checked(text: str) -> str:
    """The same text. :raises Dear: it is no regular expression, or one that could take long."""
    if len(text) > LONGEST:
        raise Dear(f"longer than {LONGEST} characters")
    try:
        parsed = parser.parse(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise Dear(str(error)) from None
    if _ways(parsed, within=False) > MOST_WAYS:
        raise Dear("too many repetitions")
    return text


def _ways(parts: Any, *, within: bool) -> int:
    """In how many ways it may be tried. :raises Dear: repetitions within another, or what is not known to be cheap."""
    return math.prod(_of(operation, argument, within=within) for operation, argument in parts)


def _of(operation: Any, argument: Any, *, within: bool) -> int:
    if operation in LEAVES:
        return 1
    if operation is sre.SUBPATTERN:
        return _ways(argument[3], within=within)
    if within:
        raise Dear("a choice or a repetition within a repetition")
    if operation is sre.BRANCH:
        return sum(_ways(branch, within=within) for branch in argument[1])
    if operation in REPEATS:
        least, most, inner = argument
        _ways(inner, within=True)
        if least > LONGEST:
            raise Dear(f"counts more than {LONGEST}")
        repeats: int = min(int(most), LONGEST) - least + 1
        return repeats
    raise Dear("references and conditions")
