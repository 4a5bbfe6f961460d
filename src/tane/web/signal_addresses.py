"""Addresses that are secrets: whoever has one of a signal acts by it, with the rights of the stack's author. They stand
in what other services keep, too (the actions of an alarm), and a reader is to see no more than that there is one."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from tane.web.request import Request, Response

SECRET = re.compile(r"(/orchestration/(?:signal|metadata)/[0-9a-f-]{36}/|stackuser)[A-Za-z0-9_-]{16,}")
"""Such an address; and passwords and keys of the users that stacks make, which begin so."""
MASK = "******"
CODED = re.compile(r"(Content-Transfer-Encoding: base64\n(?:[^\n]{1,1024}\n){0,8}\n)([A-Za-z0-9+/=\n]+)", re.IGNORECASE)
"""A part of a message that holds more than ASCII."""


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
        return _masked(CODED.sub(_without_coded, value) if "base64" in value else value)
    if isinstance(value, Mapping):
        return {key: without_addresses(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_addresses(item) for item in value]
    return value


def _masked(text: str) -> str:
    marked = "/signal/" in text or "/metadata/" in text or "stackuser" in text
    return SECRET.sub(rf"\1{MASK}", text) if marked else text


def _without_coded(found: re.Match[str]) -> str:
    """A part of a message, which is left out where such a thing stands in it."""
    try:
        text = base64.b64decode(found[2]).decode("utf-8", "replace")
    except binascii.Error:
        return found[0]
    return found[0] if _masked(text) == text else f"{found[1]}{MASK}\n"
