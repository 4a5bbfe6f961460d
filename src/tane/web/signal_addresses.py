"""Addresses that are secrets: whoever has one of a signal acts by it, with the rights of the stack's author. They stand
in what other services keep, too (the actions of an alarm), and a reader is to see no more than that there is one."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from tane.web.request import Request, Response

SECRET = re.compile(
    r"(/orchestration/(?:signal|metadata)/[0-9a-f-]{36}/|(?:^|[^0-9A-Za-z])stackuser)[A-Za-z0-9_-]{16,}"
)
"""Such an address; and passwords and keys of the users that stacks make, which begin so."""
MASK = "******"


def hiding_addresses(handler: Callable[[Request], Any], rule: str) -> Callable[[Request], Any]:
    """A handler of what is read, for whom ``rule`` refuses without what makes an address good."""

    @functools.wraps(handler)
    def handle(request: Request) -> Any:
        answer = handler(request)
        if request.allows(rule):
            return answer
        if isinstance(answer, Response):
            answer.body = without_addresses(answer.body)
            return answer
        return without_addresses(answer)

    return handle


def without_addresses(value: Any) -> Any:
    """A value with a mask in the addresses, and the secrets of stacks' users, that stand in it, also within texts."""
    if isinstance(value, str):
        marked = "/signal/" in value or "/metadata/" in value or "stackuser" in value
        return SECRET.sub(rf"\1{MASK}", value) if marked else value
    if isinstance(value, Mapping):
        return {key: without_addresses(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_addresses(item) for item in value]
    return value
