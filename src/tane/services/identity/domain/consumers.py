"""OAuth 1.0a consumers. The secret is told once, when the consumer is made."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.services.identity.domain import plain
from tane.services.identity.domain.plain import Kind
from tane.services.identity.tables import consumer

CONSUMER = Kind("consumer", consumer, (), {"description": None, "extra": {}})


def create(core: Core, values: dict[str, Any]) -> Row[Any]:
    return plain.create(core, CONSUMER, {**values, "secret": secrets.token_hex(16)})
