"""How JSON columns are written and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import JSON, Dialect, TypeDecorator


def dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def load(value: str | bytes) -> Any:
    return msgspec.json.decode(value)


class Document(Mapping[str, Any]):
    """A long JSON object of a row, read when something first looks into it."""

    __slots__ = ("_found", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[str, Any] | None = None

    def whole(self) -> dict[str, Any]:
        if self._found is None:
            self._found = load(self.text)
        return self._found

    def __getitem__(self, key: str) -> Any:
        return self.whole()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.whole())

    def __len__(self) -> int:
        return len(self.whole())


class Documents(TypeDecorator[Any]):
    """A column of long JSON objects, of which most readers of a row want nothing: it is a :class:`Document`, where
    the driver does not read it itself (PostgreSQL's does)."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)

        def process(value: str | None) -> Document | None:
            return None if value is None or value == "null" else Document(value)

        return process

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        write = super().bind_processor(dialect)
        if dialect.name != "sqlite" or write is None:
            return write

        def process(value: Any) -> Any:
            return value.text if isinstance(value, Document) else write(value)

        return process
