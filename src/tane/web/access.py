"""Access rules of application credentials: the calls that one is good for.

Source: Keystone's guide "Application Credentials", "Access Rules".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

PART = re.compile(r"(?P<deep>\*\*)|(?P<wild>\*|{[^}]*})|(?P<literal>[^{}*]+|[{}])")


class AccessRule(NamedTuple):
    """``path`` may hold ``*`` and ``{name}`` (one segment) and ``**`` (any number of them)."""

    service: str
    method: str
    path: str


def permits(rules: Iterable[AccessRule], types: Sequence[str], method: str, path: str) -> bool:
    """Whether a rule names this call of a service of one of ``types``; ``path`` as the client sent it.

    Rules are written with the path below the service's mount point (``/v2.1/servers``) or with all of it.
    """
    below = "/" + path.lstrip("/").partition("/")[2]
    return any(
        rule.service in types
        and rule.method == method
        and any(matches(rule.path, candidate) for candidate in (path, below))
        for rule in rules
    )


def permits_all(rules: Iterable[AccessRule] | None, types: Sequence[str], method: str, path: str) -> bool:
    """The same of a service whose address is the same with a slash at its end; None: there are no rules."""
    bare = path.rstrip("/")
    return rules is None or any(permits(rules, types, method, one) for one in (bare, f"{bare}/"))


def matches(pattern: str, path: str) -> bool:
    """Whether a path is what a rule's path describes.

    Users write the patterns: a regular expression made of one could take hours over a path (``/**a**a**a…``). Here each
    part of the pattern passes over the path once.
    """
    reached = {0}
    for kind, text in _parts(pattern):
        if kind == "literal":
            reached = {end + len(text) for end in reached if path.startswith(text, end)}
        elif kind == "deep":
            reached = set(range(min(reached, default=len(path) + 1), len(path) + 1))
        else:
            reached = _within_segment(path, reached)
    return len(path) in reached


def _within_segment(path: str, reached: set[int]) -> set[int]:
    """Where one gets to from these positions by one or more characters of the same segment."""
    found: set[int] = set()
    for position, character in enumerate(path):
        if character != "/" and (position in reached or position in found):
            found.add(position + 1)
    return found


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[tuple[str, str], ...]:
    """The parts of a rule's path: (literal, text), (deep, "**"), (wild, "*" or "{name}")."""
    return tuple((match.lastgroup or "", match[0]) for match in PART.finditer(pattern))
