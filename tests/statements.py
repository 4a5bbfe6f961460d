"""Statements are compiled once in a test run, not once for every test's database: that was a quarter of the time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.util import LRUCache

_compiled: LRUCache[Any, Any] = LRUCache(4000)


def share() -> None:
    """Let all engines look in one place; what an engine compiled fits another of the same dialect."""
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    engine = connection.engine
    if engine._compiled_cache is _compiled:
        return
    kind = type(engine.dialect)
    if kind.__hash__ is object.__hash__:
        kind.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
        kind.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
    engine._compiled_cache = _compiled
