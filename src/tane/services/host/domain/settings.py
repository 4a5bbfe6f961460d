"""The settings that the cloud runs with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.engine import make_url

from tane.config import Config

SECRET = ("database_url",)
"""Settings that may hold a password; of these only where they lead is told."""


@dataclass(frozen=True)
class Setting:
    """A setting by its name in ``tane.toml`` (``image.free_percent``), its value and the one it has by itself."""

    name: str
    value: Any
    usual: Any


def every(config: Config) -> list[Setting]:
    """In the order of the names."""
    usual = dict(_flat(_plain(Config())))
    return [Setting(name, value, usual.get(name)) for name, value in sorted(_flat(_plain(config)))]


def _plain(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(config, enc_hook=str)
    for name in SECRET:
        if found[name]:
            url = make_url(found[name])
            found[name] = f"{url.drivername} of {url.host or 'this machine'}"
    return found


def _told(value: Any) -> Any:
    """An address without the name and password, and the query, that may be a secret."""
    if isinstance(value, list):
        return [_told(one) for one in value]
    if not isinstance(value, str) or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    place, mark, _ = rest.partition("?")
    authority, slash, path = place.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}{mark and '?…'}"


def _flat(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", _told(value)
