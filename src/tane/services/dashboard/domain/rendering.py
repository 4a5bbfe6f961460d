"""Templates. Loaded when the first page is asked for: a cloud whose portal nobody opens does not pay for it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tane.services.dashboard.domain.showing import size

HOME = Path(__file__).parent.parent
STATIC = HOME / "static"


@cache
def environment() -> Environment:
    """All values are escaped, in every template; a name that is not there is an error."""
    found = Environment(
        loader=FileSystemLoader(HOME / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals["static"] = address
    found.filters["size"] = size
    return found


def render(template: str, values: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(values)


@cache
def address(name: str) -> str:
    """The address of a file of the portal: another one whenever its content is, so that browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/dashboard/static/{name}?v={digest}"


@cache
def _names() -> frozenset[str]:
    return frozenset(file.name for file in STATIC.iterdir() if file.is_file())


@cache
def _file(name: str) -> bytes:
    return (STATIC / name).read_bytes()


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_file(name), mtime=0)


def packed(name: str) -> bytes:
    """The same, packed: pages are not, since what is typed and what is secret stand in them together."""
    return _packed(name)


def static(name: str) -> bytes | None:
    """A file's bytes; None when there is none of this name."""
    return _file(name) if name in _names() else None
