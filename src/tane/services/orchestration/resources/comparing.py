"""What was set compared with what a service tells now: the same thing may be written in more than one way."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

MOST_UNORDERED = 64
"""Entries of a list that are looked for one by one; longer lists are compared in an order."""


class Difference(NamedTuple):
    """A property that is not as it was set."""

    wanted: Any
    now: Any


class Missing(str):
    """The text that was set to name something which nobody finds by now: it stands for itself. ``why`` tells."""

    why: str

    def __new__(cls, text: str, why: str) -> Missing:
        made = super().__new__(cls, text)
        made.why = why
        return made


def missing(value: Any) -> Missing | None:
    """The first thing in a value that is not found."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return next((found for item in value if (found := missing(item)) is not None), None)
    return value if isinstance(value, Missing) else None


def plain(value: Any) -> Any:
    """A value in which what is not found is but a text."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Missing) else value


def same(wanted: Any, now: Any) -> bool:
    """Whether what is there is what was set. Of a map only the keys that were set count, of a list every entry, in
    any order; addresses and numbers may be written in other ways."""
    if wanted is None:
        return now is None or now in ("", [], {})
    if isinstance(wanted, Mapping):
        return isinstance(now, Mapping) and all(
            key in now and same(value, now[key]) for key, value in wanted.items() if value is not None
        )
    if isinstance(wanted, list | tuple):
        return isinstance(now, list | tuple) and len(wanted) == len(now) and _each(list(wanted), list(now))
    if isinstance(now, Mapping | list | tuple):
        return False
    return _plain(wanted) == _plain(now)


def _each(wanted: list[Any], now: list[Any]) -> bool:
    if len(wanted) > MOST_UNORDERED:
        return all(same(*pair) for pair in zip(sorted(wanted, key=repr), sorted(now, key=repr), strict=True))
    for one in wanted:
        place = next((number for number, other in enumerate(now) if same(one, other)), None)
        if place is None:
            return False
        now.pop(place)
    return True


def _plain(value: Any) -> str:
    text = ("" if value is None else str(value)).strip()
    if isinstance(value, bool) or text in ("True", "False"):
        return text.lower()
    if isinstance(value, int | float):
        return repr(float(value))
    if ":" in text or text.count(".") == 3:
        try:
            return str(ipaddress.ip_interface(text))
        except ValueError:
            # A hardware address has no case.
            return text.lower() if text.count(":") == 5 else text
    try:
        return repr(float(text)) if text[:1].isdigit() and len(text) < 32 else text
    except ValueError:
        return text
