"""Access rules of application credentials: the calls that one is good for.

Source: Keystone's guide "Application Credentials", "Access Rules".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

PART = re.compile(r"(?P<name>{[^}]*})|(?P<deep>\*\*)|(?P<wild>\*)|(?P<literal>[^{}*]+|[{}])")


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
        and any(pattern(rule.path).fullmatch(candidate) for candidate in (path, below))
        for rule in rules
    )


@cache
def pattern(path: str) -> re.Pattern[str]:
    """The regular expression of a rule's path."""
    text = ""
    for match in PART.finditer(path):
        if match["name"] or match["wild"]:
            text += "[^/]+"
        elif match["deep"]:
            text += ".*"
        else:
            text += re.escape(match["literal"])
    return re.compile(text)
