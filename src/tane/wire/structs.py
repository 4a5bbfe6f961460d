"""What msgspec knows of a struct is made when the struct is first used, and seen by other threads when it is half made:
two that use one for the first time at once read a null pointer, and the process is gone. So it is made before there are
threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

_MADE: set[type[msgspec.Struct]] = set()


def prepare() -> None:
    """Make what msgspec needs of each struct that is there; repeatable, for those that came since."""
    for struct in [one for one in _below(msgspec.Struct) if one not in _MADE]:
        # Some are read from no document: their fields are of other types.
        with contextlib.suppress(TypeError):
            msgspec.json.Decoder(struct)
        _MADE.add(struct)


def _below(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in struct.__subclasses__():
        yield one
        yield from _below(one)
