"""What makes thousands of databases quick: statements are compiled, and triggers written, once in a test run, which was
a quarter of the time, and nothing waits for the disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.util import LRUCache

from tane.db import postgresql, recording, sqlite

_compiled: LRUCache[Any, Any] = LRUCache(4000)
_triggers: dict[tuple[type, tuple[int, ...]], list[recording.Trigger]] = {}


def share() -> None:
    """Let all engines look in one place; what an engine compiled fits another of the same dialect."""
    event.listen(Engine, "engine_connect", _share)
    for module in (sqlite, postgresql):
        module.triggers = _written_once  # type: ignore[attr-defined]


def _written_once(recorded: Sequence[recording.Recorded], words: recording.Words) -> list[recording.Trigger]:
    key = (type(words), tuple(map(id, recorded)))
    if key not in _triggers:
        _triggers[key] = list(recording.triggers(recorded, words))
    return _triggers[key]


def _share(connection: Connection) -> None:
    engine = connection.engine
    if engine.dialect.name == "sqlite" and not connection.info.get("volatile"):
        # No test cuts the power: what the kernel was given is there after a kill.
        connection.connection.cursor().execute("PRAGMA synchronous = OFF")
        connection.info["volatile"] = True
    if engine._compiled_cache is _compiled:
        return
    kind = type(engine.dialect)
    if kind.__hash__ is object.__hash__:
        kind.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
        kind.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
    engine._compiled_cache = _compiled
