"""How JSON columns are written and read."""

from __future__ import annotations

from typing import Any

import msgspec


def dump(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def load(value: str | bytes) -> Any:
    return msgspec.json.decode(value)
